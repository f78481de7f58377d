package actors_test

import (
	"context"
	"testing"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
)

// TestWhatWasAcknowledgedBeforeAnOrderlyEndIsNotDeliveredAgain: the end of an
// account must not overtake the word that a consumer is done with an update.
func TestWhatWasAcknowledgedBeforeAnOrderlyEndIsNotDeliveredAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, serve.Config{Core: dctest.Config{DCs: 2}, Bots: 1}), persistence.NewMemory()
		bot := s.Descriptor().Bots[0]
		for round := range 20 {
			m := open(t, options(s, store))
			a, err := m.Account("bot")
			if err != nil {
				a = signInBot(t, m, "bot", bot, actors.AccountOptions{})
			}
			wait(t, a, actors.Online)
			c, err := m.Consumer(soon(t), actors.ConsumerOptions{Name: "reader"})
			if err != nil {
				t.Fatal(err)
			}
			pts, err := s.PushUpdate(bot.UserID)
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(soon(t))
			for ev, err := range c.Events(ctx) {
				if err != nil {
					t.Fatal(err)
				}
				if ev.Kind != actors.EventUpdate {
					continue
				}
				if ev.Pts != pts {
					t.Fatalf("round %d: pts %d is delivered, want %d", round, ev.Pts, pts)
				}
				if err := c.Ack(ev.Cursor); err != nil {
					t.Fatal(err)
				}
				break
			}
			stop()
			closeManager(t, m)
		}
	})
}
