package peers

import (
	"context"
	"testing"

	gotd "github.com/gotd/td/tg"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/actorstest"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// open opens a manager whose one DC is gotd's server. It is closed with the test, if not before.
func (f *foreign) open(t *testing.T, store persistence.Store) *actors.Manager {
	t.Helper()
	o := actors.Options{
		Store: store,
		App:   actors.App{APIID: 1, APIHash: "hash", DeviceModel: "mtfleet peers", SystemVersion: "none", AppVersion: "0"},
		DCs: dc.Table{
			Options: []dc.Option{{DC: foreignDC, Addr: f.addr.AddrPort(), ThisPortOnly: true}},
			Keys:    []string{string(f.key)},
		},
	}
	o.Wire.RequireLoopback = true
	o.Logger = testLog()
	return actorstest.Open(t, o)
}

// callForeign calls the methods that gotd's server has.
func callForeign(ctx context.Context, t *testing.T, a *actors.Account) {
	t.Helper()
	config, err := actors.Invoke(ctx, a, &tg.HelpGetConfigRequest{})
	if err != nil {
		t.Fatalf("help.getConfig: %v", err)
	}
	if config.ThisDC != foreignDC {
		t.Errorf("help.getConfig names DC %d, want %d", config.ThisDC, foreignDC)
	}
	list, err := actors.Invoke(ctx, a, &tg.UsersGetUsersRequest{ID: []tg.AnyInputUser{&tg.InputUserSelf{}}})
	if err != nil {
		t.Fatalf("users.getUsers: %v", err)
	}
	if len(list) != 1 {
		t.Fatalf("users.getUsers(self) answers %d users", len(list))
	}
	if user, ok := list[0].(*tg.User); !ok || user.ID != foreignUser.ID || user.Username.Or("") != foreignUser.Username || !user.Bot {
		t.Errorf("users.getUsers(self): %+v", list[0])
	}
}

// TestManagerAgainstGotd signs a bot in at gotd's server, receives an update there, loses the connection, and comes back
// from the store.
func TestManagerAgainstGotd(t *testing.T) {
	t.Parallel()
	ctx := within(t, limit)
	f := startForeign(t, false)
	store := persistence.NewMemory()

	m := f.open(t, store)
	a, err := m.Add(ctx, "bot", actors.AccountOptions{NoPFS: true})
	if err != nil {
		t.Fatal(err)
	}
	if step, err := a.SignIn(ctx, actors.BotToken("4242:token")); err != nil || step != nil {
		t.Fatalf("sign-in: step %+v, error %v", step, err)
	}
	actorstest.Await(ctx, t, a, actors.Online)
	if st := a.Status(); st.UserID != foreignUser.ID || !st.Bot || st.HomeDC != foreignDC || st.Bound {
		t.Errorf("after the sign-in: %+v", st)
	}
	callForeign(ctx, t, a)
	f.push(ctx, t, a)

	f.server.ForceDisconnect(f.session(t))
	callForeign(ctx, t, a)
	actorstest.Close(t, m)

	logins := f.seen(gotd.AuthImportBotAuthorizationRequestTypeID)
	m = f.open(t, store)
	if a, err = m.Account("bot"); err != nil {
		t.Fatal(err)
	}
	actorstest.Await(ctx, t, a, actors.Online)
	callForeign(ctx, t, a)
	if n := f.seen(gotd.AuthImportBotAuthorizationRequestTypeID); n != logins {
		t.Errorf("%d sign-ins more after the store was opened again", n-logins)
	}
}

// push lets the server send an update of the common sequence and waits for it in the account's events.
func (f *foreign) push(ctx context.Context, t *testing.T, a *actors.Account) {
	t.Helper()
	events := a.Events(ctx)
	err := f.server.SendUpdates(ctx, f.session(t), &gotd.UpdateDeleteMessages{Messages: []int{7}, Pts: foreignPts + 1, PtsCount: 1})
	if err != nil {
		t.Fatal(err)
	}
	for ev := range events {
		if ev.Kind != actors.EventUpdate {
			continue
		}
		var got tg.UpdateDeleteMessages
		if err := tl.Unmarshal(ev.Update, &got); err != nil || ev.Pts != foreignPts+1 || len(got.Messages) != 1 || got.Messages[0] != 7 {
			t.Errorf("pushed message 7 at pts %d, the event has %+v at pts %d, error %v", foreignPts+1, got, ev.Pts, err)
		}
		return
	}
	t.Fatal("the pushed update did not become an event")
}
