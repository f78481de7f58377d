package updates

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// inChannel is updateDeleteChannelMessages of one message, the smallest update
// that counts in a channel.
func inChannel(channel int64, id, pts, count int32) tl.Raw {
	b := tl.AppendInt64(tl.AppendUint32(nil, 0xc32d5b12), channel)
	b = tl.AppendInt32(tl.AppendVectorHeader(b, 1), id)
	return tl.AppendInt32(tl.AppendInt32(b, pts), count)
}

// channelChat is a channel as it comes along with updates.
func channelChat(id, hash int64, flags uint32) tl.Raw {
	b := tl.AppendUint32(tl.AppendUint32(tl.AppendUint32(nil, channelID), flags|1<<13), 0)
	b = tl.AppendString(tl.AppendInt64(tl.AppendInt64(b, id), hash), "channel")
	return tl.AppendInt32(tl.AppendUint32(b, 0x37c1011c), 1) // chatPhotoEmpty, date
}

func forbiddenChat(id int64) tl.Raw {
	b := tl.AppendUint32(tl.AppendUint32(nil, channelForbiddenID), 0)
	return tl.AppendString(tl.AppendInt64(tl.AppendInt64(b, id), 7), "channel")
}

func channelTooLong(channel int64, pts int32) tl.Raw {
	b := tl.AppendUint32(nil, updateChannelTooLongID)
	if pts == 0 {
		return tl.AppendInt64(tl.AppendUint32(b, 0), channel)
	}
	return tl.AppendInt32(tl.AppendInt64(tl.AppendUint32(b, 1), channel), pts)
}

func channelChange(channel int64) tl.Raw {
	return tl.AppendInt64(tl.AppendUint32(nil, updateChannelID), channel)
}

func readInbox(channel int64, pts int32) tl.Raw {
	b := tl.AppendInt64(tl.AppendUint32(tl.AppendUint32(nil, updateReadChannelInboxID), 0), channel)
	return tl.AppendInt32(tl.AppendInt32(tl.AppendInt32(b, 1), 0), pts)
}

// withChannel is an envelope of updates with their channel.
func withChannel(channel int64, list ...tl.Raw) tl.Raw {
	return withChats([]tl.Raw{channelChat(channel, 100+channel, 0)}, list...)
}

func withChats(chats []tl.Raw, list ...tl.Raw) tl.Raw {
	return (&tg.Updates{Updates: list, Chats: chats, Date: 1}).Append(nil)
}

// channelMessage is a message sent to a channel.
func channelMessage(channel int64, id int32) tl.Raw {
	b := tl.AppendInt32(tl.AppendUint32(tl.AppendUint32(nil, 0x90a6ca84), 1), id)
	return tl.AppendInt64(tl.AppendUint32(b, peerChannelID), channel)
}

func dialog(channel int64, pts int32) tl.Raw {
	b := tl.AppendUint32(tl.AppendUint32(nil, dialogID), flagDialogPts)
	b = tl.AppendInt64(tl.AppendUint32(b, peerChannelID), channel)
	for range 7 {
		b = tl.AppendInt32(b, 0)
	}
	b = tl.AppendUint32(tl.AppendUint32(b, 0x99622c0c), 0) // peerNotifySettings
	return tl.AppendInt32(b, pts)
}

// following is a machine that is current, and follows channel 5 at pts 10.
func following(t *testing.T) *rig {
	r := &rig{t, epoch, New(Snapshot{State: State{Pts: 1}, Known: true, Channels: []Channel{{5, 105, 10}}})}
	r.m.Start(r.now)
	r.result(&tg.UpdatesDifferenceEmpty{})
	drain(r.m)
	return r
}

// answer answers the difference of channel 5 that is under way.
func (r *rig) answer(o tl.Object) {
	r.t.Helper()
	c := r.m.channelAt(5)
	if c.phase() != channelFetching {
		r.t.Fatalf("the difference of the channel is not under way, but %d", c.phase())
	}
	r.m.Result(r.now, c.trouble.call, o.Append(nil))
}

const askFive = "GetChannelDifference{channel:5, pts 10}"

func TestAChannelBeginsWithItsFirstUpdate(t *testing.T) {
	r := at(t, State{Pts: 1})
	r.push(withChannel(5, inChannel(5, 1, 11, 1)))
	r.want("it is delivered, and what was before it is the past; its first place is saved at once", "ch5-1", "Save{pts 1, qts 0, date 0, seq 0, page 5:, channel 5 pts 11} now")
	r.push(withChannel(5, inChannel(5, 2, 12, 1)))
	r.push(withChannel(5, inChannel(5, 2, 12, 1)))
	r.want("and then once and in order", "ch5-2")
	r.advance(saveDelay)
	r.want("and its next ones a little later", "Save{pts 1, qts 0, date 0, seq 0, page 5:, channel 5 pts 12}")
	if diff := cmp.Diff([]Channel{{5, 105, 12}}, r.m.Snapshot().Channels); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestAGapOfAChannelIsWaitedForAndThenFetched(t *testing.T) {
	r := following(t)
	r.push(withChannel(5, inChannel(5, 3, 13, 1)))
	r.push(withChannel(6, inChannel(6, 1, 90, 1)))
	r.push(short(deleted(1, 2, 1)))
	r.want("other boxes flow meanwhile", "ch6-1", "Save{pts 1, qts 0, date 0, seq 0, page 6:, channel 6 pts 90} now", "del1")
	r.push(withChannel(5, inChannel(5, 1, 12, 2)))
	r.want("what was missing came in time", "ch5-1", "ch5-3")
	r.push(withChannel(5, inChannel(5, 5, 15, 1)))
	r.advance(gapWait)
	r.want("what does not come is asked for", "GetChannelDifference{channel:5, pts 13}")
	r.push(withChannel(5, inChannel(5, 6, 16, 1)))
	r.want("what comes meanwhile is kept")
	r.answer(&tg.UpdatesChannelDifference{
		Final: true, Pts: 15, NewMessages: []tl.Raw{channelMessage(5, 4)},
		OtherUpdates: []tl.Raw{inChannel(5, 2, 12, 1), inChannel(5, 5, 15, 1)},
	})
	r.want("the difference comes without what was there, and then what was kept", "ch5-message4 ch5-5", "ch5-6")
	if c := r.m.channelAt(5); c.trouble != nil || r.m.kept != (tally{}) || r.m.chans.active != nil {
		t.Errorf("the channel still has %+v", c.trouble)
	}
}

func TestADifferenceOfAChannelInParts(t *testing.T) {
	r := following(t)
	r.push(withChannel(5, channelTooLong(5, 0)))
	r.want("it is said to be too long for pushes", askFive)
	r.push(withChannel(5, channelTooLong(5, 0)))
	r.want("one is under way")
	r.answer(&tg.UpdatesChannelDifference{Pts: 12, OtherUpdates: []tl.Raw{inChannel(5, 1, 12, 2)}})
	r.want("a part is delivered and the next is asked for", "ch5-1", "GetChannelDifference{channel:5, pts 12}")
	r.answer(&tg.UpdatesChannelDifferenceEmpty{Final: true, Pts: 12})
	r.push(withChannel(5, inChannel(5, 2, 13, 1)))
	r.want("and that was all", "ch5-2")
}

func TestATooLongDuringTheAnswerIsAskedAboutAgain(t *testing.T) {
	r := following(t)
	r.push(withChannel(5, channelTooLong(5, 20)))
	r.want("it is asked for", askFive)
	r.push(withChannel(5, channelTooLong(5, 30)))
	r.answer(&tg.UpdatesChannelDifference{Final: true, Pts: 20, OtherUpdates: []tl.Raw{inChannel(5, 1, 20, 10)}})
	r.want("the answer may be older", "ch5-1", "GetChannelDifference{channel:5, pts 20}")
	r.answer(&tg.UpdatesChannelDifference{Final: true, Pts: 30, OtherUpdates: []tl.Raw{inChannel(5, 2, 30, 10)}})
	r.want("and that is all", "ch5-2")
	r.advance(gapWait)
	drain(r.m)
	r.push(withChannel(5, channelTooLong(5, 30)))
	r.want("we are there")
}

func TestADifferenceThatIsTooLongIsAHole(t *testing.T) {
	r := following(t)
	r.push(withChannel(5, channelTooLong(5, 0)))
	r.want("asked", askFive)
	r.push(withChannel(5, inChannel(5, 1, 4001, 1)))
	r.answer(&tg.UpdatesChannelDifferenceTooLong{Final: true, Dialog: dialog(5, 4000), Messages: []tl.Raw{channelMessage(5, 9)}})
	r.want("the hole ends where the dialog is, and life goes on from there", "Hole{channel:5 after pts 10 to pts 4000}", "ch5-1")
}

func TestAnAccessThatIsLostIsNotAskedAboutForEver(t *testing.T) {
	for _, refusal := range []*tgerr.Error{tgerr.New(400, "CHANNEL_PRIVATE"), tgerr.New(406, "CHANNEL_PRIVATE"), tgerr.New(400, "CHANNEL_INVALID"), tgerr.New(403, "CHANNEL_PUBLIC_GROUP_NA")} {
		r := following(t)
		r.push(withChannel(5, inChannel(5, 3, 13, 1)))
		r.advance(gapWait)
		r.want("asked", askFive)
		r.m.Failed(r.now, r.m.channelAt(5).trouble.call, refusal)
		r.want("what was missed is named, and what was pushed is had", "Hole{channel:5 after pts 10 to pts 12}", "ch5-3")
		r.advance(saveDelay)
		r.want("that is its place", "Save{pts 1, qts 0, date 0, seq 0, page 5:, channel 5 pts 13}")
		r.push(withChannel(5, channelTooLong(5, 0)))
		r.want("it is asked for when the server says so", "GetChannelDifference{channel:5, pts 13}")
		r.m.Failed(r.now, r.m.channelAt(5).trouble.call, refusal)
		r.want("and nobody knows what is missing", "Hole{channel:5 after pts 13 to pts 0}")
		r.advance(time.Minute)
		drain(r.m)
		if r.m.channelAt(5).trouble != nil {
			t.Errorf("%v: there is still something to do", refusal)
		}
	}
}

func TestAChannelThatWasRenumberedBeginsAnew(t *testing.T) {
	r := following(t)
	r.push(withChannel(5, channelTooLong(5, 0)))
	r.want("asked", askFive)
	r.m.Failed(r.now, r.m.channelAt(5).trouble.call, tgerr.New(400, "PERSISTENT_TIMESTAMP_INVALID"))
	r.want("all up to the next update is lost", "Hole{channel:5 after pts 10 to pts 0}")
	r.push(withChannel(5, inChannel(5, 1, 3, 1)))
	r.want("which is where we begin", "ch5-1", "Save{pts 1, qts 0, date 0, seq 0, page 5:, channel 5 pts 3} now")
}

func TestChannelsThatNobodyFollows(t *testing.T) {
	r := at(t, State{Pts: 1})
	r.push(withChannel(5, channelTooLong(5, 0), readInbox(5, 7)))
	r.want("what is missing of it nobody knows", "Hole{channel:5 after pts 0 to pts 0}", "922e6e10")
	r.push(withChannel(5, channelTooLong(5, 30)))
	r.want("with a place, that is where we begin", "Hole{channel:5 after pts 0 to pts 30}", "Save{pts 1, qts 0, date 0, seq 0, page 5:, channel 5 pts 30} now")
	r.push(withChannel(5, inChannel(5, 1, 31, 1)))
	r.want("from there on", "ch5-1")
}

func TestAReadInboxTellsWhereAChannelIs(t *testing.T) {
	r := following(t)
	r.push(withChannel(5, readInbox(5, 10)))
	r.want("it does not count: it is told at once", "922e6e10")
	if r.m.channelAt(5).trouble != nil {
		t.Error("we are there, and something is thought to be missing")
	}
	r.push(withChannel(5, readInbox(5, 12)))
	r.want("and tells that something is missing", "922e6e10")
	r.push(withChannel(5, inChannel(5, 1, 11, 1)))
	r.want("which may still come", "ch5-1")
	r.advance(gapWait)
	r.want("or is asked for", "GetChannelDifference{channel:5, pts 11}")
}

func TestAChannelNobodyMayAskForIsGivenUpByName(t *testing.T) {
	for name, chats := range map[string][]tl.Raw{"no hash": nil, "the hash of a min channel": {channelChat(5, 77, flagMin)}} {
		r := at(t, State{Pts: 1})
		r.push(withChats(chats, inChannel(5, 1, 11, 1)))
		r.push(withChats(chats, inChannel(5, 3, 15, 1)))
		r.want(name+": one is missing", "ch5-1", "Save{pts 1, qts 0, date 0, seq 0, page 5:, channel 5 pts 11} now")
		r.advance(gapWait)
		r.want(name+": it cannot be asked for", "Hole{channel:5 after pts 11 to pts 14}", "ch5-3")
	}
	r := at(t, State{Pts: 1})
	r.m.bot = true
	r.push(withChats(nil, inChannel(5, 1, 11, 1)))
	r.push(withChats(nil, inChannel(5, 3, 15, 1)))
	r.advance(gapWait)
	r.want("a bot may ask without", "ch5-1", "Save{pts 1, qts 0, date 0, seq 0, page 5:, channel 5 pts 11} now", "GetChannelDifference{channel:5, pts 11}")
}

func TestHowManyUpdatesADifferenceOfAChannelMayHold(t *testing.T) {
	for bot, limit := range map[bool]int32{false: 100, true: 100_000} {
		r := following(t)
		r.m.bot = bot
		r.push(withChannel(5, channelTooLong(5, 0)))
		out, _ := r.m.Next()
		q, ok := out.Query.(*tg.UpdatesGetChannelDifferenceRequest)
		want := &tg.UpdatesGetChannelDifferenceRequest{
			Channel: &tg.InputChannel{ChannelID: 5, AccessHash: 105}, Filter: &tg.ChannelMessagesFilterEmpty{}, Pts: 10, Limit: limit,
		}
		if diff := cmp.Diff(want, q); !ok || diff != "" {
			t.Errorf("bot %v: -want +got:\n%s", bot, diff)
		}
	}
}

func TestFailuresOfAChannelAreRetriedWithPatience(t *testing.T) {
	r := following(t)
	r.push(withChannel(5, channelTooLong(5, 0)))
	r.want("asked", askFive)
	for i, c := range []struct {
		err   error
		pause time.Duration
	}{
		{errors.New("the connection was lost"), time.Second},
		{tgerr.New(420, "FLOOD_WAIT_30"), 30 * time.Second},
		{tgerr.New(500, "PERSISTENT_TIMESTAMP_OUTDATED"), 4 * time.Second},
		{remembered(epoch.Add(36 * time.Second)), time.Second},
	} {
		r.m.Failed(r.now, r.m.channelAt(5).trouble.call, c.err)
		r.advance(c.pause - 1)
		if lines := drain(r.m); len(lines) > 0 && lines[0] == askFive {
			t.Errorf("after failure %d it is asked too early", i)
		}
		r.advance(1)
		if lines := drain(r.m); len(lines) == 0 || lines[len(lines)-1] != askFive {
			t.Errorf("after failure %d: %q", i, lines)
		}
	}
}

func TestAnUnreadableDifferenceOfAChannelIsAHole(t *testing.T) {
	r := following(t)
	r.push(withChannel(5, inChannel(5, 3, 13, 1)))
	r.advance(gapWait)
	for range unreadableMost {
		r.want("asked", askFive)
		r.answer(&tg.UpdatesTooLong{})
		r.advance(4 * time.Second)
	}
	r.want("what was pushed is had", "Hole{channel:5 after pts 10 to pts 12}", "ch5-3", "Save{pts 1, qts 0, date 0, seq 0, page 5:, channel 5 pts 13}")
	r.push(withChannel(5, inChannel(5, 4, 14, 1)))
	r.want("and life goes on", "ch5-4")
}

func TestWhatTheServerDoesNotKnowOfAChannelIsNamed(t *testing.T) {
	r := following(t)
	r.push(withChannel(5, inChannel(5, 9, 900, 1)))
	for range fruitlessMost {
		r.advance(gapWait)
		r.want("asked", askFive)
		r.answer(&tg.UpdatesChannelDifferenceEmpty{Final: true, Pts: 10})
	}
	r.want("it was pushed and has no neighbours", "Hole{channel:5 after pts 10 to pts 899}", "ch5-9")
}

func TestAServerCannotLeadUsOnInAChannelForEver(t *testing.T) {
	r := following(t)
	r.push(withChannel(5, channelTooLong(5, 0)))
	asked := 0
	for r.m.channelAt(5).trouble != nil && asked < 1000 {
		if r.m.channelAt(5).phase() == channelFetching {
			asked++
			r.answer(&tg.UpdatesChannelDifference{Pts: 10})
		} else {
			r.advance(time.Second)
		}
	}
	if lines := drain(r.m); !slices.Contains(lines, "Hole{channel:5 after pts 10 to pts 0}") || asked > barrenMost+unreadableMost+1 {
		t.Errorf("asked %d times: %q", asked, lines[len(lines)-1])
	}
}

func TestFewDifferencesOfChannelsAreUnderWayAtATime(t *testing.T) {
	s := Snapshot{State: State{Pts: 1}, Known: true}
	var list []tl.Raw
	for id := range int64(10) {
		s.Channels = append(s.Channels, Channel{id + 1, 1, 10})
		list = append(list, channelTooLong(id+1, 0))
	}
	r := &rig{t, epoch, New(s)}
	r.push(withChats(nil, list...))
	r.want("nothing can be asked before the start")
	r.m.Start(r.now)
	drain(r.m)
	under := func() (ids []int64) {
		for _, c := range r.m.chans.active {
			if c.trouble.phase == channelFetching {
				ids = append(ids, c.ID)
			}
		}
		return ids
	}
	for id := int64(1); id <= 10; id++ {
		if ids := under(); len(ids) != min(channelAsksMost, int(11-id)) || ids[0] != id {
			t.Fatalf("channels %v are asked for at a time", ids)
		}
		r.m.Result(r.now, r.m.channelAt(id).trouble.call, (&tg.UpdatesChannelDifferenceEmpty{Final: true, Pts: 10}).Append(nil))
	}
	if r.m.chans.active != nil || r.m.channelDeadline() != (time.Time{}) {
		t.Error("something is left to do")
	}
}

func TestTheOneThatMovedLongestAgoMakesWay(t *testing.T) {
	r := at(t, State{Pts: 1})
	for id := range int64(channelsMost) {
		r.push(withChannel(id+1, inChannel(id+1, 1, 1, 1)))
	}
	r.push(withChannel(1, inChannel(1, 2, 2, 1)))
	r.push(withChannel(9999, inChannel(9999, 1, 1, 1)))
	if len(r.m.chans.all) != channelsMost || r.m.channelAt(2) != nil || r.m.channelAt(1) == nil || r.m.channelAt(9999) == nil {
		t.Errorf("%d channels, the first %v, the second %v, the last %v", len(r.m.chans.all), r.m.channelAt(1), r.m.channelAt(2), r.m.channelAt(9999))
	}
}

func TestWhatAChannelKeepsIsBounded(t *testing.T) {
	r := following(t)
	for i := range int32(boxItemsMost + 1) {
		r.push(withChannel(5, inChannel(5, i, 100+i, 1)))
	}
	r.want("past the bound the difference is asked for", askFive)
	if r.m.kept != (tally{}) {
		t.Errorf("%d items of %d bytes are still kept", r.m.kept.items, r.m.kept.bytes)
	}
	r.answer(&tg.UpdatesChannelDifference{Final: true, Pts: 100, OtherUpdates: []tl.Raw{inChannel(5, 0, 100, 90)}})
	r.want("it brings a part", "ch5-0")
	r.advance(gapWait)
	r.want("what was dropped is asked for", "GetChannelDifference{channel:5, pts 100}")
}

func TestADifferenceTellsOfChannels(t *testing.T) {
	r := following(t)
	r.m.Gap(r.now)
	drain(r.m)
	r.result(&tg.UpdatesDifference{
		OtherUpdates: []tl.Raw{channelTooLong(5, 0), inChannel(6, 1, 3, 1)}, Chats: []tl.Raw{channelChat(6, 106, 0)}, State: tg.UpdatesState{Pts: 1},
	})
	r.want("they are followed by their own place", "ch6-1", "Save{pts 1, qts 0, date 0, seq 0, page 6:, channel 6 pts 3} now", askFive)
}

func TestPlaceOf(t *testing.T) {
	for name, c := range map[string]struct {
		u    tl.Raw
		want string
		at   int32
	}{
		"by pts":                     {deleted(1, 11, 1), "common", 11},
		"by qts":                     {botStopped(1, 6), "qts", 6},
		"in a channel":               {inChannel(5, 1, 9, 1), "channel:5", 9},
		"a message in a channel":     {wrapMessage(updateNewChannelMessageID, channelMessage(7, 1)), "channel:7", 0},
		"a message out of a channel": {wrapMessage(updateNewChannelMessageID, message()), "", 0},
		"a message of a difference":  {wrapMessage(updateNewMessageID, message()), "common", 0},
		"by nothing":                 {loginToken(), "", 0},
		"where a channel is":         {readInbox(5, 7), "", 0},
		"no bytes":                   {nil, "", 0},
		"the beginning of one":       {inChannel(5, 1, 9, 1)[:20], "", 0},
	} {
		if box, at := PlaceOf(c.u); box.String() != c.want || at != c.at {
			t.Errorf("%s: %v at %d, want %s at %d", name, box, at, c.want, c.at)
		}
	}
}

func TestBoxesAreText(t *testing.T) {
	for _, box := range []Box{{}, {Kind: BoxCommon}, {Kind: BoxQts}, {BoxChannel, 123}, {BoxChannel, -4}} {
		text, _ := box.MarshalText()
		var got Box
		if err := got.UnmarshalText(text); err != nil || got != box {
			t.Errorf("%q is read as %v: %v", text, got, err)
		}
	}
	var b Box
	for _, text := range []string{"channel:", "channel:x", "box", "common "} {
		if b.UnmarshalText([]byte(text)) == nil {
			t.Errorf("%q is read", text)
		}
	}
}

// nameInChannel says which update of a channel a delivered one is.
func nameInChannel(u tl.Raw) string {
	id := binary.LittleEndian.Uint64(u[4:])
	if u.ID() == updateNewChannelMessageID {
		c, _ := channelOf(u[4 : len(u)-8])
		return fmt.Sprintf("ch%d-message%d", c, binary.LittleEndian.Uint32(u[12:]))
	}
	return fmt.Sprintf("ch%d-%d", id, binary.LittleEndian.Uint32(u[20:]))
}
