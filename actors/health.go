package actors

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
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
// writes to the store. Nothing is written when they are asked. A store of several
// nodes is no part: it is another process, often on another machine, and does not
// answer sooner for a new start here.
func (m *Manager) Parts() []Part {
	parts := []Part{
		{"governor", func(ctx context.Context) error {
			_, err := m.Governor(ctx)
			return err
		}},
		{"supervisor", func(ctx context.Context) error {
			_, err := runtime.Ask(ctx, m.fleet, func(r runtime.Reply[struct{}]) fleetMsg { return rollCall{r} })
			return err
		}},
	}
	if _, elsewhere := m.opts.Store.(persistence.Cluster); !elsewhere {
		parts = append(parts, Part{"store", func(context.Context) error { return m.askStore() }})
	}
	return parts
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

// Lost is closed when every account here is stopped, for good: another manager has
// claimed the store, or this node is none any more. That is so when another process took
// its name after its lease, and when the store has forgotten who owns what, as by a
// failover that lost the last transactions: then all nodes are none, and a process that
// starts anew is one again.
func (m *Manager) Lost() <-chan struct{} { return m.store.lost }

// Ready returns why the Manager does not serve its accounts: ErrClosed, that Lost is
// closed, a *persistence.StaleOwnerError, or that the lease of
// this node has ended, a *lease.EndedError. A store that refuses commits is no reason:
// calls go on.
func (m *Manager) Ready() error {
	if m.closed() {
		return ErrClosed
	}
	switch v := m.store.view(); {
	case v.state == storeTaken && m.node != nil:
		return fmt.Errorf("every account here is stopped: "+noNode+"; start its process anew: %w", v.err)
	case v.state == storeTaken:
		return fmt.Errorf("every account here is stopped, for another manager has claimed the store: find out which, end one of the two, and start this one again: %w", v.err)
	}
	if m.node != nil {
		return m.node.lease.Check()
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

// StoreHealth is whether the store takes what the accounts write.
type StoreHealth struct {
	// Taken: another manager has claimed the store, and every account here is stopped.
	Taken bool
	// Refuses: it refuses commits, since Since, of which Refused were.
	Refuses bool
	Since   time.Time
	Refused int
	// Why is its last refusal, or by whom it was taken.
	Why error
	// Room is what it has on its disk.
	Room persistence.Room
}

// StoreHealth returns what is known of the store. It asks the disk how much room there is.
func (m *Manager) StoreHealth() StoreHealth {
	h := StoreHealth{Room: persistence.Room{Free: -1}}
	if p, ok := m.opts.Store.(persistence.Prober); ok {
		h.Room, _ = p.Probe()
	}
	switch v := m.store.view(); v.state {
	case storeTaken:
		h.Taken, h.Why = true, v.err
	case storeRefuses:
		h.Refuses, h.Since, h.Refused, h.Why = true, v.since, v.refused, v.err
	}
	return h
}

// Waits are those of one scope that the server ordered and that are in force.
type Waits struct {
	// Scope is "method", "account", or "subject": a phone number or a token.
	Scope string
	Count int
	// Last is when the last of them ends.
	Last time.Time
}

// Waits returns the waits of all accounts by their scopes, those of none left out. It does not block.
func (m *Manager) Waits() []Waits {
	now := m.sys.Clock().Now()
	var all []Waits
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, a := range m.accounts {
		list := a.waits.Load()
		if list == nil {
			continue
		}
		for _, w := range *list {
			if !w.Until.After(now) {
				continue
			}
			scope := scopeText(w.Scope)
			i := slices.IndexFunc(all, func(w Waits) bool { return w.Scope == scope })
			if i < 0 {
				i, all = len(all), append(all, Waits{Scope: scope})
			}
			all[i].Count++
			if w.Until.After(all[i].Last) {
				all[i].Last = w.Until
			}
		}
	}
	slices.SortFunc(all, func(a, b Waits) int { return strings.Compare(a.Scope, b.Scope) })
	return all
}
