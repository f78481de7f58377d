package serve_test

import (
	"crypto/rand"
	"encoding/hex"
	"io"
	"net"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/mtproto/transport"
)

const proxyKey = "00112233445566778899aabbccddeeff"

// reqPQ is req_pq_multi with Telegram's sample nonce.
var reqPQ, _ = hex.DecodeString("000000000000000004000000fdc0ab6514000000f18e7ebe15a084b3b9ca2a17f03925f44b78fe68")

// greet says something through a proxy as a client would, and returns the answer.
func greet(t *testing.T, addr, secret string, kind transport.Kind, wireDC int, at time.Time) ([]byte, error) {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(10 * time.Second))
	s, err := transport.ParseSecret(secret)
	if err != nil {
		t.Fatal(err)
	}
	var rw io.ReadWriter = nc
	if s.Domain != "" {
		if rw, err = transport.ClientTLS(nc, s, at, rand.Reader); err != nil {
			return nil, err
		}
	}
	key := s.Inner()
	key.Padded = kind == transport.Padded
	c, err := transport.NewClient(transport.Config{Kind: kind, DC: wireDC, Secret: key.Bytes(), Rand: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	b, err := c.Encode(nil, reqPQ)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rw.Write(b); err != nil {
		return nil, err
	}
	return c.ReadPacket(rw, nil)
}

func TestMTProxyLetsInWhoHasItsSecret(t *testing.T) {
	ee := "ee" + proxyKey + hex.EncodeToString([]byte("example.com"))
	other := "ffeeddccbbaa99887766554433221100"
	for _, v := range []struct {
		name, proxy, client string
		kind                transport.Kind
		dc                  int
		off                 time.Duration
		code                int32 // 0: the DC answers
		closed              bool
	}{
		{name: "plain", proxy: proxyKey, client: proxyKey, kind: transport.Intermediate, dc: 2},
		{name: "plain, abridged", proxy: proxyKey, client: proxyKey, kind: transport.Abridged, dc: 1},
		{name: "padded", proxy: "dd" + proxyKey, client: "dd" + proxyKey, kind: transport.Padded, dc: 3},
		{name: "for media", proxy: "dd" + proxyKey, client: "dd" + proxyKey, kind: transport.Padded, dc: -3},
		{name: "fake-TLS", proxy: ee, client: ee, kind: transport.Padded, dc: 2},
		{name: "another secret", proxy: proxyKey, client: other, kind: transport.Intermediate, dc: 2, closed: true},
		{name: "another framing than the secret asks for", proxy: "dd" + proxyKey, client: proxyKey, kind: transport.Intermediate, dc: 2, closed: true},
		{name: "no fake-TLS where the secret asks for it", proxy: ee, client: "dd" + proxyKey, kind: transport.Padded, dc: 2, closed: true},
		{name: "fake-TLS with another secret", proxy: ee, client: "ee" + other + ee[34:], kind: transport.Padded, dc: 2, closed: true},
		{name: "fake-TLS at another time", proxy: ee, client: ee, kind: transport.Padded, dc: 2, off: 5 * time.Minute, closed: true},
		{name: "a DC that there is not", proxy: proxyKey, client: proxyKey, kind: transport.Intermediate, dc: 9, code: -444},
		{name: "a DC of another environment", proxy: proxyKey, client: proxyKey, kind: transport.Intermediate, dc: 10002, code: -444},
	} {
		t.Run(v.name, func(t *testing.T) {
			c := start(t, serve.Config{})
			s, err := transport.ParseSecret(v.proxy)
			if err != nil {
				t.Fatal(err)
			}
			p, err := c.StartProxy("127.0.0.1:0", s)
			if err != nil {
				t.Fatal(err)
			}
			got, err := greet(t, p.Addr(), v.client, v.kind, v.dc, time.Now().Add(v.off))
			switch code, isCode := transport.ErrorCode(got); {
			case v.closed && err == nil:
				t.Errorf("it was let in: %x", got)
			case v.closed:
			case err != nil:
				t.Error(err)
			case v.code != 0 && (!isCode || code != v.code):
				t.Errorf("answered %x", got)
			case v.code == 0 && (len(got) < 24 || hex.EncodeToString(got[20:24]) != "63241605"): // resPQ
				t.Errorf("answered %x", got)
			}
			if list, n := c.Violations(); v.code == 0 && !v.closed && n != 0 {
				t.Errorf("violations %v", list)
			}
		})
	}
}

func TestMTProxyStopsAndStarts(t *testing.T) {
	c := start(t, serve.Config{Core: dctest.Config{}})
	p, err := c.StartProxy("127.0.0.1:0", transport.Secret{})
	if err != nil {
		t.Fatal(err)
	}
	plain := "00000000000000000000000000000000"
	if _, err := greet(t, p.Addr(), plain, transport.Intermediate, 2, time.Now()); err != nil {
		t.Fatal(err)
	}
	p.Stop()
	if nc, err := net.Dial("tcp", p.Addr()); err == nil {
		_ = nc.Close()
		t.Error("it is open after Stop")
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := greet(t, p.Addr(), plain, transport.Intermediate, 2, time.Now()); err != nil {
		t.Error(err)
	}
	if _, err := c.StartProxy("0.0.0.0:0", transport.Secret{}); err == nil {
		t.Error("a proxy was opened to a network")
	}
}
