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
// place in one of four sequences, and a network that loses, repeats and reorders
// what is pushed. With troubled it also forgets the past, speaks an unknown
// language now and then, and does not know where we are.
type twin struct {
	t        *rapid.T
	log      []entry
	at       [boxes]int32
	air      []tl.Raw // pushes on their way
	slice    int      // how many updates a difference holds at most
	troubled bool
}

// The sequences of a twin: pts, qts, and those of channels, by their ids.
const (
	byPts  = 0
	byQts  = 1
	boxes  = 4
	twinID = 2 // the first channel's
)

type entry struct {
	id         int32
	box        int
	start, end int32
}

func (s *twin) happen() {
	e := entry{id: int32(len(s.log) + 1), box: rapid.IntRange(0, boxes-1).Draw(s.t, "box")}
	count := int32(1)
	if e.box != byQts {
		count = rapid.Int32Range(1, 3).Draw(s.t, "count")
	}
	e.start, e.end = s.at[e.box], s.at[e.box]+count
	s.at[e.box] = e.end
	s.log = append(s.log, e)
}

func (e entry) update() tl.Raw {
	switch e.box {
	case byPts:
		return deleted(e.id, e.end, e.end-e.start)
	case byQts:
		return botStopped(int64(e.id), e.end)
	}
	return inChannel(int64(e.box), e.id, e.end, e.end-e.start)
}

// boxOf is the reverse for a box of the machine's.
func boxOf(b Box) int {
	switch b.Kind {
	case BoxCommon:
		return byPts
	case BoxQts:
		return byQts
	}
	return int(b.Channel)
}

// user is the one who comes along with an update.
func user(id int32) *tg.UserEmpty { return &tg.UserEmpty{ID: int64(id)} }

// idOf is the reverse of update.
func idOf(u tl.Raw) int32 {
	switch u.ID() {
	case 0xc4870a49:
		return int32(binary.LittleEndian.Uint64(u[4:]))
	case 0xc32d5b12:
		return int32(binary.LittleEndian.Uint32(u[20:]))
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
		v = tg.Updates{Date: 1, Chats: s.chats()}
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

func (s *twin) chats() (list []tl.Raw) {
	for id := twinID; id < boxes; id++ {
		list = append(list, channelChat(int64(id), 1, 0))
	}
	return list
}

// after is what happened in some sequences after places, as much as fits.
func (s *twin) after(at *[boxes]int32, in ...int) (list []tl.Raw, users []tg.AnyUser, all bool) {
	for _, e := range s.log {
		switch {
		case !slices.Contains(in, e.box) || e.end <= at[e.box]:
		case len(list) == s.slice:
			return list, users, false
		default:
			list = append(list, e.update())
			users = append(users, user(e.id))
			at[e.box] = e.end
		}
	}
	return list, users, true
}

// difference answers from the log alone, and names every channel.
func (s *twin) difference(q *tg.UpdatesGetDifferenceRequest) tl.Object {
	at := [boxes]int32{byPts: q.Pts, byQts: q.Qts}
	list, users, all := s.after(&at, byPts, byQts)
	upTo := tg.UpdatesState{Pts: at[byPts], Qts: at[byQts], Date: 1}
	if !all {
		return &tg.UpdatesDifferenceSlice{OtherUpdates: list, Users: users, IntermediateState: upTo}
	}
	for id := twinID; id < boxes; id++ {
		list = append(list, channelTooLong(int64(id), s.at[id]))
	}
	return &tg.UpdatesDifference{OtherUpdates: list, Users: users, Chats: s.chats(), State: upTo}
}

// channelDifference is the same for a channel.
func (s *twin) channelDifference(q *tg.UpdatesGetChannelDifferenceRequest) tl.Object {
	id := int(q.Channel.(*tg.InputChannel).ChannelID)
	at := [boxes]int32{}
	at[id] = q.Pts
	list, users, all := s.after(&at, id)
	if len(list) == 0 {
		return &tg.UpdatesChannelDifferenceEmpty{Final: true, Pts: q.Pts}
	}
	return &tg.UpdatesChannelDifference{Final: all, Pts: at[id], OtherUpdates: list, Users: users, Chats: s.chats()}
}

// answer answers any query, like a troubled server if it is one.
func (s *twin) answer(q tl.Object) (body []byte, err error) {
	how := "well"
	if s.troubled {
		how = rapid.SampledFrom([]string{"well", "well", "forgotten", "strange", "strange", "void"}).Draw(s.t, "answer")
	}
	switch q := q.(type) {
	case *tg.UpdatesGetDifferenceRequest:
		switch how {
		case "forgotten":
			for _, e := range s.log {
				if e.box == byPts && e.end > q.Pts {
					return (&tg.UpdatesDifferenceTooLong{Pts: e.end}).Append(nil), nil
				}
			}
		case "strange":
			return unreadable(tg.UpdatesState{Pts: s.at[byPts], Qts: s.at[byQts], Date: 1}), nil
		case "void":
			return nil, tgerr.New(400, "PERSISTENT_TIMESTAMP_INVALID")
		}
		return s.difference(q).Append(nil), nil
	case *tg.UpdatesGetChannelDifferenceRequest:
		id := q.Channel.(*tg.InputChannel).ChannelID
		switch how {
		case "forgotten":
			return (&tg.UpdatesChannelDifferenceTooLong{Final: true, Dialog: dialog(id, s.at[id])}).Append(nil), nil
		case "strange":
			return (&tg.UpdatesTooLong{}).Append(nil), nil
		case "void":
			return nil, tgerr.New(406, "CHANNEL_PRIVATE")
		}
		return s.channelDifference(q).Append(nil), nil
	}
	return (&tg.UpdatesState{Pts: s.at[byPts], Qts: s.at[byQts], Date: 1}).Append(nil), nil
}

// A reader is who listens to the machine: it notes what came and what was named
// as a hole, and where it stands by that. A durable one acknowledges; what it has
// not acknowledged when the process dies comes again.
type reader struct {
	s     *twin
	m     *Machine
	got   map[int32]bool // in this life
	holes []hole
	last  [boxes]int32 // the last id delivered
	place [boxes]int32 // after what came and what was named, -1 for not known
	open  [boxes]int32 // where a hole without an end begins, then

	durable bool
	mark    uint64         // the last one
	owed    map[uint64]any // what came by marks: ids and holes
	done    map[int32]bool // what was acknowledged, in all lives
	saved   Snapshot

	asked []question
}

type question struct {
	query tl.Object
	call  CallID
	box   int
}

type hole struct {
	box      int
	from, to int32
}

func (r *reader) drain() {
	for out, ok := r.m.Next(); ok; out, ok = r.m.Next() {
		switch out.Kind {
		case OutDeliver:
			r.marked(out)
			for _, u := range out.Updates {
				r.take(u, out)
			}
		case OutGetDifference, OutGetState, OutGetChannelDifference:
			q := question{out.Query, out.Call, boxOf(out.Box)}
			if out.Kind != OutGetChannelDifference {
				q.box = byPts
			}
			if slices.ContainsFunc(r.asked, func(other question) bool { return other.box == q.box }) {
				r.s.t.Fatalf("%v: a question about the same box is under way", out)
			}
			r.asked = append(r.asked, q)
		case OutSave:
			r.save(out)
		case OutHole:
			r.marked(out)
			r.named(out)
		}
	}
}

func (r *reader) marked(out Output) {
	if out.Mark != r.mark+1 {
		r.s.t.Fatalf("%v has mark %d after %d", out, out.Mark, r.mark)
	}
	r.mark = out.Mark
}

// named takes a hole.
func (r *reader) named(out Output) {
	if out.Box.Kind == BoxChannel {
		box := boxOf(out.Box)
		if from := r.place[box]; from >= 0 && out.From.Pts != from && out.From.Pts != 0 {
			r.s.t.Fatalf("%v begins elsewhere than at %d", out, from)
		}
		if out.To.Pts == 0 { // up to what comes next, whatever that is
			r.place[box], r.open[box] = -1, out.From.Pts
			return
		}
		r.hole(out.Mark, hole{box, out.From.Pts, out.To.Pts})
		r.place[box] = out.To.Pts
		return
	}
	if out.From.Pts != r.place[byPts] || out.From.Qts != r.place[byQts] {
		r.s.t.Fatalf("%v begins elsewhere than at %v", out, r.place)
	}
	r.hole(out.Mark, hole{byPts, out.From.Pts, out.To.Pts})
	r.hole(out.Mark, hole{byQts, out.From.Qts, out.To.Qts})
	r.place[byPts], r.place[byQts] = out.To.Pts, out.To.Qts
}

func (r *reader) hole(mark uint64, h hole) {
	if !r.durable {
		r.holes = append(r.holes, h)
		return
	}
	list, _ := r.owed[mark].([]hole)
	r.owed[mark] = append(list, h)
}

// save takes what is stored.
func (r *reader) save(out Output) {
	if out.Known {
		if r.saved.State, r.saved.Known = out.State, true; !r.durable && (out.State.Pts != r.place[byPts] || out.State.Qts != r.place[byQts]) {
			r.s.t.Fatalf("%v is saved, but the reader is at %v", out.State, r.place)
		}
	}
	for _, p := range out.Pages {
		r.saved.Channels = slices.DeleteFunc(r.saved.Channels, func(c Channel) bool { return PageOf(c.ID) == p.Number })
		r.saved.Channels = append(r.saved.Channels, p.Channels...)
		for _, c := range p.Channels {
			if !r.durable && r.place[c.ID] >= 0 && c.Pts != r.place[c.ID] {
				r.s.t.Fatalf("%v is saved, but the reader is at %v", c, r.place)
			}
		}
	}
}

func (r *reader) take(u tl.Raw, out Output) {
	id := idOf(u)
	e := r.s.log[id-1]
	if r.got[id] {
		r.s.t.Fatalf("update %d came twice", id)
	}
	r.got[id] = true
	if id < r.last[e.box] {
		r.s.t.Fatalf("update %d came after %d", id, r.last[e.box])
	}
	if r.place[e.box] < 0 {
		r.hole(out.Mark, hole{e.box, r.open[e.box], e.start})
	}
	r.last[e.box], r.place[e.box] = id, e.end
	if box, place := PlaceOf(u); place != e.end || boxOf(box) != e.box {
		r.s.t.Fatalf("update %d of the log, %+v, counts in %v to %d", id, e, box, place)
	}
	want := user(id).Append(nil)
	if !slices.ContainsFunc(out.Users, func(raw tl.Raw) bool { return bytes.Equal(raw, want) }) {
		r.s.t.Fatalf("update %d came without its user: %d others", id, len(out.Users))
	}
	if r.durable {
		list, _ := r.owed[out.Mark].([]int32)
		r.owed[out.Mark] = append(list, id)
	}
}

// ack acknowledges what came up to a mark.
func (r *reader) ack(now time.Time, upTo uint64) {
	for mark, what := range r.owed {
		if mark > upTo {
			continue
		}
		switch what := what.(type) {
		case []int32:
			for _, id := range what {
				r.done[id] = true
			}
		case []hole:
			r.holes = append(r.holes, what...)
		}
		delete(r.owed, mark)
	}
	r.m.Acked(now, upTo)
	r.drain()
}

// die is a kill: what is stored is all that is left.
func (r *reader) die(now time.Time) {
	r.m = New(r.saved)
	r.m.Durable(now, true)
	r.got, r.owed, r.last, r.mark, r.asked = map[int32]bool{}, map[uint64]any{}, [boxes]int32{}, 0, nil
	r.place = [boxes]int32{byPts: r.saved.State.Pts, byQts: r.saved.State.Qts, twinID: -1, twinID + 1: -1}
	for _, c := range r.saved.Channels {
		r.place[c.ID] = c.Pts
	}
	r.m.Start(now)
	r.drain()
}

// isNamed reports whether a hole covers an entry.
func (r *reader) isNamed(e entry) bool {
	return r.place[e.box] < 0 && r.open[e.box] < e.end || slices.ContainsFunc(r.holes, func(h hole) bool {
		return h.box == e.box && h.from < e.end && e.end <= h.to
	})
}

// answer answers one question that is under way.
func (r *reader) answer(now time.Time, i int) {
	q := r.asked[i]
	r.asked = slices.Delete(r.asked, i, i+1)
	body, err := r.s.answer(q.query)
	r.m.Answered(now, q.call, body, err)
	r.drain()
}

// TestEveryUpdateOnceAndInOrder plays a machine against the twin. Whatever
// the network does, the machine hands out exactly the log.
func TestEveryUpdateOnceAndInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := play(t, false, false)
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
		r := play(t, true, false)
		for _, e := range r.s.log {
			if !r.got[e.id] && !r.isNamed(e) {
				t.Fatalf("%+v: delivered %v, named %v by %v", e, r.got[e.id], r.isNamed(e), r.holes)
			}
		}
	})
}

// TestADurableReaderGetsAllThatItAcknowledges kills the machine now and then, of a
// reader that is late. Whatever was not acknowledged comes again.
func TestADurableReaderGetsAllThatItAcknowledges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := play(t, false, true)
		for _, e := range r.s.log {
			if !r.done[e.id] {
				t.Fatalf("%+v was never acknowledged; holes %v", e, r.holes)
			}
		}
		if len(r.holes) > 0 {
			t.Fatalf("the server has everything: %v", r.holes)
		}
	})
}

func play(t *rapid.T, troubled, durable bool) *reader {
	from := Snapshot{Known: true}
	s := &twin{t: t, slice: rapid.IntRange(1, 8).Draw(t, "slice"), troubled: troubled}
	for id := twinID; id < boxes; id++ {
		from.Channels = append(from.Channels, Channel{ID: int64(id), Hash: 1, Pts: 1})
		s.at[id] = 1
	}
	r := &reader{
		s: s, m: New(from), saved: from, got: map[int32]bool{}, durable: durable, owed: map[uint64]any{}, done: map[int32]bool{},
		place: [boxes]int32{twinID: 1, twinID + 1: 1},
	}
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
	r.m.Durable(now, durable)
	r.m.Start(now)
	r.drain()
	events := []string{"happen", "happen", "arrive", "arrive", "lose", "repeat", "advance", "answer", "answer", "gap", "fail"}
	if durable {
		events = append(events, "ack", "die", "hold")
	}
	for range rapid.IntRange(1, 80).Draw(t, "length") {
		switch rapid.SampledFrom(events).Draw(t, "event") {
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
			if len(r.asked) > 0 {
				r.answer(now, rapid.IntRange(0, len(r.asked)-1).Draw(t, "which"))
			}
		case "gap":
			r.m.Gap(now)
			r.drain()
		case "fail":
			if len(r.asked) > 0 {
				q := r.asked[0]
				r.asked = r.asked[1:]
				r.m.Failed(now, q.call, nil)
				r.drain()
			}
		case "ack":
			r.ack(now, rapid.Uint64Range(0, r.mark).Draw(t, "mark"))
		case "hold":
			r.m.Hold(now, rapid.Bool().Draw(t, "on"))
			r.drain()
		case "die":
			r.die(now)
		}
	}
	// In the end the network and the server calm down, and one more word from
	// the server brings everything.
	s.troubled = false
	r.m.Hold(now, false)
	for i := range s.air {
		deliver(i)
	}
	r.m.Gap(now)
	r.drain()
	for range 10_000 {
		for len(r.asked) > 0 {
			r.answer(now, 0)
		}
		r.ack(now, r.mark)
		d := r.m.Deadline()
		if len(r.asked) == 0 && r.m.Phase() == PhaseCurrent && d.Sub(now) >= quietMost/2 {
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
	if got := r.saved.State; got.Pts != s.at[byPts] || got.Qts != s.at[byQts] {
		t.Fatalf("%v is saved at the end, the server is at %v", got, s.at)
	}
	for _, c := range r.saved.Channels {
		if c.Pts != s.at[c.ID] {
			t.Fatalf("%v is saved at the end, the server is at %v; the machine has %+v", c, s.at, r.m.channelAt(c.ID))
		}
	}
	return r
}
