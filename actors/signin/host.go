package signin

import (
	"log/slog"

	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto/login"
	"github.com/mtfleet/mtfleet/mtproto/standing"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// Host is the account.
type Host interface {
	// Standing says where the account stands, and is told how its sign-in goes.
	Standing() *standing.Machine
	// Route is how its home is reached, for the governor.
	Route() governor.Route
	// Config is what a login is told of the account and of what all accounts
	// share. FutureTokens is filled in here.
	Config() login.Config
	// Granted is called from within the governor when a permit is given, and posts
	// that to the account: SignIn.Granted follows.
	Granted(t *governor.Ticket)
	// Ask runs a query at home. Answered follows once, whatever becomes of it, and
	// may come before Ask returns.
	Ask(q standing.Call, query tl.Object, of Question) standing.CallID
	// Withdraw takes a query back if home cannot be reached. Answered follows.
	Withdraw(id standing.CallID)
	// Work has something computed elsewhere: Worked follows.
	Work(w login.Work, of Question)
	// Save writes the login's record before anything else is: Saved follows. Keep
	// has a record written of which nobody waits to hear.
	Save(rec persistence.Record)
	Keep(rec persistence.Record)
	// Look reads the waits that are kept for the whole store: Looked follows.
	Look()
	// Shown has the account's status show the step.
	Shown(step *login.Step)
	// Authorized is told of an authorization before standing is: whether it was made
	// here, and where its updates stand, nil for not known.
	Authorized(anew bool, place *tg.UpdatesState)
	// Decided is told what the login said, before it is carried out.
	Decided(output any)
}

// Env is what the sign-ins of one process share.
type Env struct {
	Governor runtime.Ref[governor.Message]
	// SubjectSalt goes into the names under which waits about a phone number or a
	// token are kept.
	SubjectSalt []byte
	Logger      *slog.Logger
	// Began is told that a sign-in begins, or goes on after a restart, and says who
	// is told how it goes. It must not block; nil: nobody.
	Began func(id persistence.AccountID, flow login.Flow) Watch
}

// Question is a query of a login's, or what it has computed: what the answer
// belongs to.
type Question struct {
	attempt *attempt
	call    login.CallID
}
