package serve_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/mtproto/transport"
)

// web is a client of a cluster's doors for WebSockets.
func web(t *testing.T, s *serve.Cluster) *http.Client {
	t.Helper()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(s.Descriptor().WebSocketCA)) {
		t.Fatal("there is no authority in the descriptor")
	}
	// HTTP/2 is offered, as browsers do.
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, NextProtos: []string{"h2", "http/1.1"}}, ForceAttemptHTTP2: true}}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// urls are where DC 2 takes WebSockets.
func urls(s *serve.Cluster) (wss, ws string) {
	for _, w := range s.Descriptor().WebSockets {
		switch {
		case w.ID == 2 && strings.HasPrefix(w.URL, "wss://127.0.0.1:"):
			wss = w.URL
		case w.ID == 2 && strings.HasPrefix(w.URL, "ws://127.0.0.1:"):
			ws = w.URL
		}
	}
	return wss, ws
}

func dialWeb(t *testing.T, s *serve.Cluster, url string) *websocket.Conn {
	t.Helper()
	ws, r, err := websocket.Dial(t.Context(), url, &websocket.DialOptions{HTTPClient: web(t, s), Subprotocols: []string{"chat", "binary"}})
	if err != nil {
		t.Fatalf("%s: %v, %v", url, err, r)
	}
	if ws.Subprotocol() != "binary" {
		t.Errorf("the subprotocol is %q", ws.Subprotocol())
	}
	t.Cleanup(func() { _ = ws.CloseNow() })
	return ws
}

// crumbs is a connection that writes every byte by itself.
type crumbs struct{ net.Conn }

func (c crumbs) Write(b []byte) (int, error) {
	for i := range b {
		if n, err := c.Conn.Write(b[i : i+1]); err != nil {
			return i + n, err
		}
	}
	return len(b), nil
}

func TestABotSignsInOverWebSockets(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	for _, test := range []bool{false, true} {
		s := start(t, serve.Config{Core: dctest.Config{Test: test}, Bots: 12, WebSockets: true})
		wss, ws := urls(s)
		if suffix := map[bool]string{false: "/apiws", true: "/apiws_test"}[test]; !strings.HasSuffix(wss, suffix) || !strings.HasSuffix(ws, suffix) {
			t.Errorf("they are at %s and %s", wss, ws)
		}
		i := 0
		for _, bot := range s.Descriptor().Bots {
			if bot.DC != 2 {
				continue
			}
			i++
			url := wss
			if i%2 == 0 {
				url = ws
			}
			conn := websocket.NetConn(context.Background(), dialWeb(t, s, url), websocket.MessageBinary)
			if i > 2 {
				conn = crumbs{conn} // the bounds of messages mean nothing
			}
			number := 2
			if test {
				number += 10000
			}
			p := dial(t, conn, transport.Config{Kind: transport.Padded, Obfuscated: true, DC: number})
			p.makeKey(number, false)
			p.signInBot(bot.Token, s.Descriptor().Apps[0])
			if e := p.echo(int64(i)); e.UserID != bot.UserID || e.DC != 2 {
				t.Errorf("echoed %+v", e)
			}
			_ = conn.Close()
		}
		if i < 4 {
			t.Errorf("%d bots signed in", i)
		}
		noViolations(t, s)
		_ = s.Close()
	}
}

func TestWhoGetsNoWebSocket(t *testing.T) {
	s := start(t, serve.Config{WebSockets: true})
	wss, ws := urls(s)
	for _, v := range []struct {
		name   string
		to     string
		header http.Header
		status int
	}{
		{"another path", strings.Replace(wss, "/apiws", "/", 1), nil, 404},
		{"the path of another environment", wss + "_test", nil, 404},
		{"no subprotocol", wss, http.Header{"Sec-Websocket-Protocol": nil}, 400},
		{"another subprotocol", ws, http.Header{"Sec-Websocket-Protocol": {"chat, binary2"}}, 400},
		{"no upgrade", ws, http.Header{"Upgrade": nil}, 426},
		{"another version", ws, http.Header{"Sec-Websocket-Version": {"8"}}, 400},
		{"no key", ws, http.Header{"Sec-Websocket-Key": nil}, 400},
		{"a page of another site", wss, http.Header{"Origin": {"https://example.com"}}, 403},
		{"a page of a site that pretends", wss, http.Header{"Origin": {"https://localhost.example.com"}}, 403},
		{"a page of this machine", wss, http.Header{"Origin": {"http://localhost:5173"}}, 101},
		{"another of this machine", wss, http.Header{"Origin": {"http://[::1]:5173"}}, 101},
		{"a page nowhere", wss, http.Header{"Origin": {"null"}}, 403},
		{"a program", ws, nil, 101},
	} {
		t.Run(v.name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, strings.Replace(v.to, "ws", "http", 1), nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header = http.Header{
				"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"},
				"Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}, "Sec-Websocket-Protocol": {"binary"},
			}
			for name, value := range v.header {
				r.Header[name] = value
			}
			answer, err := web(t, s).Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = answer.Body.Close()
			if answer.StatusCode != v.status || answer.ProtoMajor != 1 {
				t.Errorf("%s %d, want %d", answer.Proto, answer.StatusCode, v.status)
			}
		})
	}
	noViolations(t, s)
}

func TestWhatAClientMayNotSayInAWebSocket(t *testing.T) {
	plain, err := transport.NewClient(transport.Config{Kind: transport.Intermediate, Rand: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	packet, err := plain.Encode(nil, make([]byte, 40))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []struct {
		name string
		says func(*testing.T, *websocket.Conn)
		want string
	}{
		{"text", func(t *testing.T, ws *websocket.Conn) { _ = ws.Write(t.Context(), websocket.MessageText, packet) }, "a message is text"},
		{"a stream that is not obfuscated", func(t *testing.T, ws *websocket.Conn) {
			_ = ws.Write(t.Context(), websocket.MessageBinary, packet)
		}, "is not obfuscated"},
	} {
		t.Run(v.name, func(t *testing.T) {
			s := start(t, serve.Config{WebSockets: true})
			wss, _ := urls(s)
			ws := dialWeb(t, s, wss)
			v.says(t, ws)
			if _, _, err := ws.Reader(t.Context()); err == nil {
				t.Error("it goes on")
			}
			list, _ := s.Violations()
			for deadline := time.Now().Add(10 * time.Second); len(list) == 0 && time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
				list, _ = s.Violations()
			}
			if len(list) == 0 || !strings.Contains(list[0].Text, v.want) {
				t.Errorf("written down: %v", list)
			}
		})
	}
}

// TestATransportErrorComesBeforeTheEnd: and the end is that of RFC 6455.
func TestATransportErrorComesBeforeTheEnd(t *testing.T) {
	s := start(t, serve.Config{WebSockets: true})
	wss, ws := urls(s)
	for _, url := range []string{wss, ws} {
		conn := dialWeb(t, s, url)
		p := dial(t, websocket.NetConn(t.Context(), conn, websocket.MessageBinary), transport.Config{Kind: transport.Intermediate, Obfuscated: true, DC: 2})
		packet, err := p.roundTrip(bytes.Repeat([]byte{7}, 1<<20)) // in one message, and under a key that nobody has
		if code, ok := transport.ErrorCode(packet); !ok || code != -404 {
			t.Errorf("%x, %v", packet, err)
		}
		if _, err := p.read(); !errors.Is(err, io.EOF) { // NetConn makes it of a close with status 1000
			t.Errorf("%s ends with %v", url, err)
		}
	}
}

func TestWebSocketsCloseAndOpenWithTheirDC(t *testing.T) {
	s := start(t, serve.Config{WebSockets: true})
	wss, ws := urls(s)
	open := dialWeb(t, s, wss)
	// One that has not asked for a WebSocket yet.
	half, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(ws, "ws://"), "/apiws"))
	if err != nil {
		t.Fatal(err)
	}
	defer half.Close()
	if err := s.StopDC(2, true); err != nil {
		t.Fatal(err)
	}
	if _, _, err := open.Reader(t.Context()); err == nil {
		t.Error("a WebSocket outlives its DC")
	}
	if _, err := half.Read(make([]byte, 1)); err == nil {
		t.Error("so does who is about to ask for one")
	}
	for _, url := range []string{wss, ws} {
		if c, _, err := websocket.Dial(t.Context(), url, &websocket.DialOptions{HTTPClient: web(t, s), Subprotocols: []string{"binary"}}); err == nil {
			_ = c.CloseNow()
			t.Errorf("%s is open while the DC is down", url)
		}
	}
	if err := s.StartDC(2); err != nil {
		t.Fatal(err)
	}
	if again, _ := urls(s); again != wss {
		t.Errorf("it is at %s now, and was at %s", again, wss)
	}
	for _, url := range []string{wss, ws} {
		conn := websocket.NetConn(t.Context(), dialWeb(t, s, url), websocket.MessageBinary)
		dial(t, conn, transport.Config{Kind: transport.Abridged, Obfuscated: true, DC: 2}).makeKey(2, false)
	}
	noViolations(t, s)
}

func TestAClusterWithoutSocketsTakesNoWebSockets(t *testing.T) {
	s := start(t, serve.Config{WebSockets: true, MemoryOnly: true})
	if d := s.Descriptor(); len(d.WebSockets) != 0 || d.WebSocketCA != "" {
		t.Errorf("%v %q", d.WebSockets, d.WebSocketCA)
	}
}
