package actors_test

import (
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
)

// spent is what a guest DC has cost: keys, binds that were granted, and carried
// authorizations.
type spent struct{ perms, temps, binds, imports int }

func spentAt(s *serve.Cluster, at int) (n spent) {
	l := s.Ledger()
	for _, k := range l.Keys {
		switch {
		case k.DC != at:
		case k.Temp:
			n.temps++
		default:
			n.perms++
		}
	}
	for _, b := range l.Binds {
		if b.DC == at && b.Error == "" {
			n.binds++
		}
	}
	for _, login := range l.Logins {
		if login.DC == at && login.Method == "auth.importAuthorization" {
			n.imports++
		}
	}
	return n
}

// TestAGuestDCIsThereForWhoNeedsIt: the first who need it at one time share a key, a
// bind and an import; whoever comes later, in this process or the next, also after
// the connection was closed for want of calls, takes nothing; and a 401 there costs
// one import of which the caller hears nothing.
func TestAGuestDCIsThereForWhoNeedsIt(t *testing.T) {
	for name, noPFS := range map[string]bool{"with PFS": false, "without PFS": true} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s, store := cluster(t, small), persistence.NewMemory()
				b := s.Descriptor().Bots[0]
				guest := b.DC%2 + 1
				other := actors.OnDC(dcID(guest))
				o := func(store persistence.Store) actors.Options { return options(s, store) }
				m, err := actors.Open(o(store))
				if err != nil {
					t.Fatal(err)
				}
				a := signInBot(t, m, "robot", b, actors.AccountOptions{NoPFS: noPFS})
				wait(t, a, actors.Online)
				want := spentAt(s, guest)
				is := func(when string) {
					t.Helper()
					if got := spentAt(s, guest); got != want {
						t.Errorf("%s: the guest DC has cost %+v, want %+v", when, got, want)
					}
				}
				want.perms++
				want.imports++
				if !noPFS {
					want.temps++
					want.binds++
				}
				var calls []<-chan error
				for i := range 20 {
					calls = append(calls, later(func() error {
						_, err := actors.Invoke(soon(t), a, &echo.EchoRequest{ID: int64(40_000 + i)}, other)
						return err
					}))
				}
				for _, done := range calls {
					if err := ended(t, "a call among the first", done, time.Minute); err != nil {
						t.Errorf("a call among the first ends with %v", err)
					}
				}
				is("after twenty first calls")
				call(t, a, other)
				is("after another")

				inject(t, s, dctest.Fault{Kind: dctest.FaultRPC, DC: guest, Method: "testdc.echo", Code: 401, Text: "AUTH_KEY_UNREGISTERED", Count: 1})
				want.imports++
				call(t, a, other)
				is("after a 401")

				for range 3 {
					time.Sleep(10 * time.Minute)
					if n := s.ConnCount(); n != 1 {
						t.Errorf("%d connections when the guest DC has been idle for ten minutes, want home's", n)
					}
					call(t, a, other)
				}
				is("after three times idle")
				m, store = restart(t, m, store, o)
				a, _ = m.Account("robot")
				wait(t, a, actors.Online)
				call(t, a, other)
				is("after a restart")
				closeManager(t, m)
				verdict(t, s, store)
			})
		})
	}
}

// TestAGuestThatIsSignedOutDropsItsOldKeysAllTheSame: the order to drop them is
// answered with a 401. The authorization is carried there again, and they are dropped.
func TestAGuestThatIsSignedOutDropsItsOldKeysAllTheSame(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		b := s.Descriptor().Bots[0]
		guest := b.DC%2 + 1
		m := open(t, options(s, store))
		a := signInBot(t, m, "robot", b, actors.AccountOptions{})
		wait(t, a, actors.Online)
		call(t, a, actors.OnDC(dcID(guest)))

		inject(t, s, dctest.Fault{Kind: dctest.FaultRPC, DC: guest, Method: "auth.dropTempAuthKeys", Code: 401, Text: "SESSION_REVOKED", Count: 1})
		want := spentAt(s, guest)
		want.temps++
		want.binds++
		want.imports++
		if err := a.Rotate(soon(t)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		if got := spentAt(s, guest); got != want {
			t.Errorf("the guest DC has cost %+v, want %+v", got, want)
		}
		if live, made := liveTemps(s, guest); live != 1 || made != 2 {
			t.Errorf("%d of %d temp keys live at the guest DC, want 1 of 2", live, made)
		}
		if st := a.Status(); st.State != actors.Online {
			t.Errorf("the account is %v: %s", st.State, st.Why)
		}
		closeManager(t, m)
		verdict(t, s, store)
	})
}
