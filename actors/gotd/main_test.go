package gotd_test

import (
	"context"
	"testing"

	"github.com/gotd/td/tg"
	"go.uber.org/goleak"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/actorstest"
	"github.com/mtfleet/mtfleet/actors/gotd"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a cluster without sockets, a manager and a bot that is signed in.
type world struct {
	dcs     *serve.Cluster
	manager *actors.Manager
	bot     *actors.Account
	api     *tg.Client
	botID   int64
	people  []serve.Phone
}

// start runs a test in virtual time, with a bot that is online.
func start(t *testing.T, f func(ctx context.Context, t *testing.T, w *world)) {
	t.Helper()
	actorstest.Bubble(t, func(t *testing.T) {
		cfg := actorstest.Small()
		cfg.Persons = 2
		w := &world{dcs: actorstest.Cluster(t, cfg)}
		d := w.dcs.Descriptor()
		w.people, w.botID = d.Phones, d.Bots[0].UserID
		w.manager = actorstest.Open(t, actorstest.Options(w.dcs, persistence.NewMemory()))
		w.bot = actorstest.SignInBot(t, w.manager, "bot", d.Bots[0], actors.AccountOptions{})
		w.api = tg.NewClient(gotd.Invoker(w.bot))
		actorstest.Wait(t, w.bot, actors.Online)
		f(actorstest.Soon(t), t, w)
	})
}

// say lets a person write to the bot.
func (w *world) say(t *testing.T, person int, text string) {
	t.Helper()
	if _, err := w.dcs.Say(w.people[person].UserID, w.botID, text, api.Delivery{Form: api.FormFull}); err != nil {
		t.Fatal(err)
	}
}
