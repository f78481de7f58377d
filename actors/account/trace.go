package account

import (
	"github.com/mtfleet/mtfleet/actors/bindings"
	"github.com/mtfleet/mtfleet/persistence"
)

// Trace is told what accounts decide, and what they, their bindings and their
// connections say to each other, in the order of its happening. Each function is
// set; none may block, or keep what it was given.
type Trace struct {
	// Decided: an engine of the account said this, and it is carried out now:
	// a standing.Output, a login.Output or an updates.Output.
	Decided func(id persistence.AccountID, output any)
	// What the account and its bindings say to each other.
	bindings.Trace
	// Connection: see binding.EnvConfig.
	Connection func(conn, what any)
}
