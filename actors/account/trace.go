package account

import (
	"github.com/mtfleet/mtfleet/actors/binding"
	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/persistence"
)

// Trace is told what accounts decide, and what they, their bindings and their
// connections say to each other, in the order of its happening. Each function is
// set; none may block, or keep what it was given.
type Trace struct {
	// Decided: an engine of the account said this, and it is carried out now:
	// a standing.Output, a login.Output or an updates.Output.
	Decided func(id persistence.AccountID, output any)
	// Opened and Closed: the binding of a DC begins, and ends.
	Opened func(id persistence.AccountID, at dc.ID, home bool)
	Closed func(id persistence.AccountID, at dc.ID)
	// Told: the account sends the binding of a DC a message, or by the route a
	// call to the connection under a key. It is zero where the binding is told.
	Told func(id persistence.AccountID, at dc.ID, m binding.Message, under crypt.KeyID)
	// Heard: the binding of a DC told the account this.
	Heard func(id persistence.AccountID, from dc.ID, ev binding.Event)
	// Connection: see binding.EnvConfig.
	Connection func(conn, what any)
}
