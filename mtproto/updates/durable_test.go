package updates

import (
	"slices"
	"testing"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// durable is a machine at pts 1 with channel 5 at 10, somebody who acknowledges,
// and nothing delivered yet.
func acknowledged(t *testing.T) *rig {
	r := following(t)
	r.m.Durable(r.now, true)
	return r
}

func TestAPlaceIsStoredWhenItIsAcknowledged(t *testing.T) {
	r := acknowledged(t)
	r.push(short(deleted(1, 2, 1)))
	r.push(withChannel(5, inChannel(5, 1, 11, 1)))
	r.push(short(deleted(2, 3, 1)))
	r.want("it is delivered", "del1", "ch5-1", "del2")
	r.advance(saveDelay)
	r.m.Flush(r.now)
	r.want("and nothing is stored")
	r.m.Acked(r.now, 1)
	r.advance(saveDelay)
	r.want("but what is acknowledged", "Save{pts 2, qts 0, date 1, seq 0}")
	r.m.Acked(r.now, 2)
	r.m.Acked(r.now, 1)
	r.advance(saveDelay)
	r.want("channels too", "Save{pts 2, qts 0, date 1, seq 0, page 5:, channel 5 pts 11}")
	if s := r.m.Snapshot(); s.State.Pts != 2 || s.Channels[0].Pts != 11 || s.Mark != 3 {
		t.Errorf("a restart would begin at %+v", s)
	}
	r.m.Acked(r.now, 99)
	r.m.Flush(r.now)
	r.want("no more than was delivered", "Save{pts 3, qts 0, date 1, seq 0} now")
	r.m.Durable(r.now, false)
	r.push(short(deleted(3, 4, 1)))
	r.advance(saveDelay)
	r.want("when nobody acknowledges, what is delivered is stored", "del3", "Save{pts 4, qts 0, date 1, seq 0}")
}

func TestAHoleIsAcknowledgedToo(t *testing.T) {
	r := acknowledged(t)
	r.m.Gap(r.now)
	drain(r.m)
	r.result(&tg.UpdatesDifferenceTooLong{Pts: 50})
	drain(r.m)
	r.result(&tg.UpdatesDifferenceEmpty{})
	r.advance(saveDelay)
	r.want("a process killed now will tell of it again")
	r.m.Acked(r.now, 1)
	r.advance(saveDelay)
	r.want("but not from then on", "Save{pts 50, qts 0, date 0, seq 0}")
}

func TestWhatNobodyAcknowledgesIsBounded(t *testing.T) {
	r := acknowledged(t)
	for i := range int32(unackedMost) {
		r.push(short(deleted(i, 2+i, 1)))
	}
	if n := len(drain(r.m)); n != unackedMost {
		t.Fatalf("%d updates were delivered", n)
	}
	r.wantPhase(PhaseStalled)
	r.push(short(deleted(1, unackedMost+2, 1)))
	r.push(withChannel(5, inChannel(5, 1, 11, 1), loginToken()))
	r.push(withChannel(6, inChannel(6, 1, 90, 1)))
	r.m.Gap(r.now)
	r.want("nothing more is taken, but where a channel begins", "Save{pts 1, qts 0, date 0, seq 0, page 6:, channel 6 pts 89} now")
	if r.m.kept != (tally{}) {
		t.Errorf("%+v is kept", r.m.kept)
	}
	r.m.Acked(r.now, unackedMost/2-1)
	r.want("until half of it is acknowledged")
	r.m.Acked(r.now, unackedMost/2)
	r.want("then it is asked for from where we stand",
		"GetDifference{pts 513, qts 0, date 1, seq 0}", "GetChannelDifference{channel:5, pts 10}", "GetChannelDifference{channel:6, pts 89}")
	r.wantPhase(PhaseFetching)
}

// TestTheHolesNobodyAcknowledgesAreBounded: of a channel that nobody follows the server may say any number of times that
// it is too long for pushes.
func TestTheHolesNobodyAcknowledgesAreBounded(t *testing.T) {
	r := acknowledged(t)
	for range 2 * unackedMost {
		r.push(withChannel(7, channelTooLong(7, 0)))
	}
	if n := len(drain(r.m)); n != unackedMost || len(r.m.durable.unacked) != unackedMost {
		t.Errorf("%d holes are told, and %d are to be acknowledged", n, len(r.m.durable.unacked))
	}
	r.wantPhase(PhaseStalled)
	r.m.Acked(r.now, unackedMost)
	r.want("what was said meanwhile the difference says again", "GetDifference{pts 1, qts 0, date 0, seq 0}")
	r.result(&tg.UpdatesDifference{OtherUpdates: []tl.Raw{channelTooLong(7, 0)}, State: tg.UpdatesState{Pts: 1}})
	r.want("and then it is told", "Hole{channel:7 after pts 0 to pts 0}")

	r = acknowledged(t)
	list := slices.Repeat([]tl.Raw{channelTooLong(7, 0)}, 2*unackedMost)
	r.push(withChannel(7, list...))
	if n := len(drain(r.m)); n != unackedMost {
		t.Errorf("%d holes are told out of one envelope", n)
	}
	r.wantPhase(PhaseStalled)
}

func TestTheBytesNobodyAcknowledgesAreBounded(t *testing.T) {
	r := acknowledged(t)
	big := tl.AppendVectorHeader(tl.AppendUint32(nil, 0xa20db0e5), 40_000)
	big = tl.AppendInt32(tl.AppendInt32(append(big, make([]byte, 4*40_000)...), 2), 1)
	r.push(short(big))
	r.wantPhase(PhaseCurrent)
	again := append(tl.Raw(nil), big...)
	again[len(again)-8] = 3
	r.push(short(again))
	r.wantPhase(PhaseStalled)
	drain(r.m)
	r.m.Durable(r.now, false)
	r.want("a consumer that goes takes the bound with it", "GetDifference{pts 3, qts 0, date 1, seq 0}")
}

func TestAConsumerMayBeHeld(t *testing.T) {
	r := acknowledged(t)
	r.m.Hold(r.now, true)
	r.push(short(deleted(1, 2, 1)))
	r.want("nothing is taken")
	r.m.Hold(r.now, false)
	r.want("and then asked for", "GetDifference{pts 1, qts 0, date 0, seq 0}")
}
