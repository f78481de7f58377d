package governor

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

const alice, bob, carol = 1, 2, 3

// unknown, answered and doubt are what accounts tell and ask about DC 2.
func (w *world) unknown(who uint64) { w.g.Send(KeyUnknown{DC: 2, Who: who}) }

// answered connects and is answered under a key.
func (w *world) answered(who uint64) {
	w.t.Helper()
	granted := make(chan struct{})
	t := &Ticket{Kind: Connect, DC: 2, Who: who, Granted: func() { close(granted) }}
	w.g.Send(Want{t})
	<-granted
	w.done(t, Answered)
}

func (w *world) doubt(dc int, who uint64, since time.Time) bool {
	w.t.Helper()
	reply := make(chan bool, 1)
	w.g.Send(Doubt{DC: dc, Who: who, Since: since, Reply: func(others bool) { reply <- others }})
	return <-reply
}

func TestDoubt(t *testing.T) {
	for _, tc := range []struct {
		name string
		play func(w *world)
		want bool // for alice, who got -404 when the play begins
	}{
		{"nobody else said anything: the key alone is in doubt", func(*world) {}, false},
		{"her own -404 do not speak for others", func(w *world) { w.unknown(alice); w.unknown(alice) }, false},
		{"a -404 of nobody speaks for nobody", func(w *world) { w.unknown(0) }, false},
		{"another account got -404 too", func(w *world) { w.unknown(bob) }, true},
		{"and her own later ones change nothing", func(w *world) { w.unknown(bob); w.unknown(alice); w.unknown(alice) }, true},
		{"two others did", func(w *world) { w.unknown(bob); w.unknown(carol); w.unknown(bob) }, true},
		{"it is remembered for a quarter of an hour", func(w *world) { w.unknown(bob); time.Sleep(15 * time.Minute) }, true},
		{"but not longer", func(w *world) { w.unknown(bob); time.Sleep(15*time.Minute + 1) }, false},
		{"somebody was answered on a new socket", func(w *world) { w.unknown(bob); w.answered(carol) }, false},
		{"also the one who got -404", func(w *world) { w.unknown(bob); w.answered(bob) }, false},
		{"her own answer is no answer of somebody else", func(w *world) { w.unknown(bob); w.answered(alice) }, true},
		{"one of nobody neither", func(w *world) { w.unknown(bob); w.answered(0) }, true},
		{"her own later one hides nobody's", func(w *world) { w.unknown(bob); w.answered(carol); w.answered(alice) }, false},
		{"a socket that only worked says nothing about keys", func(w *world) {
			w.unknown(bob)
			w.done(w.want("carol", Connect, 2, false, nil), Worked)
		}, true},
		{"a socket of before may lead to where the DC was", func(w *world) {
			w.unknown(bob)
			w.g.Send(Report{DC: 2, Outcome: Answered, Who: carol, Made: w.start})
		}, true},
		{"one made after may say so later", func(w *world) {
			w.unknown(bob)
			w.g.Send(Report{DC: 2, Outcome: Answered, Who: carol, Made: w.start.Add(time.Minute)})
		}, false},
		{"one of which nobody knows when it was made does not count", func(w *world) {
			w.unknown(bob)
			w.g.Send(Report{DC: 2, Outcome: Answered, Who: carol})
		}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			run(t, Limits{}, func(w *world) {
				since := time.Now()
				time.Sleep(time.Second)
				w.unknown(alice)
				tc.play(w)
				if got := w.doubt(2, alice, since); got != tc.want {
					t.Errorf("others: %v", got)
				}
				if w.doubt(4, alice, since) {
					t.Error("another DC is in doubt")
				}
			})
		})
	}
}

func TestAnsweredBringsADCUp(t *testing.T) {
	run(t, Limits{}, func(w *world) {
		w.done(w.want("a", Connect, 2, false, nil), Failed)
		probe := w.want("b", Connect, 2, false, nil)
		w.want("c", Connect, 2, false, nil)
		time.Sleep(time.Second)
		if len(w.grants("b")) != 1 || len(w.grants("c")) != 0 {
			t.Fatal("one probe, after one second")
		}
		w.done(probe, Answered)
		if len(w.grants("c")) != 1 {
			t.Error("the DC answered and is still down")
		}
	})
}

// TestTwoWitnessesAreEnough holds the two that are kept against a memory of
// everything.
func TestTwoWitnessesAreEnough(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var w witnesses
		all := map[uint64]time.Time{}
		start := time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)
		for range rapid.IntRange(1, 30).Draw(t, "words") {
			who := rapid.Uint64Range(0, 5).Draw(t, "who")
			at := start.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "at")) * time.Second)
			w.add(who, at)
			if who != 0 {
				all[who] = latest(all[who], at)
			}
			for asks := range uint64(7) {
				var want time.Time
				for other, at := range all {
					if other != asks {
						want = latest(want, at)
					}
				}
				if got := w.but(asks); !got.Equal(want) {
					t.Fatalf("the latest word of anybody but %d is %v, want %v", asks, got, want)
				}
			}
		}
	})
}
