package world

import (
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
)

func TestACallIsHeldToTheEndOfItsWaitAsItWasToldLast(t *testing.T) {
	for name, c := range map[string]struct {
		told []int // seconds from the beginning, in order
		bad  bool
	}{
		"told once, and not over":            {told: []int{40}, bad: true},
		"told once, and over":                {told: []int{32}},
		"told too late, and then right":      {told: []int{40, 32}},
		"told again for longer, and not yet": {told: []int{32, 40}, bad: true},
	} {
		begun := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
		now := begun
		j := newJudge(newRecorder(func() time.Time { return now }), false)
		complaints := 0
		j.OnComplaint = func(string) { complaints++ }
		for i, s := range c.told {
			j.auditWait("a", int64(i), &actors.WaitError{Method: echoMethod, Until: begun.Add(time.Duration(s) * time.Second)})
		}
		now = begun.Add(30 * time.Second)
		j.waiting("a", 9)
		now = begun.Add(33 * time.Second)
		if j.auditWait("a", 9, nil); (complaints > 0) != c.bad {
			t.Errorf("%s: %d complaints", name, complaints)
		}
	}
}
