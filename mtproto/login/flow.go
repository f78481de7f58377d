package login

import "fmt"

// A Flow is a way to sign in. Each has a file of its own; the e-mail and the
// password are tails that they lead to.
type Flow string

// The flows.
const (
	FlowPhone   Flow = "phone"
	FlowBot     Flow = "bot"
	FlowQR      Flow = "qr"
	FlowPasskey Flow = "passkey"
	FlowWeb     Flow = "web"
	// FlowPNV is a number that the carrier vouches for. Experimental: nobody has
	// published what its three methods mean.
	FlowPNV Flow = "pnv"
	// FlowImport is a session that another program made: its key is signed in
	// already, and is looked at. No [Start] begins it; see [NewImport].
	FlowImport Flow = "import"
)

// flowSpec is what the shell knows of a flow.
type flowSpec struct {
	// first is the call it begins with.
	first call
	// again begins it anew within the same attempt: the half login is gone. why
	// is the LastError of the step that follows.
	again func(m *Machine, why string)
	// states are those it may be in, besides the shell's.
	states [][2]State
	// password says that a two-step password may follow.
	password bool
}

var (
	phoneStates    = [2]State{StateSending, StateSigningUp}
	signUpStates   = [2]State{StateWaitSignUp, StateSigningUp}
	emailStates    = [2]State{StateWaitEmailAddress, StateResettingEmail}
	passwordStates = [2]State{StateGettingPassword, StateRecovering}
)

func (f Flow) spec() (flowSpec, bool) {
	switch f {
	case FlowPhone:
		return flowSpec{callSendCode, (*Machine).phoneAgain, [][2]State{phoneStates, emailStates, passwordStates}, true}, true
	case FlowBot:
		return flowSpec{callImportBot, nil, [][2]State{{StateImporting, StateWaitToken}}, false}, true
	case FlowQR:
		return flowSpec{callExportToken, (*Machine).qrAgain, [][2]State{{StateExporting, StateImportingToken}, passwordStates}, true}, true
	case FlowPasskey:
		return flowSpec{callInitPasskey, (*Machine).passkeyAgain, [][2]State{{StateGettingChallenge, StateFinishingPasskey}, passwordStates}, true}, true
	case FlowWeb:
		return flowSpec{callImportWeb, (*Machine).webAgain, [][2]State{{StateImportingWeb, StateWaitWebToken}, passwordStates}, true}, true
	case FlowPNV:
		return flowSpec{callInitPNV, (*Machine).pnvAgain, [][2]State{{StateStartingPNV, StateFinishingPNV}, signUpStates, passwordStates}, true}, true
	case FlowImport:
		return flowSpec{callIdentify, nil, [][2]State{{StateIdentifying, StateIdentifying}}, false}, true
	}
	return flowSpec{}, false
}

// may reports whether the flow may be in a state.
func (f flowSpec) may(s State) bool {
	if s <= StateFailed {
		return true
	}
	for _, r := range f.states {
		if r[0] <= s && s <= r[1] {
			return stateNames[s] != ""
		}
	}
	return false
}

// keeps reports whether what is authorized was so before the sign-in began, and is
// somebody's: nothing is taken back when it ends otherwise than well.
func (f Flow) keeps() bool { return f == FlowImport }

// begin sends the flow's first call.
func (m *Machine) begin() {
	spec, _ := m.s.Flow.spec()
	m.call(spec.first)
}

// restart begins the flow anew: the server forgot the half login.
func (m *Machine) restart(why string) {
	m.s.Half = false
	m.forgetSecrets()
	spec, _ := m.s.Flow.spec()
	if spec.again == nil {
		m.fail(&Error{Reason: ReasonServer, Retry: true, Message: "the server forgot this sign-in; begin it anew"})
		return
	}
	spec.again(m, why)
}

// secrets is what is kept in memory alone. After a restart whoever knows it is
// asked again.
type secrets struct {
	code       string // a login code, or one from an e-mail, or the token of Provider
	provider   string // "apple" or "google" for a token in place of an e-mail's code
	firebase   firebaseProof
	token      string // of a bot
	web        string // of a web client
	login      []byte // of auth.loginTokenMigrateTo
	link       string // of the QR code that is shown
	challenge  JSONText
	credential *credential
	pnv        pnvIntent
	google     string // of the carrier's answer
	recovery   string // the code from the recovery e-mail
	password   passwordSecrets
}

// String names nothing.
func (secrets) String() string { return "secrets" }

// GoString is String.
func (s secrets) GoString() string { return s.String() }

// Format keeps every verb from them.
func (s secrets) Format(f fmt.State, _ rune) { fmt.Fprint(f, s.String()) }

// forgetSecrets drops what was typed, but for what the flow was begun with.
func (m *Machine) forgetSecrets() { m.secret = secrets{token: m.secret.token} }
