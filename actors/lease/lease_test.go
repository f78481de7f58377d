package lease

import (
	"errors"
	"testing"
	"time"
)

// clocks are what a test sets.
type clocks struct{ Reading }

func (c *clocks) read() Reading { return c.Reading }

// pass lets the wall clock and the one since the start go on. Times of tests have no
// monotonic clock, so that each clock is set apart.
func (c *clocks) pass(d time.Duration) { c.Now, c.Boot = c.Now.Add(d), c.Boot+d }

func TestALeaseEndsByTheClockThatWentFurthest(t *testing.T) {
	for _, c := range []struct {
		name  string
		then  func(*clocks)
		lasts bool
	}{
		{"nothing has happened", func(*clocks) {}, true},
		{"a little less than its time", func(c *clocks) { c.pass(10*time.Second - 1) }, true},
		{"its time", func(c *clocks) { c.pass(10 * time.Second) }, false},
		{"the machine was suspended: only the time since its start went on", func(c *clocks) { c.Boot += time.Minute }, false},
		{"the wall clock was set ahead", func(c *clocks) { c.Now = c.Now.Add(time.Hour) }, false},
		{"the wall clock was set back, and it is over", func(c *clocks) { c.pass(20 * time.Second); c.Now = c.Now.Add(-time.Hour) }, false},
		{"the wall clock was set back, and it is not over", func(c *clocks) { c.pass(5 * time.Second); c.Now = c.Now.Add(-time.Hour) }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			now := &clocks{Reading{time.Unix(1_800_000_000, 0), time.Hour}}
			l := New(now.read)
			if err := l.Check(); !errors.As(err, new(*EndedError)) {
				t.Fatalf("before the first renewal: %v", err)
			}
			l.Extend(l.Ask(), 10*time.Second)
			c.then(now)
			if err := l.Check(); (err == nil) != c.lasts {
				t.Fatalf("after it: %v", err)
			}
			l.End()
			if err := l.Check(); err == nil {
				t.Fatal("it was ended and lasts")
			}
		})
	}
}

func TestAnAnswerThatComesLateExtendsFromWhenItWasAskedFor(t *testing.T) {
	now := &clocks{Reading{time.Unix(1_800_000_000, 0), 0}}
	l := New(now.read)
	asked := l.Ask()
	now.pass(7 * time.Second)
	l.Extend(asked, 10*time.Second)
	if left := l.Left(); left != 3*time.Second {
		t.Fatalf("it lasts %v", left)
	}
	// An answer that overtook an older one is not undone by that.
	l.Extend(l.Ask(), 10*time.Second)
	l.Extend(asked, 10*time.Second)
	if left := l.Left(); left != 10*time.Second {
		t.Fatalf("it lasts %v", left)
	}
	now.pass(time.Minute)
	l.Extend(asked, 10*time.Second)
	if err := l.Check(); err == nil {
		t.Fatal("an answer to what was asked long ago began a lease")
	}
}

func TestTheSystemsClocksGoOn(t *testing.T) {
	a := System()
	b := System()
	if b.since(a) > 0 || a.since(b) < 0 || a.Now.IsZero() {
		t.Fatalf("%+v and then %+v", a, b)
	}
}

func BenchmarkCheck(b *testing.B) {
	l := New(System)
	l.Extend(l.Ask(), time.Hour)
	for b.Loop() {
		if err := l.Check(); err != nil {
			b.Fatal(err)
		}
	}
}
