package actors_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
)

// This file holds that one account cannot hurt another: whatever kind of actor
// fails, and how, the connections of the others are the ones they were.

// ward is a manager with one account that something happens to, the first, and
// others that must not notice.
type ward struct {
	t     *testing.T
	s     *serve.Cluster
	store *persistence.Memory
	clock *mine
	m     *actors.Manager
	robot *actors.Account
	all   []*actors.Account
	perms map[string]int64 // of each account, at home
}

// openWard signs one robot in, and two others, for whom it costs fewer keys.
func openWard(t *testing.T, change ...func(*actors.Options)) *ward {
	const accounts = 3
	w := &ward{
		t: t, s: cluster(t, serve.Config{Core: dctest.Config{DCs: 2}, Bots: accounts}), store: persistence.NewMemory(),
		clock: &mine{Clock: runtime.RealClock()}, perms: map[string]int64{},
	}
	o := options(w.s, w.store)
	o.Clock = w.clock
	for _, c := range change {
		c(&o)
	}
	m, err := actors.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	w.m = m
	for i, b := range w.s.Descriptor().Bots {
		a := signInBot(t, m, fmt.Sprintf("robot-%d", i), b, actors.AccountOptions{NoPFS: i > 0})
		wait(t, a, actors.Online)
		_, w.perms[a.ID()] = homePerm(t, w.s.Ledger().Authorizations, b.UserID)
		w.all = append(w.all, a)
	}
	w.robot = w.all[0]
	time.Sleep(5 * time.Second)
	return w
}

// conns are the numbers of an account's connections.
func (w *ward) conns(a *actors.Account) (list []dctest.ConnID) {
	for _, c := range w.s.Connections() {
		if c.Perm == w.perms[a.ID()] {
			list = append(list, c.ID)
		}
	}
	return list
}

// watch notes the connections of accounts; the check compares.
func (w *ward) watch(accounts []*actors.Account) (check func()) {
	w.t.Helper()
	before := map[string][]dctest.ConnID{}
	for _, a := range accounts {
		if before[a.ID()] = w.conns(a); len(before[a.ID()]) != 1 {
			w.t.Fatalf("%s has the connections %v", a.ID(), before[a.ID()])
		}
	}
	return func() {
		w.t.Helper()
		for _, a := range accounts {
			if now := w.conns(a); !slices.Equal(now, before[a.ID()]) {
				w.t.Errorf("the connections of %s were %v and are %v", a.ID(), before[a.ID()], now)
			}
			if st := a.Status(); st.State != actors.Online {
				w.t.Errorf("%s is %v: %s", a.ID(), st.State, st.Why)
			}
		}
	}
}

// served checks that the others are served while something is wrong.
func (w *ward) served() {
	w.t.Helper()
	for _, a := range w.all[1:] {
		begun := time.Now()
		call(w.t, a)
		if took := time.Since(begun); took > time.Second {
			w.t.Errorf("a call of %s took %v", a.ID(), took)
		}
	}
}

// strike has an actor fail in one method, and makes it run that.
func (w *ward) strike(k actorKind, how func()) {
	w.t.Helper()
	w.clock.plant(k.methods, how)
	_ = later(func() error { k.rouse(w); return nil })
	time.Sleep(time.Millisecond)
	if n := w.clock.armed(); n != 0 {
		w.t.Fatalf("%d of %v were not run", n, k.methods)
	}
}

// actorKind is one kind of actor, and how it is made to look at the clock.
type actorKind struct {
	name    string
	central bool // it is nobody's: all accounts are to keep their connections
	methods []string
	rouse   func(w *ward)
}

func actorKinds() []actorKind {
	ask := func(w *ward) {
		_, _ = actors.Invoke(context.Background(), w.robot, &echo.EchoRequest{ID: time.Now().UnixNano()})
	}
	return []actorKind{
		{"a connection", false, []string{"dcconn.(*conn).onCall"}, ask},
		{"a binding", false, []string{"binding.(*binding).Receive"}, func(w *ward) {
			inject(w.t, w.s, dctest.Fault{Kind: dctest.FaultCloseConns, Perm: w.perms[w.robot.ID()]})
		}},
		{"an account", false, []string{"account.(*account).onCall"}, ask},
		{"the governor", true, []string{"governor.(*Governor).Receive"}, func(w *ward) { _, _ = w.m.Governor(context.Background()) }},
		{"the fleet", true, []string{"actors.(*fleet).start"}, func(w *ward) {
			_, _ = w.m.Add(context.Background(), fmt.Sprint("new-", time.Now().UnixNano()), actors.AccountOptions{})
		}},
	}
}

// TestAPanicOfAnyActorLeavesTheOthersConnections: the account it is of is online
// again soon, under the keys it had; the sixth within ten minutes is too often for
// it, and still nobody else's.
func TestAPanicOfAnyActorLeavesTheOthersConnections(t *testing.T) {
	for _, k := range actorKinds() {
		t.Run(k.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := openWard(t)
				defer closeManager(t, w.m)
				others := w.all[1:]
				if k.central {
					others = w.all
				}
				check, before := w.watch(others), w.s.Counts()
				w.strike(k, func() { panic("as planned") })
				w.served()
				check()
				time.Sleep(5 * time.Second)
				wait(t, w.robot, actors.Online)
				call(t, w.robot)
				for range 4 {
					time.Sleep(50 * time.Second)
					w.strike(k, func() { panic("as planned") })
					w.served()
				}
				time.Sleep(50 * time.Second)
				if after := w.s.Counts(); after.PermKeys != before.PermKeys || after.Logins != before.Logins {
					t.Errorf("before %+v, after %+v", before, after)
				}
				if st := w.robot.Status(); st.State != actors.Online {
					t.Fatalf("after five panics it is %v: %s", st.State, st.Why)
				}
				w.strike(k, func() { panic("as planned") })
				time.Sleep(time.Second)
				w.served()
				time.Sleep(10 * time.Minute) // the longest delay is five
				check()
				w.served()
				if k.central { // without it nothing works, so it is tried for ever
					call(t, w.robot)
					verdict(t, w.s, w.store)
					return
				}
				if st := w.robot.Status(); st.State != actors.Quarantined || !strings.Contains(st.Why, "too often") || st.Advice == "" {
					t.Errorf("after six panics within ten minutes it is %+v", st)
				}
				if err := w.robot.Resume(soon(t)); err != nil {
					t.Fatal(err)
				}
				wait(t, w.robot, actors.Online)
				call(t, w.robot)
				check()
				verdict(t, w.s, w.store)
			})
		})
	}
}

// TestAnActorThatNeverReturnsIsFoundOutAndHurtsNobody: after thirty seconds, a
// quarter of it more at most, for it is looked so often.
func TestAnActorThatNeverReturnsIsFoundOutAndHurtsNobody(t *testing.T) {
	for _, k := range actorKinds() {
		t.Run(k.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := openWard(t)
				others := w.all[1:]
				if k.central {
					others = w.all
				}
				stuck := make(chan struct{})
				check, begun := w.watch(others), time.Now()
				w.strike(k, func() { <-stuck })
				time.Sleep(29 * time.Second)
				if st := w.robot.Status(); st.State != actors.Online {
					t.Errorf("after %v it is %v", time.Since(begun), st.State)
				}
				w.served()
				time.Sleep(10 * time.Second)
				st := w.robot.Status()
				switch {
				case k.central && st.State != actors.Online:
					t.Errorf("it is %+v", st)
				case !k.central && (st.State != actors.Quarantined || !strings.HasPrefix(st.Why, "wedged: ")):
					t.Errorf("after %v it is %+v", time.Since(begun), st)
				}
				time.Sleep(10 * time.Minute)
				check()
				w.served()
				close(stuck)
				time.Sleep(time.Minute)
				check()
				closeManager(t, w.m)
				verdict(t, w.s, w.store)
			})
		})
	}
}

// TestAFullAdmissionIsItsAccountsOwn: as many calls as one account may have under
// way wait for their answers, and as many again for their turn.
func TestAFullAdmissionIsItsAccountsOwn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const limit, lasts = 200, time.Minute // the test DC remembers no more queries than these at a time
		w := openWard(t, func(o *actors.Options) { o.MaxCallsPerAccount = limit })
		defer closeManager(t, w.m)
		check, mine := w.watch(w.all[1:]), w.watch(w.all[:1])
		ctx, cancel := context.WithCancel(context.Background())
		var calls []<-chan error
		for i := range 2 * limit {
			calls = append(calls, later(func() error {
				_, err := actors.Invoke(ctx, w.robot, &echo.EchoRequest{ID: int64(1e9) + int64(i), DelayMs: int32(lasts.Milliseconds())}, actors.WithPolicy(actors.Once))
				return err
			}))
		}
		time.Sleep(10 * time.Second)
		brief, done := context.WithTimeout(context.Background(), 10*time.Second)
		defer done()
		if _, err := actors.Invoke(brief, w.robot, &echo.EchoRequest{ID: 1}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("one more call ended with %v", err)
		}
		if n := w.s.EchoCount(1); n != 0 {
			t.Error("one more call was sent")
		}
		w.served()
		check()
		time.Sleep(lasts)
		w.served()
		check()
		mine()
		cancel()
		for _, c := range calls {
			if err := ended(t, "a call", c, time.Minute); err != nil && !errors.Is(err, context.Canceled) {
				t.Fatalf("a call ended with %v", err)
			}
		}
		call(t, w.robot)
		check()
		verdict(t, w.s, w.store)
	})
}
