package account

import (
	"github.com/mtfleet/mtfleet/actors/bindings"
	"github.com/mtfleet/mtfleet/actors/journal"
	"github.com/mtfleet/mtfleet/actors/timeline"
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

// disk is the store as an account uses it. What is noted of the account goes along
// with its commits.
func (e *Env) disk(id persistence.AccountID) *journal.Disk {
	disk := e.disks.Of(id)
	if line := e.line(id); line != nil {
		disk.Carry(line)
	}
	return disk
}

// line is where what happens to an account is noted, nil for nowhere.
func (e *Env) line(id persistence.AccountID) *timeline.Recorder {
	if e.Timeline == nil {
		return nil
	}
	return e.Timeline(id)
}
