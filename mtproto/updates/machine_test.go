package updates

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/schema"
	"github.com/mtfleet/mtfleet/tl/tg"
)

var epoch = time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)

// deleted is updateDeleteMessages of one message, the smallest update with a
// pts.
func deleted(id, pts, count int32) tl.Raw {
	b := tl.AppendUint32(nil, 0xa20db0e5)
	b = tl.AppendVectorHeader(b, 1)
	b = tl.AppendInt32(b, id)
	b = tl.AppendInt32(b, pts)
	return tl.AppendInt32(b, count)
}

// loginToken is updateLoginToken, an update that counts by seq or not at all.
func loginToken() tl.Raw { return tl.AppendUint32(nil, 0x564fe691) }

func envelopeOf(seq int32, list ...tl.Raw) tl.Raw {
	return (&tg.Updates{Updates: list, Date: 1, Seq: seq}).Append(nil)
}

func short(u tl.Raw) tl.Raw { return (&tg.UpdateShort{Update: u, Date: 1}).Append(nil) }

// name says which update a delivered one is.
func name(u tl.Raw) string {
	switch u.ID() {
	case 0xa20db0e5:
		return fmt.Sprint("del", binary.LittleEndian.Uint32(u[12:]))
	case 0x564fe691:
		return "token"
	case 0xc4870a49:
		return fmt.Sprint("stopped", binary.LittleEndian.Uint64(u[4:]))
	case 0xc32d5b12, updateNewChannelMessageID:
		return nameInChannel(u)
	case updateNewMessageID:
		return "message"
	case updateNewEncryptedMessageID:
		return "secret"
	}
	return fmt.Sprintf("%08x", u.ID())
}

// drain returns the outputs as lines.
func drain(m *Machine) []string {
	var lines []string
	for out, ok := m.Next(); ok; out, ok = m.Next() {
		if out.Kind == OutDeliver {
			var names []string
			for _, u := range out.Updates {
				names = append(names, name(u))
			}
			lines = append(lines, strings.Join(names, " "))
			continue
		}
		lines = append(lines, out.String())
	}
	return lines
}

// A rig is a machine with a clock.
type rig struct {
	t   *testing.T
	now time.Time
	m   *Machine
}

// at returns a machine that has arrived at a state.
func at(t *testing.T, s State) *rig {
	r := &rig{t, epoch, New(Snapshot{State: s, Known: true})}
	r.m.Start(r.now)
	r.result(&tg.UpdatesDifferenceEmpty{Date: s.Date, Seq: s.Seq})
	drain(r.m)
	return r
}

func (r *rig) result(o tl.Object) { r.m.Result(r.now, r.m.id, o.Append(nil)) }

func (r *rig) push(raw tl.Raw) { r.m.Push(r.now, raw) }

func (r *rig) advance(d time.Duration) {
	r.now = r.now.Add(d)
	r.m.Advance(r.now)
}

func (r *rig) want(sentence string, lines ...string) {
	r.t.Helper()
	if diff := cmp.Diff(lines, drain(r.m)); diff != "" {
		r.t.Errorf("%s (-want +got):\n%s", sentence, diff)
	}
}

func (r *rig) wantPhase(p Phase) {
	r.t.Helper()
	if r.m.Phase() != p {
		r.t.Errorf("the phase is %v, want %v", r.m.Phase(), p)
	}
}

func TestFirstStartAsksForTheState(t *testing.T) {
	r := &rig{t, epoch, New(Snapshot{})}
	r.push(short(deleted(1, 1, 1)))
	r.push(short(loginToken()))
	r.want("before the start only what counts by nothing is delivered", "token")
	r.m.Start(r.now)
	r.m.Start(r.now)
	r.want("there is no state: it is asked for", "GetState")
	r.push(short(deleted(9, 11, 1)))
	r.push(short(deleted(8, 9, 1)))
	r.push(envelopeOf(3, loginToken()))
	r.want("what comes meanwhile is kept")
	r.result(&tg.UpdatesState{Pts: 10, Seq: 3, Date: 5})
	r.want("what the state counts as seen is delivered, and what continues it; the first place is saved at once",
		"del1", "del8", "token", "del9", "Save{pts 11, qts 0, date 5, seq 3} now")
	r.wantPhase(PhaseCurrent)
	r.push(short(deleted(10, 12, 1)))
	r.want("from then on", "del10")
	r.advance(saveDelay)
	r.want("the state is saved a little later", "Save{pts 12, qts 0, date 5, seq 3}")
}

func TestRestartAsksForTheDifference(t *testing.T) {
	r := &rig{t, epoch, New(Snapshot{State: State{Pts: 5, Qts: 2, Date: 7, Seq: 1}, Known: true})}
	r.m.Start(r.now)
	r.want("the place is known: the difference is asked for", "GetDifference{pts 5, qts 2, date 7, seq 1}")
	r.result(&tg.UpdatesDifferenceEmpty{Date: 8, Seq: 4})
	r.want("nothing was missed")
	r.m.Flush(r.now)
	r.m.Flush(r.now)
	r.want("a flush saves once", "Save{pts 5, qts 2, date 8, seq 4} now")
	r.advance(time.Minute)
	r.want("and nothing is left to save")
}

func TestUpdatesInOrderAreDeliveredAtOnce(t *testing.T) {
	r := at(t, State{Pts: 10})
	r.push(envelopeOf(0, deleted(1, 11, 1), deleted(2, 13, 2)))
	r.want("one delivery for one push", "del1 del2")
	r.push(short(deleted(3, 13, 0)))
	r.want("an update that counts nothing passes", "del3")
	r.push((&tg.UpdateShortMessage{Pts: 14, PtsCount: 1, Date: 3}).Append(nil))
	r.want("a short message is the update it stands for", "message")
	r.push(short(deleted(2, 13, 2)))
	r.push(short(deleted(1, 14, 1)))
	r.want("what was applied is not delivered again")
	r.advance(saveDelay)
	r.want("the state covers what was delivered", "Save{pts 14, qts 0, date 3, seq 0}")
	r.push(short(loginToken()))
	r.want("what does not count is delivered as it comes", "token")
}

func TestAGapIsWaitedForAndThenFetched(t *testing.T) {
	r := at(t, State{Pts: 10})
	r.push(short(deleted(3, 13, 1)))
	r.push(short(deleted(2, 12, 1)))
	r.push(short(deleted(2, 12, 1)))
	r.wantPhase(PhaseGap)
	r.push(short(deleted(1, 11, 1)))
	r.want("the missing one brings the others", "del1", "del2", "del3")
	r.wantPhase(PhaseCurrent)

	r.push(short(deleted(5, 15, 1)))
	r.advance(gapWait - 1)
	r.want("half a second is not over")
	r.advance(1)
	r.want("now it is", "GetDifference{pts 13, qts 0, date 1, seq 0}")
	r.push(short(deleted(6, 16, 1)))
	r.result(&tg.UpdatesDifference{
		OtherUpdates: []tl.Raw{deleted(3, 13, 1), deleted(4, 14, 1), deleted(5, 15, 1)},
		State:        tg.UpdatesState{Pts: 15, Date: 2},
	})
	r.want("the difference is delivered without what was, then what was kept", "del4 del5", "del6")
	r.wantPhase(PhaseCurrent)
}

func TestAFlowingSequenceDoesNotHideAGapInTheOther(t *testing.T) {
	r := at(t, State{Pts: 10})
	r.push(short(deleted(2, 12, 1)))
	for i := range int32(4) {
		r.advance(gapWait / 4)
		r.push(envelopeOf(i+1, loginToken()))
	}
	lines := drain(r.m)
	if !slices.ContainsFunc(lines, func(s string) bool { return strings.HasPrefix(s, "GetDifference") }) {
		t.Errorf("no difference is asked for: %q", lines)
	}
}

func TestSeq(t *testing.T) {
	r := at(t, State{Pts: 10, Seq: 5})
	r.push(envelopeOf(7, loginToken()))
	r.wantPhase(PhaseGap)
	r.push((&tg.UpdatesCombined{Updates: []tl.Raw{loginToken(), deleted(1, 11, 1)}, SeqStart: 6, Seq: 6}).Append(nil))
	r.want("pts and seq are counted apart", "del1 token", "token")
	r.push(envelopeOf(7, loginToken()))
	r.want("an old envelope is not delivered again")
	r.push((&tg.UpdatesCombined{Updates: []tl.Raw{loginToken()}, SeqStart: 9, Seq: 8}).Append(nil))
	r.want("an envelope that ends before it starts is missed", "GetDifference{pts 11, qts 0, date 1, seq 7}")
}

// botStopped is updateBotStopped, which counts by qts.
func botStopped(user int64, qts int32) tl.Raw {
	b := tl.AppendUint32(nil, 0xc4870a49)
	b = tl.AppendInt64(b, user)
	b = tl.AppendInt32(b, 1)
	b = tl.AppendBool(b, true)
	return tl.AppendInt32(b, qts)
}

func TestQts(t *testing.T) {
	r := at(t, State{Pts: 10, Qts: 5})
	r.push(envelopeOf(0, botStopped(2, 7)))
	r.wantPhase(PhaseGap)
	r.push(envelopeOf(0, botStopped(1, 6), deleted(1, 11, 1)))
	r.push(short(botStopped(2, 7)))
	r.want("qts is a sequence like pts", "del1 stopped1", "stopped2")
	r.push(short(botStopped(4, 9)))
	r.advance(gapWait)
	r.want("with gaps of its own", "GetDifference{pts 11, qts 7, date 1, seq 0}")
	r.result(&tg.UpdatesDifference{
		OtherUpdates: []tl.Raw{botStopped(2, 7), botStopped(3, 8), botStopped(4, 9)},
		State:        tg.UpdatesState{Pts: 11, Qts: 9},
	})
	r.want("and none comes twice", "stopped3 stopped4")
	r.push(short(botStopped(1, 0)))
	r.want("a place that cannot be is missed", "GetDifference{pts 11, qts 9, date 0, seq 0}")
}

func TestQtsFieldsAreTheSchemas(t *testing.T) {
	text, err := os.ReadFile("../../tl/schema/api.tl")
	if err != nil {
		t.Fatal(err)
	}
	s, err := schema.Parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	want := make(map[uint32]int)
	for _, d := range s.Definitions {
		if d.Result.String() != "Update" {
			continue
		}
		index := 0
		for _, f := range d.Fields {
			if f.Name == "qts" && f.Type.String() == "int" {
				want[d.ID] = index
			}
			if f.Type.Name != "true" {
				index++
			}
		}
	}
	if diff := cmp.Diff(want, qtsFields); diff != "" {
		t.Errorf("(-schema +list):\n%s", diff)
	}
}

func TestWhatCannotBeReadIsFetched(t *testing.T) {
	for name, raw := range map[string]tl.Raw{
		"nothing":                {},
		"rubbish":                tl.Raw("rubbish!"),
		"too long":               (&tg.UpdatesTooLong{}).Append(nil),
		"an unknown update":      envelopeOf(0, tl.AppendUint32(nil, 0xdeadbeef)),
		"trailing bytes":         append(short(loginToken()), 0, 0, 0, 0),
		"a negative pts":         short(deleted(1, -4, 1)),
		"a negative count":       short(deleted(1, 4, -1)),
		"a count beyond its pts": short(deleted(1, 4, 5)),
	} {
		t.Run(name, func(t *testing.T) {
			r := at(t, State{Pts: 10})
			r.push(raw)
			r.want("it counts as missed", "GetDifference{pts 10, qts 0, date 0, seq 0}")
		})
	}
}

func TestSlices(t *testing.T) {
	r := at(t, State{Pts: 10})
	r.m.Gap(r.now)
	drain(r.m)
	r.result(&tg.UpdatesDifferenceSlice{OtherUpdates: []tl.Raw{deleted(1, 11, 1)}, IntermediateState: tg.UpdatesState{Pts: 11}})
	r.want("a slice is followed by the next", "del1", "GetDifference{pts 11, qts 0, date 0, seq 0}")
	r.result(&tg.UpdatesDifferenceSlice{IntermediateState: tg.UpdatesState{Pts: 11}})
	r.want("a slice that leads nowhere is not followed at once")
	r.wantPhase(PhaseRetrying)
	r.advance(r.m.Deadline().Sub(r.now))
	r.want("but later", "GetDifference{pts 11, qts 0, date 0, seq 0}", "Save{pts 11, qts 0, date 0, seq 0}")
	r.result(&tg.UpdatesDifferenceTooLong{Pts: 500})
	r.want("what the server no longer has is named", "Hole{after pts 11, qts 0, date 0, seq 0 to pts 500, qts 0, date 0, seq 0}", "GetDifference{pts 500, qts 0, date 0, seq 0}")
	r.result(&tg.UpdatesDifference{NewMessages: []tl.Raw{message()}, NewEncryptedMessages: []tl.Raw{secret()}, State: tg.UpdatesState{Pts: 501, Qts: 1}})
	r.want("messages become updates", "message secret")
}

// message is messageEmpty, secret is encryptedMessage.
func message() tl.Raw { return tl.AppendInt32(tl.AppendUint32(tl.AppendUint32(nil, 0x90a6ca84), 0), 7) }

func secret() tl.Raw {
	b := tl.AppendUint32(nil, 0x23734b06)
	b = tl.AppendInt64(b, 1)
	b = tl.AppendInt32(b, 2)
	b = tl.AppendInt32(b, 3)
	return tl.AppendBytes(b, []byte("x"))
}

func TestMessagesOfADifferenceAreWholeUpdates(t *testing.T) {
	r := at(t, State{Pts: 10})
	r.m.Gap(r.now)
	drain(r.m)
	r.result(&tg.UpdatesDifference{NewMessages: []tl.Raw{message()}, NewEncryptedMessages: []tl.Raw{secret()}, State: tg.UpdatesState{Pts: 11, Qts: 1}})
	out, _ := r.m.Next()
	for _, u := range out.Updates {
		if n, err := tl.Skip(tg.Schema, u); err != nil || n != len(u) {
			t.Errorf("%s is no whole update: %d of %d bytes, %v", name(u), n, len(u), err)
		}
	}
}

func TestUnreadableDifferencesEndInAHole(t *testing.T) {
	r := at(t, State{Pts: 10})
	r.m.Gap(r.now)
	drain(r.m)
	for range unreadableMost {
		r.m.Result(r.now, r.m.id, []byte("rubbish!"))
		r.wantPhase(PhaseRetrying)
		r.advance(r.m.Deadline().Sub(r.now))
	}
	r.want("at last the state is asked for", "GetDifference{pts 10, qts 0, date 0, seq 0}", "GetDifference{pts 10, qts 0, date 0, seq 0}", "GetState")
	r.push(short(deleted(30, 31, 1)))
	r.result(&tg.UpdatesState{Pts: 30})
	r.want("and what lies between is named", "Hole{after pts 10, qts 0, date 0, seq 0 to pts 30, qts 0, date 0, seq 0}", "del30")
	r.m.Gap(r.now)
	r.want("afterwards all is as before", "GetDifference{pts 31, qts 0, date 1, seq 0}")
}

func TestARenumberedSequenceIsLoadedAnew(t *testing.T) {
	r := at(t, State{Pts: 10})
	r.push(short(tl.AppendUint32(nil, updatePtsChangedID)))
	r.want("the state is asked for", "GetState")
	r.result(&tg.UpdatesState{Pts: 3})
	r.want("and taken", "Hole{after pts 10, qts 0, date 0, seq 0 to pts 3, qts 0, date 0, seq 0}")
	r.m.Gap(r.now)
	drain(r.m)
	r.m.Failed(r.now, r.m.id, tgerr.New(400, "PERSISTENT_TIMESTAMP_INVALID"))
	r.advance(time.Second)
	r.want("so it is when the server does not know our place", "GetState", "Save{pts 3, qts 0, date 0, seq 0}")
}

func TestFailuresAreRetriedWithPatience(t *testing.T) {
	r := at(t, State{Pts: 10})
	r.m.Gap(r.now)
	for _, pause := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
		r.m.Failed(r.now, r.m.id, errors.New("no connection"))
		if got := r.m.Deadline().Sub(r.now); got != pause*time.Second {
			t.Errorf("the pause is %v, want %v", got, pause*time.Second)
		}
		r.advance(pause * time.Second)
	}
	r.m.Failed(r.now, r.m.id, tgerr.New(420, "FLOOD_WAIT_300"))
	if got := r.m.Deadline().Sub(r.now); got != 300*time.Second {
		t.Errorf("an imposed wait is cut to %v", got)
	}
	r.m.Failed(r.now, r.m.id, errors.New("late"))
	r.m.Result(r.now, r.m.id-1, (&tg.UpdatesDifferenceEmpty{}).Append(nil))
	r.wantPhase(PhaseRetrying)
}

// remembered is how a wait comes back that was imposed earlier.
type remembered time.Time

func (remembered) Error() string { return "not yet" }

func (w remembered) WaitUntil() time.Time { return time.Time(w) }

func TestARememberedWaitIsWaitedForAndNoLonger(t *testing.T) {
	for _, c := range []struct {
		name       string
		wait, want time.Duration
	}{
		{"until it is over", 18500 * time.Millisecond, 18500 * time.Millisecond},
		{"a minute: the owner may clear it", time.Hour, time.Minute},
		{"a second, when it seems to be over", -time.Hour, time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := at(t, State{Pts: 10})
			r.m.Gap(r.now)
			for range 3 { // it is no failure: the pause does not grow
				r.m.Failed(r.now, r.m.id, fmt.Errorf("held: %w", remembered(r.now.Add(c.wait))))
				if got := r.m.Deadline().Sub(r.now); got != c.want {
					t.Errorf("the pause is %v, want %v", got, c.want)
				}
				r.advance(c.want)
			}
		})
	}
}

func TestAGapDuringTheAnswerIsAskedAboutAgain(t *testing.T) {
	r := at(t, State{Pts: 10})
	r.m.Gap(r.now)
	r.m.Gap(r.now)
	r.want("one question at a time", "GetDifference{pts 10, qts 0, date 0, seq 0}")
	r.result(&tg.UpdatesDifferenceEmpty{})
	r.want("the answer may be older than the second gap", "GetDifference{pts 10, qts 0, date 0, seq 0}")
	r.result(&tg.UpdatesDifferenceEmpty{})
	r.want("and that is all")
}

func TestTheBufferIsBounded(t *testing.T) {
	r := at(t, State{Pts: 10})
	for i := range int32(boxItemsMost) {
		r.push(short(deleted(i, 100+i, 1)))
	}
	r.want("up to the bound everything is kept")
	r.push(short(deleted(0, 5000, 1)))
	r.want("past it the difference is asked for", "GetDifference{pts 10, qts 0, date 0, seq 0}")
	if !r.m.pts.empty() || r.m.kept != (tally{}) {
		t.Errorf("%d items of %d bytes are still kept", len(r.m.pts.items), r.m.kept.bytes)
	}
	for i := range int32(3 * boxItemsMost) {
		r.push(short(deleted(i, 1000+i, 1)))
	}
	if len(r.m.pts.items) > boxItemsMost {
		t.Errorf("%d items are kept", len(r.m.pts.items))
	}
	r.result(&tg.UpdatesDifferenceEmpty{})
	if lines := drain(r.m); len(lines) != 1 || !strings.HasPrefix(lines[0], "GetDifference") {
		t.Errorf("what was dropped is not asked for: %q", lines)
	}
}

func TestWhatTheServerDoesNotKnowIsDropped(t *testing.T) {
	r := at(t, State{Pts: 10})
	r.push(short(deleted(9, 900, 1)))
	for range fruitlessMost {
		r.advance(gapWait)
		r.want("the difference is asked for", "GetDifference{pts 10, qts 0, date 0, seq 0}")
		r.result(&tg.UpdatesDifferenceEmpty{})
	}
	r.wantPhase(PhaseCurrent)
	r.want("what is given up is named", "Hole{after pts 10, qts 0, date 0, seq 0 to pts 900, qts 0, date 0, seq 0}")
	r.push(short(deleted(1, 11, 1)))
	r.want("and life goes on", "del1")
}

func TestSnapshotRoundTrip(t *testing.T) {
	for _, s := range []Snapshot{{}, {Missed: true}, {State: State{1, 2, 3, 4}, Known: true}} {
		if diff := cmp.Diff(s, New(s).Snapshot()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

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
