package updates

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

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

func TestSnapshotRoundTrip(t *testing.T) {
	for _, s := range []Snapshot{{}, {Missed: true}, {State: State{1, 2, 3, 4}, Known: true}} {
		if diff := cmp.Diff(s, New(s).Snapshot()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}
