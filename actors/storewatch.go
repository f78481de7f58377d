package actors

import (
	"errors"
	"sync"
	"time"

	"github.com/mtfleet/mtfleet/actors/account"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/persistence"
)

// storeState is whether the store takes what the accounts write.
type storeState uint8

const (
	// storeWrites: nothing is known against it.
	storeWrites storeState = iota
	// storeRefuses: a commit was refused, or the store said that it would. Nothing
	// new is begun. It is tried until it takes a commit: storeWrites.
	storeRefuses
	// storeTaken: another manager has claimed it, or this node is none any more. Nothing
	// leaves this state.
	storeTaken
)

const (
	// storeLook is how often a store that refuses is tried, and one that can tell
	// is asked.
	storeLook = 5 * time.Second
	// storeAsk is how often callers may have a store tried that refuses.
	storeAsk = time.Second
	// storeRemind is how often the log says that it still refuses.
	storeRemind = time.Minute
)

// storeWatch is what the Manager knows of its store.
type storeWatch struct {
	mu sync.Mutex // guards the following fields
	storeView
	lost  chan struct{} // closed when it is taken
	told  time.Time     // when the log last said so
	tried time.Time     // when it was last tried for a caller
}

type storeView struct {
	state   storeState
	err     error     // the last refusal
	since   time.Time // of the state storeRefuses
	refused int       // commits, in that state
}

// refusal notes one. It reports whether it is the first in a row, and whether the
// log is to say so again.
func (w *storeWatch) refusal(now time.Time, err error, commits int) (first, remind bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.state == storeTaken {
		return false, false
	}
	first = w.state == storeWrites
	if first {
		w.state, w.since, w.refused, w.told = storeRefuses, now, 0, now
	}
	w.err = err
	w.refused += commits
	remind = !first && now.Sub(w.told) >= storeRemind
	if remind {
		w.told = now
	}
	return first, remind
}

// works notes that the store took a commit. It reports whether that is news.
func (w *storeWatch) works() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.state != storeRefuses {
		return false
	}
	w.state = storeWrites
	return true
}

// taken notes that the store is another's. It reports whether that is news.
func (w *storeWatch) taken(err error) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	news := w.state != storeTaken
	if news {
		close(w.lost)
	}
	w.state, w.err = storeTaken, err
	return news
}

// view returns the state, and the refusals in it.
func (w *storeWatch) view() storeView {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.storeView
}

// mayTry reports whether the store may be tried for a caller.
func (w *storeWatch) mayTry(now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now.Sub(w.tried) < storeAsk {
		return false
	}
	w.tried = now
	return true
}

type (
	// storeRefused says that the store is to be tried from now on.
	storeRefused struct{}
	// storeDue is the timer of the next try.
	storeDue struct{}
	// storeTried says that it was tried.
	storeTried struct{}
)

func (storeRefused) fleetMsg() {}
func (storeDue) fleetMsg()     {}
func (storeTried) fleetMsg()   {}

// watchStore arms the timer where there is anything to be found out: of a store
// that refuses, and of one that can tell before anybody commits.
func (f *fleet) watchStore(c *runtime.Context[fleetMsg]) {
	state := f.m.store.view().state
	_, tells := f.m.opts.Store.(persistence.Prober)
	if state == storeRefuses || state == storeWrites && tells {
		c.After(timerStore, storeLook, storeDue{})
	}
}

func (f *fleet) onStoreDue(c *runtime.Context[fleetMsg]) {
	c.GoIO(func() fleetMsg {
		_ = f.m.tryStore()
		return storeTried{}
	})
}

// tryStore finds out whether the store takes commits: one that refused by a
// commit, which is durable or refused again; one that did not by asking it.
func (m *Manager) tryStore() error {
	state := m.store.view().state
	var err error
	if state == storeRefuses {
		err = m.opts.Store.Commit(persistence.Commit{Owner: m.env.Owner, Put: []persistence.Record{{Key: tryKey, Version: 1, Data: []byte("tried")}}})
	} else if p, ok := m.opts.Store.(persistence.Prober); ok {
		_, err = p.Probe()
	}
	switch {
	case err != nil && !errors.Is(err, persistence.ErrClosed):
		m.noteRefusal("", err, 0)
	case err == nil:
		v := m.store.view()
		if m.store.works() {
			m.log.Info("the store takes commits again; everything goes on", "after", m.sys.Clock().Now().Sub(v.since).Round(time.Millisecond), "refused", v.refused)
		}
	}
	return err
}

// tryKey is the record by which a store is tried.
var tryKey = persistence.Key{Account: persistence.FleetID, Kind: persistence.KindMeta, Sub: "tried"}

// storeFailed hears of each refused commit.
func (m *Manager) storeFailed(id persistence.AccountID, err error) {
	m.meters.storeFailures.count(1, values{})
	m.noteRefusal(id, err, 1)
}

func (m *Manager) noteRefusal(id persistence.AccountID, err error, commits int) {
	var (
		stale   *persistence.StaleOwnerError
		version *persistence.VersionError
		large   *persistence.TooLargeError
		invalid *persistence.InvalidError
	)
	switch {
	case errors.Is(err, account.ErrDropped):
		return
	case errors.As(err, &stale) && stale.Account != "":
		if a := m.here(stale.Account); a != nil {
			m.log.Error("an account is another node's: it is stopped here", "account", a.id, "err", Words(err))
			m.fleet.Send(accountTaken{a})
		}
		return
	case errors.As(err, &stale):
		if m.store.taken(err) {
			if m.node != nil {
				m.log.Error("this node is none any more, for another process took its name, or the store has forgotten it: every account here is stopped until this process starts anew", "err", Words(err))
			} else {
				m.log.Error("the store belongs to another manager now; every account here is stopped", "err", err)
			}
			m.fleet.Send(storeLost{})
		}
		return
	case errors.As(err, &version), errors.As(err, &large), errors.As(err, &invalid):
		m.log.Error("the store refused a commit", "account", id, "err", Words(err)) // and takes others
		return
	}
	now := m.sys.Clock().Now()
	first, remind := m.store.refusal(now, err, commits)
	switch {
	case first:
		m.log.Error("the store refused a commit: nothing new is begun and connections are kept until it takes them again", "since", now, "account", id, "err", Words(err))
		m.fleet.Send(storeRefused{})
	case remind:
		v := m.store.view()
		m.log.Error("the store still refuses commits", "since", v.since, "refused", v.refused, "err", Words(err))
	}
}

// storeWorks tells whether something new may be begun. One that refused is tried
// before the answer is yes again, once a second at most.
func (m *Manager) storeWorks() error {
	if m.closed() {
		return ErrClosed
	}
	v := m.store.view()
	if v.state == storeTaken || v.state == storeRefuses && !m.store.mayTry(m.sys.Clock().Now()) {
		return &StoreError{Err: v.err}
	}
	if err := m.tryStore(); err != nil {
		return &StoreError{Err: err}
	}
	return nil
}

// sayUnwritten says at the end what a store that refuses did not get.
func (m *Manager) sayUnwritten() {
	if v := m.store.view(); v.state == storeRefuses {
		m.log.Error("the store refuses commits to the end: what the accounts had to write since then is not on disk", "since", v.since, "refused", v.refused, "err", Words(v.err))
	}
}
