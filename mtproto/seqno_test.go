package mtproto

import "testing"

func TestSeqnoCountsContentRelatedMessages(t *testing.T) {
	var s seqState
	for i, step := range []struct {
		content bool
		want    uint32
	}{{false, 0}, {true, 1}, {false, 2}, {false, 2}, {true, 3}, {true, 5}, {false, 6}} {
		if got := s.next(step.content); got != step.want {
			t.Errorf("message %d: seqno %d, want %d", i, got, step.want)
		}
	}
	if needsAck(2) || !needsAck(3) {
		t.Error("odd seqnos are acknowledged, even ones not")
	}
}
