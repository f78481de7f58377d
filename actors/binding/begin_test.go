package binding

import (
	"errors"
	"testing"
	"time"
)

// TestABindingReadsItsRecordsByItself: after the pause it was given it asks for
// them, and what it was told before goes then, under the key that was there.
func TestABindingReadsItsRecordsByItself(t *testing.T) {
	p := newPlay(t, setting{})
	p.stop(p.begin())
	conns, keys := p.net.last, p.net.core.Counts()
	home := p.open(2, true, func(c *Config) {
		records := *c.Keys
		c.Keys, c.After = nil, 3*time.Second
		c.Load = func(done func(Records, error)) {
			p.sim.AfterFunc(time.Second, func() { done(records, nil) })
		}
	})
	p.call(home, "1", 0)
	p.run(3900 * time.Millisecond)
	if p.net.last != conns {
		t.Error("it made a connection before it had its keys")
	}
	p.run(5 * time.Second)
	p.want(home, "1 answered")
	if now := p.net.core.Counts(); now.PermKeys != keys.PermKeys || now.TempKeys != keys.TempKeys {
		t.Errorf("keys were made: %+v, then %+v", keys, now)
	}
}

// TestABindingWhoseRecordsCannotBeReadDoesNothing: it makes no key in place of
// one that may be there, and gives back what waits when it is closed.
func TestABindingWhoseRecordsCannotBeReadDoesNothing(t *testing.T) {
	p := newPlay(t, setting{})
	fails := errors.New("no disk")
	home := p.open(2, true, func(c *Config) {
		c.Keys, c.Load = nil, func(done func(Records, error)) { done(Records{}, fails) }
	})
	p.call(home, "1", 0)
	p.run(time.Hour)
	if ev, ok := last[EventUnusable](home); !ok || !errors.Is(ev.Err, fails) || p.net.last != 0 {
		t.Errorf("it is told as %v; %d connections", ev.Err, p.net.last)
	}
	p.want(home)
	p.stop(home)
	p.want(home, "1 given back")
}
