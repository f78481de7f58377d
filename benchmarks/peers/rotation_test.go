package peers

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gotd/td/telegram"

	"github.com/mtfleet/mtfleet/actors/actorstest"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
)

// TestGotdRotatesItsTempKey lets gotd renew its temp key by itself: 60 s is the shortest life it takes, and it renews
// after three quarters of it by making a new connection. The test waits for that in real time and calls all the while.
func TestGotdRotatesItsTempKey(t *testing.T) {
	t.Parallel()
	const life = 60
	ctx := within(t, limit)
	s := actorstest.Start(t, serve.Config{Bots: 1})
	d := read(t, s)
	b := d.Bots[0]
	c := newGotd(t, d, b.DC, nil).pfs(true, life).wantUpdates()
	calls := 0
	err := c.run(ctx, func(ctx context.Context, client *telegram.Client) error {
		if _, err := client.Auth().Bot(ctx, b.Token); err != nil {
			return err
		}
		for afterwards := 0; afterwards < 5; calls++ {
			if err := checkSelf(ctx, t, client.API(), b.UserID, true); err != nil {
				return err
			}
			if s.Counts().Binds > 1 {
				afterwards++
			}
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
				return errors.New("peers: the temp key was not rotated")
			}
		}
		return c.checkPush(ctx, t, s, b.UserID)
	})
	if err != nil {
		t.Fatal(err)
	}
	checkCounts(t, s, dctest.Counts{PermKeys: 1, TempKeys: 2, Binds: 2, Logins: 1})
	judge(t, s, c.storeKeys(t))
	l := s.Ledger()
	checkRotation(t, l, life*time.Second)
	t.Logf("%d calls across the rotation, bound at %s and %s", calls, l.Binds[0].At.Format(time.StampMilli), l.Binds[1].At.Format(time.StampMilli))
}

// checkRotation tells from the ledger that two temp keys of the given life were bound to one perm key, the second while
// the first was alive.
func checkRotation(t *testing.T, l dctest.Ledger, life time.Duration) {
	t.Helper()
	if len(l.Binds) != 2 {
		t.Fatalf("%d binds in the ledger", len(l.Binds))
	}
	first, second := l.Binds[0], l.Binds[1]
	if first.Temp == second.Temp || first.Perm != second.Perm {
		t.Errorf("binds %+v: want two temp keys of one perm key", l.Binds)
	}
	for _, k := range l.Keys {
		if !k.Temp {
			continue
		}
		if got := k.Expires.Sub(k.Created).Round(time.Second); got != life {
			t.Errorf("temp key %x lives %s, asked for %s", k.ID, got, life)
		}
		if k.ID == first.Temp && !second.At.Before(k.Expires) {
			t.Errorf("rotated %s after the first temp key had expired", second.At.Sub(k.Expires))
		}
	}
}
