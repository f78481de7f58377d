package serve

import (
	"context"
	"errors"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
)

// ErrNoBackend says that the cluster runs with an API half that the caller brought.
var ErrNoBackend = errors.New("serve: the API half is not ours")

// Seed signs users in at home without a handshake or a sign-in, by keys that follow from a number; with temp, a temp key is
// bound to each perm key. What it returns is what a client has them from: see [dctest.Seed]. The error is a
// *dctest.SeedError about the first user that cannot be; those before are signed in then.
func (s *Cluster) Seed(number uint64, temp bool, users []int64) (seed dctest.Seed, err error) {
	gone := s.do(func(core *dctest.Cluster, now time.Time) {
		homes := map[int64]int{}
		for _, u := range s.cfg.Core.API.Users() {
			homes[u.ID] = u.HomeDC
		}
		seed = core.NewSeed(now, number, temp)
		for _, user := range users {
			home := homes[user]
			if home == 0 {
				err = &dctest.SeedError{User: user, Err: api.ErrUserUnknown}
				return
			}
			if err = core.Seed(now, seed, home, user); err != nil {
				return
			}
		}
	})
	if gone != nil {
		return dctest.Seed{}, gone
	}
	return seed, err
}

// Fault makes something go wrong. The id is for ClearFaults. An error of the fault itself is a *dctest.FaultError.
func (s *Cluster) Fault(f dctest.Fault) (id uint64, err error) {
	if gone := s.do(func(core *dctest.Cluster, now time.Time) { id, err = core.Fault(now, f) }); gone != nil {
		return 0, gone
	}
	return id, err
}

// FailNext makes the next call of a method answer a documented error, by name ("FLOOD_WAIT_30") or with its code ("406
// ANYTHING"). The error is an *api.FaultTextError.
func (s *Cluster) FailNext(method, text string) (err error) {
	if gone := s.do(func(core *dctest.Cluster, now time.Time) { err = core.FailNext(now, method, text) }); gone != nil {
		return gone
	}
	return err
}

// FaultsLeft is how many faults still wait for something to hit.
func (s *Cluster) FaultsLeft() (n int) {
	s.look(func(core *dctest.Cluster, now time.Time) { n = core.FaultsLeft(now) })
	return n
}

// Codes returns the codes that were sent to persons so far, oldest first: by message, call, app and mail.
func (s *Cluster) Codes() (list []api.SentCode) {
	s.look(func(*dctest.Cluster, time.Time) {
		if s.backend != nil {
			list = s.backend.Codes()
		}
	})
	return list
}

// CodesFrom returns the codes sent after the first n ones, oldest first, and how many were sent in all: the n of the next
// question. Without any it waits until there are, ctx ends or the cluster is closed.
func (s *Cluster) CodesFrom(ctx context.Context, n int) (list []api.SentCode, total int) {
	if s.backend == nil {
		return nil, 0
	}
	for {
		s.mu.Lock()
		news := s.codeNews
		s.mu.Unlock()
		s.look(func(*dctest.Cluster, time.Time) { list, total = s.backend.CodesFrom(n) })
		if len(list) > 0 || ctx.Err() != nil {
			return list, total
		}
		select {
		case <-news:
		case <-ctx.Done():
			return list, total
		case <-s.done:
			return list, total
		}
	}
}

// tellNews wakes who waits for codes or messages when there are new ones. The owner calls it.
func (s *Cluster) tellNews() {
	if s.backend == nil {
		return
	}
	s.tell(&s.codesTold, s.backend.CodesSent(), &s.codeNews)
	s.tell(&s.changesTold, s.backend.Changes(), &s.boxNews)
}

// tell closes and replaces a channel when a count has changed since it was told.
func (s *Cluster) tell(told *int, count int, news *chan struct{}) {
	if *told == count {
		return
	}
	*told = count
	s.mu.Lock()
	defer s.mu.Unlock()
	close(*news)
	*news = make(chan struct{})
}

// ClearFaults ends faults by id, or all of them.
func (s *Cluster) ClearFaults(ids ...uint64) error {
	return s.do(func(core *dctest.Cluster, now time.Time) { core.ClearFaults(now, ids...) })
}

// WaitingFaults lists the faults that wait for their next candidates, oldest first.
func (s *Cluster) WaitingFaults() (list []dctest.WaitingFault) {
	s.look(func(core *dctest.Cluster, now time.Time) { list = core.WaitingFaults(now) })
	return list
}

// forget is the memory of a restarted DC.
func (s *Cluster) forget(dc int, keepTemp bool) error {
	_, err := s.Fault(dctest.Fault{Kind: dctest.FaultRestart, DC: dc, KeepTempKeys: keepTemp})
	return err
}

// Ledger returns a copy of everything recorded. Like everything that only looks, it works after Close too.
func (s *Cluster) Ledger() dctest.Ledger {
	var l dctest.Ledger
	s.look(func(core *dctest.Cluster, _ time.Time) { l = core.Ledger() })
	return l
}

// Counts returns the ledger's totals.
func (s *Cluster) Counts() dctest.Counts {
	var n dctest.Counts
	s.look(func(core *dctest.Cluster, _ time.Time) { n = core.Counts() })
	return n
}

// Violations returns what clients did wrong so far (the first 1000 of each severity) and how often in all.
func (s *Cluster) Violations() (list []dctest.Violation, total int) {
	s.look(func(core *dctest.Cluster, _ time.Time) { list, total = core.Violations() })
	return list, total
}

// PushUpdate appends an updateDeleteMessages to a user's log and pushes it. It returns the pts after it.
func (s *Cluster) PushUpdate(userID int64) (pts int32, err error) {
	if gone := s.do(func(core *dctest.Cluster, now time.Time) { pts, err = core.PushUpdate(now, userID) }); gone != nil {
		return 0, gone
	}
	return pts, err
}

// Push sends a payload as the server's own initiative.
func (s *Cluster) Push(p api.Push) error {
	return s.do(func(core *dctest.Cluster, now time.Time) { core.Push(now, p) })
}

// KeyAlive tells whether a DC knows a key now.
func (s *Cluster) KeyAlive(dc int, id int64) (alive bool) {
	s.look(func(core *dctest.Cluster, now time.Time) { alive = core.KeyAlive(now, dc, id) })
	return alive
}

// EchoCount returns how often an id of testdc.echo ran.
func (s *Cluster) EchoCount(id int64) (n int) {
	s.look(func(core *dctest.Cluster, _ time.Time) { n = core.Echo(id) })
	return n
}

// EchoByMedia tells whether an id of testdc.echo ever came by a connection to an address for media.
func (s *Cluster) EchoByMedia(id int64) (ok bool) {
	s.look(func(core *dctest.Cluster, _ time.Time) { ok = core.EchoByMedia(id) })
	return ok
}

// API runs f with the API half on the goroutine that owns it: to add users, freeze them, end authorizations. f must not
// call the cluster. Pushes that f causes are delivered.
func (s *Cluster) API(f func(b *api.Backend, now time.Time)) error {
	if s.backend == nil {
		return ErrNoBackend
	}
	return s.do(func(core *dctest.Cluster, now time.Time) {
		f(s.backend, now)
		core.Advance(now) // routes pushes
	})
}

// ConnCount returns how many connections are open.
func (s *Cluster) ConnCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}

// Connections lists the open connections.
func (s *Cluster) Connections() (list []dctest.ConnRecord) {
	s.look(func(core *dctest.Cluster, _ time.Time) { list = core.Connections() })
	return list
}
