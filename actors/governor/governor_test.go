package governor

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/mtfleet/mtfleet/actors/runtime"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a governor with holders that are functions.
type world struct {
	t     *testing.T
	sys   *runtime.System
	g     runtime.Ref[Message]
	start time.Time

	mu   sync.Mutex
	when map[string][]time.Duration // grants by label
}

// run runs f in a bubble of virtual time.
func run(t *testing.T, l Limits, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, sys: runtime.NewSystem(runtime.Options{}), start: time.Now(), when: map[string][]time.Duration{}}
		w.g = runtime.SpawnRoot[Message](w.sys, New(l, nil))
		f(w)
		if err := w.sys.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// want asks for a permit; when it comes, f runs in a goroutine of its own.
func (w *world) want(label string, k Kind, dc int, active bool, f func(t *Ticket)) *Ticket {
	t := &Ticket{Kind: k, DC: dc, Active: active}
	t.Granted = func() {
		w.mu.Lock()
		w.when[label] = append(w.when[label], time.Since(w.start))
		w.mu.Unlock()
		if f != nil {
			go f(t)
		}
	}
	w.g.Send(Want{t})
	return t
}

func (w *world) done(t *Ticket, o Outcome) { w.g.Send(Done{Ticket: t, Outcome: o}) }

func (w *world) grants(label string) []time.Duration {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.when[label])
}

func TestRateAndBurst(t *testing.T) {
	run(t, Limits{SignInsPerDC: Rate{1, 2}, SignIns: Rate{1.5, 3}}, func(w *world) {
		for range 10 {
			w.want("dc2", SignIn, 2, false, nil)
			w.want("dc4", SignIn, 4, false, nil)
		}
		if a, b := len(w.grants("dc2")), len(w.grants("dc4")); a+b != 3 || a == 0 || b == 0 {
			t.Errorf("at once: %d and %d, want 3 shared by both", a, b)
		}
		time.Sleep(4*time.Second + time.Millisecond)
		if a, b := len(w.grants("dc2")), len(w.grants("dc4")); a+b != 3+6 || a < 4 || b < 4 {
			t.Errorf("after 4 s: %d and %d, want 9 shared by both", a, b)
		}
		time.Sleep(time.Minute)
		if a, b := len(w.grants("dc2")), len(w.grants("dc4")); a != 10 || b != 10 {
			t.Errorf("in the end: %d and %d", a, b)
		}
	})
}

func TestKeysAtOnce(t *testing.T) {
	run(t, Limits{KeysPerDC: Rate{1000, 1000}, Keys: Rate{1000, 1000}}, func(w *world) {
		var tickets []*Ticket
		for range 20 {
			tickets = append(tickets, w.want("key", MakeKey, 2, false, nil))
		}
		if n := len(w.grants("key")); n != 8 {
			t.Fatalf("%d at once", n)
		}
		w.done(tickets[0], Unknown)
		w.done(tickets[0], Unknown)  // once is once
		w.done(tickets[15], Unknown) // withdrawn while waiting
		if n := len(w.grants("key")); n != 9 {
			t.Errorf("%d after one was given back", n)
		}
		// The others are never given back: their holders are wedged.
		time.Sleep(holdLimit)
		if n := len(w.grants("key")); n != 17 {
			t.Errorf("%d after the hold limit", n)
		}
		time.Sleep(holdLimit)
		if n := len(w.grants("key")); n != 19 {
			t.Errorf("%d in the end", n)
		}
	})
}

// Where the budget allows more than this machine can do, dials wait for those under
// way, so that these come to their end. A DC that is slow keeps its own part alone.
func TestDialsUnderWayAreFew(t *testing.T) {
	fast := Rate{1e6, 1e6}
	run(t, Limits{ConnectsPerDC: fast, Connects: fast}, func(w *world) {
		var tickets []*Ticket
		for range 1000 {
			tickets = append(tickets, w.want("slow", Connect, 2, false, nil))
		}
		if n := len(w.grants("slow")); n != connectsAtOncePerDC {
			t.Fatalf("%d at once to one DC", n)
		}
		for range 1000 {
			w.want("busy", Connect, 4, false, func(t *Ticket) { w.done(t, Answered) })
			w.want("other", Connect, 5, false, nil)
		}
		if n := len(w.grants("busy")); n != 1000 {
			t.Errorf("%d of 1000 to a DC that answers at once, beside one that does not", n)
		}
		if n := len(w.grants("slow")) + len(w.grants("other")); n != connectsAtOnce {
			t.Errorf("%d at once to two DCs", n)
		}
		w.done(tickets[0], Worked)
		w.done(tickets[0], Worked)    // once is once
		w.done(tickets[999], Unknown) // withdrawn while waiting
		if n := len(w.grants("slow")) + len(w.grants("other")); n != connectsAtOnce+1 {
			t.Errorf("%d after one has answered", n)
		}
		for range 1000 {
			w.want("third", Connect, 1, false, nil)
		}
		if n := len(w.grants("third")); n != connectsAlways {
			t.Errorf("%d to a third DC, beside two that do not answer", n)
		}
		// What has taken long waits for its DC.
		all := func() int { return len(w.grants("slow")) + len(w.grants("other")) + len(w.grants("third")) }
		before := all()
		time.Sleep(connectSlow)
		if n := all() - before; n != connectsAtOnce {
			t.Errorf("%d after all have become slow", n)
		}
		time.Sleep(20 * connectSlow)
		if n := all(); n != 2999 {
			t.Errorf("%d in the end", n)
		}
	})
}

func TestActiveFirst(t *testing.T) {
	run(t, Limits{ConnectsPerDC: Rate{1, 1}}, func(w *world) {
		w.want("first", Connect, 2, false, nil)
		idle := w.want("hurried", Connect, 2, false, nil)
		w.want("idle", Connect, 2, false, nil)
		w.want("active", Connect, 2, true, nil)
		w.g.Send(Hurry{idle})
		time.Sleep(10 * time.Second)
		order := []string{"first", "active", "hurried", "idle"}
		for i, label := range order {
			g := w.grants(label)
			if len(g) != 1 || g[0].Round(time.Second) != time.Duration(i)*time.Second {
				t.Errorf("%s granted at %v", label, g)
			}
		}
	})
}

// A thousand connections want a DC that is down for 30 s. Only the governor
// probes it; afterwards all come back at the budget's rate, active ones first.
func TestStorm(t *testing.T) {
	const waiters, active, outage = 1000, 100, 30 * time.Second
	run(t, Limits{}, func(w *world) {
		var mu sync.Mutex
		var attempts []time.Duration
		up := map[bool]int{}
		var lastActive, firstIdle time.Duration
		var try func(active bool) func(*Ticket)
		try = func(active bool) func(*Ticket) {
			return func(t *Ticket) {
				mu.Lock()
				attempts = append(attempts, time.Since(w.start))
				mu.Unlock()
				time.Sleep(5 * time.Millisecond) // the dial
				if at := time.Since(w.start); at >= outage {
					mu.Lock()
					up[active]++
					if active {
						lastActive = at
					} else if firstIdle == 0 && up[true] > 0 {
						firstIdle = at
					}
					mu.Unlock()
					w.done(t, Worked)
					return
				}
				w.done(t, Failed)
				w.want("retry", Connect, 2, active, try(active))
			}
		}
		for i := range waiters {
			a := i%(waiters/active) == 0
			w.want("first", Connect, 2, a, try(a))
		}
		time.Sleep(outage)
		synctest.Wait()
		mu.Lock()
		during := len(attempts)
		mu.Unlock()
		// 10 at once, then probes at 1, 3, 7, 15, 23 s.
		if during > 10+5 {
			t.Errorf("%d connects while the DC was down", during)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if up[true]+up[false] != waiters {
			t.Errorf("%d of %d connected in the end", up[true]+up[false], waiters)
		}
		for i := 10 + 5; i+51 < len(attempts); i++ {
			if gap := attempts[i+51] - attempts[i]; gap < time.Second-time.Millisecond {
				t.Fatalf("52 connects in %v after the outage", gap)
			}
		}
		if lastActive > firstIdle+500*time.Millisecond {
			t.Errorf("an idle one connected at %v, an active one at %v", firstIdle, lastActive)
		}
		s, err := runtime.Ask(context.Background(), w.g, func(r runtime.Reply[[]DCStatus]) Message { return Census{r} })
		if err != nil || len(s) != 1 || !s[0].Up || s[0].Granted[Connect] != uint64(len(attempts)) {
			t.Errorf("census %+v, %v", s, err)
		}
	})
}

func TestFloodSlowsTheDC(t *testing.T) {
	run(t, Limits{}, func(w *world) {
		refusals := 10
		var gaps []time.Duration
		var last time.Duration
		for refusals >= 0 {
			granted := make(chan *Ticket, 1)
			w.want("dc2", Connect, 2, false, func(t *Ticket) { granted <- t })
			tk := <-granted
			at := time.Since(w.start)
			gaps = append(gaps, (at - last).Round(time.Second))
			last = at
			refusals--
			if refusals >= 0 {
				w.done(tk, Flooded)
			} else {
				w.done(tk, Worked)
			}
		}
		want := []time.Duration{0, 3e9, 6e9, 12e9, 24e9, 48e9, 60e9, 60e9, 60e9, 60e9, 60e9}
		if !slices.Equal(gaps, want) {
			t.Errorf("gaps %v, want %v", gaps, want)
		}
		// Recovered: the next comes at the normal rate.
		before := time.Since(w.start)
		w.want("after", Connect, 2, false, nil)
		time.Sleep(time.Second)
		if g := w.grants("after"); len(g) != 1 || g[0]-before > 100*time.Millisecond {
			t.Errorf("after recovery: %v", g)
		}
		// A -429 on a connection of old holds everybody up, a connection of old that works does not end that.
		early := w.want("early", Connect, 2, false, nil)
		w.grants("early")
		w.g.Send(Report{DC: 2, Outcome: Flooded})
		w.done(early, Worked)
		w.want("held", Connect, 2, false, nil)
		w.want("other DC", Connect, 4, false, nil)
		time.Sleep(2 * time.Second)
		if len(w.grants("held")) != 0 || len(w.grants("other DC")) != 1 {
			t.Error("a reported -429 must hold its own DC, and no other")
		}
	})
}

func TestProbeThatIsBrokenOff(t *testing.T) {
	run(t, Limits{}, func(w *world) {
		w.done(w.want("a", Connect, 2, false, nil), Failed)
		probe := w.want("b", Connect, 2, false, nil)
		w.want("c", Connect, 2, false, nil)
		time.Sleep(time.Second)
		if len(w.grants("b")) != 1 || len(w.grants("c")) != 0 {
			t.Fatal("one probe, after one second")
		}
		w.done(probe, Unknown) // its holder stopped
		time.Sleep(time.Second)
		if len(w.grants("c")) != 1 {
			t.Error("no second probe")
		}
	})
}

func TestOtherLimitsCountFromNowOn(t *testing.T) {
	slow := Limits{ConnectsPerDC: Rate{1, 2}, Connects: Rate{1, 2}}
	run(t, slow, func(w *world) {
		wish := func(n int) {
			for range n {
				w.want("c", Connect, 2, true, func(t *Ticket) { w.done(t, Worked) })
			}
		}
		wish(6)
		if n := len(w.grants("c")); n != 2 {
			t.Fatalf("%d were granted at once, want the burst of 2", n)
		}
		// Faster: who waits is let go at the new rate, and in no burst.
		w.g.Send(Adjust{Limits{ConnectsPerDC: Rate{10, 20}, Connects: Rate{10, 20}}})
		if n := len(w.grants("c")); n != 2 {
			t.Errorf("the change itself granted %d", n-2)
		}
		time.Sleep(410 * time.Millisecond)
		if n := len(w.grants("c")); n != 6 {
			t.Errorf("%d are granted after four tenths of a second, want 6", n)
		}
		// Slower: what has been gathered is no more than the new bucket holds.
		time.Sleep(time.Minute)
		w.g.Send(Adjust{slow})
		wish(6)
		if n := len(w.grants("c")); n != 8 {
			t.Errorf("%d are granted at once, want 2 more than 6", n)
		}
		time.Sleep(3100 * time.Millisecond)
		if n := len(w.grants("c")); n != 11 {
			t.Errorf("%d are granted after three seconds, want 11", n)
		}
		// A DC that is new goes by them as well.
		w.want("other", Connect, 4, true, nil)
		time.Sleep(10 * time.Second)
		if n := len(w.grants("other")); n != 1 {
			t.Errorf("another DC was granted %d", n)
		}
	})
}
