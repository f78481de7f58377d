package world

import (
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
)

func TestNoCallComesToADCInAWaitThatWasTold(t *testing.T) {
	for name, c := range map[string]struct {
		told  []int // the ends that callers hear, in seconds from the beginning
		ends  int   // the wait, by the DC
		came  int   // the next call to the DC, 0 for never
		again bool  // and is told to wait once more
		bad   bool
	}{
		"after the wait":                          {told: []int{32}, ends: 31, came: 33},
		"in the wait":                             {told: []int{32}, ends: 31, came: 30, bad: true},
		"in the wait, to be refused":              {told: []int{32}, ends: 31, came: 30, again: true, bad: true},
		"in the wait, which was told shorter":     {told: []int{32, 29}, ends: 31, came: 30, bad: true},
		"after the wait, which was told too late": {told: []int{40}, ends: 31, came: 33},
		"after a wait that nobody was told of":    {ends: 31, came: 30},
		"never, in the wait":                      {told: []int{32}, ends: 31},
	} {
		begun := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
		at := func(s int) time.Time { return begun.Add(time.Duration(s) * time.Second) }
		now := begun
		j := newJudge(newRecorder(func() time.Time { return now }), false)
		j.waitEnd = func(string) time.Time { return at(c.ends) }
		j.came = func(id int64) (t time.Time) {
			if id == 9 && c.came > 0 {
				t = at(c.came)
			}
			return t
		}
		complaints := 0
		j.OnComplaint = func(string) { complaints++ }
		for i, s := range c.told {
			j.auditWait("a", int64(i), &actors.WaitError{Method: echoMethod, Until: at(s)})
		}
		now = at(25)
		j.waiting("a", 9)
		now = at(33)
		var err error
		if c.again {
			err = &actors.WaitError{Method: echoMethod, Until: at(34)}
		}
		if j.auditWait("a", 9, err); (complaints > 0) != c.bad {
			t.Errorf("%s: %d complaints", name, complaints)
		}
	}
}
