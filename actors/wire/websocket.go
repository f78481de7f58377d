package wire

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"time"

	"github.com/coder/websocket"

	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/transport"
)

// This file makes a stream of a WebSocket (RFC 6455): the obfuscated bytes travel
// in binary messages whose boundaries mean nothing
// (https://core.telegram.org/mtproto/transports#websocket).

// WebSocket says where the DCs take WebSockets.
type WebSocket struct {
	// Addresses are those of all DCs: dc.ProductionWebSockets(), or others. Where a
	// DC has several, the first three are raced. Names are looked up by this machine
	// for direct connections, and by a proxy for those through it.
	Addresses []dc.WebSocket
	// RootCAs are whose certificates are accepted of wss; nil means the system's.
	// There is no way to accept any.
	RootCAs *x509.CertPool
}

// maxMessage bounds one message of a WebSocket. Nothing is held of one, so that it
// bounds what a server may be wrong by and not our memory: it is twice what the
// longest packet takes.
const maxMessage = 2 * transport.MaxPacket

// goals returns the WebSockets of a DC.
func (ws *WebSocket) goals(dcWire int) (goals []goal, err error) {
	id, _, media, _ := dc.ParseWire(dcWire)
	for _, a := range dc.SelectWebSockets(ws.Addresses, id, media) {
		u, err := dc.ParseWebSocketURL(a.URL)
		if err != nil {
			return nil, &NoWebSocketError{id, err}
		}
		goals = append(goals, goal{web: &u})
	}
	if len(goals) == 0 {
		return nil, &NoWebSocketError{DC: id}
	}
	return goals, nil
}

// Media reports whether the network reaches addresses for media alone of a DC that
// has such: inside WebSockets only where one is for media.
func (w *Network) Media(at dc.ID) bool {
	ws := w.cfg.WebSocket
	return ws == nil || slices.ContainsFunc(ws.Addresses, func(a dc.WebSocket) bool { return a.DC == at && a.Media })
}

// upgrade turns a connection to a web server into a WebSocket.
func (w *Network) upgrade(ctx context.Context, socket net.Conn, to dc.WebSocketURL) (net.Conn, error) {
	return guarded(ctx, socket, func() (net.Conn, error) {
		s := &webSocket{Conn: socket, url: to.String()}
		below := &fenced{socket, &w.cfg}
		body := &webBody{Conn: below}
		if to.Secure {
			t := tls.Client(below, &tls.Config{
				ServerName: to.Host, RootCAs: w.cfg.WebSocket.RootCAs, NextProtos: []string{"http/1.1"}, MinVersion: tls.VersionTLS12,
			})
			if err := t.Handshake(); err != nil {
				return nil, s.failed(certificate(err))
			}
			body.Conn = t
		}
		u := &upgrader{conn: body}
		ws, _, err := websocket.Dial(context.Background(), s.url, u.options()) // the deadlines are guarded's
		switch {
		case u.err != nil:
			return nil, s.failed(u.err)
		case err != nil:
			return nil, s.failed(errNoUpgrade) // err has words of the server's
		}
		ws.SetReadLimit(maxMessage)
		body.open = true
		s.ws = ws
		return s, nil
	})
}

// fenced is a socket on which others write too: TLS, and the answers to pings and
// to a close, which the library gives by itself. So it asks the fence.
type fenced struct {
	net.Conn
	cfg *Config
}

func (f *fenced) Write(b []byte) (int, error) {
	if err := f.cfg.fence(); err != nil {
		return 0, err
	}
	if err := f.SetWriteDeadline(time.Now().Add(f.cfg.WriteTimeout)); err != nil {
		return 0, err
	}
	return f.Conn.Write(b)
}

// webBody is the connection behind an upgrade; there is nothing in it before that
// is checked, whatever the server goes on to say.
type webBody struct {
	net.Conn
	open bool
}

func (b *webBody) Read(p []byte) (int, error) {
	if !b.open {
		return 0, io.EOF
	}
	return b.Conn.Read(p)
}

// webSocket is a WebSocket as a stream. Deadlines and Close are those of the socket
// below it: to close waits for nothing, and says nothing more.
type webSocket struct {
	net.Conn
	ws   *websocket.Conn
	rest io.Reader // of a message; nil between them
	url  string
}

// Read reads what there is of a message, and answers pings.
func (s *webSocket) Read(p []byte) (int, error) {
	for len(p) > 0 {
		if s.rest == nil {
			kind, message, err := s.ws.Reader(context.Background())
			if err == nil && kind != websocket.MessageBinary {
				err = errText
			}
			if err != nil {
				return 0, s.ended(err)
			}
			s.rest = message
		}
		n, err := s.rest.Read(p)
		switch {
		case err == io.EOF:
			s.rest = nil
		case err != nil:
			return n, s.ended(err)
		}
		if n > 0 {
			return n, nil
		}
	}
	return 0, nil
}

// webPiece is how much of what is written makes one message: with its header it fills
// the library's buffer. What answers a ping waits for a message that is being
// written, and the library for that answer no more than 5 s: so that a ping is
// survived at 1 KiB/s.
const webPiece = 4<<10 - 8

// Write sends p in messages.
func (s *webSocket) Write(p []byte) (n int, err error) {
	for n < len(p) {
		piece := p[n:min(n+webPiece, len(p))]
		if err := s.ws.Write(context.Background(), websocket.MessageBinary, piece); err != nil {
			return n, s.why(err)
		}
		n += len(piece)
	}
	return n, nil
}

// ended lets go of what the library holds, and says why nothing more is read.
func (s *webSocket) ended(err error) error {
	_ = s.Close() // first: nothing waits for a goodbye
	_ = s.ws.CloseNow()
	return s.why(err)
}

// why is an error of the library's without the server's words: the socket's own, or
// else what the server did.
func (s *webSocket) why(err error) error {
	var fence *FencedError
	var socket *net.OpError
	status := websocket.CloseStatus(err)
	switch {
	case errors.As(err, &fence):
		return fence
	case err == errText:
		return s.failed(err)
	case errors.Is(err, websocket.ErrMessageTooBig):
		return s.failed(errTooBig)
	case status == websocket.StatusNormalClosure, status == websocket.StatusGoingAway, status == websocket.StatusNoStatusRcvd:
		return io.EOF
	case status >= 0:
		return s.failed(fmt.Errorf("it closes the WebSocket with status %d", int(status)))
	case errors.Is(err, context.DeadlineExceeded):
		return s.failed(errSlow)
	case errors.As(err, &socket):
		return socket
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return io.EOF
	case errors.Is(err, net.ErrClosed):
		return net.ErrClosed
	}
	return s.failed(errFrames)
}

func (s *webSocket) failed(err error) error {
	var fence *FencedError
	if errors.As(err, &fence) {
		return fence
	}
	return &WebSocketError{URL: s.url, Err: err}
}
