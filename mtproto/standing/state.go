package standing

import "fmt"

// A State is where an account stands. It is stored as it is, changed by one
// function, and never outlives its cause.
type State uint8

const (
	// New: the account is in the store and nothing was asked of it yet, or a
	// sign-in came to nothing. A sign-in leaves it.
	New State = iota

	// SigningIn: a login is under way; the login's step says what it waits for.
	// It ends in Connecting, or back in New when it fails. Calls of others are
	// refused.
	SigningIn

	// Connecting: signed in, and the home DC has not answered an authorized
	// query on the present connection, or has answered 401 since, which a second
	// connection is asked about. Calls wait for it. Left when one is answered,
	// for Online.
	Connecting

	// Online: the home DC answered an authorized query on the present
	// connection or on the one it took over from, whoever asked it. A lost
	// connection or a 401 leads back to Connecting.
	Online

	// Waiting: the server ordered a wait that holds the whole account;
	// Status.Until says when it ends. Nothing is sent as the account before;
	// then it is Connecting.
	Waiting

	// Frozen: the server keeps the account readable and refuses the rest.
	// Calls go on. That is the server's doing and not the connection's, so the
	// state outlives a lost connection and a restart; Why says that there is no
	// connection. Left when a call is answered that is refused to the frozen (the
	// one that was refused, or any that may not run twice), for Online; and, for
	// Connecting, when help.getAppConfig names no freeze any more, which is read when
	// the server says that it has changed, and every 15 minutes.
	Frozen

	// Quarantined: the account failed too often, or its records cannot be
	// read, and it was taken out of service so that it cannot hurt others.
	// Resume leads back to where it was.
	Quarantined

	// Duplicated: the server saw the perm key in two places and ended the
	// authorization (406 AUTH_KEY_DUPLICATED). It never reconnects by itself;
	// a sign-in leaves it.
	Duplicated

	// Revoked: the authorization is gone, and it took proof. The perm key is
	// kept sealed for seven days. A sign-in leaves it.
	Revoked

	// SigningOut: auth.logOut is under way; what the owner wants is on disk.
	// It ends in SignedOut when the keys are deleted, or back where it was when
	// the server refuses.
	SigningOut

	// SignedOut: the owner logged out. A sign-in leaves it.
	SignedOut

	// Paused: the owner wants no connection now. Resume leaves it.
	Paused

	// Exported: the account's session was handed out to another program, which may
	// be using it: Why says in which form, Since when. There is no connection,
	// for the server ends an authorization that it sees in two places. Left when
	// its owner takes it back.
	Exported

	states // how many there are
)

var stateNames = [...]string{
	New: "new", SigningIn: "signing-in", Connecting: "connecting", Online: "online", Waiting: "waiting", Frozen: "frozen",
	Quarantined: "quarantined", Duplicated: "duplicated", Revoked: "revoked", SigningOut: "signing-out",
	SignedOut: "signed-out", Paused: "paused", Exported: "exported",
}

// String is the state's name, as events, records and commands show it.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return fmt.Sprintf("state(%d)", uint8(s))
}

// MarshalText writes the name, so that JSON and records hold words.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a name written by MarshalText.
func (s *State) UnmarshalText(b []byte) error {
	for i, name := range stateNames {
		if name == string(b) {
			*s = State(i)
			return nil
		}
	}
	return fmt.Errorf("unknown account state %q", b)
}

// A stateSet is some of the states.
type stateSet uint16

func setOf(list ...State) (set stateSet) {
	for _, s := range list {
		set |= 1 << s
	}
	return set
}

func (set stateSet) has(s State) bool { return set>>s&1 != 0 }

var (
	// liveStates: signed in and in service. Connections are wanted.
	liveStates = setOf(Connecting, Online, Waiting, Frozen)
	// signedInStates: the account has an authorization, or may have. For
	// Quarantined it depends on where that leads back to.
	signedInStates = liveStates | setOf(Paused, SigningOut, Exported)
	// idleStates: nobody is signed in and nothing is under way. A sign-in may
	// begin, and the account may be removed.
	idleStates = setOf(New, SignedOut, Revoked, Duplicated)
)

// adviceOf is what the operator can do about a state, where that is always
// the same.
var adviceOf = [states]string{
	New:         "sign it in, or remove it",
	Waiting:     "nothing: the wait is obeyed",
	Frozen:      "the account can only read: appeal in an official app",
	Quarantined: "resume it to try again",
	Duplicated:  "find out who else uses this account's keys, end that, then sign it in again",
	Revoked:     "sign it in again; its old key is kept sealed for 7 days",
	SignedOut:   "sign it in again, or remove it",
	Paused:      "resume it when it should connect again",
	Exported:    "use it where its session is now; take it back when that copy is destroyed, or remove it by force",
}
