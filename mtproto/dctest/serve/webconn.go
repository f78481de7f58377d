package serve

import (
	"context"
	"crypto/tls"
	"io"
	"net"

	"github.com/coder/websocket"
)

// webSocket is a WebSocket as a connection: a stream, whatever the bounds of its messages. Deadlines and Close are those
// of the TCP connection, so that neither waits.
type webSocket struct {
	net.Conn          // TCP
	top      net.Conn // the same, or TLS over it
	ws       *websocket.Conn
	rest     io.Reader // of a message; nil between them
}

func newWebSocket(top net.Conn, ws *websocket.Conn) *webSocket {
	w := &webSocket{Conn: top, top: top, ws: ws}
	if t, ok := top.(*tls.Conn); ok {
		w.Conn = t.NetConn()
	}
	return w
}

// Read reads what there is of a message, and answers pings.
func (w *webSocket) Read(p []byte) (int, error) {
	for len(p) > 0 {
		if w.rest == nil {
			kind, message, err := w.ws.Reader(context.Background())
			if err == nil && kind != websocket.MessageBinary {
				err = errText
			}
			if err != nil {
				return 0, w.ended(err)
			}
			w.rest = message
		}
		n, err := w.rest.Read(p)
		switch {
		case err == io.EOF:
			w.rest = nil
		case err != nil:
			return n, w.ended(err)
		}
		if n > 0 {
			return n, nil
		}
	}
	return 0, nil
}

// ended lets go of what the library holds.
func (w *webSocket) ended(err error) error {
	_ = w.Close()
	_ = w.ws.CloseNow()
	return err
}

// Write sends b as one message.
func (w *webSocket) Write(b []byte) (int, error) {
	if err := w.ws.Write(context.Background(), websocket.MessageBinary, b); err != nil {
		return 0, err
	}
	return len(b), nil
}

// goodbye is a close frame with status 1000: https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1.
var goodbye = []byte{0x88, 2, 1000 >> 8, 1000 & 0xff}

// CloseWrite closes our side in an orderly way, and does not wait for the other. It comes after the last Write.
func (w *webSocket) CloseWrite() error {
	if _, err := w.top.Write(goodbye); err != nil {
		return err
	}
	if t, ok := w.top.(*tls.Conn); ok {
		_ = t.CloseWrite() // what says the same goes out below
	}
	if half, ok := w.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
