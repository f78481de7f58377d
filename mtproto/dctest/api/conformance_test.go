package api

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"testing"

	"github.com/mtfleet/mtfleet/tl/tg"
)

// conformance says of what a server of MTProto sign-ins owes its clients, one sentence each, which tests show it here. A
// name of this package stands alone, one of another is behind its folder.
var conformance = []struct {
	claim string
	tests []string
}{
	// Keys and connections.
	{"a fresh key may ask for no user", []string{"TestGateMatrix"}},
	{"no call is answered before initConnection", []string{"dctest TestLayerGate", "dctest TestEachStrictnessRuleIsAnsweredAndRecorded"}},
	{"an old layer is answered in its own constructors", []string{"dctest TestClientsOfEveryLayerAreServed", "TestCodesOfOldLayersAreOfTheirTime"}},

	// Codes.
	{"a known number on the wrong DC is sent to its own", []string{"TestSendCodeSendsToTheDCOfTheNumber"}},
	{"an unknown number on the wrong DC is sent to the nearest", []string{"TestSendCodeSendsToTheDCOfTheNumber"}},
	{"a code is not sent again too early, nor when there is no other way", []string{"TestResendGoesDownTheChainAndEnds"}},
	{"a chain of codes has an end", []string{"TestResendGoesDownTheChainAndEnds", "TestALongChainIsAnnouncedStepByStep"}},
	{"the hash before the last one is dead", []string{"TestResendGoesDownTheChainAndEnds"}},
	{"five wrong codes spend a code", []string{"TestFiveWrongCodesSpendTheAttempt"}},
	{"a code has its time", []string{"TestACodeExpires"}},
	{"a code signs in once", []string{"TestTheSameCodeSignsInOnce"}},
	{"a sign-in whose answer is lost needs no second code", []string{"TestEveryFlowEndsWellWhateverIsLost"}},
	{"an unknown number signs up, and not without its code", []string{"TestAnUnknownNumberSignsUp"}},
	{"a login e-mail is set up, mailed to and reset", []string{
		"TestALoginEmailIsSetUpBeforeTheCodeComes", "TestALoginCodeByMailIsAnEmailVerification", "TestALostLoginEmailIsResetAfterAWait",
	}},
	{"a sign-in that costs waits for its payment", []string{"TestAPaidSignInWaitsForItsPayment"}},
	{"the token of a logout stands for a code, once", []string{"TestALogoutTokenReplacesTheCodeOnce"}},
	{"a token stops at the password, and no code is sent", []string{"TestATokenThatStopsAtThePasswordSendsNoCode"}},
	{"old tokens make room for new ones", []string{"TestOnlyTheNewestTokensAreKept", "TestAClientSignsInWithAFutureTokenInsteadOfACode"}},

	// Passwords.
	{"half a sign-in may do what it needs for the other half", []string{"TestGateMatrix", "TestAPasswordStopsTheLoginHalfway", "TestTheRightPasswordEndsTheLogin"}},
	{"a wrong password spends its srp_id", []string{"TestAWrongPasswordSpendsItsChance"}},
	{"an srp_id has its time", []string{"TestAnSRPIDIsGoodForHalfAnHourAndForItsAccountOnly"}},
	{"a password changed in between is said", []string{"TestAPasswordChangedInBetweenIsSaid"}},
	{"a client trusts no group and no B but good ones", []string{"crypt TestSRPRefusesParametersThatAreNotToBeTrusted"}},
	{"SRP is the published one to the byte", []string{"crypt TestSRPMatchesThePublishedVectors", "crypt TestSRPMatchesTheVectorWithATinyExponent"}},
	{"a forgotten password is recovered by mail, with a new one or none", []string{"TestAForgottenPasswordIsRecoveredByMail", "TestRecoveryRefusals"}},

	// QR codes.
	{"a code nobody scans is replaced, and is then too old", []string{"TestAQRCodeNobodyScansRunsOutAndIsReplaced"}},
	{"a scan at home is told and signs in", []string{"TestAScanAtTheSameDCSignsInAtTheNextQuestion"}},
	{"a scan elsewhere moves the login, and leaves the first key alone", []string{"TestAScanElsewhereSendsTheLoginToTheAccountsDC"}},
	{"a scan stops at the password, on either DC", []string{"TestAScanByAnAccountWithAPasswordStopsAtThePasswordOnItsDC"}},
	{"a code is scanned once", []string{"TestAScanAtTheSameDCSignsInAtTheNextQuestion"}},
	{"an account that is excepted cannot scan", []string{"TestAnAccountThatIsExceptedCannotAccept"}},
	{"an update that is lost costs a scan only time", []string{"TestALostLoginTokenUpdateCostsOnlyTime"}},

	// Bots.
	{"a bot on the wrong DC is sent to its own", []string{"TestABotSignsInOnItsDC"}},
	{"a bot may not what people may", []string{"TestGateMatrix"}},

	// Temp keys.
	{"a bound key needs its own initConnection", []string{"dctest TestBindMatrix"}},
	{"an unbound key may do three things", []string{"dctest TestUnboundTempKeyMayCallThreeMethods", "TestAnUnboundTempKeyMayOnlyAskForTheConfig"}},
	{"a bind that differs in anything is refused", []string{"dctest TestBindMatrix", "dctest TestABindThatIsSealedInAnotherWayIsRefused"}},
	{"a temp key is bound to one perm key, and a perm key to none", []string{"dctest TestBindOnAPermKeyAndToASecondPermKey"}},
	{"a bind ends within the life of its key", []string{"dctest TestBindMatrix"}},
	{"the binding message is the published one to the byte", []string{"crypt TestBindVector"}},
	{"a DC that forgot its temp keys says -404 and takes others", []string{"dctest TestStateFaults"}},
	{"a forgotten perm key cannot be bound to, and is gone", []string{"dctest TestAForgottenPermKeyIsGoneForItsTempKeysTooWhateverItsAge", "TestAKeyThatIsGoneEndsItsAuthorization"}},
	{"dropped temp keys are gone, those listed are not", []string{"dctest TestDropTempAuthKeysSparesTheListedAndTheCaller"}},
	{"a strict DC cuts the earlier temp keys off", []string{"dctest TestBindStrictCutsOffEarlierTempKeys"}},
	{"temp keys live for as long as they were asked for, a day at most", []string{"dctest TestTempKeyLivesExactlyAsLongAsItWasAskedFor", "serve TestVirtualTime"}},

	// Other DCs.
	{"nothing is exported to where nobody can go", []string{"TestExportRefusesDCsThatCannotBeMeant"}},
	{"exported bytes are good once, there, for a while", []string{"TestImportRefusals", "TestUsedBytesAreGoodForTheirGuestOnly"}},
	{"an import whose answer is lost is repeated", []string{"TestImportRefusals"}},
	{"an import that is repeated is one", []string{"dctest TestTheLedgerCountsTheImportsOfAGuest"}},

	// Messages.
	{"a private message is in the boxes of both sides, and other sessions hear of it", []string{"TestAPersonAndABotWriteToEachOther", "TestAMessageToOneselfReachesTheOtherSessions"}},
	{"a user or channel is named by the hash of the account that names it", []string{"TestWhoMayWriteToWhom", "TestChannelsAreNamedByTheHashOfTheAccount"}},
	{"a bot does not write first, nor to a bot", []string{"TestWhoMayWriteToWhom"}},
	{"a random_id sends once", []string{"TestWhoMayWriteToWhom"}},
	{"edits, deletions and reading have their pts in each box", []string{"TestEditsDeletionsAndReadingReachBothSides"}},
	{"typing is in no log", []string{"TestTypingIsToldAtOnceOrNever"}},
	{"who stopped a bot is in its qts", []string{"TestABotHearsThatItWasStopped"}},
	{"a common difference leads from any pts to the end, in order and once", []string{"TestSlicesAddUpToTheLog"}},

	// Channels.
	{"a channel has one pts for all its members", []string{"TestAMessageInAChannelReachesItsMembers"}},
	{"a channel's difference is empty, all, a part or too long", []string{"TestADifferenceOfAChannel", "TestADifferenceOfAChannelIsTooLongForWhatIsGone"}},
	{"a channel's difference leads from any pts to the end, in order and once", []string{"TestDifferencesOfAChannelAddUpToItsLog"}},
	{"people get 100 updates of a channel at a time, bots more", []string{"TestADifferenceOfAChannel"}},
	{"who has left a private channel may not ask after it", []string{"TestChannelsAreNamedByTheHashOfTheAccount"}},
	{"a group says who comes and who leaves, a broadcast channel does not", []string{
		"TestWhoJoinsAGroupIsAnnounced", "TestWhoIsInvitedIsAnnounced", "TestWhoJoinsABroadcastChannelIsNotAnnounced",
	}},
	{"the common difference names the channels that have moved", []string{"TestTheCommonDifferenceNamesChannelsThatMoved"}},
	{"large channels say that they have moved in place of what moved them", []string{"TestLargeChannelsPushThatTheyMoved"}},

	// Ends.
	{"a session that ends others takes their guests along, by either name", []string{"TestResetAuthorizationsLeavesTheCallerAndItsGuests"}},
	{"a session of less than a day ends none", []string{"TestAnAuthorizationOfADayEndsOthers"}},
	{"a key used twice is refused once by that name, then is nobody's", []string{"TestDuplicateUseIsAnsweredOnceAndEndsTheAuthorization", "TestTwoHostsOnOneHomeKeyAreDuplicateUse"}},
	{"a banned account is told so at every call", []string{"TestGateMatrix"}},
	{"waits of any length, trouble for a while and challenges are answered on demand", []string{
		"dctest TestErrorsOfAnyKindAreAnsweredAsOftenAsAsked", "TestAnInjectedWaitCountsDownAndCountsOnce", "TestEveryDocumentedErrorIsAnsweredOnDemand",
	}},
	{"a client that is killed anywhere in a sign-in ends it without a second code", []string{"TestEveryFlowEndsWellWhateverIsLost"}},
	{"what is written down holds no secrets", []string{"dctest TestWhatIsWrittenDownHoldsNoSecrets"}},
}

// TestEveryClaimHasItsTest finds each test in the source of its package.
func TestEveryClaimHasItsTest(t *testing.T) {
	folders := map[string]string{"": ".", "dctest": "..", "serve": "../serve", "crypt": "../../crypt"}
	have := map[string]bool{}
	for pkg, folder := range folders {
		files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s has no tests: %v", folder, err)
		}
		for _, path := range files {
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range file.Decls {
				if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil {
					name := f.Name.Name
					if pkg != "" {
						name = pkg + " " + name
					}
					have[name] = true
				}
			}
		}
	}
	for _, c := range conformance {
		if len(c.tests) == 0 {
			t.Errorf("nothing shows that %s", c.claim)
		}
		for _, name := range c.tests {
			if !have[name] {
				t.Errorf("that %s is shown by %s, which there is not", c.claim, name)
			}
		}
	}
}

func TestATokenThatStopsAtThePasswordSendsNoCode(t *testing.T) {
	w := newWorld(t, Config{})
	u := w.person(1)
	w.login(u, 1)
	token := must(w, 1, 1, &tg.AuthLogOutRequest{}).FutureAuthToken.Value
	if err := w.b.SetPassword(u.ID, "correct horse"); err != nil {
		t.Fatal(err)
	}
	before := w.b.CodesSent()
	refused(w, "the token", 1, 2, sendCode(u.Phone, token), 401, "SESSION_PASSWORD_NEEDED")
	if n := w.b.CodesSent(); n != before {
		t.Errorf("%d codes were sent all the same", n-before)
	}
	must(w, 1, 2, w.proof(1, 2, "correct horse"))
	must(w, 1, 2, self())
}
