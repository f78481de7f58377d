package actors

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/persistence"
)

// Part is something that every account depends on. It answers in microseconds,
// the store as fast as its disk, or it is in no state to work.
type Part struct {
	Name string // as people call it
	// Ask blocks until the part has answered, or ctx has ended; that of the store
	// also longer, as long as a commit waits for the disk. That the store refuses
	// commits is an answer.
	Ask func(ctx context.Context) error
}

// Parts returns the parts of the Manager whose silence is a reason to start the
// process again: what permits connections, what supervises the accounts, and what
// writes to the store. Nothing is written when they are asked.
func (m *Manager) Parts() []Part {
	return []Part{
		{"governor", func(ctx context.Context) error {
			_, err := m.Governor(ctx)
			return err
		}},
		{"supervisor", func(ctx context.Context) error {
			_, err := runtime.Ask(ctx, m.fleet, func(r runtime.Reply[struct{}]) fleetMsg { return rollCall{r} })
			return err
		}},
		{"store", func(context.Context) error { return m.askStore() }},
	}
}

// askStore has whoever writes the store refuse a commit: nobody may write without
// a claim, and who has the last one is known there, behind every commit that came
// earlier.
func (m *Manager) askStore() error {
	if err := m.opts.Store.Commit(persistence.Commit{}); errors.Is(err, persistence.ErrClosed) {
		return err
	}
	return nil
}

// Ready returns why the Manager does not serve its accounts any more: ErrClosed,
// or that another manager has claimed the store, a *persistence.StaleOwnerError. A
// store that refuses commits is no reason: calls go on.
func (m *Manager) Ready() error {
	if m.closed() {
		return ErrClosed
	}
	if v := m.store.view(); v.state == storeTaken {
		return fmt.Errorf("every account here is stopped, for another manager has claimed the store: find out which, end one of the two, and start this one again: %w", v.err)
	}
	return nil
}

// States counts the accounts by state, from what each last published.
func (m *Manager) States() map[State]int {
	states := map[State]int{}
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, a := range m.accounts {
		states[a.status.Load().State]++
	}
	return states
}

// BackedUp notes when the last good backup of the store was made, for the metrics.
// The zero time means that there is none, which is what a Manager begins with.
func (m *Manager) BackedUp(at time.Time) { m.backup.Store(&at) }

// backedUp is when, in seconds since 1970; 0 without a backup.
func (m *Manager) backedUp() float64 {
	at := m.backup.Load()
	if at == nil || at.IsZero() {
		return 0
	}
	return float64(at.Unix())
}
