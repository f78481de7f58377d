package mtproto

import (
	"testing"
	"time"
)

func TestPingKeepsTime(t *testing.T) {
	at := func(s float64) time.Time { return testEpoch.Add(time.Duration(s * float64(time.Second))) }
	s := pingState{interval: time.Minute}
	s.connected(testEpoch, false)
	if !s.due(testEpoch) {
		t.Fatal("a new connection is pinged at once")
	}
	nonce, delay := s.sent(testEpoch, 4, 0)
	if delay != 75 {
		t.Errorf("the server may close after %d s, want 75", delay)
	}
	if pong, read := s.limits(); !pong.Equal(at(15)) || !read.Equal(at(135)) {
		t.Errorf("idle limits %v, %v", pong.Sub(testEpoch), read.Sub(testEpoch))
	}
	if s.pong(at(1), nonce+1) || !s.pong(at(1), nonce) {
		t.Error("only the right ping_id answers")
	}
	if s.rtt != time.Second {
		t.Errorf("rtt %v", s.rtt)
	}
	s.heardAt = at(1)
	if got := s.nextAt(); !got.Equal(at(60)) {
		t.Errorf("next idle ping after %v", got.Sub(testEpoch))
	}
	s.active(at(10), true)
	if got := s.nextAt(); !got.Equal(at(12.5)) { // 1.5 rtt + 1 s
		t.Errorf("next active ping after %v", got.Sub(testEpoch))
	}
	s.heardAt = at(12)
	if got := s.nextAt(); !got.Equal(at(14.5)) {
		t.Errorf("what is heard puts it off: %v", got.Sub(testEpoch))
	}
	s.sent(at(14.5), 8, 0)
	if pong, read := s.limits(); !pong.Equal(at(14.5+6.25)) || !read.Equal(at(12+8.75)) {
		t.Errorf("active limits %v, %v", pong.Sub(testEpoch), read.Sub(testEpoch))
	}
	if s.expired(at(20)) != nil || s.expired(at(21)) == nil {
		t.Error("expired at the limit, not before")
	}
	s.active(at(15), false)
	if s.expired(at(21)) != nil {
		t.Error("an idle connection may be silent for longer")
	}
}

func TestPingCanBeSwitchedOffWhileIdle(t *testing.T) {
	s := pingState{interval: -1}
	s.connected(testEpoch, false)
	nonce, _ := s.sent(testEpoch, 4, 0)
	s.pong(testEpoch, nonce)
	if !s.deadline().IsZero() {
		t.Error("no deadline while idle")
	}
	s.active(testEpoch, true)
	if s.deadline().IsZero() {
		t.Error("a pending query is watched all the same")
	}
}

func TestTheFirstPingsOfACrowdSpreadOverTheInterval(t *testing.T) {
	tenths := map[time.Duration]bool{}
	for i := range uint64(200) {
		s := pingState{interval: time.Minute, spread: true}
		s.connected(testEpoch, false)
		s.sent(testEpoch, 4, i*0x9e3779b97f4a7c15)
		s.waiting = false
		d := s.nextAt().Sub(testEpoch)
		if d > time.Minute || d < 6*time.Second {
			t.Errorf("the second ping after %v", d)
		}
		tenths[d/(6*time.Second)] = true
		s.sent(testEpoch.Add(d), 8, i*0x9e3779b97f4a7c15)
		s.waiting = false
		if again := s.nextAt().Sub(testEpoch) - d; again < 55*time.Second {
			t.Errorf("the third one %v later", again)
		}
	}
	if len(tenths) < 9 {
		t.Errorf("second pings in %d tenths of the interval", len(tenths))
	}
}

func TestPingsOfManySessionsSpread(t *testing.T) {
	seen := map[time.Duration]bool{}
	for i := range uint64(100) {
		s := pingState{interval: time.Minute}
		s.sent(testEpoch, 4, i*0x9e3779b97f4a7c15)
		s.waiting = false
		d := s.nextAt().Sub(testEpoch)
		if d > time.Minute || d < 55*time.Second {
			t.Errorf("next ping after %v", d)
		}
		seen[d] = true
	}
	if len(seen) != 6 {
		t.Errorf("pings at %d different seconds of the last five", len(seen))
	}
}

// What many sessions do once a minute they do at the same moment, the seconds of their
// common clock, whenever they began; and never later than they would have otherwise.
func TestPingsComeTogetherAtFullSeconds(t *testing.T) {
	for i := range uint64(100) {
		begun := testEpoch.Add(time.Duration(i) * 10 * time.Millisecond)
		s := pingState{interval: time.Minute}
		s.connected(begun, false)
		s.sent(begun, 4, i*0x9e3779b97f4a7c15)
		s.waiting = false
		at := s.nextAt()
		if at.Nanosecond() != 0 {
			t.Errorf("a ping at %v", at)
		}
		if d := at.Sub(begun); d > time.Minute || d < 54*time.Second {
			t.Errorf("next ping after %v", d)
		}
		if s.due(at.Add(-time.Nanosecond)) || !s.due(at) {
			t.Error("a ping is due at another time than the deadline")
		}
	}
}

// A ping that somebody waits for, and one at an interval of seconds, come at their own time.
func TestOtherPingsAreNotMoved(t *testing.T) {
	begun := testEpoch.Add(300 * time.Millisecond)
	s := pingState{interval: 5 * time.Second}
	s.connected(begun, false)
	s.sent(begun, 4, 0)
	s.waiting = false
	if at := s.nextAt(); !at.Equal(begun.Add(5 * time.Second)) {
		t.Errorf("the next of a short interval is due after %v", at.Sub(begun))
	}
	s.interval = time.Minute
	s.active(begun, true)
	if at := s.nextAt(); !at.Equal(begun.Add(minActiveInterval)) {
		t.Errorf("the next while a query is pending is due after %v", at.Sub(begun))
	}
}

func TestARoundTripIsToldOnce(t *testing.T) {
	s := &Session{}
	if _, told := s.RoundTrip(); told {
		t.Error("one is told before the first ping")
	}
	for _, took := range []time.Duration{0, 42 * time.Millisecond, 100 * 24 * time.Hour} {
		nonce, _ := s.ping.sent(testEpoch, 4, 0)
		if !s.ping.pong(testEpoch.Add(took), nonce) {
			t.Fatal("it is no answer")
		}
		want := min(took, (1<<32-2)*time.Microsecond)
		if got, told := s.RoundTrip(); !told || got != want {
			t.Errorf("%v is told as %v, %v", took, got, told)
		}
		if _, told := s.RoundTrip(); told {
			t.Errorf("%v is told twice", took)
		}
	}
}
