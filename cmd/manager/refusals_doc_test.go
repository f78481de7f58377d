package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// playedBy names the tests of a flow that call a method, besides
// TestEveryRefusalIsSaidInWords: the package's folder and the test.
var playedBy = map[string][]string{
	"auth.sendCode":                       {"actors.TestASignInFollowsMigrationsAndIsSentInCirclesNoMore"},
	"auth.resendCode":                     {"actors.TestAnotherCodeIsNotAskedForEarly"},
	"auth.cancelCode":                     {"actors.TestASignInBeginsTheMomentTheLastIsCancelled"},
	"auth.signIn":                         {"actors.TestASignInSurvivesAKillAtEveryCommit"},
	"auth.signUp":                         {"actors.TestSignUpIsForTestDCs"},
	"auth.requestFirebaseSms":             {"mtproto/dctest/api.TestEveryFlowEndsWellWhateverIsLost"},
	"auth.reportMissingCode":              {"mtproto/login.TestTranscripts"},
	"auth.resetLoginEmail":                {"mtproto/login.TestTranscripts"},
	"auth.checkPaidAuth":                  {"mtproto/dctest/api.TestEveryFlowEndsWellWhateverIsLost"},
	"account.sendVerifyEmailCode":         {"actors.TestEveryFlowEndsWellWhateverHappens"},
	"account.verifyEmail":                 {"actors.TestEveryFlowEndsWellWhateverHappens"},
	"account.getPassword":                 {"actors.TestAPasswordIsSetChangedAndRemoved"},
	"auth.checkPassword":                  {"actors.TestAPasswordEndsASignIn"},
	"auth.requestPasswordRecovery":        {"actors.TestAForgottenPasswordIsRecoveredByEmail"},
	"auth.checkRecoveryPassword":          {"actors.TestEveryFlowEndsWellWhateverHappens"},
	"auth.recoverPassword":                {"actors.TestEveryFlowEndsWellWhateverHappens"},
	"auth.exportLoginToken":               {"actors.TestAQRCodeIsReplacedBeforeItEnds"},
	"auth.importLoginToken":               {"actors.TestWhoScansMayLiveElsewhereAndHaveAPassword"},
	"auth.acceptLoginToken":               {"actors.TestASignInByQRIsLetIn"},
	"auth.importBotAuthorization":         {"actors.TestAnUnknownBotTokenEndsTheSignIn"},
	"auth.importWebTokenAuthorization":    {"actors.TestEveryFlowEndsWellWhateverHappens"},
	"auth.initPasskeyLogin":               {"actors.TestEveryFlowEndsWellWhateverHappens"},
	"auth.finishPasskeyLogin":             {"mtproto/dctest/webauthn.TestAClientSignsInByPasskey"},
	"auth.initFirebasePnvLogin":           {"actors.TestEveryFlowEndsWellWhateverHappens"},
	"auth.finishFirebasePnvLogin":         {"actors.TestEveryFlowEndsWellWhateverHappens"},
	"auth.firebasePnvSignUp":              {"actors.TestEveryFlowEndsWellWhateverHappens"},
	"auth.exportAuthorization":            {"mtproto/guest.TestExportAndImport"},
	"auth.importAuthorization":            {"actors.TestBytesThatAGuestDCRefusesAreExportedAnew"},
	"auth.bindTempAuthKey":                {"mtproto/dctest.TestBindMatrix"},
	"auth.dropTempAuthKeys":               {"mtproto/dctest.TestDropTempAuthKeysSparesTheListedAndTheCaller"},
	"auth.logOut":                         {"actors.TestALogoutGoesOnAfterARestart"},
	"auth.resetAuthorizations":            {"actors.TestAllOtherSessionsAreEnded"},
	"updates.getState":                    {"actors.TestNothingPushedRightAfterASignInIsLost"},
	"updates.getDifference":               {"actors.TestAPauseRightAfterAnUpdateDeliversItOnce"},
	"users.getUsers":                      {"actors.TestEverySignOfARevocationEndsInIt"},
	"account.getAuthorizations":           {"actors.TestAnotherSessionIsSeenAndEnded"},
	"account.resetAuthorization":          {"actors.TestAnotherSessionIsSeenAndEnded"},
	"account.setAuthorizationTTL":         {"actors.TestAnotherSessionIsSeenAndEnded"},
	"account.changeAuthorizationSettings": {"actors.TestAnotherSessionIsSeenAndEnded"},
	"account.invalidateSignInCodes":       {"mtproto/dctest/api.TestCodesShownToOthersAreVoid"},
	"account.updatePasswordSettings":      {"actors.TestAPasswordIsSetChangedAndRemoved"},
	"account.confirmPasswordEmail":        {"actors.TestARecoveryEmailIsConfirmedByItsCode"},
	"account.resendPasswordEmail":         {"actors.TestARecoveryEmailIsConfirmedByItsCode"},
	"account.cancelPasswordEmail":         {"actors.TestARecoveryEmailIsConfirmedByItsCode"},
	"account.resetPassword":               {"actors.TestAResetOfAPasswordWaitsForAWeek"},
	"account.declinePasswordReset":        {"actors.TestAResetOfAPasswordWaitsForAWeek"},
	"account.initPasskeyRegistration":     {"actors.TestAPasskeyIsRegisteredListedAndDeleted"},
	"account.registerPasskey":             {"actors.TestAPasskeyIsRegisteredListedAndDeleted"},
	"account.getPasskeys":                 {"actors.TestAPasskeyIsRegisteredListedAndDeleted"},
	"account.deletePasskey":               {"actors.TestAPasskeyIsRegisteredListedAndDeleted"},
}

const (
	root      = "../../"
	signInDoc = root + "docs/sign-in.md"
	tableFrom = "<!-- methods: written by go test ./cmd/manager -run TestTheDocNamesEveryMethod -rewrite -->\n"
	tableTo   = "<!-- end of methods -->\n"
)

// TestTheDocNamesEveryMethod holds the table of docs/sign-in.md to the roads, to
// their tables, and to the tests that it names.
func TestTheDocNamesEveryMethod(t *testing.T) {
	text, err := os.ReadFile(signInDoc)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), tableFrom)
	old, after, ok2 := strings.Cut(rest, tableTo)
	if !ok || !ok2 {
		t.Fatal("the place of the table is not marked")
	}
	table := methodTable(t)
	if *rewrite {
		if err := os.WriteFile(signInDoc, []byte(before+tableFrom+table+tableTo+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(old, table); diff != "" {
		t.Errorf("the table differs (-want +got):\n%s", diff)
	}
}

func methodTable(t *testing.T) string {
	var b strings.Builder
	b.WriteString("| method | is called when | errors tried | also played by |\n|---|---|---|---|\n")
	seen := map[string]bool{}
	for _, list := range [][]road{signInRoads, flowRoads, accountRoads} {
		for _, r := range list {
			name := r.method + " when " + r.when
			fmt.Fprintf(&b, "| `%s` | [%s](../cmd/manager/testdata/refusals/%s) | %d | %s |\n",
				r.method, r.when, fileName(name), len(triedIn(t, fileName(name))), tests(t, r.method))
			seen[r.method] = true
		}
	}
	for method := range playedBy {
		if !seen[method] && method != firebase {
			t.Errorf("%s has a test, and no road leads to it", method)
		}
	}
	fmt.Fprintf(&b, "| `%s` | [never by the manager](../mtproto/login/testdata/errors.table): it cannot prove a device to Firebase; the engine can | - | %s |\n", firebase, tests(t, firebase))
	return b.String()
}

const firebase = "auth.requestFirebaseSms"

var anError = regexp.MustCompile(`(?m)^    -?\d+ .*$`)

// triedIn are the errors of a table.
func triedIn(t *testing.T, file string) []string {
	text, err := os.ReadFile("testdata/refusals/" + file)
	if err != nil {
		t.Fatal(err)
	}
	return anError.FindAllString(string(text), -1)
}

// tests names the tests of a method; each must exist.
func tests(t *testing.T, method string) string {
	named, ok := playedBy[method]
	if !ok {
		t.Errorf("%s is in no line of playedBy", method)
	}
	var out []string
	for _, name := range named {
		dir, test, _ := strings.Cut(name, ".")
		files, err := filepath.Glob(root + dir + "/*_test.go")
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			found = found || strings.Contains(string(text), "\nfunc "+test+"(")
		}
		if !found {
			t.Errorf("%s: there is no test %s in %s", method, test, dir)
		}
		out = append(out, fmt.Sprintf("`%s` in [`%s`](../%s)", test, dir, dir))
	}
	return strings.Join(out, ", ")
}
