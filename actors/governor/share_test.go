package governor

import (
	"fmt"
	"testing"
	"time"
)

// A DC whose handshakes are never answered keeps its permits for as long as they
// may be kept. The others have theirs all the same.
func TestASilentDCDoesNotStarveTheOthers(t *testing.T) {
	for _, tc := range []struct {
		name   string
		limits Limits
		silent []int // DCs that never answer
		within time.Duration
	}{
		{"one silent DC, as configured by nobody", Limits{}, []int{2}, time.Second},
		{"all others are silent", Limits{}, []int{1, 2, 3, 5}, time.Second},
		{"one key at a time", Limits{KeysAtOnce: 1}, []int{2}, 3 * time.Second},
		{"two at a time, which one DC may have", Limits{KeysAtOnce: 2}, []int{2, 3}, 2 * time.Second},
		{"one at a time and DC", Limits{KeysAtOncePerDC: 1}, []int{1, 2, 3}, 3 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			run(t, tc.limits, func(w *world) {
				for _, dc := range tc.silent {
					for range 100 {
						w.want(fmt.Sprint("silent ", dc), MakeKey, dc, true, nil)
					}
				}
				time.Sleep(10 * time.Second)
				begun := time.Since(w.start)
				for range 20 {
					w.want("healthy", MakeKey, 4, true, func(t *Ticket) {
						time.Sleep(100 * time.Millisecond)
						w.done(t, Unknown)
					})
				}
				time.Sleep(tc.within - 100*time.Millisecond)
				if got := len(w.grants("healthy")); got != 20 {
					t.Errorf("%d of 20 keys could be made on the healthy DC within %v of %v", got, tc.within, begun)
				}
				for _, dc := range tc.silent {
					at := w.grants(fmt.Sprint("silent ", dc))
					limit := tc.limits.withDefaults().KeysAtOncePerDC
					if len(at) > limit {
						t.Errorf("DC %d: %d keys at once, the limit is %d", dc, len(at), limit)
					}
				}
			})
		})
	}
}

// Every DC gets its part of a budget that all share, whatever the order of their
// numbers and however the budget comes in.
func TestACommonBudgetIsSharedByAllDCs(t *testing.T) {
	const dcs, wants = 4, 200
	for k := range kinds {
		t.Run(k.String(), func(t *testing.T) {
			rate := Rate{PerSecond: 10, Burst: 1}
			l := Limits{
				Connects: rate, Keys: rate, SignIns: rate,
				ConnectsPerDC: rate, KeysPerDC: rate, SignInsPerDC: rate, KeysAtOnce: 1000,
			}
			run(t, l, func(w *world) {
				for range wants {
					for dc := 1; dc <= dcs; dc++ {
						label := fmt.Sprint("DC ", dc)
						w.want(label, k, dc, true, func(t *Ticket) { w.done(t, Worked) })
					}
				}
				time.Sleep(40 * time.Second)
				for dc := 1; dc <= dcs; dc++ {
					if got := len(w.grants(fmt.Sprint("DC ", dc))); got < 99 || got > 102 {
						t.Errorf("DC %d got %d of 400 permits, want a quarter", dc, got)
					}
				}
			})
		})
	}
}
