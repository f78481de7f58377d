package peers

import (
	"context"
	"errors"
	"testing"

	"github.com/gotd/td/telegram"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/actorstest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
	sessions "github.com/mtfleet/mtfleet/persistence/foreign"
)

// TestGotdsSessionThereAndBack: a bot signs in with gotd, goes on in a manager with what gotd stored, goes on in gotd
// with what the manager handed out, and is taken back. One of them at a time is online.
func TestGotdsSessionThereAndBack(t *testing.T) {
	for name, pfs := range map[string]bool{"perm key": false, "pfs": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := within(t, limit)
			s := actorstest.Start(t, serve.Config{Bots: 1})
			d := read(t, s)
			b := d.Bots[0]
			c := newGotd(t, d, b.DC, nil).pfs(pfs, 0).wantUpdates()
			err := c.run(ctx, func(ctx context.Context, client *telegram.Client) error {
				_, err := client.Auth().Bot(ctx, b.Token)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			stored, err := c.stored.LoadSession(ctx)
			if err != nil {
				t.Fatal(err)
			}
			theirs, err := sessions.ParseText(stored)
			if err != nil {
				t.Fatal(err)
			}

			store := persistence.NewMemory()
			o := actorstest.OptionsFor(s.Descriptor(), store)
			o.AllowExport = true
			m := actorstest.Open(t, o)
			a, err := m.Import(ctx, "moved", theirs, actors.AccountOptions{NoPFS: !pfs})
			if err != nil {
				t.Fatal(err)
			}
			actorstest.Await(ctx, t, a, actors.Online)
			if got := actorstest.Call(t, a); got.UserID != b.UserID {
				t.Errorf("a call was made by user %d, want %d", got.UserID, b.UserID)
			}
			ours, err := a.Export(ctx, sessions.GoTD)
			if err != nil {
				t.Fatal(err)
			}

			back := newGotd(t, d, b.DC, nil).pfs(pfs, 0).wantUpdates()
			if err := back.stored.StoreSession(ctx, ours); err != nil {
				t.Fatal(err)
			}
			err = back.run(ctx, func(ctx context.Context, client *telegram.Client) error {
				return errors.Join(checkSelf(ctx, t, client.API(), b.UserID, true), back.checkPush(ctx, t, s, b.UserID))
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := a.TakeBack(ctx); err != nil {
				t.Fatal(err)
			}
			actorstest.Await(ctx, t, a, actors.Online)
			actorstest.Call(t, a)
			keys, err := actorstest.StoreKeys(store)
			if err != nil {
				t.Fatal(err)
			}
			judge(t, s, keys)
		})
	}
}
