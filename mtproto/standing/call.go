package standing

import "github.com/mtfleet/mtfleet/mtproto/dc"

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
	// ForConfirm: users.getUsers(self) on a second connection, after a 401.
	ForConfirm
	// ForLogOut: auth.logOut of the account.
	ForLogOut
	// ForConfig: help.getConfig.
	ForConfig
	// ForBind: auth.bindTempAuthKey. The session sends it by itself; its refusal
	// comes here because a wait may be in it.
	ForBind
	// ForDrop: auth.dropTempAuthKeys.
	ForDrop
)

// A CallID names a query between the machine and its driver. The driver
// chooses it, unique in its process.
type CallID uint64

// A Call is one query as the machine sees it: who asked and what for. Tries
// and Hops are the machine's.
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

	Tries uint8 // repeats after the server's own trouble, or after a guest's 401
	Hops  uint8 // DCs changed by 303
}

// Where is what a query was answered on.
type Where struct {
	DC   dc.ID
	Home bool
	Key  uint64 // crypt.KeyID of the connection's key
	Temp bool   // that key is a temp key
}
