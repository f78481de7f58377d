package pfs

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
)

// TestAFleetThatStartedTogetherDoesNotRotateTogether: accounts whose first temp
// keys were made in one instant rotate for the first time all over the window that
// Spread states, never outside it, and for the second time over twice as much.
func TestAFleetThatStartedTogetherDoesNotRotateTogether(t *testing.T) {
	key, err := crypt.NewAuthKey(make([]byte, 256))
	if err != nil {
		t.Fatal(err)
	}
	next, err := crypt.NewAuthKey(append(make([]byte, 255), 1))
	if err != nil {
		t.Fatal(err)
	}
	const accounts = 200
	rapid.Check(t, func(t *rapid.T) {
		life := time.Duration(rapid.IntRange(60, 7*24*3600).Draw(t, "life in seconds")) * time.Second
		seed := rapid.Uint64().Draw(t, "seed")
		rounds := [2][]time.Duration{}
		for n := range accounts {
			var b [32]byte
			copy(b[:], fmt.Sprint(seed, " ", n))
			m := New(Config{PFS: true, TempLife: life, Reading: ReadingBoth, Rand: rand.NewChaCha8(b)}, Snapshot{Perm: &PermKey{Key: key}})
			now := epoch
			m.Start(now)
			for round := range rounds {
				finish(t, m, now, []*crypt.AuthKey{key, next}[round])
				now = m.Deadline()
				m.Advance(now)
				rounds[round] = append(rounds[round], now.Sub(epoch))
			}
		}
		for round, at := range rounds {
			slices.Sort(at)
			n := time.Duration(round + 1)
			spread, latest := n*Spread(life), n*(life-margin(life))
			// A life is cut to whole seconds, and those of a minute cannot be shorter.
			if first, last := at[0], at[accounts-1]; last > latest || first < latest-spread-n*time.Second {
				t.Fatalf("rotation %d of a life of %v was between %v and %v: not in the %v before %v", n, life, first, last, spread, latest)
			}
			within := Spread(life) / 5
			if life < 4*time.Minute {
				within = time.Second // of a minute nothing is subtracted
			}
			for i := range at {
				together := 0
				for j := i; j < accounts && at[j]-at[i] < within; j++ {
					together++
				}
				if together > accounts/2 {
					t.Fatalf("rotation %d of a life of %v: %d of %d accounts rotate within %v", n, life, together, accounts, within)
				}
			}
		}
	})
}

// finish makes and binds the temp key that a machine wants.
func finish(t *rapid.T, m *Machine, now time.Time, key *crypt.AuthKey) {
	for {
		out, ok := m.Next()
		if !ok {
			break
		}
		switch out.Kind {
		case OutPermit:
			m.Permitted(now, out.Key)
		case OutMake:
			m.Made(now, Temp, NewKey{Key: key, ExpiresAt: now.Add(out.ExpiresIn)})
		case OutHold:
			m.Held(now)
		case OutBind:
			m.Bound(now, out.Temp.ID())
		}
	}
	if m.Stage() != StageResting {
		t.Fatalf("no key serves: the machine is %v", m.Stage())
	}
	if m.retired != nil {
		m.Retired(now, m.retired.ID())
	}
}
