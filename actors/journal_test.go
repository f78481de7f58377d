package actors

import (
	"context"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/tl"
)

// twin is what a stream must bring, computed the slow way from everything that
// was ever published.
type twin struct {
	stream *stream
	filter Filter
	from   uint64 // events after this number
	told   bool   // of another run, at the beginning
	exact  bool   // what is missed can be counted to the event
}

func wanted(f *Filter, ev *Event) bool {
	return (len(f.Accounts) == 0 || slices.Contains(f.Accounts, ev.Account)) && (len(f.Kinds) == 0 || slices.Contains(f.Kinds, ev.Kind))
}

// check compares what a stream brought so far, from its first event on, with all
// that was published until it was read: it is that, but for events that are told
// to be missing, never fewer than were.
func (w *twin) check(t *rapid.T, got []*told, all []Event) {
	var want []Event
	for _, ev := range all {
		if ev.Cursor.N > w.from && wanted(&w.filter, &ev) {
			want = append(want, ev)
		}
	}
	for _, ev := range got {
		switch ev.Kind {
		case EventRestarted:
			if !w.told {
				t.Fatal("told of another run without cause, or twice")
			}
			w.told = false
		case EventMissed:
			n := 0
			for n < len(want) && want[n].Cursor.N <= ev.Cursor.N {
				n++
			}
			if ev.Missed < uint64(n) || w.exact && ev.Missed != uint64(n) {
				t.Fatalf("%d events are said to be missed up to %v, it were %d", ev.Missed, ev.Cursor, n)
			}
			want = want[n:]
		default:
			if len(want) == 0 || want[0].Cursor != ev.Cursor || want[0].Account != ev.Account || want[0].Kind != ev.Kind {
				t.Fatalf("%v %v of %s comes, want %v", ev.Cursor, ev.Kind, ev.Account, want[:min(1, len(want))])
			}
			want = want[1:]
		}
		w.from = max(w.from, ev.Cursor.N)
	}
	if len(want) > 0 {
		t.Fatalf("%d events neither came nor were said to be missed, from %v on", len(want), want[0].Cursor)
	}
	w.exact = w.exact || len(got) > 0
	w.from = uint64(len(all))
}

// TestTheJournalAgainstATwin: whatever is published and whenever somebody reads,
// from the beginning, from now, after a cursor, of some accounts and kinds, every
// event comes once and in order, or is counted.
func TestTheJournalAgainstATwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const run = 3
		h := newHub(run, nil)
		h.journal.bounds = bounds{most: rapid.IntRange(1, 12).Draw(t, "most"), bytesMost: eventBytes * rapid.IntRange(1, 20).Draw(t, "bytes")}
		var all []Event
		var twins []*twin
		seq := map[string]uint64{}
		id, kind := rapid.SampledFrom([]string{"a", "b", "c"}), rapid.SampledFrom([]EventKind{EventState, EventUpdate})
		t.Repeat(map[string]func(*rapid.T){
			"publish": func(t *rapid.T) {
				of := id.Draw(t, "account")
				var events []*told
				for range rapid.IntRange(1, 4).Draw(t, "events") {
					seq[of]++
					events = append(events, &told{Event: Event{Account: of, Seq: seq[of], Kind: kind.Draw(t, "kind"), Update: make(tl.Raw, rapid.IntRange(0, 3*eventBytes).Draw(t, "size"))}})
				}
				h.publish(nil, events...)
				for _, ev := range events {
					all = append(all, ev.Event)
				}
			},
			"open": func(t *rapid.T) {
				f := Filter{Accounts: rapid.SliceOfNDistinct(id, 0, 2, rapid.ID).Draw(t, "accounts"), Kinds: rapid.SliceOfN(kind, 0, 1).Draw(t, "kinds")}
				w := &twin{filter: f, from: uint64(len(all)), exact: true}
				opts := []StreamOption{Matching(f)}
				switch rapid.IntRange(0, 3).Draw(t, "from") {
				case 1:
					opts, w.from, w.exact = append(opts, Replay), 0, len(f.Kinds) == 0
				case 2:
					after := rapid.Uint64Range(1, uint64(len(all))+2).Draw(t, "after")
					opts, w.from, w.exact = append(opts, After(Cursor{Run: run, N: after})), min(after, uint64(len(all))), len(f.Accounts)+len(f.Kinds) == 0
				case 3:
					opts, w.from, w.exact, w.told = append(opts, After(Cursor{Run: run - 1, N: 5})), 0, len(f.Kinds) == 0, true
				}
				before := map[*stream]bool{}
				for _, s := range streamsOf(h) {
					before[s] = true
				}
				h.subscribe(context.Background(), "", nil, opts)
				for _, s := range streamsOf(h) {
					if !before[s] {
						w.stream = s
					}
				}
				twins = append(twins, w)
			},
			"read": func(t *rapid.T) {
				if len(twins) > 0 {
					w := rapid.SampledFrom(twins).Draw(t, "stream")
					w.check(t, w.stream.take(), all)
				}
			},
			"": func(t *rapid.T) {
				if n := len(h.journal.events); h.journal.bounds.exceeded(n, h.journal.bytes) {
					t.Fatalf("%d events of %d bytes are kept", n, h.journal.bytes)
				}
			},
		})
		for _, w := range twins {
			w.check(t, w.stream.take(), all)
		}
	})
}

func streamsOf(h *hub) (all []*stream) {
	for s := range h.streams {
		all = append(all, s)
	}
	for _, of := range h.of {
		for s := range of {
			all = append(all, s)
		}
	}
	return all
}

func TestACursorAsText(t *testing.T) {
	for _, text := range []string{"7-1234", "18446744073709551615-18446744073709551615", "0-0"} {
		var c Cursor
		if err := c.UnmarshalText([]byte(text)); err != nil || c.String() != text {
			t.Errorf("%s is read as %v, %v", text, c, err)
		}
	}
	for _, text := range []string{"7", "-", "7-", "-7", "7-01", "+7-1", "7-1-1", " 7-1", "18446744073709551616-1", "a-b"} {
		c := Cursor{Run: 1, N: 2}
		if err := c.UnmarshalText([]byte(text)); err == nil || c != (Cursor{Run: 1, N: 2}) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q is read as %v, %v", text, c, err)
		}
	}
	for _, text := range []string{"", "0"} {
		c := Cursor{Run: 1, N: 2}
		if err := c.UnmarshalText([]byte(text)); err != nil || !c.IsZero() {
			t.Errorf("%q is read as %v, %v", text, c, err)
		}
	}
}

func TestAFilterSelects(t *testing.T) {
	labels, err := persistence.NewLabels(map[string]string{"env": "prod", "team": ""})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		filter Filter
		want   bool
	}{
		{Filter{}, true},
		{Filter{Accounts: []string{"b", "a"}}, true},
		{Filter{Accounts: []string{"b"}}, false},
		{Filter{Labels: []string{"env"}}, true},
		{Filter{Labels: []string{"env=prod", "team"}}, true},
		{Filter{Labels: []string{"team="}}, true},
		{Filter{Labels: []string{"env=prod", "team=a"}}, false},
		{Filter{Labels: []string{"nothing"}}, false},
		{Filter{Accounts: []string{"a"}, Labels: []string{"env=test"}}, false},
	} {
		if err := c.filter.Check(); err != nil {
			t.Errorf("%+v: %v", c.filter, err)
		}
		if got := c.filter.Selects("a", labels); got != c.want {
			t.Errorf("%+v selects: %v, want %v", c.filter, got, c.want)
		}
	}
	for _, f := range []Filter{{Accounts: []string{"A B"}}, {Labels: []string{""}}, {Labels: []string{"Env=x"}}, {Labels: []string{"a=b=c"}}, {Labels: make([]string, filterMost+1)}} {
		if err := f.Check(); err == nil || f.Selects("a", labels) {
			t.Errorf("%.100v is taken", f)
		}
	}
}
