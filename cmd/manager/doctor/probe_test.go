package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mtfleet/mtfleet/actors/wire"
	"github.com/mtfleet/mtfleet/actors/wire/proxytest"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/mtproto/handshake"
	"github.com/mtfleet/mtfleet/mtproto/proxy"
	"github.com/mtfleet/mtfleet/mtproto/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a cluster of two DCs, the second of which listens on IPv6 as well.
func world(t *testing.T) (*serve.Cluster, *Prober) {
	t.Helper()
	if l, err := net.Listen("tcp", "[::1]:0"); err != nil {
		t.Skipf("this machine has no IPv6: %v", err)
	} else {
		_ = l.Close()
	}
	cluster, err := serve.Start(serve.Config{Core: dctest.Config{DCs: 2}, Addrs: map[int][]string{2: {"127.0.0.1:0", "[::1]:0"}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cluster.Close() })
	table, err := cluster.Descriptor().Table()
	if err != nil {
		t.Fatal(err)
	}
	return cluster, &Prober{Wire: wire.Config{RequireLoopback: true, Obfuscated: true}, Table: table, Limit: 20 * time.Second}
}

func outcome(answers []Answer) string {
	var s []string
	for _, a := range answers {
		s = append(s, fmt.Sprintf("%s: %v", wayName(a.Way), a.Err == nil))
	}
	return strings.Join(s, ", ")
}

const allWell = "DC 1 by IPv4: true, DC 2 by IPv4: true, DC 2 by IPv6: true"

func TestEveryDCIsAskedByEachFamily(t *testing.T) {
	cluster, p := world(t)
	answers := p.Ask(t.Context())
	if got := outcome(answers); got != allWell {
		t.Fatalf("got %s: %+v", got, answers)
	}
	for _, a := range answers {
		if a.Took <= 0 || a.Offset.Abs() > 2*time.Second || a.Addr == "" {
			t.Errorf("%+v", a)
		}
	}
	if n := cluster.Counts(); n.PermKeys+n.TempKeys != 0 {
		t.Errorf("keys were made: %+v", n)
	}
	if list, n := cluster.Violations(); n != 0 {
		t.Errorf("violations: %+v", list)
	}
}

func TestAClockThatIsWrongIsSeen(t *testing.T) {
	cluster, p := world(t)
	for _, skew := range []time.Duration{time.Hour, 0, -time.Hour} { // each is an earlier time than the one before
		if _, err := cluster.Fault(dctest.Fault{Kind: dctest.FaultSkew, DC: 2, Delay: dctest.Duration(skew)}); err != nil {
			t.Fatal(err)
		}
		for _, a := range p.Ask(t.Context()) {
			want := time.Duration(0)
			if a.DC == 2 {
				want = skew
			}
			if a.Err != nil || (a.Offset-want).Abs() > 2*time.Second {
				t.Errorf("%s: offset %v, want %v (%v)", wayName(a.Way), a.Offset, want, a.Err)
			}
		}
	}
}

func TestADCThatIsDownIsSeen(t *testing.T) {
	cluster, p := world(t)
	if err := cluster.StopDC(1, false); err != nil {
		t.Fatal(err)
	}
	answers := p.Ask(t.Context())
	if got, want := outcome(answers), strings.Replace(allWell, "true", "false", 1); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if why := because(answers[0].Err); why != "nobody listens there" {
		t.Errorf("got %q of %v", why, answers[0].Err)
	}
}

func TestWhoRefusesConnectionsIsSeen(t *testing.T) {
	cluster, p := world(t)
	if _, err := cluster.Fault(dctest.Fault{Kind: dctest.FaultTransport, DC: 1, Code: -429}); err != nil {
		t.Fatal(err)
	}
	var code *wire.CodeError
	if a := p.Ask(t.Context())[0]; !errors.As(a.Err, &code) || code.Code != -429 {
		t.Errorf("got %v", a.Err)
	}
}

func TestADCWithAnotherKeyIsNotTrusted(t *testing.T) {
	_, p := world(t)
	p.Table.Keys = dc.Production().Keys
	for _, a := range p.Ask(t.Context()) {
		if !errors.Is(a.Err, handshake.ErrNoKey) {
			t.Errorf("%s: got %v", wayName(a.Way), a.Err)
		}
	}
}

func TestADCThatSaysNothingHoldsNobodyUp(t *testing.T) {
	_, p := world(t)
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	for i, o := range p.Table.Options {
		if o.DC == 1 {
			p.Table.Options[i].Addr = mute.Addr().(*net.TCPAddr).AddrPort()
		}
	}
	p.Limit = 300 * time.Millisecond
	if a := p.Ask(t.Context())[0]; !errors.Is(a.Err, handshake.ErrTimeout) {
		t.Errorf("got %v", a.Err)
	}
}

func TestWhoGivesUpWaitsForNobody(t *testing.T) {
	_, p := world(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, a := range p.Ask(ctx) {
		if a.Err == nil {
			t.Errorf("%s answered", wayName(a.Way))
		}
	}
}

func TestThroughAProxyNothingGoesAroundIt(t *testing.T) {
	_, p := world(t)
	p.Wire.RequireLoopback = false
	socks, err := proxytest.SOCKS5("me", "secret")
	if err != nil {
		t.Fatal(err)
	}
	defer socks.Stop()
	server, err := proxy.Parse(socks.URL())
	if err != nil {
		t.Fatal(err)
	}
	p.Via = &server
	if got := outcome(p.Ask(t.Context())); got != allWell || len(socks.Asked()) != 3 {
		t.Errorf("got %s, through the proxy %v", got, socks.Asked())
	}
	server.Password = "wrong"
	var through *wire.ProxyError
	for _, a := range p.Ask(t.Context()) {
		if !errors.As(a.Err, &through) || strings.Contains(a.Err.Error(), "wrong") {
			t.Errorf("%s: %v", wayName(a.Way), a.Err)
		}
	}
}

func TestAnMTProxyLeadsToDCsByTheirNumbers(t *testing.T) {
	cluster, p := world(t)
	p.Wire.RequireLoopback = false
	secret, err := transport.ParseSecret("dd0123456789abcdef0123456789abcdef")
	if err != nil {
		t.Fatal(err)
	}
	door, err := cluster.StartProxy("127.0.0.1:0", secret)
	if err != nil {
		t.Fatal(err)
	}
	server, err := proxy.Parse("mtproxy://" + door.Addr() + "?secret=dd0123456789abcdef0123456789abcdef")
	if err != nil {
		t.Fatal(err)
	}
	p.Via = &server
	if got := outcome(p.Ask(t.Context())); got != "DC 1: true, DC 2: true" {
		t.Errorf("got %s", got)
	}
}

func TestWhatTheConfigurationRefusesIsNotDialled(t *testing.T) {
	_, p := world(t)
	p.Table = dc.Production() // with Wire.RequireLoopback
	for _, a := range p.Ask(t.Context()) {
		if a.Err == nil || !strings.Contains(a.Err.Error(), "loopback") && !strings.Contains(a.Err.Error(), "refused") {
			t.Errorf("%s: %v", wayName(a.Way), a.Err)
		}
	}
}
