package updates

import (
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// TestAnyInputInAnyPhase feeds random inputs.
func TestAnyInputInAnyPhase(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := New(Snapshot{
			State: State{Pts: 5}, Known: rapid.Bool().Draw(t, "known"), Missed: rapid.Bool().Draw(t, "missed"),
			Bot: rapid.Bool().Draw(t, "bot"), Channels: []Channel{{5, 1, 5}, {6, 0, 5}},
		})
		m.Durable(epoch, rapid.Bool().Draw(t, "durable"))
		now := epoch
		num := func() int32 { return rapid.Int32Range(-2, 20).Draw(t, "n") }
		state := func() tg.UpdatesState { return tg.UpdatesState{Pts: num(), Qts: num(), Date: num(), Seq: num()} }
		for range rapid.IntRange(1, 60).Draw(t, "length") {
			switch rapid.IntRange(0, 20).Draw(t, "input") {
			case 0:
				m.Start(now)
			case 1:
				m.Gap(now)
			case 2:
				m.Push(now, rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "bytes"))
			case 3:
				m.Push(now, envelopeOf(num(), botStopped(1, num())))
			case 4:
				m.Push(now, envelopeOf(num(), deleted(1, num(), num()), loginToken()))
			case 5:
				m.Push(now, (&tg.UpdatesCombined{Updates: []tl.Raw{loginToken()}, SeqStart: num(), Seq: num()}).Append(nil))
			case 6:
				s := state()
				m.Result(now, m.id, s.Append(nil))
			case 7:
				m.Result(now, m.id, (&tg.UpdatesDifferenceEmpty{Date: num(), Seq: num()}).Append(nil))
			case 8:
				m.Result(now, m.id, (&tg.UpdatesDifference{OtherUpdates: []tl.Raw{deleted(1, num(), num())}, State: state()}).Append(nil))
			case 9:
				m.Result(now, m.id, (&tg.UpdatesDifferenceSlice{OtherUpdates: []tl.Raw{deleted(1, num(), num())}, IntermediateState: state()}).Append(nil))
			case 10:
				m.Result(now, m.id, (&tg.UpdatesDifferenceTooLong{Pts: num()}).Append(nil))
			case 11:
				m.Failed(now, m.id, rapid.SampledFrom([]error{nil, errors.New("x"), tgerr.New(420, "FLOOD_WAIT_3"), tgerr.New(400, "PERSISTENT_TIMESTAMP_EMPTY")}).Draw(t, "error"))
			case 12:
				now = now.Add(time.Duration(rapid.IntRange(0, 3000).Draw(t, "ms")) * time.Millisecond)
				m.Advance(now)
			case 14:
				chats := []tl.Raw{channelChat(5, 1, rapid.SampledFrom([]uint32{0, flagLeft, flagMin}).Draw(t, "flags"))}
				m.Push(now, withChats(chats, rapid.SampledFrom([]tl.Raw{
					inChannel(5, 1, num(), num()), inChannel(7, 1, num(), num()), channelTooLong(5, num()), channelChange(5), readInbox(6, num()),
				}).Draw(t, "of a channel")))
			case 15:
				m.Result(now, callOf(t, m), (&tg.UpdatesChannelDifferenceEmpty{Final: true, Pts: num()}).Append(nil))
			case 16:
				m.Result(now, callOf(t, m), (&tg.UpdatesChannelDifference{
					Final: rapid.Bool().Draw(t, "final"), Pts: num(), OtherUpdates: []tl.Raw{inChannel(5, 1, num(), num()), deleted(1, num(), num())},
				}).Append(nil))
			case 17:
				m.Result(now, callOf(t, m), (&tg.UpdatesChannelDifferenceTooLong{Final: true, Dialog: dialog(5, num())}).Append(nil))
			case 18:
				m.Failed(now, callOf(t, m), rapid.SampledFrom([]error{nil, tgerr.New(400, "CHANNEL_PRIVATE"), tgerr.New(400, "PERSISTENT_TIMESTAMP_INVALID")}).Draw(t, "error"))
			case 19:
				m.Acked(now, rapid.Uint64Range(0, 30).Draw(t, "mark"))
			case 20:
				m.Hold(now, rapid.Bool().Draw(t, "hold"))
			case 13:
				if d := m.Deadline(); d.After(now) {
					now = d
				}
				m.Advance(now)
				if d := m.Deadline(); !d.IsZero() && !d.After(now) {
					t.Fatalf("Advance does not get past the deadline in %v", m.Phase())
				}
			}
			drain(m)
			n := len(m.pts.items) + len(m.qts.items) + len(m.seq.items)
			if m.chans != nil {
				if len(m.chans.firsts) > 0 {
					t.Fatal("a channel was heard of that is not begun with")
				}
				asked := 0
				for _, c := range m.chans.active {
					n += len(c.trouble.box.items)
					switch p := c.trouble.phase; {
					case p == channelCurrent:
						t.Fatal("a channel without trouble is among those with")
					case p == channelFetching:
						asked++
					case (p == channelGap || p == channelRetrying) != !c.trouble.until.IsZero():
						t.Fatalf("channel %d is in phase %d and waits until %v", c.ID, p, c.trouble.until)
					}
				}
				for _, c := range m.chans.all {
					if (c.trouble != nil) != slices.Contains(m.chans.active, c) {
						t.Fatalf("channel %d has trouble that nobody looks at", c.ID)
					}
				}
				if asked > channelAsksMost {
					t.Fatalf("%d channels are asked for at a time", asked)
				}
			}
			if (m.phase == PhaseCurrent) && (!m.pts.empty() || !m.qts.empty() || !m.seq.empty()) {
				t.Fatal("something is kept and nothing waits for it")
			}
			if n > boxItemsMost || n != m.kept.items || m.kept.bytes < 64*n || n == 0 && m.kept.bytes != 0 {
				t.Fatalf("%d items are kept, and counted as %+v", n, m.kept)
			}
		}
	})
}

// callOf is a call about a channel that is under way, if there is one.
func callOf(t *rapid.T, m *Machine) CallID {
	if m.chans == nil || len(m.chans.active) == 0 {
		return 0
	}
	return rapid.SampledFrom(m.chans.active).Draw(t, "channel").trouble.call
}

func FuzzPush(f *testing.F) {
	f.Add([]byte(short(deleted(1, 11, 1))), []byte(envelopeOf(1, loginToken(), deleted(2, 12, 1))))
	f.Add([]byte((&tg.UpdatesTooLong{}).Append(nil)), []byte((&tg.UpdateShortMessage{Pts: 14, PtsCount: 1}).Append(nil)))
	f.Add([]byte(envelopeOf(5, loginToken())), []byte((&tg.UpdatesDifference{NewMessages: []tl.Raw{message()}}).Append(nil)))
	f.Add([]byte(withChannel(5, inChannel(5, 1, 13, 1))), []byte((&tg.UpdatesChannelDifference{NewMessages: []tl.Raw{channelMessage(5, 1)}, Pts: 12}).Append(nil)))
	f.Add([]byte(withChannel(5, channelTooLong(5, 0))), []byte((&tg.UpdatesChannelDifferenceTooLong{Dialog: dialog(5, 12)}).Append(nil)))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		m := New(Snapshot{State: State{Pts: 10}, Known: true, Channels: []Channel{{5, 1, 10}}})
		m.Start(epoch)
		m.Result(epoch, m.id, (&tg.UpdatesDifferenceEmpty{}).Append(nil))
		m.Push(epoch, a)
		m.Push(epoch, b)
		m.Result(epoch, m.id, b)
		m.Learn(epoch, a, b)
		m.Advance(epoch.Add(time.Second))
		if c := m.channelAt(5); c != nil && c.trouble != nil {
			m.Result(epoch, c.trouble.call, b)
		}
		for out, ok := m.Next(); ok; out, ok = m.Next() {
			for _, u := range out.Updates {
				if n, err := tl.Skip(tg.Schema, u); err != nil || n != len(u) {
					t.Errorf("a delivered update is not whole: %v", err)
				}
			}
		}
	})
}
