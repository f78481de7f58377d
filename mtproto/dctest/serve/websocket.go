package serve

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/mtfleet/mtfleet/mtproto/transport"
)

// web is the front of one DC for WebSockets: a door, and one in TLS
// (https://core.telegram.org/mtproto/transports#websocket). The listener's lock guards it.
type web struct {
	s      *Cluster
	dc     int
	plain  door
	secure door
	server *http.Server // nil while stopped
}

const (
	// subprotocol is the one that a client must offer.
	subprotocol = "binary"
	// upgradeTimeout is how long a client may take to ask for a WebSocket.
	upgradeTimeout = 10 * time.Second
	// maxUpgrade bounds what it may say then, in bytes.
	maxUpgrade = 16 << 10
	// maxMessage bounds one message; nothing is held of one.
	maxMessage = 2 * transport.MaxPacket
)

// origins are the pages that may connect besides those of the door itself: those of this machine.
var origins = []string{"localhost", "localhost:*", "127.0.0.1", "127.0.0.1:*", `\[::1\]`, `\[::1\]:*`}

func newWeb(s *Cluster, dc int) *web {
	const free = "127.0.0.1:0"
	return &web{s: s, dc: dc, plain: door{addr: free}, secure: door{addr: free}}
}

// listen opens both doors; after an error, which is about the address at, one may be open.
func (w *web) listen(again bool, deadline time.Time) (at string, err error) {
	for _, d := range []*door{&w.plain, &w.secure} {
		if err := d.listen(again, deadline); err != nil {
			return d.addr, err
		}
	}
	return "", nil
}

// shut closes the doors, and who has not got a WebSocket yet.
func (w *web) shut() {
	for _, d := range []*door{&w.plain, &w.secure} {
		if d.tcp != nil {
			_ = d.tcp.Close()
			d.tcp = nil
		}
	}
	if w.server != nil {
		_ = w.server.Close()
		w.server = nil
	}
}

// serve answers at both doors until they are shut.
func (w *web) serve() {
	if w.plain.tcp == nil || w.secure.tcp == nil {
		return
	}
	w.server = &http.Server{
		Handler: w, ReadHeaderTimeout: upgradeTimeout, MaxHeaderBytes: maxUpgrade,
		ErrorLog:    log.New(io.Discard, "", 0), // the violations are what is said of clients
		TLSConfig:   &tls.Config{Certificates: []tls.Certificate{w.s.cert}, MinVersion: tls.VersionTLS12},
		ConnContext: func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, underKey{}, c) },
		ConnState:   w.count,
		Protocols:   new(http.Protocols),
	}
	w.server.Protocols.SetHTTP1(true) // over HTTP/2 there is no upgrade
	w.server.SetKeepAlivesEnabled(false)
	server, plain, secure := w.server, w.plain.tcp, w.secure.tcp
	w.s.wg.Go(func() { _ = server.Serve(plain) })
	w.s.wg.Go(func() { _ = server.ServeTLS(secure, "", "") })
}

// count has Close wait for who has no WebSocket yet. A connection begins while the server's own goroutine, which is
// counted too, accepts it.
func (w *web) count(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		w.s.wg.Add(1)
	case http.StateHijacked, http.StateClosed:
		w.s.wg.Done()
	}
}

// underKey is where a request's context has its connection.
type underKey struct{}

// ServeHTTP makes a connection of a WebSocket.
func (w *web) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.s.wg.Add(1) // beyond the hijack
	defer w.s.wg.Done()
	if r.URL.Path != w.s.webPath() {
		http.Error(rw, "a DC takes WebSockets at "+w.s.webPath(), http.StatusNotFound)
		return
	}
	if !offers(r, subprotocol) {
		http.Error(rw, "offer Sec-WebSocket-Protocol: "+subprotocol, http.StatusBadRequest)
		return
	}
	ws, err := websocket.Accept(rw, r, &websocket.AcceptOptions{Subprotocols: []string{subprotocol}, OriginPatterns: origins})
	if err != nil {
		return // it was answered
	}
	ws.SetReadLimit(maxMessage)
	w.s.accept(w.dc, false, newWebSocket(r.Context().Value(underKey{}).(net.Conn), ws), r.RemoteAddr)
}

// offers reports whether a client speaks a subprotocol.
func offers(r *http.Request, name string) bool {
	for _, line := range r.Header.Values("Sec-WebSocket-Protocol") {
		if slices.ContainsFunc(strings.Split(line, ","), func(s string) bool { return strings.EqualFold(strings.TrimSpace(s), name) }) {
			return true
		}
	}
	return false
}

// webPath is where a DC of this environment takes WebSockets.
func (s *Cluster) webPath() string {
	if s.cfg.Core.Test {
		return "/apiws_test"
	}
	return "/apiws"
}

// webSockets lists where the DCs take WebSockets: those in TLS first.
func (s *Cluster) webSockets() (list []WebSocketAddr) {
	for _, l := range s.listeners {
		l.mu.Lock()
		if l.web != nil {
			list = append(list,
				WebSocketAddr{l.dc, "wss://" + l.web.secure.addr + s.webPath()},
				WebSocketAddr{l.dc, "ws://" + l.web.plain.addr + s.webPath()})
		}
		l.mu.Unlock()
	}
	return list
}

// webError says what a client did that a WebSocket of a DC does not allow.
type webError struct{ reason string }

func (e *webError) Error() string { return "websocket: " + e.reason }

var (
	errNotObfuscated = &webError{"the stream in it is not obfuscated"}
	errText          = &webError{"a message is text, and not binary"}
)
