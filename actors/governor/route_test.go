package governor

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mtfleet/mtfleet/actors/runtime"
)

// by wants a permit to connect to DC 2 by a route.
func (w *world) by(label string, r Route, f func(*Ticket)) *Ticket {
	t := &Ticket{Kind: Connect, DC: 2, Route: r, Who: uint64(r) + 1}
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

func (w *world) census() map[Route]DCStatus {
	w.t.Helper()
	list, err := runtime.Ask(context.Background(), w.g, func(r runtime.Reply[[]DCStatus]) Message { return Census{r} })
	if err != nil {
		w.t.Fatal(err)
	}
	all := map[Route]DCStatus{}
	for _, s := range list {
		all[s.Route] = s
	}
	return all
}

func TestAProxyThatIsDownHoldsUpNobodyElse(t *testing.T) {
	for _, o := range []Outcome{Failed, Flooded} {
		run(t, Limits{}, func(w *world) {
			w.by("by 1", 1, func(t *Ticket) { w.done(t, o) })
			synctest.Wait()
			for range 5 { // they wait for a probe
				w.by("by 1", 1, nil)
			}
			for range 5 {
				w.by("directly", Direct, func(t *Ticket) { w.done(t, Worked) })
				w.by("by 2", 2, func(t *Ticket) { w.done(t, Worked) })
			}
			if a, b, c := len(w.grants("by 1")), len(w.grants("directly")), len(w.grants("by 2")); a != 1 || b != 5 || c != 5 {
				t.Errorf("after an outcome of %d: %d through the proxy, %d directly, %d through another", o, a, b, c)
			}
			all := w.census()
			if all[1].Up || !all[Direct].Up || !all[2].Up || all[1].Waiting[Connect] != 5 {
				t.Errorf("census %+v", all)
			}
			time.Sleep(probeFirst + floodFirst)
			if n := len(w.grants("by 1")); n != 2 {
				t.Errorf("%d probes through the proxy", n-1)
			}
		})
	}
}

func TestTheBudgetsOfAllDCsAreCommonToTheRoutes(t *testing.T) {
	run(t, Limits{Connects: Rate{1, 6}}, func(w *world) {
		for r := range Route(10) {
			w.by("any", r, nil)
		}
		if n := len(w.grants("any")); n != 6 {
			t.Errorf("%d at once", n)
		}
		time.Sleep(2*time.Second + time.Millisecond)
		if n := len(w.grants("any")); n != 8 {
			t.Errorf("%d after two seconds", n)
		}
	})
}

func TestARouteThatIsAnotherProxysBeginsAnew(t *testing.T) {
	run(t, Limits{}, func(w *world) {
		w.by("first", 1, func(t *Ticket) { w.done(t, Flooded) })
		synctest.Wait()
		w.g.Send(KeyUnknown{DC: 2, Route: 1, Who: bob})
		w.g.Send(Renew{1})
		w.by("second", 1, nil)
		if len(w.grants("second")) != 1 {
			t.Error("it waits for the proxy of before")
		}
		if w.doubtBy(1) {
			t.Error("what a proxy of before led to speaks against it")
		}
	})
}

func (w *world) doubtBy(r Route) bool {
	reply := make(chan bool, 1)
	w.g.Send(Doubt{DC: 2, Route: r, Who: alice, Since: w.start, Reply: func(others bool) { reply <- others }})
	return <-reply
}

// A proxy that leads somewhere else has its DC answer -404 to all who go through it.
// That others are answered who go directly proves nothing of them.
func TestDoubtIsOfARoute(t *testing.T) {
	run(t, Limits{}, func(w *world) {
		w.g.Send(KeyUnknown{DC: 2, Route: 1, Who: bob})
		w.answered(carol) // directly
		if !w.doubtBy(1) {
			t.Error("an answer by another route has proved a proxy right")
		}
		if w.doubtBy(Direct) || w.doubtBy(2) {
			t.Error("a -404 through a proxy speaks against others")
		}
	})
}

// BenchmarkRoutes is what one message costs with as many routes as there may be.
func BenchmarkRoutes(b *testing.B) {
	g := &Governor{limits: Limits{}.withDefaults(), books: &books{}}
	now := time.Now()
	for r := range Route(MaxRoutes) {
		for dc := 1; dc <= 5; dc++ {
			g.at(place{r, dc}).pulse = &Pulse{since: now}
		}
	}
	for b.Loop() {
		g.pump(now)
		for _, d := range g.dcs {
			g.watch(now, d)
		}
	}
}
