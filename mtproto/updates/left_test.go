package updates

import (
	"testing"

	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

func TestAChannelThatWasLeftIsNotFollowed(t *testing.T) {
	for name, chats := range map[string][]tl.Raw{
		"left":      {channelChat(6, 1, 0), channelChat(5, 1, flagLeft)},
		"forbidden": {forbiddenChat(5)},
	} {
		r := following(t)
		r.push(withChats(chats, channelChange(5)))
		r.want(name+": the change is told", "635b4c09")
		if r.m.channelAt(5) != nil {
			t.Errorf("%s: it is still followed", name)
		}
	}
	r := following(t)
	r.push(withChats([]tl.Raw{channelChat(5, 999, 0)}, channelChange(5)))
	r.want("another change is told too", "635b4c09")
	if c := r.m.channelAt(5); c == nil || c.Hash != 999 {
		t.Errorf("the channel is %+v", c)
	}
}

// A push that is on its way while the account leaves, or that the server sends
// again, is not taken for the beginning of a channel.
func TestWhatComesLateOfAChannelThatWasLeft(t *testing.T) {
	leave := func(r *rig) {
		r.push(withChats([]tl.Raw{forbiddenChat(5)}, channelChange(5)))
		drain(r.m)
	}
	r := following(t)
	leave(r)
	r.push(withChannel(5, inChannel(5, 1, 9, 1)))
	r.push(withChannel(5, inChannel(5, 2, 10, 1)))
	r.push(withChannel(5, channelTooLong(5, 9)))
	if r.want("what was delivered is not delivered again"); r.m.channelAt(5) != nil {
		t.Error("the channel is followed")
	}
	r.push(withChannel(5, inChannel(5, 4, 11, 2)))
	if r.want("nor what overlaps with it"); r.m.channelAt(5) != nil {
		t.Error("the channel is followed")
	}
	r.push(withChannel(5, inChannel(5, 4, 12, 2)))
	r.want("what is new goes on from there", "ch5-4", "Save{pts 1, qts 0, date 0, seq 0, page 5:, channel 5 pts 12} now")
	leave(r)
	r.push(withChannel(5, inChannel(5, 4, 12, 1)))
	r.want("and counts when it is left again")
	r.push(withChannel(5, channelTooLong(5, 12)))
	r.want("one that has not moved is begun with without a hole", "Save{pts 1, qts 0, date 0, seq 0, page 5:, channel 5 pts 12} now")
	leave(r)
	r.push(withChannel(5, channelTooLong(5, 20)))
	r.want("a channel that has moved is asked for what it brought",
		"Save{pts 1, qts 0, date 0, seq 0, page 5:, channel 5 pts 12} now", "GetChannelDifference{channel:5, pts 12}")
	r.answer(&tg.UpdatesChannelDifference{Final: true, Pts: 20, OtherUpdates: []tl.Raw{inChannel(5, 5, 20, 8)}})
	leave(r)
	r.advance(leftWait)
	drain(r.m)
	r.push(withChannel(5, inChannel(5, 9, 3, 1)))
	r.want("one that was renumbered is, in the end", "ch5-9", "Save{pts 1, qts 0, date 0, seq 0, page 5:, channel 5 pts 3} now")
}

// A push may overtake others on its way, and then what says that the account has left:
// what was in between is asked for or named.
func TestWhatIsMissingBeforeALatePushOfAChannelThatWasLeft(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(r *rig)
		want   []string
	}{
		"the server still brings it": {
			func(r *rig) {
				r.answer(&tg.UpdatesChannelDifference{Final: true, Pts: 12, OtherUpdates: []tl.Raw{inChannel(5, 1, 11, 1), inChannel(5, 2, 12, 1)}})
			}, []string{"ch5-1 ch5-2"},
		},
		"the server refuses": {
			func(r *rig) { r.m.Failed(r.now, r.m.channelAt(5).trouble.call, tgerr.New(400, "CHANNEL_PRIVATE")) },
			[]string{"Hole{channel:5 after pts 10 to pts 11}", "ch5-2"},
		},
	} {
		r := following(t)
		r.push(withChats([]tl.Raw{forbiddenChat(5)}, channelChange(5)))
		r.push(withChannel(5, inChannel(5, 2, 12, 1)))
		r.advance(gapWait)
		drain(r.m)
		c.answer(r)
		r.want(name, c.want...)
	}
}

// What is missing of a channel when the account leaves it is not given up before the
// server was asked for it.
func TestAChannelIsLeftWhenNothingIsMissing(t *testing.T) {
	leave := withChats([]tl.Raw{forbiddenChat(5)}, channelChange(5))
	difference := &tg.UpdatesChannelDifference{Final: true, Pts: 12, OtherUpdates: []tl.Raw{inChannel(5, 1, 11, 1), inChannel(5, 2, 12, 1)}}
	for _, c := range []struct {
		name string
		then func(r *rig)
		want []string
		left int32
	}{
		{"what was asked for is delivered", func(r *rig) {
			r.push(withChannel(5, channelTooLong(5, 11)))
			r.push(leave)
			r.answer(difference)
		}, []string{askFive, "635b4c09", "ch5-1 ch5-2"}, 12},
		{"what was kept is asked for", func(r *rig) {
			r.push(withChannel(5, inChannel(5, 2, 12, 1)))
			r.push(leave)
			r.advance(gapWait)
			r.answer(difference)
		}, []string{"635b4c09", askFive, "ch5-1 ch5-2"}, 12},
		{"what comes meanwhile is delivered", func(r *rig) {
			r.push(withChannel(5, inChannel(5, 2, 12, 1)))
			r.push(leave)
			r.push(withChannel(5, inChannel(5, 1, 11, 1)))
		}, []string{"635b4c09", "ch5-1", "ch5-2"}, 12},
		{"what the server refuses is named, and what was kept behind it delivered", func(r *rig) {
			r.push(withChannel(5, inChannel(5, 2, 12, 1)))
			r.push(leave)
			r.advance(gapWait)
			r.m.Failed(r.now, r.m.channelAt(5).trouble.call, tgerr.New(400, "CHANNEL_PRIVATE"))
		}, []string{"635b4c09", askFive, "Hole{channel:5 after pts 10 to pts 11}", "ch5-2"}, 12},
		{"who comes back meanwhile follows it on", func(r *rig) {
			r.push(withChannel(5, inChannel(5, 2, 12, 1)))
			r.push(leave)
			r.push(withChannel(5, channelChange(5)))
			r.push(withChannel(5, inChannel(5, 1, 11, 1)))
		}, []string{"635b4c09", "635b4c09", "ch5-1", "ch5-2"}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := following(t)
			c.then(r)
			if r.want(c.name, c.want...); r.m.leftAt(r.now, 5) != c.left || (r.m.channelAt(5) == nil) != (c.left > 0) {
				t.Errorf("it was left at %d, and is %+v", r.m.leftAt(r.now, 5), r.m.channelAt(5))
			}
		})
	}
}

// What a durable consumer has not acknowledged of a channel when the account leaves it
// is not stored as had when the account comes back.
func TestAChannelThatIsFollowedAgainIsStoredWhereItWasAcknowledged(t *testing.T) {
	r := following(t)
	r.m.Durable(r.now, true)
	r.push(withChannel(5, inChannel(5, 1, 11, 1)))
	r.push(withChats([]tl.Raw{forbiddenChat(5)}, channelChange(5)))
	r.push(withChannel(5, inChannel(5, 2, 12, 1)))
	r.want("two were delivered", "ch5-1", "635b4c09", "ch5-2", "Save{pts 1, qts 0, date 0, seq 0, page 5:, channel 5 pts 10} now")
	r.m.Acked(r.now, 1)
	r.advance(saveDelay)
	r.want("and one acknowledged", "Save{pts 1, qts 0, date 0, seq 0, page 5:, channel 5 pts 11}")
}

func TestChannelsThatWereLeftAreForgotten(t *testing.T) {
	r := following(t)
	for id := range int64(leftMost + 6) {
		r.push(withChannel(100+id, inChannel(100+id, 1, 5, 1)))
		r.push(withChats([]tl.Raw{forbiddenChat(100 + id)}, channelChange(100+id)))
	}
	drain(r.m)
	if n := len(r.m.chans.left); n != leftMost || r.m.leftAt(r.now, 105) != 0 || r.m.leftAt(r.now, 106) != 5 {
		t.Errorf("%d are remembered", n)
	}
}
