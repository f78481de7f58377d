package actors_test

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/actorstest"
	"github.com/mtfleet/mtfleet/actors/wire"
	"github.com/mtfleet/mtfleet/actors/wire/proxytest"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
)

// inTime is as long as anything over real sockets may take.
func inTime(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// webOptions are those of a manager that reaches a cluster by wss alone: the
// addresses of its table are nobody's.
func webOptions(t *testing.T, s *serve.Cluster, store persistence.Store) actors.Options {
	t.Helper()
	d := s.Descriptor()
	o := actorstest.OptionsFor(d, store)
	ws := &wire.WebSocket{RootCAs: x509.NewCertPool()}
	ws.RootCAs.AppendCertsFromPEM([]byte(d.WebSocketCA))
	for _, w := range d.WebSockets {
		if strings.HasPrefix(w.URL, "wss://") {
			ws.Addresses = append(ws.Addresses, dc.WebSocket{DC: dc.ID(w.ID), URL: w.URL})
		}
	}
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = gone.Close()
	for i := range o.DCs.Options {
		o.DCs.Options[i].Addr = gone.Addr().(*net.TCPAddr).AddrPort()
	}
	o.Wire = wire.Config{WebSocket: ws}
	return o
}

// TestAccountsLiveInWebSockets signs in, calls, loses its DC and finds it again, and
// is restarted from its store, by wss alone. The DCs have addresses for media, but
// no door for media that takes WebSockets: such calls go by the main connection.
func TestAccountsLiveInWebSockets(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds of real time")
	}
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	s, store := actorstest.Start(t, serve.Config{Core: small.Core, Persons: 1, Bots: 1, WebSockets: true, Media: true}), persistence.NewMemory()
	defer s.Close()
	o := webOptions(t, s, store)
	o.Wire.RequireLoopback = true
	m, err := actors.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	d := s.Descriptor()
	bot := signInBot(t, m, "robot", d.Bots[0], actors.AccountOptions{})
	alice := signInPhone(t, m, "alice", d.Phones[0], actors.AccountOptions{})
	for _, a := range []*actors.Account{bot, alice} {
		actorstest.Await(inTime(t), t, a, actors.Online)
		call(t, a)
		call(t, a, actors.Media())
		call(t, a, actors.Media())
	}
	for _, k := range s.Ledger().Keys {
		if k.Media {
			t.Error("a key for media was made through a door that is not for media")
		}
	}
	keys := s.Ledger().Counts
	for id := 1; id <= small.Core.DCs; id++ {
		if err := s.StopDC(id, true); err != nil {
			t.Fatal(err)
		}
	}
	for _, a := range []*actors.Account{bot, alice} {
		actorstest.Await(inTime(t), t, a, actors.Connecting)
	}
	for id := 1; id <= small.Core.DCs; id++ {
		if err := s.StartDC(id); err != nil {
			t.Fatal(err)
		}
	}
	for _, a := range []*actors.Account{bot, alice} {
		actorstest.Await(inTime(t), t, a, actors.Online)
		call(t, a)
	}
	closeManager(t, m)
	if m, err = actors.Open(o); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"robot", "alice"} {
		a, err := m.Account(id)
		if err != nil {
			t.Fatal(err)
		}
		actorstest.Await(inTime(t), t, a, actors.Online)
		call(t, a)
	}
	if now := s.Ledger().Counts; now.PermKeys != keys.PermKeys || now.TempKeys != keys.TempKeys {
		t.Errorf("keys were made anew: %+v, then %+v", keys, now)
	}
	verdict(t, s, store)
	closeManager(t, m)
}

func TestAnAccountInAWebSocketBehindAProxy(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds of real time")
	}
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	s, store := actorstest.Start(t, serve.Config{Core: small.Core, Persons: 1, Bots: 1, WebSockets: true}), persistence.NewMemory()
	defer s.Close()
	socks, err := proxytest.SOCKS5("joe", "hunter2")
	if err != nil {
		t.Fatal(err)
	}
	defer socks.Stop()
	m, err := actors.Open(webOptions(t, s, store))
	if err != nil {
		t.Fatal(err)
	}
	defer closeManager(t, m)
	a := signInBot(t, m, "robot", s.Descriptor().Bots[0], actors.AccountOptions{Proxy: socks.URL()})
	actorstest.Await(inTime(t), t, a, actors.Online)
	call(t, a)
	asked := socks.Asked()
	if len(asked) == 0 {
		t.Error("the proxy was asked for nothing")
	}
	for _, addr := range asked {
		if !strings.Contains(webAddrs(s), "wss://"+addr+"/") {
			t.Errorf("the proxy was asked for %s", addr)
		}
	}

	// It goes nowhere without its proxy, and on with it.
	socks.Stop()
	actorstest.Await(inTime(t), t, a, actors.Connecting)
	if err := socks.Start(); err != nil {
		t.Fatal(err)
	}
	actorstest.Await(inTime(t), t, a, actors.Online)
	call(t, a)

	var refused *actors.ProxyError
	mtproxy := "mtproxy://127.0.0.1:9?secret=dd" + proxyKey
	if err := a.SetProxy(inTime(t), mtproxy); !errors.As(err, &refused) || strings.Contains(err.Error(), proxyKey) {
		t.Errorf("an MTProxy: %v", err)
	}
	if _, err := m.Add(inTime(t), "other", actors.AccountOptions{Proxy: mtproxy}); !errors.As(err, &refused) {
		t.Errorf("another account with one: %v", err)
	}
	o := webOptions(t, s, persistence.NewMemory())
	o.Proxy = mtproxy
	if _, err := actors.Open(o); !errors.As(err, &refused) || !strings.Contains(err.Error(), "take a SOCKS5 or HTTP proxy") {
		t.Errorf("one for all: %v", err)
	}
	if err := a.SetProxy(inTime(t), actors.DirectProxy); err != nil {
		t.Fatal(err)
	}
	actorstest.Await(inTime(t), t, a, actors.Online)
	call(t, a)
	verdict(t, s, store)
}

// webAddrs is every URL of a cluster's.
func webAddrs(s *serve.Cluster) string {
	var all []string
	for _, w := range s.Descriptor().WebSockets {
		all = append(all, w.URL)
	}
	return strings.Join(all, " ")
}
