package updates

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// A comer is a machine, and a channel that its account joins and leaves. Between them
// is a network that loses, repeats and reorders.
type comer struct {
	m   *Machine
	now time.Time

	public  bool // who is no member may ask too
	pts     int32
	member  bool
	stays   []span
	refused bool // the server has refused to say what is missing
	busy    bool // the server does not answer the next question
	killed  bool

	saved, before Snapshot // what is stored, and what was before the last was

	wire []parcel
	told []string

	got   map[int32]bool
	last  int32
	holes []span
	fail  func(format string, args ...any)
}

// parcel is something on its way. A push may be lost, what belongs to a question not.
type parcel struct {
	push   bool
	arrive func()
}

// span is what comes after one pts up to another.
type span struct{ after, to int32 }

func (s span) has(pts int32) bool { return s.after < pts && pts <= s.to }

func newComer(public bool, fail func(string, ...any)) *comer {
	w := &comer{now: epoch, public: public, pts: 10, got: map[int32]bool{}, fail: fail}
	w.saved = Snapshot{State: State{Pts: 1, Date: 1}, Known: true}
	w.before = w.saved
	w.start()
	w.arrive(0)
	w.arrive(0)
	return w
}

// start begins a process with what is stored.
func (w *comer) start() {
	w.m, w.last, w.wire = New(w.saved), 0, nil
	w.m.Start(w.now)
	w.listen()
}

// kill ends it; what was to be stored last may not be.
func (w *comer) kill(late bool) {
	if w.killed = true; !late {
		w.saved = w.before
	}
	w.note("killed, with %+v stored", w.saved.Channels)
	w.start()
}

func (w *comer) note(format string, args ...any) {
	w.told = append(w.told, fmt.Sprintf(format, args...))
}

// chats are the channel as the server shows it to the account now.
func (w *comer) chats() []tl.Raw {
	switch {
	case w.member:
		return []tl.Raw{channelChat(5, 105, 0)}
	case w.public:
		return []tl.Raw{channelChat(5, 105, flagLeft)}
	}
	return []tl.Raw{forbiddenChat(5)}
}

// push sends an envelope on its way.
func (w *comer) push(what string, list ...tl.Raw) {
	raw := withChats(w.chats(), list...)
	w.wire = append(w.wire, parcel{true, func() {
		w.note("comes: %s", what)
		w.m.Push(w.now, raw)
	}})
}

func (w *comer) entry() tl.Raw {
	w.pts++
	return inChannel(5, w.pts, w.pts, 1)
}

// post writes to the channel.
func (w *comer) post() {
	if u := w.entry(); w.member {
		w.push(fmt.Sprint("update ", w.pts), u)
	}
}

func (w *comer) join() {
	if w.member {
		return
	}
	w.member = true
	w.stays = append(w.stays, span{w.pts, 0})
	w.push(fmt.Sprint("joined, with update ", w.pts+1), channelChange(5), w.entry())
	w.note("joins with %d", w.pts)
}

func (w *comer) leave() {
	if !w.member {
		return
	}
	w.note("leaves after %d", w.pts)
	w.member = false
	w.stays[len(w.stays)-1].to = w.pts
	w.push("left", channelChange(5))
}

// arrive lets something on the wire arrive.
func (w *comer) arrive(i int) {
	if len(w.wire) == 0 {
		return
	}
	i %= len(w.wire)
	p := w.wire[i]
	w.wire = slices.Delete(w.wire, i, i+1)
	p.arrive()
	w.listen()
}

func (w *comer) lose(i int) {
	if len(w.wire) > 0 && w.wire[i%len(w.wire)].push {
		w.wire = slices.Delete(w.wire, i%len(w.wire), i%len(w.wire)+1)
	}
}

func (w *comer) wait(d time.Duration) {
	w.now = w.now.Add(d)
	w.m.Advance(w.now)
	w.listen()
}

// listen takes what the machine says.
func (w *comer) listen() {
	for out, ok := w.m.Next(); ok; out, ok = w.m.Next() {
		switch out.Kind {
		case OutDeliver:
			for _, u := range out.Updates {
				if u.ID() == updateChannelID {
					continue
				}
				id := int32(binary.LittleEndian.Uint32(u[20:]))
				if w.note("delivers %d", id); id <= w.last {
					w.fail("%d is delivered after %d", id, w.last)
				}
				w.last, w.got[id] = id, true
			}
		case OutHole:
			w.note("%v", out)
			w.holes = append(w.holes, span{out.From.Pts, out.To.Pts})
		case OutSave:
			w.before = w.saved
			for _, page := range out.Pages {
				w.saved.Channels = page.Channels // there is one
			}
			if out.Now {
				w.before = w.saved
			}
		case OutGetDifference, OutGetChannelDifference:
			w.note("%v", out)
			w.wire = append(w.wire, parcel{false, func() { w.ask(out) }})
		}
	}
}

// ask is that a question arrives at the server.
func (w *comer) ask(out Output) {
	var body []byte
	var err error
	switch from := out.State.Pts; {
	case w.busy:
		err, w.busy = tgerr.New(500, "RPC_CALL_FAIL"), false
	case out.Kind == OutGetDifference && w.member:
		body = (&tg.UpdatesDifference{OtherUpdates: []tl.Raw{channelTooLong(5, w.pts)}, Chats: w.chats(), State: tg.UpdatesState{Pts: 1, Date: 1}}).Append(nil)
	case out.Kind == OutGetDifference:
		body = (&tg.UpdatesDifferenceEmpty{Date: 1}).Append(nil)
	case !w.member && !w.public:
		err = tgerr.New(400, "CHANNEL_PRIVATE")
		w.refused = true
	case from >= w.pts:
		body = (&tg.UpdatesChannelDifferenceEmpty{Final: true, Pts: w.pts}).Append(nil)
	default:
		answer := &tg.UpdatesChannelDifference{Final: true, Pts: w.pts, Chats: w.chats()}
		for pts := from + 1; pts <= w.pts; pts++ {
			answer.OtherUpdates = append(answer.OtherUpdates, inChannel(5, pts, pts, 1))
		}
		body = answer.Append(nil)
	}
	at := w.pts
	w.wire = append(w.wire, parcel{false, func() {
		w.note("comes: the answer as of %d (%v)", at, err)
		w.m.Answered(w.now, out.Call, body, err)
	}})
}

// settle lets everything arrive, and the account hear of something once more.
func (w *comer) settle() {
	for range 3 {
		for range 4 {
			for len(w.wire) > 0 {
				w.arrive(0)
			}
			w.wait(retryMost)
		}
		w.post()
	}
	for len(w.wire) > 0 {
		w.arrive(0)
	}
	w.wait(time.Second)
}

// judge holds what was delivered against the stays: from the first that is heard of one
// on, and of one that has ended up to the last, nothing is missing in silence.
func (w *comer) judge() {
	for _, s := range w.stays {
		if s.to == 0 {
			s.to = w.pts
			if !w.got[w.pts] {
				w.fail("the last, %d, has not come", w.pts)
			}
		}
		first, last := int32(0), int32(0)
		for pts := s.after + 1; pts <= s.to; pts++ {
			if w.got[pts] {
				if first == 0 {
					first = pts
				}
				last = pts
			}
		}
		for pts := first; pts <= last && first > 0; pts++ {
			if !w.got[pts] && !w.named(pts) {
				w.fail("%d of the stay %+v is neither delivered nor named by %v", pts, s, w.holes)
			}
		}
	}
	if w.refused || w.killed {
		return
	}
	for pts := range w.pts {
		if !w.got[pts] && w.named(pts) && pts > w.begun() {
			w.fail("%d is named by %v, and the server never refused", pts, w.holes)
		}
	}
}

// begun is the first update that was delivered: what is of before and comes late is
// named.
func (w *comer) begun() (pts int32) {
	for pts = 0; pts <= w.pts && !w.got[pts]; pts++ {
	}
	return pts
}

func (w *comer) named(pts int32) bool {
	for _, h := range w.holes {
		if h.has(pts) {
			return true
		}
	}
	return false
}

// TestWhatComesOfAChannelThatIsLeftAndJoinedIsDeliveredOrNamed: in no order of what an
// account hears of its coming and going is anything lost in silence.
func TestWhatComesOfAChannelThatIsLeftAndJoinedIsDeliveredOrNamed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var w *comer
		w = newComer(rapid.Bool().Draw(t, "public"), func(format string, args ...any) {
			t.Helper()
			for _, line := range w.told {
				t.Log(line)
			}
			t.Fatalf(format, args...)
		})
		for range rapid.IntRange(5, 60).Draw(t, "steps") {
			switch rapid.SampledFrom([]string{"post", "post", "arrive", "arrive", "arrive", "first", "come", "lose", "twice", "wait", "gap", "kill", "busy"}).Draw(t, "step") {
			case "post":
				w.post()
			case "arrive":
				w.arrive(rapid.IntRange(0, 20).Draw(t, "which"))
			case "first":
				w.arrive(0)
			case "come":
				if w.member {
					w.leave()
				} else {
					w.join()
				}
			case "lose":
				w.lose(rapid.IntRange(0, 20).Draw(t, "which"))
			case "twice":
				if n := len(w.wire); n > 0 {
					w.wire = append(w.wire, w.wire[rapid.IntRange(0, n-1).Draw(t, "which")])
				}
			case "wait":
				w.wait(time.Duration(rapid.IntRange(1, 2000).Draw(t, "ms")) * time.Millisecond)
			case "kill":
				w.kill(rapid.Bool().Draw(t, "late"))
			case "busy":
				w.busy = true
			case "gap":
				w.m.Gap(w.now)
				w.listen()
			}
		}
		w.join()
		w.settle()
		w.judge()
	})
}
