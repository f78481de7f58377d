package explore

import (
	"flag"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	deep   = flag.Bool("deep", false, "explore until -states were seen, which takes minutes to hours")
	states = flag.Int("states", 10_000_000, "with -deep: how many distinct states to see")
	faults = flag.Int("faults", 3, "with -deep: how many faults a way may have")
)

// A seen state knows how it was come to.
type origin struct {
	from  int32
	name  string
	crash int8
}

// A report is what an exploration saw.
type report struct {
	states, steps, settles, depth int
	whole                         bool // every state within the faults was seen
	bad                           string
	path                          []string // a line for each step
}

// met is a world that was seen and not looked at yet.
type met struct {
	w *world
	n int32
}

// explorer is an exploration under way.
type explorer struct {
	report
	seen        map[uint64]struct{}
	origins     []origin
	first       *world
	most        int
	everySettle int
	list        []action
}

// chunk is how many worlds at a time are looked at where there is no room for
// all of a level: each takes some 5 KiB.
const chunk = 2048

// explore sees worlds until it has seen as many as most, or a violation. Of each
// so-many-th state it is seen whether all can go well from there. Without narrow
// it looks at worlds in the order of their distance from the first, so that the
// way to a violation is a shortest one; narrow needs room for a hundred chunks
// and not for a level.
func explore(first *world, most, everySettle int, narrow bool) report {
	x := &explorer{
		seen: map[uint64]struct{}{digestOf(first, first.now): {}}, most: most, everySettle: everySettle,
		origins: []origin{{from: -1, name: "an account that is signed in, at a start"}},
	}
	if x.bad = first.bad; x.bad != "" {
		return x.report
	}
	x.first = first
	for levels := [][]met{{{first, 0}}}; len(levels) > 0; x.depth = max(x.depth, len(levels)) {
		level := levels[len(levels)-1]
		levels = levels[:len(levels)-1]
		var next []met
		for i := range level {
			if next = x.look(level[i], next); x.bad != "" || len(x.origins) >= most {
				x.states = len(x.origins)
				return x.report
			}
			level[i].w = nil
		}
		for narrow && len(next) > chunk {
			levels, next = append(levels, next[:chunk:chunk]), next[chunk:]
		}
		if len(next) > 0 {
			levels = append(levels, next)
		}
	}
	x.states, x.whole = len(x.origins), true
	return x.report
}

// look does in a world everything that can happen next, and kills the process
// before and after each save of it.
func (x *explorer) look(at met, next []met) []met {
	x.list = at.w.actions(x.list[:0])
	for _, a := range x.list {
		last := 0
		for crash := 0; crash <= last; crash++ {
			if crash == 1 {
				continue
			}
			n := at.w.step(a, crash)
			x.steps++
			if crash == 0 && a.cost < at.w.faults {
				last = 2*n.saves + 1
			}
			from := origin{at.n, a.name, int8(crash)}
			if n.bad != "" {
				x.origins = append(x.origins, from)
				x.blame(n.bad)
				return next
			}
			d := digestOf(n, n.now)
			if _, old := x.seen[d]; old {
				continue
			}
			x.seen[d] = struct{}{}
			x.origins = append(x.origins, from)
			next = append(next, met{n, int32(len(x.origins) - 1)})
			if x.everySettle > 0 && len(x.origins)%x.everySettle == 0 {
				x.settles++
				if _, bad := n.settle(); bad != "" {
					x.blame(bad)
					return next
				}
			}
		}
	}
	return next
}

// way is how the newest state was come to.
func (x *explorer) way() (way []origin) {
	for n := int32(len(x.origins) - 1); n > 0; n = x.origins[n].from {
		way = append(way, x.origins[n])
	}
	slices.Reverse(way)
	return way
}

// blame tells the newest state's violation, by its way without the steps that it
// does not take.
func (x *explorer) blame(bad string) {
	x.bad = bad
	way := x.way()
	for i := len(way) - 1; i >= 0; i-- {
		shorter := slices.Delete(slices.Clone(way), i, i+1)
		if still, _ := x.replay(shorter); still == bad {
			way = shorter
		}
	}
	_, x.path = x.replay(way)
}

// replay goes a way again, and says what is wrong at its end and by which steps;
// nothing where it cannot be gone.
func (x *explorer) replay(way []origin) (bad string, path []string) {
	w := x.first
	path = []string{x.origins[0].name}
	for _, step := range way {
		actions := w.actions(nil)
		i := slices.IndexFunc(actions, func(a action) bool { return a.name == step.name })
		if i < 0 {
			return "", nil
		}
		if w = w.step(actions[i], int(step.crash)); step.crash > 0 && w.faults > x.first.faults {
			return "", nil
		}
		name := step.name
		switch c := step.crash; {
		case c > 0 && c%2 == 0:
			name += fmt.Sprintf(", and is killed before save %d", c/2)
		case c > 0:
			name += fmt.Sprintf(", and is killed after save %d", c/2)
		}
		if path = append(path, name); w.bad != "" {
			return w.bad, append(path, w.describe())
		}
	}
	path = append(path, w.describe(), "from here all goes well:")
	rest, bad := w.settle()
	return bad, append(path, rest...)
}

func laws() map[string]law {
	all := map[string]law{}
	for _, strict := range []bool{false, true} {
		name := "both keys live"
		if strict {
			name = "the bind cuts the old key off"
		}
		all[name] = law{strict: strict, asks: 2}
		all[name+", with a guest"] = law{strict: strict, guests: true, asks: 1}
		all[name+", with a guest that is ready"] = law{strict: strict, guests: true, ready: true, asks: 2}
		all[name+", with an owner"] = law{strict: strict, owner: true, asks: 1}
		all[name+", with media"] = law{strict: strict, bulk: true, asks: 1}
	}
	all["both keys live, as others have found, with media"] = law{bulk: true, told: true, asks: 2}
	all["both keys live, as others have found, with media and an owner"] = law{bulk: true, told: true, owner: true}
	return all
}

func TestNoWayLeadsToALostLoginOrACallWithoutOneEnd(t *testing.T) {
	most := 10_000
	if testing.Short() {
		most = 3_000
	}
	for name, l := range laws() {
		t.Run(name, func(t *testing.T) {
			begun := time.Now()
			r := explore(newWorld(l, 3), most, 16, false)
			r.tell(t, time.Since(begun))
		})
	}
}

func TestAFaultInTheDriverIsFound(t *testing.T) {
	for name, c := range map[string]struct {
		law
		faults int
	}{
		"old temp keys are dropped before the successor is bound":   {law{plant: dropEarly}, 0},
		"what is to be on disk first is written after what follows": {law{plant: saveAfter, guests: true}, 0},
		"a call that must not run twice is sent again":              {law{plant: resendsOnce}, 1},
		"a wait is not written down":                                {law{plant: forgetsWait}, 2},
		"the order of the main slot does not spare keys for media":  {law{plant: dropsMedia, bulk: true, told: true, asks: 1}, 0},
		"an order on its way drops what the other slot binds":       {law{plant: bindsAnyway, bulk: true, told: true, asks: 2}, 0},
		"keys for media pile up that killed processes have left":    {law{plant: sweepsNot, bulk: true, told: true}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := explore(newWorld(c.law, c.faults), 200_000, 16, false)
			if r.bad == "" {
				t.Fatalf("%d states hold", r.states)
			}
			t.Logf("after %d states: %s, by this way:\n  %s", r.states, r.bad, strings.Join(r.path, "\n  "))
		})
	}
}

func (r *report) tell(t *testing.T, took time.Duration) {
	t.Helper()
	t.Logf("%d states, %d steps, from %d of them all went well, all there are: %v, %v", r.states, r.steps, r.settles, r.whole, took.Round(time.Millisecond))
	if r.bad != "" {
		t.Errorf("%s, by this way:\n  %s", r.bad, strings.Join(r.path, "\n  "))
	}
}

// TestDeep is the exploration at length. Each law gets its part of the states.
func TestDeep(t *testing.T) {
	if !*deep {
		t.Skip("it takes long: see -deep in the package's comment")
	}
	defer debug.SetGCPercent(debug.SetGCPercent(300)) // what lives is little, what is thrown away much
	all := laws()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		t.Run(name, func(t *testing.T) {
			begun := time.Now()
			r := explore(newWorld(all[name], *faults), *states/len(all), 256, true)
			r.tell(t, time.Since(begun))
		})
	}
}
