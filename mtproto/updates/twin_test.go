package updates

import (
	"encoding/binary"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// A twin is the server, as dumb as can be: a list of updates, each with its
// place, and a network that loses, repeats and reorders what is pushed.
type twin struct {
	t     *rapid.T
	log   []entry
	pts   int32
	air   []tl.Raw // pushes on their way
	slice int      // how many updates a difference holds at most
}

type entry struct {
	id, pts, count int32
}

func (s *twin) happen() {
	count := rapid.Int32Range(1, 3).Draw(s.t, "count")
	s.pts += count
	s.log = append(s.log, entry{int32(len(s.log) + 1), s.pts, count})
}

func (e entry) update() tl.Raw { return deleted(e.id, e.pts, e.count) }

// push sends some of the log, in one envelope or several.
func (s *twin) push(from int) {
	var list []tl.Raw
	for _, e := range s.log[from:] {
		list = append(list, e.update())
		if rapid.Bool().Draw(s.t, "cut") {
			s.air = append(s.air, envelopeOf(0, list...))
			list = nil
		}
	}
	if list != nil {
		s.air = append(s.air, envelopeOf(0, list...))
	}
}

// difference answers from the log alone.
func (s *twin) difference(q *tg.UpdatesGetDifferenceRequest) tl.Object {
	var list []tl.Raw
	state := tg.UpdatesState{Pts: s.pts, Date: 1}
	for _, e := range s.log {
		switch {
		case e.pts <= q.Pts:
		case len(list) == s.slice:
			return &tg.UpdatesDifferenceSlice{OtherUpdates: list, IntermediateState: state}
		default:
			list = append(list, e.update())
			if len(list) == s.slice {
				state.Pts = e.pts
			}
		}
	}
	if len(list) == 0 {
		return &tg.UpdatesDifferenceEmpty{Date: 1}
	}
	state.Pts = s.pts
	return &tg.UpdatesDifference{OtherUpdates: list, State: state}
}

// TestEveryUpdateOnceAndInOrder plays a machine against the twin. Whatever
// the network does, the machine hands out exactly the log.
func TestEveryUpdateOnceAndInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &twin{t: t, slice: rapid.IntRange(1, 8).Draw(t, "slice")}
		m := New(Snapshot{Known: true})
		now := epoch
		var delivered []int32
		saved := State{}
		var asked *tg.UpdatesGetDifferenceRequest
		var askedBy CallID
		drain := func() {
			for out, ok := m.Next(); ok; out, ok = m.Next() {
				switch out.Kind {
				case OutDeliver:
					for _, u := range out.Updates {
						delivered = append(delivered, int32(binary.LittleEndian.Uint32(u[12:])))
					}
				case OutGetDifference:
					asked, askedBy = out.Query.(*tg.UpdatesGetDifferenceRequest), out.Call
				case OutSave:
					saved = out.State
					if n := len(delivered); n == 0 || s.log[delivered[n-1]-1].pts != saved.Pts {
						if saved.Pts != 0 {
							t.Fatalf("%v is saved, but the last of %d delivered is not there", saved, n)
						}
					}
				case OutHole, OutGetState:
					t.Fatalf("%v: the server has everything", out)
				}
			}
		}
		answer := func() {
			if asked != nil {
				q := asked
				asked = nil
				m.Result(now, askedBy, s.difference(q).Append(nil))
				drain()
			}
		}
		deliver := func(i int) { m.Push(now, s.air[i]); drain() }
		m.Start(now)
		drain()
		for range rapid.IntRange(1, 80).Draw(t, "length") {
			switch rapid.SampledFrom([]string{"happen", "happen", "arrive", "arrive", "lose", "repeat", "advance", "answer", "answer", "gap", "fail"}).Draw(t, "event") {
			case "happen":
				from := len(s.log)
				for range rapid.IntRange(1, 4).Draw(t, "how many") {
					s.happen()
				}
				s.push(from)
			case "arrive":
				if len(s.air) > 0 {
					i := rapid.IntRange(0, len(s.air)-1).Draw(t, "which")
					deliver(i)
					s.air = append(s.air[:i], s.air[i+1:]...)
				}
			case "lose":
				if len(s.air) > 0 {
					i := rapid.IntRange(0, len(s.air)-1).Draw(t, "which")
					s.air = append(s.air[:i], s.air[i+1:]...)
				}
			case "repeat":
				if len(s.air) > 0 {
					deliver(rapid.IntRange(0, len(s.air)-1).Draw(t, "which"))
				}
			case "advance":
				now = now.Add(time.Duration(rapid.IntRange(0, 1200).Draw(t, "ms")) * time.Millisecond)
				m.Advance(now)
				drain()
			case "answer":
				answer()
			case "gap":
				m.Gap(now)
				drain()
			case "fail":
				if asked != nil {
					asked = nil
					m.Failed(now, askedBy, nil)
					drain()
				}
			}
		}
		// In the end the network calms down, and one more word from the
		// server brings everything.
		for _, raw := range s.air {
			m.Push(now, raw)
			drain()
		}
		m.Gap(now)
		drain()
		for range 10_000 {
			answer()
			d := m.Deadline()
			if d.IsZero() && asked == nil {
				break
			}
			if d.After(now) {
				now = d
			}
			m.Advance(now)
			drain()
		}
		if m.Phase() != PhaseCurrent {
			t.Fatalf("the machine ends in %v", m.Phase())
		}
		if len(delivered) != len(s.log) {
			t.Fatalf("%d of %d updates were delivered: %v", len(delivered), len(s.log), delivered)
		}
		for i, id := range delivered {
			if int(id) != i+1 {
				t.Fatalf("update %d came as number %d: %v", id, i+1, delivered)
			}
		}
		if saved.Pts != s.pts {
			t.Fatalf("%v is saved at the end, the server is at %d", saved, s.pts)
		}
	})
}
