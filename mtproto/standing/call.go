package standing

import (
	"fmt"
	"strings"

	"github.com/mtfleet/mtfleet/mtproto/dc"
)

// A Purpose is what a query is for. It is kept as data, so that a restart, a
// transcript and a simulation can know it too.
type Purpose uint8

const (
	// ForCaller: somebody's Invoke.
	ForCaller Purpose = iota
	// ForSignIn: a query of the login machine.
	ForSignIn
	// ForUpdates: updates.getState or updates.getDifference.
	ForUpdates
	// ForExport: auth.exportAuthorization at home, for a guest DC.
	ForExport
	// ForImport: auth.importAuthorization on a guest DC.
	ForImport
	// ForGuestLogOut: auth.logOut on a guest DC whose key is thrown away.
	ForGuestLogOut
	// ForConfirm: users.getUsers(self) on a second connection, after a 401. The
	// machine asks it with OutCall.
	ForConfirm
	// ForLogOut: auth.logOut of the account. The machine asks it with OutCall.
	ForLogOut
	// ForConfig: help.getConfig.
	ForConfig
	// ForBind: auth.bindTempAuthKey. The session sends it by itself; its refusal
	// comes here because a wait may be in it.
	ForBind
	// ForDrop: auth.dropTempAuthKeys.
	ForDrop
	// ForMove: the query by which the driver finds out that the authorization
	// is at the DC of OutMove. Its end is Moved or MoveFailed.
	ForMove

	// ForProof: users.getUsers(self) at home, to find out that the account is
	// online when the question about its updates fails by the server's own
	// trouble. The machine asks it with OutCall.
	ForProof
	// ForFreeze: help.getAppConfig at home, to find out that a freeze is over. The
	// machine asks it with OutCall; what it is answered comes by Returned.
	ForFreeze

	purposes // how many there are
)

var purposeNames = [...]string{
	ForCaller: "caller", ForSignIn: "sign-in", ForUpdates: "updates", ForExport: "export", ForImport: "import",
	ForGuestLogOut: "guest-log-out", ForConfirm: "confirm", ForLogOut: "log-out", ForConfig: "config", ForBind: "bind", ForDrop: "drop",
	ForMove: "move", ForProof: "proof", ForFreeze: "freeze",
}

// String is the purpose in a word.
func (p Purpose) String() string {
	if int(p) < len(purposeNames) {
		return purposeNames[p]
	}
	return fmt.Sprintf("purpose(%d)", uint8(p))
}

// admitted says in which states a query of each purpose may be sent. Waiting
// is among them where the wait itself refuses, with its end.
var admitted = [purposes]stateSet{
	ForCaller:      liveStates,
	ForSignIn:      setOf(SigningIn),
	ForUpdates:     liveStates,
	ForExport:      liveStates,
	ForImport:      liveStates,
	ForGuestLogOut: liveStates,
	ForConfirm:     liveStates,
	ForLogOut:      setOf(SigningOut),
	ForConfig:      liveStates | setOf(SigningIn, SigningOut),
	ForBind:        liveStates | setOf(SigningIn, SigningOut),
	ForDrop:        liveStates | setOf(SigningIn, SigningOut),
	ForMove:        liveStates,
	ForProof:       liveStates,
	ForFreeze:      liveStates,
}

// asAccount says which queries a wait of the whole account holds: those that
// are sent in its name.
func (p Purpose) asAccount() bool {
	switch p {
	case ForSignIn, ForConfig, ForBind:
		return false
	}
	return true
}

// A CallID names a query between the machine and its driver. The driver
// chooses it, unique in its process.
type CallID uint64

// A Call is one query as the machine sees it: who asked and what for. Tries,
// Hops, Again, Ran and Round are the machine's: the driver hands them back as they were in
// the last OutSend or OutCall.
type Call struct {
	ID      CallID
	Purpose Purpose
	// Method is the TL name of the query.
	Method string
	// Subject is whom the query is about where a wait belongs to that and not
	// to the account: the SubjectID of a phone number or a bot token. Empty
	// for none.
	Subject string
	// DC is where the query is to run; 0 is the home DC.
	DC dc.ID
	// Repeatable says that the query may run twice.
	Repeatable bool

	Tries uint8  // repeats after the server's own trouble
	Hops  uint8  // DCs changed by 303
	Again bool   // went again after a guest's 401
	Ran   bool   // an earlier try may have run, see AfterTries
	Round uint32 // of a query of the machine's own: tells it from an earlier one
}

// Where is what a query was answered on.
type Where struct {
	DC   dc.ID
	Home bool
	Key  uint64 // crypt.KeyID of the connection's key
	Temp bool   // that key is a temp key
}

// proves reports whether an answer to the query, at home, shows that the
// authorization is alive: queries that an anonymous key may ask do not.
func (c *Call) proves() bool {
	switch c.Purpose {
	case ForCaller, ForUpdates, ForConfirm, ForProof:
	default:
		return false
	}
	for _, prefix := range [...]string{"help.", "langpack.", "auth."} {
		if strings.HasPrefix(c.Method, prefix) {
			return false
		}
	}
	return true
}
