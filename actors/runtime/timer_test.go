package runtime

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestTimers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tr trace
		s := NewSystem(Options{})
		start := time.Now()
		r := SpawnRoot(s, &script[string]{
			started: func(c *Context[string]) {
				c.After(1, time.Second, "replaced")
				c.After(1, 3*time.Second, "one")
				c.After(2, 2*time.Second, "two")
				c.After(3, time.Second, "cancelled")
				c.Cancel(3)
				c.After(4, time.Hour, "never")
			},
			receive: func(c *Context[string], m string) {
				tr.add("%s@%v", m, time.Since(start))
				if m == "two" {
					c.After(2, 5*time.Second, "again")
				}
			},
		})
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := tr.String(); got != "two@2s one@3s again@7s" {
			t.Errorf("ticks %q", got)
		}
		r.Stop()
		<-r.Done()
		closeSystem(t, s)
	})
}

// A timer set to a time stands until that is another; one that fired, or was
// taken back, is set again.
func TestTimerAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tr trace
		s := NewSystem(Options{})
		start := time.Now()
		r := SpawnRoot(s, &script[string]{
			started: func(c *Context[string]) {
				c.At(1, start.Add(2*time.Second), "first")
				c.At(1, start.Add(2*time.Second), "not this")
				c.At(2, start.Add(time.Second), "late")
				c.At(2, start.Add(3*time.Second), "moved")
				c.At(3, start.Add(time.Second), "taken back")
				c.At(3, time.Time{}, "")
				c.At(4, start.Add(4*time.Second), "set before")
				c.After(4, 5*time.Second, "replaced")
				c.At(4, start.Add(4*time.Second), "set again")
			},
			receive: func(c *Context[string], m string) {
				tr.add("%s@%v", m, time.Since(start))
				if m == "first" {
					c.At(1, start.Add(2*time.Second), "once more")
				}
			},
		})
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := tr.String(); got != "first@2s once more@2s moved@3s set again@4s" {
			t.Errorf("ticks %q", got)
		}
		r.Stop()
		<-r.Done()
		closeSystem(t, s)
	})
}

// A tick already queued when its timer is cancelled must not come.
func TestQueuedTickIsRevoked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSystem(Options{})
		release := make(chan struct{})
		var ticks int
		r := SpawnRoot(s, &script[string]{
			started: func(c *Context[string]) { c.After(1, time.Second, "tick") },
			receive: func(c *Context[string], m string) {
				if m == "tick" {
					ticks++
					return
				}
				<-release // meanwhile the timer fires
				c.Cancel(1)
			},
		})
		r.Send("busy")
		time.Sleep(2 * time.Second)
		close(release)
		synctest.Wait()
		if ticks != 0 {
			t.Errorf("%d ticks of a cancelled timer", ticks)
		}
		closeSystem(t, s)
	})
}
