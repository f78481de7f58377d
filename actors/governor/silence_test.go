package governor

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestADCIsSuspectedWhenTwoAccountsHadNoAnswer(t *testing.T) {
	for _, tc := range []struct {
		name string
		play func(silent func(dc int, who uint64))
		want []int
	}{
		{"one account alone has a dead socket", func(silent func(int, uint64)) {
			silent(2, alice)
			silent(2, alice)
		}, nil},
		{"two of one DC", func(silent func(int, uint64)) { silent(2, alice); silent(2, bob) }, []int{2}},
		{"two of two DCs", func(silent func(int, uint64)) { silent(2, alice); silent(4, bob) }, nil},
		{"nobody is no witness", func(silent func(int, uint64)) { silent(2, 0); silent(2, bob) }, nil},
		{"too far apart", func(silent func(int, uint64)) {
			silent(2, alice)
			time.Sleep(silentTogether + 1)
			silent(2, bob)
		}, nil},
		{"a crowd is suspected once", func(silent func(int, uint64)) {
			for who := range uint64(100) {
				silent(2, who+1)
				time.Sleep(100 * time.Millisecond)
			}
		}, []int{2}},
		{"and again when it lasts", func(silent func(int, uint64)) {
			silent(2, alice)
			silent(2, bob)
			time.Sleep(suspectAgain)
			silent(2, alice)
		}, []int{2, 2}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got []int
			g := &Governor{limits: Limits{}.withDefaults(), tell: func(w Word) { got = append(got, w.DC) }, books: &books{}}
			// The rule asks for nothing of the actor but the time.
			now := time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)
			bubbleSleep(t, func(since func() time.Duration) {
				tc.play(func(dc int, who uint64) { g.onSilent(now.Add(since()), g.at(place{dc: dc}), who) })
			})
			if len(got) != len(tc.want) {
				t.Errorf("suspected %v, want %v", got, tc.want)
			}
		})
	}
}

// bubbleSleep runs f in virtual time.
func bubbleSleep(t *testing.T, f func(since func() time.Duration)) {
	synctest.Test(t, func(*testing.T) {
		begun := time.Now()
		f(func() time.Duration { return time.Since(begun) })
	})
}
