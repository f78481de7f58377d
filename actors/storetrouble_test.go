package actors

import (
	"testing"
	"time"
)

func TestAStoreThatRefusesEverythingIsALineEveryTenSeconds(t *testing.T) {
	var s storeTrouble
	now := time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)
	lines, commits := 0, 0
	for i := range 10_000 { // a hundred seconds
		if n, tell := s.failed(now.Add(time.Duration(i) * 10 * time.Millisecond)); tell {
			lines++
			commits += n
		}
	}
	if lines != 10 || commits != 9001 {
		t.Errorf("%d lines about %d commits", lines, commits)
	}
}
