package actors_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// proofs is the table of supervision of ARCHITECTURE.md: for each row the tests that
// make it happen, by package when it is not this one. The first is of whole accounts
// against test DCs wherever that is possible; further ones try its finer points.
var proofs = []struct {
	what  string // the first cell
	tests []string
}{
	{"socket error, silence, ping timeout", []string{
		"TestARestartedDCIsRecoveredFrom", "TestAOnceCallWhoseAnswerIsLostEndsAsUnknownAndIsNotRepeated", "TestAllDCsAreCutOffForAMinute",
		"dcconn.TestCutMidCall", "dcconn.TestBlackHole",
	}},
	{"silence, of a DC, to everybody", []string{
		"TestASilentDCIsOneLineAndSoIsItsEnd", "TestADCThatIsLateCostsNoConnection", "governor.TestWhatIsNoSilenceIsNotSaid",
	}},
	{"silence, of a DC, to two accounts", []string{"TestTheSilenceOfTwoIsEverybodys", "governor.TestADCIsSuspectedWhenTwoAccountsHadNoAnswer"}},
	{"bad salt, bad time, bad seqno", []string{"TestASessionsTroubleIsItsOwn", "TestAnHourBetweenTheClocksIsLearned"}},
	{"-404 under a temp key", []string{"TestTranscriptTempKeyForgotten", "TestARestartedDCIsRecoveredFrom", "binding.TestTranscriptTempKeyForgotten"}},
	{"a call for media", []string{"TestCallsForMedia", "TestTranscriptMedia", "bindings.TestBindingsForMedia"}},
	{"bind refused", []string{"TestASpuriousBindErrorLosesNoLogin", "TestAForgottenPermKeyIsReportedOnceAfterTwoProofs", "pfs.TestADayOfRefusedBindsCostsFewKeys"}},
	{"-404 under a perm key", []string{
		"TestAForgottenPermKeyIsReportedOnceAfterTwoProofs", "TestADCThatKnowsNobodyRevokesNobody", "TestTwoKeysThatAreReallyGoneAreFoundOut",
		"TestExchangedAddressesProveNothing", "binding.TestAForgottenGuestKeyIsReplacedAndTheAuthorizationCarriedAgain",
	}},
	{"-429, refused connects", []string{
		"TestTransportErrorsToNewConnections", "TestAllDCsAreCutOffForAMinute", "governor.TestFloodSlowsTheDC", "governor.TestStorm",
		"governor.TestAProxyThatIsDownHoldsUpNobodyElse",
	}},
	{"a proxy is down, refuses, or is changed", []string{
		"TestAnAccountConnectsThroughItsProxyOrNotAtAll", "TestAProxyIsChangedUnderCallsAndKeptOverRestarts", "dcconn.TestASessionGoesOnThroughAnotherProxy",
	}},
	{"a connection to a DC is closed and wanted again", []string{
		"TestAPausedAccountStaysSilentUntilItIsResumed", "bindings.TestBindings", "binding.TestOneSessionSpeaksAfterTheOther",
	}},
	{"303 in a sign-in", []string{"TestASignInFollowsMigrationsAndIsSentInCirclesNoMore"}},
	{"303 in a call", []string{"TestAnAccountMovesWhereTheServerSaysItLives", "TestAMoveThatWasNoneIsTakenBack"}},
	{"401 on a guest DC", []string{
		"TestBytesThatAGuestDCRefusesAreExportedAnew", "TestAGuestDCThatRefusesForGoodTakesNoKeyPerCall", "TestCallsToAGuestDCThatIsGivenUpEnd",
	}},
	{"401 at home", []string{
		"TestARevokedAuthorizationIsConfirmedThenReported", "TestOneBroken401DoesNotEndAnAccount", "TestABannedAccountIsReportedWithTheServersWords",
		"TestACallThatIsRefusedForItsKeyGoesUnderTheNext", "TestADoubtBacksOff",
	}},
	{"406 `AUTH_KEY_DUPLICATED`", []string{"TestADuplicatedKeyStopsTheAccountAtOnce", "TestADuplicatedAccountEndsAlone"}},
	{"420", []string{"TestAFloodWaitIsToldRememberedAndObeyed", "TestAWaitOfTheWholeAccountIsObeyedAcrossARestart", "TestAWaitOfOneTargetHoldsNothingElse"}},
	{"a node's lease is over", []string{
		"TestANodeThatDoesNotReachTheStoreIsSilentBeforeItsLeaseIsOver", "TestNobodyIsTakenWhileTheStoreIsAwayFromEverybody", "TestALateRenewalGivesNobodyUp",
	}},
	{"a node hears no DC", []string{
		"TestAccountsLeaveANodeThatReachesNoDCAndComeBack", "TestNothingMovesWhenTheDCsAreAwayFromEveryNode", "TestANodeIsNotCutOffForADCOrProxiesThatAreAway",
		"dcconn.TestADCIsAskedWithoutAnAccount",
	}},
	{"another node has taken an account", []string{"TestANodeForgetsWhatItOwedOfAnAccountThatWasTaken"}},
	{"5xx", []string{"TestARepeatableCallSurvivesTheServersTrouble", "TestTheServersErrorReachesTheCaller"}},
	{"no update and no answer for 15 to 20 minutes", []string{"TestASilentRevocationIsFound"}},
	{"somebody signed in, or \"this key was dropped\"", []string{"TestANewSessionIsTold", "TestAServerThatDroppedTheKeyIsAskedWhetherItDid"}},
	{"updates missed, a gap", []string{"TestTranscriptChannelGap", "TestUpdatesOfADeadProcessArriveAfterItsRestart", "updates.TestAGapOfAChannelIsWaitedForAndThenFetched"}},
	{"a result that is an Updates value, or says what it affected", []string{
		"TestWhomAResultNamesIsMetWhenItReturns", "updates.TestUpdatesInAResultAreTakenLikePushes", "updates.TestWhatAQueryDidMovesItsPlace",
	}},
	{"a durable consumer is behind", []string{"TestWhatAllConsumersOweIsBounded", "TestAConsumerThatStaysAwayHoldsNoMemory"}},
	{"panic in a dcconn", []string{"TestAPanicOfAnyActorLeavesTheOthersConnections", "TestAPanicInAConnectionStartsItsLinkAgain"}},
	{"panic in a binding", []string{"TestAPanicOfAnyActorLeavesTheOthersConnections", "binding.TestAPanicWhereverItHappensIsHealed"}},
	{"panic in an account", []string{"TestAPanicOfAnyActorLeavesTheOthersConnections", "TestAPanicInAnAccountIsItsOwn"}},
	{"panic in the fleet", []string{"TestAPanicOfAnyActorLeavesTheOthersConnections", "TestAfterAPanicEverybodyIsBack"}},
	{"panic in the governor", []string{"TestAPanicOfAnyActorLeavesTheOthersConnections", "governor.TestAGovernorThatFailedIsReplaced"}},
	{"the machine slept, or the process was stopped, for half a minute", []string{
		"TestAMachineThatSleptIsBackInSeconds", "runtime.TestAProcessThatDidNotRunIsToldSo", "runtime.TestAClockSetAheadMayBeASleep",
	}},
	{"no file descriptor for a dial", []string{"TestAShortageOfDescriptorsIsNamed", "wire.TestAProcessWithoutDescriptors"}},
	{"a handler does not return for 30 s", []string{
		"TestAnActorThatNeverReturnsIsFoundOutAndHurtsNobody", "TestAWedgedAccountIsReportedAndItsCallersAreReleased",
	}},
	{"another process claimed the store", []string{"TestTheFirstManagerFallsSilentWhenAnotherClaimsTheStore"}},
	{"the store refuses a commit", []string{"TestAStoreThatRefusesTakesNothingNewAndGoesOnByItself", "TestTheStoreFailsForAWhileAndNothingIsLost"}},
	{"the disk fills up, fails, is gone", []string{
		"badgerstore.TestACommitIsRefusedWhileTheDiskHasNoRoomAndTakenAfterwards", "badgerstore.TestADirectoryThatIsGoneEndsCommitsAndClose",
		"badgerstore.TestADiskThatHangsEndsCommitsAndClose",
	}},
	{"a node reaches no DC", []string{"TestNothingMovesWhenTheDCsAreAwayFromEveryNode", "TestAccountsLeaveANodeThatReachesNoDCAndComeBack"}},
	{"the database is away, or its answer is lost", []string{
		"pgstore.TestTheServerIsKilledAmongCommits", "pgstore.TestTheAnswerToACommitIsLost", "pgstore.TestAConnectionGoesSilentInACommit", "pgstore.TestTheDatabaseIsAwayForLong",
	}},
	{"the database has forgotten who owns what", []string{"pgstore.TestItFailsOver", "pgstore.TestAStandbyTakesOver", "actors.TestTheStoreForgetsWhoOwnsWhat"}},
}

// TestArchitectureHasAProofOfEachRow: the page's table and this list have the same
// rows, and the tests are there. Whoever adds a row names what
// makes it happen.
func TestArchitectureHasAProofOfEachRow(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(page), "| what happens | who sees it |")
	if !found {
		t.Fatal("ARCHITECTURE.md has no table of supervision")
	}
	var rows, named []string
	for _, line := range strings.Split(table, "\n")[2:] { // after the rest of its head, and the line below
		if !strings.HasPrefix(line, "| ") {
			break
		}
		what, _, _ := strings.Cut(line[2:], " | ")
		rows = append(rows, what)
	}
	there := testsThere(t)
	for _, p := range proofs {
		named = append(named, p.what)
		for _, name := range p.tests {
			if !strings.Contains(name, ".") {
				name = "actors." + name
			}
			if !there[name] {
				t.Errorf("%s: there is no test %s", p.what, name)
			}
		}
		if len(p.tests) == 0 {
			t.Errorf("%s: nothing proves it", p.what)
		}
	}
	if len(rows) < 30 {
		t.Errorf("%d rows were read", len(rows))
	}
	for _, row := range rows {
		if !slices.Contains(named, row) {
			t.Errorf("nothing is named here that makes this happen: %s", row)
		}
	}
	for _, what := range named {
		if !slices.Contains(rows, what) {
			t.Errorf("the page has no such row: %s", what)
		}
	}
}

var testFunc = regexp.MustCompile(`(?m)^func (Test\w+)\(`)

// testsThere are the tests of the packages named above, by the package's directory.
func testsThere(t *testing.T) map[string]bool {
	t.Helper()
	there := map[string]bool{}
	for _, dir := range []string{
		".", "binding", "bindings", "dcconn", "governor", "runtime", "wire", "../mtproto/pfs", "../mtproto/updates", "../persistence/badgerstore", "../persistence/pgstore",
	} {
		files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: tests %v, error %v", dir, files, err)
		}
		name := filepath.Base(dir)
		if dir == "." {
			name = "actors"
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range testFunc.FindAllStringSubmatch(string(text), -1) {
				there[name+"."+m[1]] = true
			}
		}
	}
	return there
}
