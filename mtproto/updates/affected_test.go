package updates

import (
	"strings"
	"testing"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

func affectedMessages(pts, count int32) tl.Raw {
	return tl.AppendInt32(tl.AppendInt32(tl.AppendUint32(nil, affectedMessagesID), pts), count)
}

func affectedHistory(pts, count int32) tl.Raw {
	return tl.AppendInt32(tl.AppendInt32(tl.AppendInt32(tl.AppendUint32(nil, affectedHistoryID), pts), count), 0)
}

// readHistory is messages.readHistory of a peer.
func readHistory(p tl.Object) tl.Raw {
	return tl.AppendInt32(append(tl.AppendUint32(nil, 0x0e306d3a), raw(p)...), 9)
}

// deleteInChannel is channels.deleteMessages.
func deleteInChannel(c tl.Object) tl.Raw {
	return tl.AppendInt32(tl.AppendVectorHeader(append(tl.AppendUint32(nil, 0x84c1fd4e), raw(c)...), 1), 1)
}

func TestWhatAQueryDidMovesItsPlace(t *testing.T) {
	const askCommon = "GetDifference{pts 1, qts 0, date 0, seq 0}"
	for name, c := range map[string]struct {
		query, result tl.Raw
		want          []string
		next          tl.Raw // comes at once if the place has moved as it should
	}{
		"a user's history":      {readHistory(&tg.InputPeerUser{UserID: 5}), affectedMessages(3, 2), nil, short(deleted(1, 4, 1))},
		"nothing moved":         {readHistory(&tg.InputPeerUser{UserID: 5}), affectedMessages(0, 0), nil, short(deleted(1, 2, 1))},
		"a channel's history":   {readHistory(&tg.InputPeerChannel{ChannelID: 5}), affectedHistory(12, 2), nil, withChannel(5, inChannel(5, 1, 13, 1))},
		"a channel's messages":  {deleteInChannel(&tg.InputChannel{ChannelID: 5}), affectedMessages(11, 1), nil, withChannel(5, inChannel(5, 1, 12, 1))},
		"one seen in a message": {deleteInChannel(&tg.InputChannelFromMessage{Peer: &tg.InputPeerSelf{}, ChannelID: 5}), affectedMessages(11, 1), nil, withChannel(5, inChannel(5, 1, 12, 1))},
		"one nobody follows":    {deleteInChannel(&tg.InputChannel{ChannelID: 6}), affectedMessages(11, 1), nil, withChannel(6, inChannel(6, 1, 90, 1))},
		"a query nobody knows":  {tl.Raw{1, 2, 3, 4}, affectedMessages(3, 2), []string{askCommon}, nil},
		"a result cut short":    {readHistory(&tg.InputPeerSelf{}), affectedMessages(3, 2)[:9], []string{askCommon}, nil},
	} {
		r := following(t)
		r.m.Learn(r.now, c.query, c.result)
		r.want(name, c.want...)
		if c.next == nil {
			continue
		}
		r.push(c.next)
		if lines := drain(r.m); len(lines) == 0 || strings.HasPrefix(lines[0], "Get") {
			t.Errorf("%s: what comes next is not in order: %q", name, lines)
		}
	}
}

func TestAGapBehindAResultIsNoticed(t *testing.T) {
	r := following(t)
	r.m.Learn(r.now, deleteInChannel(&tg.InputChannel{ChannelID: 5}), affectedMessages(13, 1))
	r.push(withChannel(5, inChannel(5, 1, 14, 1)))
	r.advance(gapWait)
	r.want("somebody else's update did not come", askFive)
	r.answer(&tg.UpdatesChannelDifference{Final: true, Pts: 14, OtherUpdates: []tl.Raw{inChannel(5, 9, 12, 2), inChannel(5, 1, 14, 1)}})
	r.want("and all is well", "ch5-9 ch5-1")
}

func TestUpdatesInAResultAreTakenLikePushes(t *testing.T) {
	inner := withChannel(5, inChannel(5, 1, 11, 1))
	invited := tl.AppendVectorHeader(append(tl.AppendUint32(nil, 0x7f5defa6), inner...), 0)
	for name, result := range map[string]tl.Raw{"as they are": inner, "in another value": invited} {
		r := following(t)
		if !Concerns(result) {
			t.Errorf("%s: nobody looks at it", name)
		}
		r.m.Learn(r.now, nil, result)
		r.push(inner)
		r.want(name+", and once", "ch5-1")
	}
	for name, result := range map[string]tl.Raw{"nothing": nil, "a state": raw(&tg.UpdatesState{}), "a Bool": tl.AppendBool(nil, true)} {
		if Concerns(result) {
			t.Errorf("%s concerns updates", name)
		}
	}
}
