package updates

import (
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/tl/tg"
)

// TestALongSilenceIsAskedAbout: pushes may have stopped because the authorization
// has ended, and nothing else would say so.
func TestALongSilenceIsAskedAbout(t *testing.T) {
	r := at(t, State{Pts: 10, Date: 1, Seq: 1})
	drain(r.m)
	asked := 0
	for begun := r.now; r.now.Sub(begun) < 12*time.Hour; {
		r.advance(r.m.Deadline().Sub(r.now))
		if drain(r.m); r.m.Phase() == PhaseFetching {
			asked++
			r.result(&tg.UpdatesDifferenceEmpty{Date: 1, Seq: 1})
			drain(r.m)
		}
	}
	if asked < 36 || asked > 48 {
		t.Errorf("in twelve silent hours it was asked %d times", asked)
	}
}

// TestWhatComesIsNoSilence: each update puts the question off, and none sets the
// timer anew.
func TestWhatComesIsNoSilence(t *testing.T) {
	r := at(t, State{Pts: 10, Date: 1, Seq: 1})
	drain(r.m)
	first := r.m.Deadline()
	for pts := int32(11); r.now.Before(first.Add(-time.Minute)); pts++ {
		r.advance(time.Minute)
		r.m.Push(r.now, short(deleted(pts, pts, 1)))
		r.advance(2 * time.Second) // it is saved
		drain(r.m)
		if d := r.m.Deadline(); !d.Equal(first) {
			t.Fatalf("an update moved the time to look from %v to %v", first, d)
		}
	}
	r.advance(first.Sub(r.now))
	if out := drain(r.m); len(out) > 0 || r.m.Phase() != PhaseCurrent {
		t.Fatalf("after updates until a minute ago it says %q", out)
	}
	if left := r.m.Deadline().Sub(r.now); left < quietMost-2*time.Minute || left > quietMost+quietSpread {
		t.Errorf("it looks again in %v", left)
	}
	r.advance(r.m.Deadline().Sub(r.now))
	if out := drain(r.m); len(out) != 1 || r.m.Phase() != PhaseFetching {
		t.Errorf("after the silence it says %q", out)
	}
}

// TestAccountsThatWentQuietTogetherAskApart: of a thousand that lost their DC at
// one moment.
func TestAccountsThatWentQuietTogetherAskApart(t *testing.T) {
	const accounts, slots = 1000, 30
	var seen [slots]int
	for i := range accounts {
		m := New(Snapshot{State: State{Pts: 1 + int32(i%7), Date: 1_700_000_000 + int32(i)}, Known: true})
		q := m.quiet()
		if q < quietMost || q >= quietMost+quietSpread {
			t.Fatalf("account %d is quiet for %v", i, q)
		}
		seen[(q-quietMost)*slots/quietSpread]++
	}
	for slot, n := range seen {
		if n > 4*accounts/slots {
			t.Errorf("%d of %d ask in slot %d of %d", n, accounts, slot, slots)
		}
	}
}
