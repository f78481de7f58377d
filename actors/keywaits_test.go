package actors_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
)

// This file is about waits on the queries that bindings send by themselves.

// bindsAt counts the binds that a DC answered.
func bindsAt(s *serve.Cluster, at int) (n int) {
	for _, b := range s.Ledger().Binds {
		if b.DC == at {
			n++
		}
	}
	return n
}

// TestAWaitOnBindsHoldsOnEveryDC: it is of the account and the method, wherever the
// server ordered it. A binding that runs elsewhere obeys it when its next rotation is
// due, and all of them hear when its owner clears it.
func TestAWaitOnBindsHoldsOnEveryDC(t *testing.T) {
	for name, cleared := range map[string]string{"it ends": "-", "it is cleared": "auth.bindTempAuthKey", "all are cleared": ""} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := cluster(t, small)
				b := s.Descriptor().Bots[0]
				guest := b.DC%2 + 1
				o := options(s, persistence.NewMemory())
				o.TempKeyLife = 2 * time.Hour
				a := signInBot(t, open(t, o), "robot", b, actors.AccountOptions{})
				wait(t, a, actors.Online)
				call(t, a, actors.OnDC(dcID(guest)))
				inject(t, s, dctest.Fault{Kind: dctest.FaultRPC, DC: b.DC, Method: "auth.bindTempAuthKey", Code: 420, Text: "FLOOD_WAIT_10800", Count: 1})
				var order interface{ WaitUntil() time.Time }
				if err := a.Rotate(soon(t)); !errors.As(err, &order) {
					t.Fatalf("the server refuses a bind at home, and a rotation ends with %v", err)
				}
				ordered := time.Now()
				time.Sleep(time.Second)
				binds := func() []int { return []int{bindsAt(s, b.DC), bindsAt(s, guest)} }
				before := binds()
				for time.Since(ordered) < 2*time.Hour {
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					_, _ = actors.Invoke(ctx, a, &echo.EchoRequest{ID: time.Now().UnixNano()}, actors.OnDC(dcID(guest))) // its key ends at last
					cancel()
					time.Sleep(3 * time.Minute)
				}
				if now := binds(); !slices.Equal(now, before) {
					t.Errorf("binds at home and on the guest DC: %v, while none may be asked for; before there were %v", now, before)
				}
				if cleared == "-" {
					time.Sleep(time.Hour)
				} else {
					if err := a.ClearWaits(soon(t), "messages.sendMessage"); err != nil {
						t.Fatal(err)
					}
					time.Sleep(time.Minute)
					if now := binds(); !slices.Equal(now, before) {
						t.Errorf("binds at home and on the guest DC: %v, for a wait on something else was cleared; before there were %v", now, before)
					}
					if err := a.ClearWaits(soon(t), cleared); err != nil {
						t.Fatal(err)
					}
				}
				call(t, a)
				call(t, a, actors.OnDC(dcID(guest)))
			})
		})
	}
}
