package mtproto

import (
	"testing"
	"time"
)

func TestAcksWaitForCompany(t *testing.T) {
	var s ackState
	if s.due(testEpoch) || !s.deadline().IsZero() {
		t.Error("nothing to acknowledge")
	}
	s.add(testEpoch, 1)
	s.add(testEpoch.Add(time.Second), 5)
	s.add(testEpoch.Add(time.Second), 5)
	if len(s.ids) != 2 {
		t.Error("one id is acknowledged once")
	}
	if got := s.deadline(); !got.Equal(testEpoch.Add(ackDelay)) {
		t.Errorf("deadline %v after the first", got.Sub(testEpoch))
	}
	if s.due(testEpoch.Add(ackDelay-1)) || !s.due(testEpoch.Add(ackDelay)) {
		t.Error("due at the deadline, not before")
	}
	for i := range msgID(ackCount - 2) {
		s.add(testEpoch, 9+4*i)
	}
	if !s.due(testEpoch) {
		t.Error("sixteen do not wait")
	}
	s.sent(99)
	if s.due(testEpoch.Add(time.Hour)) {
		t.Error("acknowledged")
	}
}

func TestAcksOfARejectedMessageAreSentAgain(t *testing.T) {
	var s ackState
	for i := range msgID(3) {
		s.add(testEpoch, 1+4*i)
		s.sent(100 + i)
	}
	s.rejected(testEpoch, 101)
	if len(s.ids) != 1 || s.ids[0] != 5 {
		t.Errorf("to acknowledge again: %v, want 5", s.ids)
	}
	s.arrived(102)
	s.rejected(testEpoch, 100)
	if len(s.ids) != 1 {
		t.Error("what arrived is not sent again")
	}
	s.rejected(testEpoch, 102)
	if len(s.ids) != 2 || len(s.flying)+len(s.batches) != 0 {
		t.Errorf("to acknowledge again: %v", s.ids)
	}
}

func TestAcksAreBounded(t *testing.T) {
	var s ackState
	for i := range msgID(3 * maxIDs) {
		s.add(testEpoch, 4*i+1)
	}
	if len(s.ids) != maxIDs {
		t.Errorf("%d ids", len(s.ids))
	}
	s.sent(99)
	if cap(s.ids) > 2*ackCount {
		t.Error("the memory of a burst is kept")
	}
}
