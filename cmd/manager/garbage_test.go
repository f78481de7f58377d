package main

import "testing"

func TestGarbageIsCollectedOftenWhileAFleetGrows(t *testing.T) {
	const mb = 1 << 20
	for _, c := range []struct {
		name       string
		live, last uint64
		want       int
	}{
		{"the first collection of a small process is followed by one at the default", 4 * mb, 0, 100},
		{"a small heap that grows has its room", 16 * mb, 14 * mb, 50},
		{"a large one that grows by a twentieth is collected often", 105 * mb, 100 * mb, 25},
		{"one that grew by a hundredth is not growing", 101 * mb, 100 * mb, 100},
		{"nor is one that shrank", 80 * mb, 100 * mb, 100},
		{"an empty heap has the default", 0, 0, 100},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := garbagePercent(c.live, c.last); got != c.want {
				t.Errorf("%d percent, want %d", got, c.want)
			}
		})
	}
}
