package updates

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl/tg"
)

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
