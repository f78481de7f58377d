package guest

import (
	"errors"
	"fmt"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/tgerr"
)

// A Snapshot is what New needs to go on after a restart, or after the guest
// was closed for a while: without it every call that opens the guest again
// would be refused by the server anew, and cost a key each time. It does not
// hold waits; those are kept with all the account's waits.
type Snapshot struct {
	// Authorized says that the guest DC's perm key has the authorization.
	Authorized bool
	// Refusals counts the rounds of refusals since the guest was well.
	Refusals int
	// Refused is the last of them; the zero value when it is over.
	Refused Refusal
	// KeyDropped is when a perm key was last given up for being refused, zero
	// for never.
	KeyDropped time.Time
}

// A Refusal is how a guest was refused last.
type Refusal struct {
	// Until is when it may be tried again.
	Until time.Time
	// Code and Text are the server's words; with Code 0 they are ours.
	Code int
	Text string
}

// String tells the snapshot in words.
func (s Snapshot) String() string {
	text := fmt.Sprintf("authorized: %v", s.Authorized)
	if s.Refusals > 0 {
		text += fmt.Sprintf(", refusals: %d", s.Refusals)
	}
	if !s.KeyDropped.IsZero() {
		text += ", a key was dropped"
	}
	return text
}

// refusal puts an error in the form that is stored.
func refusal(until time.Time, err error) Refusal {
	if e, ok := tgerr.As(err); ok {
		return Refusal{Until: until, Code: e.Code, Text: e.Message}
	}
	return Refusal{Until: until, Text: err.Error()}
}

// err is the error again.
func (r Refusal) err() error {
	if r.Code != 0 {
		return tgerr.New(r.Code, r.Text)
	}
	return errors.New(r.Text)
}

// sane bounds what a wrong clock may have written: neither time lies further
// ahead than it can have been meant.
func (s Snapshot) sane(now time.Time) Snapshot {
	if latest := now.Add(refusedMost); s.Refused.Until.After(latest) {
		s.Refused.Until = latest
	}
	if s.KeyDropped.After(now) {
		s.KeyDropped = now
	}
	s.Refusals = min(max(s.Refusals, 0), refusalsMost)
	return s
}
