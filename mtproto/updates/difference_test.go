package updates

import (
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

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
