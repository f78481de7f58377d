package actors_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/wire"
	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/foreign"
)

// This file is about giving up a login, which takes proof.

// dials counts what is dialled.
type dials struct {
	wire.Dialer
	n atomic.Int64
}

func (d *dials) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	d.n.Add(1)
	return d.Dialer.DialContext(ctx, network, addr)
}

// signInAll signs every bot of the cluster in, half of them without PFS.
func signInAll(t *testing.T, m *actors.Manager, s *serve.Cluster) {
	t.Helper()
	for i, b := range s.Descriptor().Bots {
		wait(t, signInBot(t, m, fmt.Sprint("bot-", i), b, actors.AccountOptions{NoPFS: i%2 == 0}), actors.Online)
	}
}

// takeInAll takes every bot of the cluster in from another store.
func takeInAll(t *testing.T, m *actors.Manager, s *serve.Cluster) {
	t.Helper()
	o := options(s, persistence.NewMemory())
	o.AllowExport = true
	source, err := actors.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	signInAll(t, source, s)
	for i, from := range source.Accounts() {
		text, err := from.Export(t.Context(), foreign.GoTD)
		if err != nil {
			t.Fatal(err)
		}
		session, err := foreign.ParseText(text)
		if err != nil {
			t.Fatal(err)
		}
		a, err := m.Import(t.Context(), from.ID(), session, actors.AccountOptions{NoPFS: i%2 == 0})
		if err != nil {
			t.Fatal(err)
		}
		wait(t, a, actors.Online)
	}
	closeManager(t, source)
}

// allOnline checks that nobody lost a login.
func allOnline(t *testing.T, m *actors.Manager, s *serve.Cluster) {
	t.Helper()
	for _, a := range m.Accounts() {
		if st := a.Status(); st.State != actors.Online {
			t.Errorf("%s is %v (%s), and the server still has its login", a.ID(), st.State, st.Why)
		}
	}
	if got, want := s.Counts().Logins, len(s.Descriptor().Bots); got != want {
		t.Errorf("%d logins, want %d", got, want)
	}
}

func TestKeysOfAnotherEnvironmentProveNothing(t *testing.T) {
	other, err := crypt.GeneratePrivateKey(rand.Reader) // outside the bubble: it costs arithmetic
	if err != nil {
		t.Fatal(err)
	}
	for name, begin := range map[string]func(*testing.T, *actors.Manager, *serve.Cluster){"signed in": signInAll, "taken in": takeInAll} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				cfg := serve.Config{Core: dctest.Config{DCs: 2}, Bots: 4}
				s, store := cluster(t, cfg), persistence.NewMemory()
				cfg.RSAKey = other.PEM()
				elsewhere := cluster(t, cfg)
				m, err := actors.Open(options(s, store))
				if err != nil {
					t.Fatal(err)
				}
				begin(t, m, s)
				closeManager(t, m)
				time.Sleep(2 * time.Hour)
				store = store.Reopen()
				o := options(elsewhere, store)
				o.App = options(s, store).App
				if m, err = actors.Open(o); err != nil {
					t.Fatal(err)
				}
				time.Sleep(4 * time.Hour)
				for _, a := range m.Accounts() {
					if st := a.Status(); st.State != actors.Connecting || st.Why == "" || st.Advice == "" {
						t.Errorf("%s: %+v", a.ID(), st)
					}
				}
				if c := elsewhere.Counts(); c.PermKeys+c.TempKeys+c.BindErrors > 0 {
					t.Errorf("keys were made, or shown, where they do not belong: %+v", c)
				}
				closeManager(t, m)
				time.Sleep(time.Second)
				m = open(t, options(s, store.Reopen()))
				time.Sleep(2 * time.Minute)
				allOnline(t, m, s)
			})
		})
	}
}

// TestExchangedAddressesProveNothing: for ten minutes each DC is found at the
// other's address, and knows none of the keys.
func TestExchangedAddressesProveNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, serve.Config{Core: dctest.Config{DCs: 2}, Bots: 10}), persistence.NewMemory()
		m, err := actors.Open(options(s, store))
		if err != nil {
			t.Fatal(err)
		}
		signInAll(t, m, s)
		closeManager(t, m)
		time.Sleep(2 * time.Hour)
		store = store.Reopen()
		o := options(s, store)
		for i := range o.DCs.Options {
			o.DCs.Options[i].DC = 3 - o.DCs.Options[i].DC
		}
		if m, err = actors.Open(o); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		for _, a := range m.Accounts() {
			if st := a.Status(); st.State != actors.Connecting || st.Why == "" {
				t.Errorf("%s: %+v", a.ID(), st)
			}
		}
		closeManager(t, m)
		time.Sleep(time.Second)
		m = open(t, options(s, store.Reopen()))
		time.Sleep(2 * time.Minute)
		allOnline(t, m, s)
	})
}

func TestADuplicatedAccountEndsAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, serve.Config{Core: dctest.Config{DCs: 2}, Bots: 4}), persistence.NewMemory()
		m, err := actors.Open(options(s, store))
		if err != nil {
			t.Fatal(err)
		}
		signInAll(t, m, s)
		closeManager(t, m)
		home, perm := homePerm(t, s.Ledger().Authorizations, s.Descriptor().Bots[0].UserID)
		if err := s.API(func(back *api.Backend, _ time.Time) { _ = back.InjectDuplicate(home, perm) }); err != nil {
			t.Fatal(err)
		}
		for range 2 { // it stays so
			time.Sleep(time.Second)
			store = store.Reopen()
			if m, err = actors.Open(options(s, store)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			for i, a := range m.Accounts() {
				want := actors.Online
				if i == 0 {
					want = actors.Duplicated
				}
				if st := a.Status(); st.State != want {
					t.Errorf("%s: %+v", a.ID(), st)
				}
			}
			closeManager(t, m)
		}
	})
}

// TestADoubtBacksOff: a 401 that cannot be confirmed is shown, and is not asked
// about on a new socket every few seconds for ever.
func TestADoubtBacksOff(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		o := options(s, store)
		d := &dials{Dialer: o.Wire.Dialer}
		o.Wire.Dialer = d
		m := open(t, o)
		a := signInBot(t, m, "robot", s.Descriptor().Bots[0], actors.AccountOptions{})
		wait(t, a, actors.Online)
		time.Sleep(time.Minute)
		before := d.n.Load()
		inject(t, s, dctest.Fault{Kind: dctest.FaultRPC, Method: "users.getUsers", Code: 500, Text: "RPC_CALL_FAIL", Count: 1_000_000})
		inject(t, s, dctest.Fault{Kind: dctest.FaultRPC, Method: "updates.getDifference", Code: 500, Text: "RPC_CALL_FAIL", Count: 1_000_000})
		refuse(t, s, "testdc.echo", 401, "SESSION_REVOKED")
		if err := echoed(t, a); err == nil {
			t.Fatal("the call was not refused")
		}
		time.Sleep(time.Second)
		if st := a.Status(); !strings.Contains(st.Why, "SESSION_REVOKED") {
			t.Errorf("the doubt is not shown: %+v", st)
		}
		time.Sleep(30 * time.Minute)
		if n := d.n.Load() - before; n > 20 {
			t.Errorf("%d dials in half an hour", n)
		}
		if st := a.Status(); st.State == actors.Revoked {
			t.Errorf("nothing was proved, and the account is %+v", st)
		}
		if err := s.ClearFaults(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(15 * time.Minute)
		wait(t, a, actors.Online)
		call(t, a)
		verdict(t, s, store)
	})
}
