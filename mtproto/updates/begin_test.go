package updates

import (
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// TestAChannelBeginsWithTheEarliestOfAnEnvelope, wherever that stands in it.
func TestAChannelBeginsWithTheEarliestOfAnEnvelope(t *testing.T) {
	const savedFive = "Save{pts 1, qts 0, date 0, seq 0, page 5:, channel 5 pts 13} now"
	three, two, one := inChannel(5, 3, 13, 1), inChannel(5, 2, 12, 1), inChannel(5, 1, 11, 1)
	for name, list := range map[string][]tl.Raw{
		"in order":                {one, two, three},
		"the earliest last":       {three, two, one},
		"the earliest in between": {two, one, three},
		"twice":                   {three, one, one, two},
	} {
		r := at(t, State{Pts: 1})
		r.push(withChannel(5, list...))
		got := strings.Join(drain(r.m), " ")
		if want := "ch5-1 ch5-2 ch5-3 " + savedFive; got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	r := at(t, State{Pts: 1})
	r.m.Gap(r.now)
	drain(r.m)
	r.result(&tg.UpdatesDifference{OtherUpdates: []tl.Raw{two, one}, Chats: []tl.Raw{channelChat(5, 105, 0)}, State: tg.UpdatesState{Pts: 1}})
	r.want("so it is in a difference", "ch5-1", "ch5-2", "Save{pts 1, qts 0, date 0, seq 0, page 5:, channel 5 pts 12} now")

	r = at(t, State{Pts: 1})
	r.push(withChannel(5, two, channelTooLong(5, 20), one))
	r.want("what is said of the channel is said behind what came before it", "ch5-2",
		"Hole{channel:5 after pts 10 to pts 11}", "Save{pts 1, qts 0, date 0, seq 0, page 5:, channel 5 pts 12} now", "GetChannelDifference{channel:5, pts 12}")
	r = at(t, State{Pts: 1})
	r.push(withChats([]tl.Raw{channelChat(5, 105, flagLeft)}, one, channelChange(5)))
	drain(r.m)
	if r.m.channelAt(5) != nil {
		t.Error("a channel that was left is followed")
	}
}

// TestWhatWasBeforeTheBeginningIsNamedWhenItShows: nothing of a channel is lost in silence.
func TestWhatWasBeforeTheBeginningIsNamedWhenItShows(t *testing.T) {
	r := at(t, State{Pts: 1})
	r.push(withChannel(5, inChannel(5, 4, 14, 1)))
	r.want("we begin with the first that comes", "ch5-4", "Save{pts 1, qts 0, date 0, seq 0, page 5:, channel 5 pts 14} now")
	r.push(withChannel(5, inChannel(5, 3, 13, 1)))
	r.want("one of before is late", "Hole{channel:5 after pts 12 to pts 13}")
	r.push(withChannel(5, inChannel(5, 3, 13, 1)))
	r.want("it is named once")
	r.push(withChannel(5, inChannel(5, 4, 14, 1)))
	r.want("what was delivered was had")
	r.push(withChannel(5, inChannel(5, 6, 16, 1)))
	r.push(withChannel(5, inChannel(5, 1, 11, 1)))
	r.want("all from it up to what was named", "Hole{channel:5 after pts 10 to pts 12}")
	r.push(withChannel(5, inChannel(5, 5, 15, 1)))
	r.want("what is kept is none of it", "ch5-5", "ch5-6")

	r = following(t)
	r.push(withChannel(5, inChannel(5, 1, 9, 1)))
	r.want("what was delivered before a restart was had")

	r = following(t)
	r.push(withChats([]tl.Raw{forbiddenChat(5)}, channelChange(5)))
	r.push(withChannel(5, inChannel(5, 4, 11, 1)))
	drain(r.m)
	r.push(withChannel(5, inChannel(5, 1, 10, 1)))
	r.want("so was what was delivered before the account left the channel and came back")

	r = at(t, State{Pts: 1})
	r.push(withChannel(5, inChannel(5, 4, 14, 1)))
	r.push(withChannel(5, channelTooLong(5, 0)))
	drain(r.m)
	r.answer(&tg.UpdatesChannelDifferenceEmpty{Final: true, Pts: 3})
	r.push(withChannel(5, inChannel(5, 5, 4, 1)))
	r.push(withChannel(5, inChannel(5, 5, 4, 1)))
	r.want("in another numbering the beginning says nothing", "ch5-5")
}

// TestAChannelBegunBeforeTheFirstAnswerHasAHole: an earlier process may have followed it, and been killed before that
// was stored. What came between is asked for by nobody.
func TestAChannelBegunBeforeTheFirstAnswerHasAHole(t *testing.T) {
	begun := func(s Snapshot) *rig {
		r := &rig{t, epoch, New(s)}
		r.m.Start(r.now)
		drain(r.m)
		r.push(withChannel(5, inChannel(5, 3, 13, 1)))
		return r
	}
	r := begun(Snapshot{State: State{Pts: 1}, Known: true})
	r.want("what was before is named",
		"Hole{channel:5 after pts 0 to pts 12}", "ch5-3", "Save{pts 1, qts 0, date 0, seq 0, page 5:, channel 5 pts 13} now")
	r.push(withChannel(5, inChannel(5, 2, 12, 1)))
	r.want("once")
	begun(Snapshot{}).want("in the first process of all it is the past", "ch5-3", "Save{page 5:, channel 5 pts 13} now")
	r = at(t, State{Pts: 1})
	r.push(withChannel(5, inChannel(5, 3, 13, 1)))
	r.want("later it is a beginning like any", "ch5-3", "Save{pts 1, qts 0, date 0, seq 0, page 5:, channel 5 pts 13} now")
}

// TestWhatIsLateIsNamedToOneWhoIsBehind: the answer he waits for does not bring the past.
func TestWhatIsLateIsNamedToOneWhoIsBehind(t *testing.T) {
	r := at(t, State{Pts: 1})
	r.m.Durable(r.now, true)
	r.push(withChannel(5, inChannel(5, 4, 14, 1)))
	r.m.Hold(r.now, true)
	drain(r.m)
	r.push(withChannel(5, inChannel(5, 3, 13, 1)))
	r.want("it is a hole like any", "Hole{channel:5 after pts 12 to pts 13}")
}

// TestWhatArrivesOfANewChannelIsDeliveredOrNamed plays a channel that nobody followed, over a network that loses,
// repeats and reorders. What never arrives before the first that does is the past; everything else is delivered, once
// and in order, or lies in a hole.
func TestWhatArrivesOfANewChannelIsDeliveredOrNamed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const base = 10
		n := rapid.Int32Range(1, 12).Draw(t, "updates")
		entry := func(id int32) tl.Raw { return inChannel(5, id, base+id, 1) }
		m, now := New(Snapshot{State: State{Pts: 1}, Known: true}), epoch
		m.Start(now)
		m.Result(now, m.id, (&tg.UpdatesDifferenceEmpty{}).Append(nil))

		var (
			arrived, delivered = map[int32]bool{}, map[int32]bool{}
			holes              []Output
			last, newest       int32
		)
		listen := func() {
			for out, ok := m.Next(); ok; out, ok = m.Next() {
				switch out.Kind {
				case OutDeliver:
					for _, u := range out.Updates {
						id := int32(binary.LittleEndian.Uint32(u[20:]))
						if id <= last {
							t.Fatalf("%d is delivered after %d", id, last)
						}
						last, delivered[id] = id, true
					}
				case OutHole:
					holes = append(holes, out)
				case OutGetChannelDifference:
					answer := &tg.UpdatesChannelDifference{Final: true, Pts: base + newest}
					for id := max(out.State.Pts-base, 0) + 1; id <= newest; id++ {
						answer.OtherUpdates = append(answer.OtherUpdates, entry(id))
					}
					m.Result(now, out.Call, answer.Append(nil))
				}
			}
		}
		for range rapid.IntRange(1, 10).Draw(t, "envelopes") {
			var list []tl.Raw
			for _, id := range rapid.SliceOfN(rapid.Int32Range(1, n), 1, 4).Draw(t, "ids") {
				list = append(list, entry(id))
				arrived[id] = true
				newest = max(newest, id)
			}
			m.Push(now, withChannel(5, list...))
			listen()
			if rapid.Bool().Draw(t, "wait") {
				now = now.Add(time.Second)
				m.Advance(now)
				listen()
			}
		}
		now = now.Add(time.Second)
		m.Advance(now)
		listen()

		for id := range arrived {
			named := false
			for _, h := range holes {
				named = named || h.From.Pts < base+id && base+id <= h.To.Pts
			}
			if delivered[id] == named {
				t.Errorf("%d of %d: delivered %v, in a hole %v: %v", id, n, delivered[id], named, holes)
			}
		}
	})
}
