package wire

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors/wire/proxytest"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/mtproto/proxy"
	"github.com/mtfleet/mtfleet/mtproto/transport"
)

// webCluster is a cluster that takes WebSockets, and how to reach those of a scheme.
func webCluster(t *testing.T, test bool, scheme string) (*serve.Cluster, *WebSocket) {
	t.Helper()
	c, err := serve.Start(serve.Config{Core: dctest.Config{Test: test}, WebSockets: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	d, ws := c.Descriptor(), &WebSocket{RootCAs: x509.NewCertPool()}
	if !ws.RootCAs.AppendCertsFromPEM([]byte(d.WebSocketCA)) {
		t.Fatal("the descriptor has no authority")
	}
	for _, w := range d.WebSockets {
		if strings.HasPrefix(w.URL, scheme+"://") {
			ws.Addresses = append(ws.Addresses, dc.WebSocket{DC: dc.ID(w.ID), URL: w.URL})
		}
	}
	return c, ws
}

// nowhere is the address of the table, which is not to be dialled.
var nowhere = []dc.Target{{Addr: netip.MustParseAddrPort("127.0.0.1:1"), Secret: []byte("0123456789abcdef")}}

func TestPacketsTravelInWebSocketsBothWays(t *testing.T) {
	for _, scheme := range []string{"ws", "wss"} {
		for _, test := range []bool{false, true} {
			_, ws := webCluster(t, test, scheme)
			for _, kind := range []transport.Kind{transport.Abridged, transport.Intermediate, transport.Padded, transport.Full} {
				for _, media := range []bool{false, true} {
					d := &recorder{to: make(chan string, 10)}
					w := New(Config{Rand: rand.Reader, Kind: kind, Dialer: d, WebSocket: ws, RequireLoopback: true})
					conn, err := w.dial(t.Context(), nowhere, dc.Wire(2, test, media), nil)
					if err != nil {
						t.Fatal(err)
					}
					if conn.Dialed().Addr.IsValid() {
						t.Errorf("it says that %v answered", conn.Dialed().Addr)
					}
					asked(t, conn)
					close(d.to)
					for addr := range d.to {
						if !strings.HasPrefix(ws.Addresses[1].URL, scheme+"://"+addr+"/") {
							t.Errorf("%v dialled %s", kind, addr)
						}
					}
					if err := w.Wait(t.Context()); err != nil || w.sockets.Load() != 0 {
						t.Errorf("%d sockets are left, %v", w.sockets.Load(), err)
					}
				}
			}
		}
	}
}

func TestWebSocketsGoThroughProxies(t *testing.T) {
	_, ws := webCluster(t, false, "wss")
	named := &WebSocket{Addresses: []dc.WebSocket{{DC: 2, URL: strings.Replace(ws.Addresses[1].URL, "127.0.0.1", "localhost", 1)}}, RootCAs: ws.RootCAs}
	socks, err := proxytest.SOCKS5("joe", "hunter2")
	if err != nil {
		t.Fatal(err)
	}
	defer socks.Stop()
	connect, err := proxytest.Connect("joe", "hunter2")
	if err != nil {
		t.Fatal(err)
	}
	defer connect.Stop()
	for _, p := range []*proxytest.Server{socks, connect} {
		for _, to := range []*WebSocket{ws, named} {
			d := &recorder{to: make(chan string, 10)}
			w := New(Config{Rand: rand.Reader, Dialer: d, WebSocket: to})
			via := &proxy.Via{Server: mustParse(t, p.URL()), Now: time.Now()}
			conn, err := w.dial(t.Context(), nowhere, 2, via)
			if err != nil {
				t.Fatal(err)
			}
			asked(t, conn)
			close(d.to)
			for addr := range d.to {
				if addr != p.Addr() {
					t.Errorf("it dialled %s and not the proxy", addr)
				}
			}
			// A certificate that is not trusted is not trusted behind a proxy either.
			w = New(Config{Rand: rand.Reader, WebSocket: &WebSocket{Addresses: to.Addresses}})
			_, err = w.dial(t.Context(), nowhere, 2, via)
			var by *ProxyError
			var web *WebSocketError
			if !errors.As(err, &by) || !errors.As(err, &web) || !strings.Contains(err.Error(), errUnknownCA.Error()) {
				t.Errorf("with no authority: %v", err)
			}
		}
		// The proxy looks names up.
		if asked := p.Asked(); len(asked) != 4 || !strings.HasPrefix(asked[2], "localhost:") {
			t.Errorf("the proxy was asked for %v", asked)
		}
	}
}

func TestWebSocketsAreRefusedBeforeAnythingIsDialled(t *testing.T) {
	local := []dc.WebSocket{{DC: 2, URL: "wss://127.0.0.1:9/apiws"}}
	via := func(url string) *proxy.Via { return &proxy.Via{Server: mustParse(t, url)} }
	for _, v := range []struct {
		name string
		to   []dc.WebSocket
		dc   int
		via  *proxy.Via
		load bool
		want string
	}{
		{"an MTProxy", local, 2, via("mtproxy://127.0.0.1:9?secret=dd" + proxyKey), false, "take a SOCKS5 or HTTP proxy"},
		{"a DC of which none is known", local, 3, nil, false, "no WebSocket is known for DC 3"},
		{"a media DC of which none is known", local, -3, nil, false, "no WebSocket is known for DC 3"},
		{"no DC at all", local, 0, nil, false, "no WebSocket is known"},
		{"a URL that is none", []dc.WebSocket{{DC: 2, URL: "wss://joe:hunter2@h/"}}, 2, nil, false, "more than a host"},
		{"load, to a name", []dc.WebSocket{{DC: 2, URL: "wss://localhost:9/apiws"}}, 2, nil, true, "wss://localhost:9/apiws does not name a loopback address"},
		{"load, to another machine", []dc.WebSocket{{DC: 2, URL: "wss://192.0.2.1/apiws"}}, 2, nil, true, "does not name a loopback address"},
		{"load, through a proxy", local, 2, via("socks5://127.0.0.1:9"), true, "refused"},
	} {
		t.Run(v.name, func(t *testing.T) {
			d := &recorder{to: make(chan string, 10)}
			w := New(Config{Rand: rand.Reader, Dialer: d, WebSocket: &WebSocket{Addresses: v.to}, RequireLoopback: v.load})
			_, err := w.dial(t.Context(), nowhere, v.dc, v.via)
			var blameless interface{ BlamesNobody() }
			if !errors.As(err, &blameless) || !strings.Contains(err.Error(), v.want) {
				t.Errorf("error %v", err)
			}
			for _, secret := range []string{"hunter2", "joe", proxyKey} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error has %q", secret)
				}
			}
			if len(d.to) != 0 {
				t.Errorf("%s was dialled", <-d.to)
			}
		})
	}
}

// TestTheFirstWebSocketThatAnswersIsTaken: several of one DC are raced.
func TestTheFirstWebSocketThatAnswersIsTaken(t *testing.T) {
	_, ws := webCluster(t, false, "ws")
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	to := &WebSocket{Addresses: []dc.WebSocket{
		{DC: 2, URL: "ws://127.0.0.1:1/apiws"}, {DC: 2, URL: "ws://" + silent.Addr().String() + "/apiws"}, ws.Addresses[1],
	}}
	w := New(Config{Rand: rand.Reader, WebSocket: to, Stagger: time.Millisecond})
	conn, err := w.dial(t.Context(), nowhere, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	asked(t, conn)
	if err := w.Wait(t.Context()); err != nil || w.sockets.Load() != 0 {
		t.Errorf("%d sockets are left, %v", w.sockets.Load(), err)
	}
	// None answers: each is named.
	to.Addresses = to.Addresses[:2]
	w = New(Config{Rand: rand.Reader, WebSocket: to, ConnectTimeout: 50 * time.Millisecond})
	_, err = w.dial(t.Context(), nowhere, 2, nil)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), to.Addresses[0].URL) || !strings.Contains(err.Error(), to.Addresses[1].URL) {
		t.Errorf("error %v", err)
	}
}

func TestTheCertificateIsOfTheClusterAlone(t *testing.T) {
	c, ws := webCluster(t, false, "wss")
	other, _ := webCluster(t, false, "wss")
	pool := func(text string) *x509.CertPool {
		p := x509.NewCertPool()
		p.AppendCertsFromPEM([]byte(text))
		return p
	}
	block, _ := pem.Decode([]byte(c.Descriptor().WebSocketCA))
	ca, err := x509.ParseCertificate(block.Bytes)
	if err != nil || !ca.IsCA || ca.KeyUsage != x509.KeyUsageCertSign {
		t.Fatalf("the authority is %v, %v", ca, err)
	}
	elsewhere := strings.Replace(ws.Addresses[1].URL, "127.0.0.1", "127.0.0.2", 1)
	for _, v := range []struct {
		name, url string
		roots     *x509.CertPool
		want      error
	}{
		{"another cluster's authority", ws.Addresses[1].URL, pool(other.Descriptor().WebSocketCA), errUnknownCA},
		{"the system's authorities", ws.Addresses[1].URL, nil, errUnknownCA},
		{"an address it is not for", elsewhere, ws.RootCAs, errOtherName},
	} {
		t.Run(v.name, func(t *testing.T) {
			d := &pinned{to: strings.TrimSuffix(strings.TrimPrefix(ws.Addresses[1].URL, "wss://"), "/apiws")}
			w := New(Config{Rand: rand.Reader, Dialer: d, WebSocket: &WebSocket{Addresses: []dc.WebSocket{{DC: 2, URL: v.url}}, RootCAs: v.roots}})
			_, err := w.dial(t.Context(), nowhere, 2, nil)
			var web *WebSocketError
			if !errors.As(err, &web) || !errors.Is(err, v.want) || web.URL != v.url {
				t.Errorf("error %v", err)
			}
		})
	}
}

// pinned dials one address, whatever it is asked for.
type pinned struct {
	net.Dialer
	to string
}

func (d *pinned) DialContext(ctx context.Context, network, _ string) (net.Conn, error) {
	return d.Dialer.DialContext(ctx, network, d.to)
}
