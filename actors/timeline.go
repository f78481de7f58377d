package actors

import (
	"context"
	"time"

	"github.com/mtfleet/mtfleet/actors/timeline"
	"github.com/mtfleet/mtfleet/persistence"
)

// Timeline returns what happened to the account last, the oldest first: its keys
// and connections, where it stood and why, its waits and sign-ins, back over
// restarts. Keys are told apart by a part of their public ids. It asks nobody, so
// that it also tells of an account that is wedged. What it says is written along
// with what the account writes anyway and when it stops: a process that is killed
// may lose the end.
func (a *Account) Timeline(ctx context.Context) ([]timeline.Entry, error) {
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case a.m.here(a.id) != a:
		return nil, a.unknown()
	}
	return a.line.Entries(), nil
}

// timelineOf is where an account's actor notes what happens.
func (m *Manager) timelineOf(id persistence.AccountID) *timeline.Recorder {
	if a := m.here(id); a != nil {
		return a.line
	}
	return nil
}

// noteStatus notes what has changed with a status.
func (a *Account) noteStatus(at time.Time, before, now *Status) {
	if now.State != before.State || now.Why != before.Why || !now.Until.Equal(before.Until) {
		a.line.Add(timeline.Entry{At: at, Kind: timeline.State, Word: now.State.String(), Why: now.Why, Until: now.Until})
	}
	if s := now.Step; s != nil && (before.Step == nil || before.Step.ID != s.ID) {
		a.line.Add(timeline.Entry{At: at, Kind: timeline.Step, Word: string(s.Kind), Why: s.LastError, Until: s.Until})
	}
}
