package wire

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors/wire/proxytest"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/mtproto/proxy"
	"github.com/mtfleet/mtfleet/mtproto/transport"
)

const proxyKey = "00112233445566778899aabbccddeeff"

// recorder is a dialer that notes where it was asked to go.
type recorder struct {
	net.Dialer
	to chan string
}

func (d *recorder) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	d.to <- addr
	return d.Dialer.DialContext(ctx, network, addr)
}

func mustParse(t *testing.T, text string) *proxy.Server {
	t.Helper()
	s, err := proxy.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return &s
}

func testCluster(t *testing.T) *serve.Cluster {
	t.Helper()
	c, err := serve.Start(serve.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func mtproxy(t *testing.T, c *serve.Cluster, secret string) *serve.Proxy {
	t.Helper()
	s, err := transport.ParseSecret(secret)
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.StartProxy("127.0.0.1:0", s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// asked has a DC answer req_pq_multi, which is both ways.
func asked(t *testing.T, conn *Conn) {
	t.Helper()
	h := newSink()
	conn.Start(h)
	req, _ := hex.DecodeString("000000000000000004000000fdc0ab6514000000f18e7ebe15a084b3b9ca2a17f03925f44b78fe68")
	if err := conn.Send(req); err != nil {
		t.Fatal(err)
	}
	select {
	case p := <-h.packets:
		if len(p) < 84 || hex.EncodeToString(p[20:24]) != "63241605" { // resPQ
			t.Errorf("the answer is %x", p)
		}
	case err := <-h.closed:
		t.Fatalf("closed: %v", err)
	case <-time.After(20 * time.Second):
		t.Fatal("no answer")
	}
	conn.Close()
	<-h.closed
}

func TestConnectionsGoThroughProxiesBothWays(t *testing.T) {
	c := testCluster(t)
	to := targets(c.Addr(2))
	socks, err := proxytest.SOCKS5("joe", "pa:ss w%rd")
	if err != nil {
		t.Fatal(err)
	}
	defer socks.Stop()
	connect, err := proxytest.Connect("joe", "hunter2")
	if err != nil {
		t.Fatal(err)
	}
	defer connect.Stop()
	open, err := proxytest.SOCKS5("", "")
	if err != nil {
		t.Fatal(err)
	}
	defer open.Stop()
	ee := "ee" + proxyKey + hex.EncodeToString([]byte("example.com"))
	plain, dd, tls := mtproxy(t, c, proxyKey), mtproxy(t, c, "dd"+proxyKey), mtproxy(t, c, ee)
	for _, v := range []struct{ name, url, at string }{
		{"SOCKS5 with credentials", "socks5://joe:pa%3Ass%20w%25rd@" + socks.Addr(), socks.Addr()},
		{"SOCKS5 without", open.URL(), open.Addr()},
		{"CONNECT with credentials", connect.URL(), connect.Addr()},
		{"an MTProxy, plain", "mtproxy://" + plain.Addr() + "?secret=" + proxyKey, plain.Addr()},
		{"an MTProxy with padding", "mtproxy://" + dd.Addr() + "?secret=dd" + proxyKey, dd.Addr()},
		{"an MTProxy inside fake-TLS", "mtproxy://" + tls.Addr() + "?secret=" + ee, tls.Addr()},
	} {
		t.Run(v.name, func(t *testing.T) {
			for _, kind := range []transport.Kind{transport.Abridged, transport.Intermediate, transport.Padded, transport.Full} {
				d := &recorder{to: make(chan string, 10)}
				w := New(Config{Rand: rand.Reader, Kind: kind, Dialer: d})
				conn, err := w.dial(t.Context(), to, 2, &proxy.Via{Server: mustParse(t, v.url), Now: time.Now()})
				if err != nil {
					t.Fatal(err)
				}
				asked(t, conn)
				close(d.to)
				for addr := range d.to {
					if addr != v.at {
						t.Errorf("%v dialled %s and not the proxy", kind, addr)
					}
				}
			}
		})
	}
	for _, s := range []*proxytest.Server{socks, open, connect} {
		for _, addr := range s.Asked() {
			if addr != c.Addr(2) {
				t.Errorf("a proxy was asked for %s", addr)
			}
		}
	}
}

func TestAProxyThatFailsIsNotGoneAround(t *testing.T) {
	c := testCluster(t)
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
	ee := "ee" + proxyKey + hex.EncodeToString([]byte("example.com"))
	tls := mtproxy(t, c, ee)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	gone := closed.Addr().String()
	web, err := net.Listen("tcp", "127.0.0.1:0") // says something that is no proxy's
	if err != nil {
		t.Fatal(err)
	}
	defer web.Close()
	go func() {
		for {
			nc, err := web.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(nc, "SSH-2.0-x\r\n\r\n")
			_ = nc.Close()
		}
	}()
	other := strings.Replace(ee, "00", "01", 1)
	for _, v := range []struct {
		name, url string
		at        time.Time
		want      string
	}{
		{"SOCKS5, down", "socks5://joe:hunter2@" + gone, time.Now(), "refused"},
		{"SOCKS5, another password", "socks5://joe:hunter3@" + socks.Addr(), time.Now(), "authentication failed"},
		{"SOCKS5, no password", "socks5://" + socks.Addr(), time.Now(), "no acceptable authentication"},
		{"CONNECT, down", "http://joe:hunter2@" + gone, time.Now(), "refused"},
		{"CONNECT, another password", "http://joe:hunter3@" + connect.Addr(), time.Now(), "407"},
		{"CONNECT, no proxy there", "http://joe:hunter2@" + web.Addr().String(), time.Now(), "does not answer as an HTTP proxy"},
		{"SOCKS5, no proxy there", "socks5://joe:hunter2@" + web.Addr().String(), time.Now(), "unexpected protocol version"},
		{"MTProxy, down", "mtproxy://" + gone + "?secret=dd" + proxyKey, time.Now(), "refused"},
		{"fake-TLS, another secret", "mtproxy://" + tls.Addr() + "?secret=" + other, time.Now(), "EOF"},
		{"fake-TLS, a clock an hour slow", "mtproxy://" + tls.Addr() + "?secret=" + ee, time.Now().Add(-time.Hour), "EOF"},
		{"fake-TLS, no proxy there", "mtproxy://" + web.Addr().String() + "?secret=" + ee, time.Now(), "no TLS record"},
		{"a proxy of no kind", "", time.Now(), "no proxy that is known"},
	} {
		t.Run(v.name, func(t *testing.T) {
			via := &proxy.Via{Server: &proxy.Server{}, Now: v.at}
			if v.url != "" {
				via.Server = mustParse(t, v.url)
			}
			d := &recorder{to: make(chan string, 10)}
			_, err := New(Config{Rand: rand.Reader, Dialer: d}).dial(t.Context(), targets(c.Addr(1), c.Addr(2)), 2, via)
			var by *ProxyError
			if !errors.As(err, &by) || !strings.Contains(err.Error(), v.want) {
				t.Fatalf("error %v", err)
			}
			for _, secret := range []string{"joe", "hunter", proxyKey, "\n"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error has %q: %v", secret, err)
				}
			}
			close(d.to)
			for addr := range d.to {
				if addr == c.Addr(1) || addr == c.Addr(2) {
					t.Errorf("the DC was dialled directly, at %s", addr)
				}
			}
		})
	}
	if socks.Refused() == 0 || connect.Refused() == 0 {
		t.Error("nobody came with other credentials: nothing was tested")
	}
}

func TestLoadRefusesProxies(t *testing.T) {
	for _, url := range []string{"socks5://127.0.0.1:1", "http://127.0.0.1:1", "mtproxy://127.0.0.1:1?secret=" + proxyKey} {
		d := &recorder{to: make(chan string, 1)}
		w := New(Config{Rand: rand.Reader, Dialer: d, RequireLoopback: true})
		_, err := w.dial(t.Context(), []dc.Target{{Addr: netip.MustParseAddrPort("127.0.0.1:2")}}, 2, &proxy.Via{Server: mustParse(t, url)})
		var refused *ProxyRefusedError
		if !errors.As(err, &refused) || len(d.to) != 0 {
			t.Errorf("%s: %v, %d dials", url, err, len(d.to))
		}
	}
}

func TestAProxyThatSaysNothingIsGivenUp(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, scheme := range []string{"socks5://", "http://"} {
		w := New(Config{Rand: rand.Reader, ConnectTimeout: 50 * time.Millisecond, Sockets: 8})
		_, err := w.dial(t.Context(), targets("127.0.0.1:1"), 2, &proxy.Via{Server: mustParse(t, scheme+l.Addr().String())})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", scheme, err)
		}
		if err := w.Wait(t.Context()); err != nil || w.sockets.Load() != 0 {
			t.Errorf("%s: %d sockets are counted after the end, %v", scheme, w.sockets.Load(), err)
		}
	}
}

// FuzzConnect holds that an HTTP proxy's answer is read to its end and no further,
// and that what it says is not repeated.
func FuzzConnect(f *testing.F) {
	f.Add("HTTP/1.1 200 OK\r\nX: y\r\n\r\nrest")
	f.Add("HTTP/1.0 407 hunter2\n\n")
	f.Add("SSH-2.0\r\n\r\n")
	f.Fuzz(func(t *testing.T, reply string) {
		r := strings.NewReader(reply)
		err := connect(struct {
			io.Reader
			io.Writer
		}{r, io.Discard}, "192.0.2.1:443", &proxy.Server{Kind: proxy.Connect})
		read := reply[:len(reply)-r.Len()]
		if err == nil && !strings.HasSuffix(read, "\n\r\n") && !strings.HasSuffix(read, "\n\n") {
			t.Fatalf("read %q of %q", read, reply)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Fatal(err)
		}
	})
}
