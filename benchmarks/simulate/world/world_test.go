package world

import (
	"context"
	"errors"
	"flag"
	"fmt"
	goruntime "runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
)

var (
	seeds = flag.Int("world.seeds", 100, "how many seeds of TestShortSeeds to play; 20 with -short")
	first = flag.Uint64("world.seed", 1, "the first of them")
)

// small is a run that costs a third of a second.
var small = Options{Accounts: 3}

func run(t *testing.T, seed uint64, o Options) Result {
	t.Helper()
	r, err := Run(seed, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// fail tells of a bad run, and what led to it.
func fail(t *testing.T, r Result) {
	t.Helper()
	t.Errorf("seed %d: %s", r.Seed, strings.Join(r.Complaints, "\n"))
	t.Logf("play it again with -run ShortSeeds -world.seeds=1 -world.seed=%d, or with go run ./benchmarks/simulate --seed %d --accounts 3 (and --nodes 3 for several nodes); the end of it:\n%s",
		r.Seed, r.Seed, strings.Join(r.Timeline[max(0, len(r.Timeline)-200):], "\n"))
}

// each plays seeds on all cores.
func each(from uint64, n int, play func(seed uint64)) {
	next := make(chan uint64)
	var workers sync.WaitGroup
	for range goruntime.GOMAXPROCS(0) {
		workers.Go(func() {
			for seed := range next {
				play(seed)
			}
		})
	}
	for i := range n {
		next <- from + uint64(i)
	}
	close(next)
	workers.Wait()
}

// The same seed gives the same run: the same packets, records, events and ends
// of calls at the same times, whatever else runs beside it.
func TestOneSeedTwice(t *testing.T) {
	var mu sync.Mutex
	distinct := map[string]bool{}
	each(*first, 6, func(seed uint64) {
		var notes [2][]string
		var runs [2]Result
		for i := range runs {
			o := small
			o.Trace = func(n Note) { notes[i] = append(notes[i], n.String()) }
			var err error
			if runs[i], err = Run(seed, o); err != nil {
				t.Error(err)
			}
		}
		mu.Lock()
		defer mu.Unlock()
		distinct[runs[0].Hash] = true
		if runs[0].Hash == runs[1].Hash {
			return
		}
		for i := range min(len(notes[0]), len(notes[1])) {
			if notes[0][i] != notes[1][i] {
				t.Errorf("seed %d gave two runs, which part at note %d:\n%s\n%s\n%s", seed, i, strings.Join(notes[0][max(0, i-5):i], "\n"), notes[0][i], notes[1][i])
				return
			}
		}
		t.Errorf("seed %d gave two runs: %+v and %+v", seed, runs[0].Counts, runs[1].Counts)
	})
	if len(distinct) != 6 {
		t.Errorf("6 seeds gave %d runs", len(distinct))
	}
}

func TestShortSeeds(t *testing.T) {
	n := *seeds
	if testing.Short() {
		n = min(n, 20)
	}
	var mu sync.Mutex
	var sum Counts
	each(*first, n, func(seed uint64) {
		r, err := Run(seed, small)
		mu.Lock()
		defer mu.Unlock()
		sum.Add(r.Counts)
		if err != nil || len(r.Complaints) > 0 {
			t.Log(err)
			fail(t, r)
		}
	})
	t.Logf("%d seeds: %+v", n, sum)
	if n >= 20 && (sum.Crashes == 0 || sum.Restarts == 0 || sum.Faults == 0) {
		t.Error("hardly anything went wrong")
	}
	if n >= 20 && (sum.MediaCalls < n || sum.MediaKeys < n) {
		t.Errorf("%d calls went by connections for media, under %d keys, in %d seeds", sum.MediaCalls, sum.MediaKeys, n)
	}
	for by, times := range sum.SignIns {
		if n >= 20 && times == 0 {
			t.Errorf("nobody signed in by %s", modeNames[by])
		}
	}
	for how, times := range sum.Hurt {
		if n >= 20 && times == 0 {
			t.Errorf("no account got %s", hurtNames[how])
		}
	}
	if n >= 20 && sum.Returns < n {
		t.Errorf("%d times somebody came back to a channel, in %d seeds", sum.Returns, n)
	}
}

// Several nodes keep the accounts together, and whatever comes between them and their
// database no account is in two places.
func TestShortSeedsOfSeveralNodes(t *testing.T) {
	n := *seeds / 5
	if testing.Short() {
		n = min(n, 4)
	}
	var mu sync.Mutex
	var sum Counts
	each(*first, n, func(seed uint64) {
		r, err := Run(seed, Options{Accounts: 3, Nodes: 3})
		mu.Lock()
		defer mu.Unlock()
		sum.Add(r.Counts)
		if err != nil || len(r.Complaints) > 0 {
			t.Log(err)
			fail(t, r)
		}
	})
	t.Logf("%d seeds: %+v", n, sum)
	if n >= 4 && (sum.Crashes == 0 || sum.Restarts == 0 || sum.Splits < 2*n) {
		t.Error("hardly anything came between the nodes")
	}
	if n >= 20 && (sum.Failovers < n || sum.Lost < n) {
		t.Errorf("the database failed over %d times and lost the last change of %d records, in %d seeds", sum.Failovers, sum.Lost, n)
	}
}

// Without faults everything works: what the storm breaks is not the world's.
func TestNothingGoesWrongInCalmWeather(t *testing.T) {
	r := run(t, 1, Options{Calm: true})
	if len(r.Complaints) > 0 {
		fail(t, r)
	}
	for _, l := range r.Timeline {
		if strings.Contains(l, "the storm is over") {
			return // DCs forget their sessions then
		}
		_, how, ended := strings.Cut(l, " ends: ")
		// Longer than the drain limit at a rotation: the first call for media at a DC is
		// one, where it is not known whether a bind cuts off the key before.
		drained := strings.HasPrefix(how, "session closed; the server may have executed")
		if ended && how != "ok" && !drained && !strings.Contains(how, "cancel") && !strings.Contains(how, "the caller did not wait") {
			t.Error(l)
		}
	}
	t.Error("the storm does not end")
}

// A fault that is planted in the world is found by the judge, by its name, and
// the same seeds without it are clean.
func TestPlantsAreFound(t *testing.T) {
	for _, c := range []struct {
		name  string
		plant Plant
		wants string
		nodes int // zero: one
	}{
		{"a call that must not run twice is sent twice", PlantRepeatOnce, "must not run twice and ran 2 times", 0},
		{"the disk forgets a perm key at a crash", PlantForgetRecord, "orphan", 0},
		{"an update is swallowed", PlantSwallowUpdate, "lost update", 0},
		{"a channel's update is swallowed", PlantSwallowPost, "lost update", 0},
		{"a channel's updates are turned", PlantTurnPosts, "out of order", 0},
		{"a wait is forgotten at a crash", PlantForgetWait, "before the end of a wait", 0},
		{"a secret is told", PlantTellSecret, "a secret was told in an event", 0},
		{"connects are not paced", PlantNoBudget, "was dialled more often than the budget allows", 0},
		{"keys are not paced", PlantNoKeyBudget, "a key was made at DC", 0},
		{"sign-ins are not paced", PlantNoTurns, "sign-ins began within", 0},
		{"what happens to one account happens to another", PlantHurtOthers, "was hurt by", 0},
		{"a socket outlives its manager", PlantKeepSocket, "whose manager is gone", 0},
		{"no temp key is dropped", PlantKeepKeys, "temp keys live", 0},
		{"an update is swallowed after an account came back to its channel", PlantSwallowReturn, "lost update", 0},
		{"a lease is shorter than a node believes", PlantNoMargin, "its lease is over", 3},
		{"a database takes the commits of whoever makes them", PlantFenceOutside, "the database took a commit of", 3},
		{"a database that failed over frees accounts at once", PlantNoHold, "the lease of", 3},
		{"a socket outlives its manager, of several", PlantKeepSocket, "whose manager is gone", 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			for seed := uint64(1); seed <= 30; seed++ {
				planted := Options{Accounts: 3, Nodes: c.nodes, Plant: c.plant}
				r := run(t, seed, planted)
				if len(r.Complaints) == 0 {
					continue
				}
				found := strings.Join(r.Complaints, "\n")
				t.Logf("seed %d: %s", seed, found)
				if !strings.Contains(found, c.wants) {
					t.Errorf("it is not called %q", c.wants)
				}
				if !strings.Contains(strings.Join(r.Timeline, "\n"), "plant: ") {
					t.Error("the timeline does not show it")
				}
				if again := run(t, seed, planted); again.Hash != r.Hash {
					t.Error("it does not replay")
				}
				if clean := run(t, seed, Options{Accounts: 3, Nodes: c.nodes}); len(clean.Complaints) > 0 {
					fail(t, clean)
				}
				return
			}
			t.Error("not found in 30 seeds")
		})
	}
}

// What blocks in production waits in virtual time for who drives the
// simulation.
func TestTheDriverMayWait(t *testing.T) {
	w, err := newWorld(1, Options{Accounts: 1, DCs: 1})
	if err != nil {
		t.Fatal(err)
	}
	w.nodes[0].open()
	if err := w.signIn(w.users[0], manner{}); err != nil {
		t.Fatal(err)
	}
	a, err := w.nodes[0].m.Account(w.users[0].name)
	if err != nil {
		t.Fatal(err)
	}
	w.sim.RunFor(time.Second)
	invoke := func(d time.Duration) error {
		ctx, cancel := w.within(10 * time.Second)
		defer cancel()
		_, err := actors.Invoke(ctx, a, &echo.EchoRequest{ID: 1, DelayMs: int32(d / time.Millisecond)})
		return err
	}
	begun := w.sim.Now()
	if err := invoke(3 * time.Second); err != nil || w.sim.Now().Sub(begun) < 3*time.Second {
		t.Errorf("a call of 3 s: %v after %v", err, w.sim.Now().Sub(begun))
	}
	if err := invoke(time.Minute); !errors.Is(err, context.Canceled) || !errors.Is(err, actors.ErrMayHaveRun) {
		t.Errorf("a call of a minute, given up after 10 s: %v", err)
	}
	w.sim.AfterFunc(time.Second, func() { w.nodes[0].crash("on purpose") })
	if err := invoke(5 * time.Second); !errors.Is(err, runtime.ErrCrashed) {
		t.Errorf("a call of a manager that crashed: %v", err)
	}
	w.sim.RunFor(time.Minute)
	if a, err = w.nodes[0].m.Account(w.users[0].name); err != nil || a.Status().State != actors.Online {
		t.Errorf("after the crash the account is %+v, %v", a.Status(), err)
	}
	if err := invoke(0); err != nil {
		t.Error(err)
	}
	w.close()
	if c := w.judge.Complaints(); len(c) > 0 {
		t.Error(c)
	}
}

// A crash comes at the boundary of a commit: before it or after it.
func TestACommitIsThereOrNot(t *testing.T) {
	for _, before := range []bool{true, false} {
		t.Run(fmt.Sprintf("before=%v", before), func(t *testing.T) {
			w, err := newWorld(1, Options{Accounts: 1, DCs: 1})
			if err != nil {
				t.Fatal(err)
			}
			w.nodes[0].open()
			w.disk.fuse, w.disk.before = 1, before
			if err := w.signIn(w.users[0], manner{}); !errors.Is(err, runtime.ErrCrashed) && err == nil {
				t.Errorf("adding an account that crashes: %v", err)
			}
			if w.nodes[0].process != nil {
				t.Fatal("it did not crash")
			}
			w.sim.RunFor(time.Minute)
			if n := len(w.nodes[0].m.Accounts()); n == 1 == before {
				t.Errorf("%d accounts after the crash", n)
			}
			w.close()
		})
	}
}
