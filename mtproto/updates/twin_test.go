package updates

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// A twin is the server, as dumb as can be: a list of updates, each with its
// place in one of two sequences, and a network that loses, repeats and reorders
// what is pushed. With troubled it also forgets the past, speaks an unknown
// language now and then, and does not know where we are.
type twin struct {
	t        *rapid.T
	log      []entry
	pts, qts int32
	air      []tl.Raw // pushes on their way
	slice    int      // how many updates a difference holds at most
	troubled bool
}

type entry struct {
	id         int32
	byQts      bool
	start, end int32
}

func (s *twin) happen() {
	e := entry{id: int32(len(s.log) + 1), byQts: rapid.Bool().Draw(s.t, "by qts")}
	if e.byQts {
		e.start, e.end = s.qts, s.qts+1
		s.qts = e.end
	} else {
		e.start, e.end = s.pts, s.pts+rapid.Int32Range(1, 3).Draw(s.t, "count")
		s.pts = e.end
	}
	s.log = append(s.log, e)
}

func (e entry) update() tl.Raw {
	if e.byQts {
		return botStopped(int64(e.id), e.end)
	}
	return deleted(e.id, e.end, e.end-e.start)
}

// user is the one who comes along with an update.
func user(id int32) *tg.UserEmpty { return &tg.UserEmpty{ID: int64(id)} }

// idOf is the reverse of update.
func idOf(u tl.Raw) int32 {
	if u.ID() == 0xc4870a49 {
		return int32(binary.LittleEndian.Uint64(u[4:]))
	}
	return int32(binary.LittleEndian.Uint32(u[12:]))
}

// push sends some of the log, in one envelope or several.
func (s *twin) push(from int) {
	var v tg.Updates
	send := func() {
		if len(v.Updates) > 0 {
			s.air = append(s.air, v.Append(nil))
		}
		v = tg.Updates{Date: 1}
	}
	send()
	for _, e := range s.log[from:] {
		v.Updates = append(v.Updates, e.update())
		v.Users = append(v.Users, user(e.id))
		if rapid.Bool().Draw(s.t, "cut") {
			send()
		}
	}
	send()
}

// difference answers from the log alone.
func (s *twin) difference(q *tg.UpdatesGetDifferenceRequest) tl.Object {
	var (
		list  []tl.Raw
		users []tg.AnyUser
		upTo  = tg.UpdatesState{Pts: q.Pts, Qts: q.Qts, Date: 1}
	)
	for _, e := range s.log {
		pos := &upTo.Pts
		if e.byQts {
			pos = &upTo.Qts
		}
		switch {
		case e.end <= *pos:
		case len(list) == s.slice:
			return &tg.UpdatesDifferenceSlice{OtherUpdates: list, Users: users, IntermediateState: upTo}
		default:
			list = append(list, e.update())
			users = append(users, user(e.id))
			*pos = e.end
		}
	}
	if len(list) == 0 {
		return &tg.UpdatesDifferenceEmpty{Date: 1}
	}
	return &tg.UpdatesDifference{OtherUpdates: list, Users: users, State: upTo}
}

// answer answers any query, like a troubled server if it is one.
func (s *twin) answer(q tl.Object) (body []byte, err error) {
	get, ok := q.(*tg.UpdatesGetDifferenceRequest)
	if !ok {
		return (&tg.UpdatesState{Pts: s.pts, Qts: s.qts, Date: 1}).Append(nil), nil
	}
	if !s.troubled {
		return s.difference(get).Append(nil), nil
	}
	switch rapid.SampledFrom([]string{"well", "well", "forgotten", "strange", "strange", "void"}).Draw(s.t, "answer") {
	case "forgotten":
		for _, e := range s.log {
			if !e.byQts && e.end > get.Pts {
				return (&tg.UpdatesDifferenceTooLong{Pts: e.end}).Append(nil), nil
			}
		}
	case "strange":
		return unreadable(tg.UpdatesState{Pts: s.pts, Qts: s.qts, Date: 1}), nil
	case "void":
		return nil, tgerr.New(400, "PERSISTENT_TIMESTAMP_INVALID")
	}
	return s.difference(get).Append(nil), nil
}

// A reader is who listens to the machine: it notes what came and what was named
// as a hole, and where it stands by that.
type reader struct {
	s     *twin
	m     *Machine
	got   map[int32]bool
	holes []Output
	last  [2]int32 // by pts, by qts: the last id delivered
	place State    // after what came and what was named
	saved State

	asked   tl.Object
	askedBy CallID
}

func (r *reader) drain() {
	for out, ok := r.m.Next(); ok; out, ok = r.m.Next() {
		switch out.Kind {
		case OutDeliver:
			for _, u := range out.Updates {
				r.take(u, out.Users)
			}
		case OutGetDifference, OutGetState:
			r.asked, r.askedBy = out.Query, out.Call
		case OutSave:
			r.saved = out.State
			if r.saved.Pts != r.place.Pts || r.saved.Qts != r.place.Qts {
				r.s.t.Fatalf("%v is saved, but the reader is at %v", r.saved, r.place)
			}
		case OutHole:
			r.holes = append(r.holes, out)
			if out.From.Pts != r.place.Pts || out.From.Qts != r.place.Qts {
				r.s.t.Fatalf("%v begins elsewhere than at %v", out, r.place)
			}
			r.place = out.To
		}
	}
}

func (r *reader) take(u tl.Raw, users []tl.Raw) {
	id := idOf(u)
	e := r.s.log[id-1]
	if r.got[id] {
		r.s.t.Fatalf("update %d came twice", id)
	}
	r.got[id] = true
	index, pos := 0, &r.place.Pts
	if e.byQts {
		index, pos = 1, &r.place.Qts
	}
	if id < r.last[index] {
		r.s.t.Fatalf("update %d came after %d", id, r.last[index])
	}
	r.last[index], *pos = id, e.end
	if box, place := PlaceOf(u); place != e.end || (box.Kind == BoxQts) != e.byQts {
		r.s.t.Fatalf("update %d of the log, %+v, counts in %v to %d", id, e, box, place)
	}
	want := user(id).Append(nil)
	if !slices.ContainsFunc(users, func(raw tl.Raw) bool { return bytes.Equal(raw, want) }) {
		r.s.t.Fatalf("update %d came without its user: %d others", id, len(users))
	}
}

// named reports whether a hole covers an entry.
func (r *reader) named(e entry) bool {
	return slices.ContainsFunc(r.holes, func(h Output) bool {
		if e.byQts {
			return h.From.Qts < e.end && e.end <= h.To.Qts
		}
		return h.From.Pts < e.end && e.end <= h.To.Pts
	})
}

func (r *reader) answer(now time.Time) {
	if r.asked == nil {
		return
	}
	body, err := r.s.answer(r.asked)
	r.asked = nil
	if err != nil {
		r.m.Failed(now, r.askedBy, err)
	} else {
		r.m.Result(now, r.askedBy, body)
	}
	r.drain()
}

// TestEveryUpdateOnceAndInOrder plays a machine against the twin. Whatever
// the network does, the machine hands out exactly the log.
func TestEveryUpdateOnceAndInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := play(t, false)
		if len(r.holes) > 0 {
			t.Fatalf("the server has everything: %v", r.holes)
		}
		if len(r.got) != len(r.s.log) {
			t.Fatalf("%d of %d updates were delivered", len(r.got), len(r.s.log))
		}
	})
}

// TestWhatIsNotDeliveredIsNamed is the same with a troubled server: what does
// not come lies in a hole, and what comes comes once and in order.
func TestWhatIsNotDeliveredIsNamed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := play(t, true)
		for _, e := range r.s.log {
			if r.got[e.id] == r.named(e) {
				t.Fatalf("%+v: delivered %v, named %v by %v", e, r.got[e.id], r.named(e), r.holes)
			}
		}
	})
}

func play(t *rapid.T, troubled bool) *reader {
	s := &twin{t: t, slice: rapid.IntRange(1, 8).Draw(t, "slice"), troubled: troubled}
	r := &reader{s: s, m: New(Snapshot{Known: true}), got: make(map[int32]bool)}
	now := epoch
	advance := func(to time.Time) {
		now = to
		r.m.Advance(now)
		r.drain()
	}
	deliver := func(i int) {
		r.m.Push(now, s.air[i])
		r.drain()
	}
	r.m.Start(now)
	r.drain()
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
				s.air = slices.Delete(s.air, i, i+1)
			}
		case "lose":
			if len(s.air) > 0 {
				i := rapid.IntRange(0, len(s.air)-1).Draw(t, "which")
				s.air = slices.Delete(s.air, i, i+1)
			}
		case "repeat":
			if len(s.air) > 0 {
				deliver(rapid.IntRange(0, len(s.air)-1).Draw(t, "which"))
			}
		case "advance":
			advance(now.Add(time.Duration(rapid.IntRange(0, 1200).Draw(t, "ms")) * time.Millisecond))
		case "answer":
			r.answer(now)
		case "gap":
			r.m.Gap(now)
			r.drain()
		case "fail":
			if r.asked != nil {
				r.asked = nil
				r.m.Failed(now, r.askedBy, nil)
				r.drain()
			}
		}
	}
	// In the end the network and the server calm down, and one more word from
	// the server brings everything.
	s.troubled = false
	for i := range s.air {
		deliver(i)
	}
	r.m.Gap(now)
	r.drain()
	for range 10_000 {
		r.answer(now)
		d := r.m.Deadline()
		if r.asked == nil && r.m.Phase() == PhaseCurrent && d.Sub(now) >= quietMost/2 {
			break // nothing is left but to look whether it is quiet
		}
		if d.After(now) {
			now = d
		}
		advance(now)
	}
	if r.m.Phase() != PhaseCurrent {
		t.Fatalf("the machine ends in %v", r.m.Phase())
	}
	if r.saved.Pts != s.pts || r.saved.Qts != s.qts {
		t.Fatalf("%v is saved at the end, the server is at pts %d, qts %d", r.saved, s.pts, s.qts)
	}
	return r
}
