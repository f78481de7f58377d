package gotd_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/gotd/td/session"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/actorstest"
	"github.com/mtfleet/mtfleet/actors/gotd"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/foreign"
)

// manager opens one that may hand sessions out.
func manager(t *testing.T, s *serve.Cluster) *actors.Manager {
	t.Helper()
	o := actorstest.Options(s, persistence.NewMemory())
	o.AllowExport = true
	return actorstest.Open(t, o)
}

// TestASessionGoesToGotdAndBack: what gotd's own Loader reads and writes. That a
// gotd client goes online with it is the example's test.
func TestASessionGoesToGotdAndBack(t *testing.T) {
	actorstest.Bubble(t, func(t *testing.T) {
		s := actorstest.Cluster(t, actorstest.Small())
		ctx, bot := t.Context(), s.Descriptor().Bots[0]
		a := actorstest.SignInBot(t, manager(t, s), "bot", bot, actors.AccountOptions{})
		storage := gotd.Storage(a)
		loader := session.Loader{Storage: storage}
		data, err := loader.Load(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if data.DC != bot.DC || data.Addr == "" || len(data.AuthKey) != 256 || len(data.AuthKeyID) != 8 {
			t.Errorf("gotd reads DC %d, address %q, a key of %d bytes", data.DC, data.Addr, len(data.AuthKey))
		}
		if st := a.Status(); st.State != actors.Exported {
			t.Errorf("the account goes on beside its copy: %+v", st)
		}
		data.Salt = 42
		if err := loader.Save(ctx, data); err != nil {
			t.Errorf("what a gotd client saves: %v", err)
		}
		if again, err := loader.Load(ctx); err != nil || again.Salt != 42 {
			t.Errorf("what it reads back: %v", err)
		}
		other := *data
		other.AuthKey = make([]byte, 256)
		if err := loader.Save(ctx, &other); !errors.Is(err, gotd.ErrOtherKey) {
			t.Errorf("the key of another login is stored: %v", err)
		}
		if again, err := (&session.Loader{Storage: gotd.Storage(a)}).Load(ctx); err != nil || string(again.AuthKey) != string(data.AuthKey) {
			t.Errorf("after a restart of the client: %v", err)
		}

		// Taken back, it is not used here and there: the next client stops it again.
		if err := a.TakeBack(ctx); err != nil {
			t.Fatal(err)
		}
		actorstest.Wait(t, a, actors.Online)
		if again, err := loader.Load(ctx); err != nil || string(again.AuthKey) != string(data.AuthKey) {
			t.Errorf("after it was taken back: %v", err)
		}
		if st := a.Status(); st.State != actors.Exported {
			t.Errorf("a client has its session again, and it goes on beside: %+v", st)
		}

		// Into another fleet, and the bot is online there.
		b, err := gotd.Import(ctx, manager(t, s), "robot", storage, actors.AccountOptions{})
		if err != nil {
			t.Fatal(err)
		}
		actorstest.Wait(t, b, actors.Online)
		if st := b.Status(); st.UserID != bot.UserID || !st.Bot {
			t.Errorf("taken in: %+v", st)
		}
	})
}

func TestASessionIsHandedOutThroughTheSameGateAsAnyExport(t *testing.T) {
	start(t, func(ctx context.Context, t *testing.T, w *world) {
		if _, err := gotd.Storage(w.bot).LoadSession(ctx); !errors.Is(err, actors.ErrExportOff) {
			t.Errorf("it is off, and LoadSession ended with %v", err)
		}
		if st := w.bot.Status(); st.State != actors.Online {
			t.Errorf("a refused export stopped the account: %+v", st)
		}
		if err := gotd.Storage(w.bot).StoreSession(ctx, []byte("{}")); !errors.Is(err, gotd.ErrOtherKey) {
			t.Errorf("a session is stored that nobody was handed: %v", err)
		}
		synctest.Wait()
	})
}

func TestWhatIsNoSessionIsNotTakenIn(t *testing.T) {
	start(t, func(ctx context.Context, t *testing.T, w *world) {
		var empty, bad session.StorageMemory
		if err := bad.StoreSession(ctx, []byte(`{"Version":1,"Data":{"AuthKey":"AAAA"}}`)); err != nil {
			t.Fatal(err)
		}
		_, err := gotd.Import(ctx, w.manager, "empty", &empty, actors.AccountOptions{})
		if !errors.Is(err, session.ErrNotFound) {
			t.Errorf("an empty storage: %v", err)
		}
		_, err = gotd.Import(ctx, w.manager, "bad", &bad, actors.AccountOptions{})
		var refused *foreign.Error
		if !errors.As(err, &refused) || refused.Format != foreign.GoTD {
			t.Errorf("a damaged one: %v", err)
		}
		if n := len(w.manager.Accounts()); n != 1 {
			t.Errorf("there are %d accounts", n)
		}
	})
}
