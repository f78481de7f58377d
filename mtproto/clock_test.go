package mtproto

import (
	"testing"
	"time"
)

func TestClockGrowsFromMessagesAndFallsOnlyOnProof(t *testing.T) {
	at := func(d time.Duration) msgID { return idAt(testEpoch.Add(d).UnixNano()) }
	var c clockState
	c.start(testEpoch)
	offset := func(rule string, want time.Duration) {
		t.Helper()
		if got := c.offset; (got - want).Abs() > time.Microsecond {
			t.Errorf("%s: offset %v, want %v", rule, got, want)
		}
	}
	if !c.inTime(testEpoch, at(-time.Hour*24*365)) {
		t.Error("an unknown clock refuses nothing")
	}
	c.observe(testEpoch, at(-time.Minute))
	offset("the first message sets the clock", -time.Minute)
	c.observe(testEpoch, at(-50*time.Second))
	offset("a later stamp is a better one", -50*time.Second)
	c.observe(testEpoch, at(-55*time.Second))
	offset("an earlier stamp was delayed", -50*time.Second)
	c.observeAnswer(testEpoch, at(-64*time.Second), at(-50*time.Second))
	offset("14 s older than its request is no proof", -50*time.Second)
	c.observeAnswer(testEpoch, at(-66*time.Second), at(-50*time.Second))
	offset("16 s older than its request is proof", -66*time.Second)
	c.set(testEpoch, at(-time.Hour))
	offset("bad_msg 17 is proof", -time.Hour)
	if got := c.unix(testEpoch.Add(time.Minute)); got != uint32(testEpoch.Add(-59*time.Minute).Unix()) {
		t.Errorf("server time is %d", got)
	}
}

func TestClockCountsFromTheMonotonicReading(t *testing.T) {
	// Times that carry a monotonic reading are told apart by it, so a wall clock that was set goes unnoticed.
	// Here the times carry none, and the session keeps its own time from going back.
	p := newPeer(t, nil)
	p.connect()
	p.receive("pong c1", true)
	before := p.s.clock.server(p.s.now)
	p.now = p.now.Add(-time.Hour)
	p.s.Advance(p.now)
	if p.s.clock.server(p.s.now) != before {
		t.Error("server time went back with the wall clock")
	}
	if d := p.s.Deadline().Sub(p.now); d > time.Minute || d < 0 {
		t.Errorf("deadline in %v", d)
	}
}

func TestClockSavesWhenItMoved(t *testing.T) {
	var c clockState
	c.offset = time.Second
	if c.moved(0) {
		t.Error("a second is not worth a save")
	}
	c.offset = 3 * time.Second
	if !c.moved(0) || c.moved(0) {
		t.Error("three seconds are, once")
	}
}
