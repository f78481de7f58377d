package wire

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/coder/websocket"

	"github.com/mtfleet/mtfleet/mtproto/dc"
)

// subprotocol is the one that a DC speaks in a WebSocket.
const subprotocol = "binary"

var (
	errNoUpgrade   = errors.New("it does not upgrade to a WebSocket as RFC 6455 has it")
	errNoHTTP      = errors.New("it does not answer as an HTTP server")
	errSubprotocol = errors.New("it does not speak the subprotocol binary")
	errText        = errors.New("it sends text, where only binary messages belong")
	errTooBig      = fmt.Errorf("it sends a message of more than %d bytes", maxMessage)
	errSlow        = errors.New("it does not finish a control frame, or take the answer to one, in 5s")
	errFrames      = errors.New("its frames do not follow RFC 6455")
	errOtherName   = errors.New("its certificate is for another name")
	errUnknownCA   = errors.New("its certificate is signed by an authority that is not trusted here")
	errCertificate = errors.New("its certificate is not valid: check its dates, and this machine's clock")
)

// upgrader asks for a WebSocket on a connection that stands. It is the transport of
// one http.Client, for one request: no connection is kept, no redirect is followed,
// and of an answer no more is read than its head.
type upgrader struct {
	conn *webBody
	err  error // why there is none
}

func (u *upgrader) options() *websocket.DialOptions {
	return &websocket.DialOptions{
		HTTPClient:   &http.Client{Transport: u},
		HTTPHeader:   http.Header{"User-Agent": {"mtfleet"}},
		Subprotocols: []string{subprotocol},
	}
}

// RoundTrip is how the library asks.
func (u *upgrader) RoundTrip(r *http.Request) (*http.Response, error) {
	var answer *http.Response
	if answer, u.err = u.ask(r); u.err != nil {
		return nil, u.err
	}
	return answer, nil
}

func (u *upgrader) ask(r *http.Request) (*http.Response, error) {
	if err := r.Write(u.conn); err != nil {
		return nil, err
	}
	head, err := readHead(u.conn.Conn)
	if err != nil {
		return nil, err
	}
	answer, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(head)), r)
	switch {
	case err != nil:
		return nil, errNoHTTP // err may have the server's words
	case answer.StatusCode >= 300 && answer.StatusCode <= 399:
		return nil, fmt.Errorf("it redirects with status %d, which is not followed", answer.StatusCode)
	case answer.StatusCode != http.StatusSwitchingProtocols:
		return nil, fmt.Errorf("it refuses with status %d", answer.StatusCode)
	case !strings.EqualFold(answer.Header.Get("Sec-WebSocket-Protocol"), subprotocol):
		return nil, errSubprotocol
	}
	answer.Body = u.conn
	return answer, nil
}

// certificate is an error of a TLS handshake without the server's words.
func certificate(err error) error {
	var verification *tls.CertificateVerificationError
	if !errors.As(err, &verification) {
		return err
	}
	var name x509.HostnameError
	var authority x509.UnknownAuthorityError
	switch {
	case errors.As(err, &name):
		return errOtherName
	case errors.As(err, &authority):
		return errUnknownCA
	}
	return errCertificate
}

// WebSocketError says what a web server did that was not to be, before there was a
// WebSocket or in it. It has none of the server's words.
type WebSocketError struct {
	URL string // which has no secret
	Err error
}

// Error names the WebSocket and what its server did.
func (e *WebSocketError) Error() string { return "wire: " + e.URL + ": " + e.Err.Error() }

// Unwrap returns the reason.
func (e *WebSocketError) Unwrap() error { return e.Err }

// NoWebSocketError says that a DC has no WebSocket that can be dialled. Err is what
// is wrong with one, or nil.
type NoWebSocketError struct {
	DC  dc.ID
	Err error
}

// Error names the DC.
func (e *NoWebSocketError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("wire: %v: %v", e.DC, e.Err)
	}
	return fmt.Sprintf("wire: no WebSocket is known for %v: name one, or connect by TCP", e.DC)
}

// Unwrap returns what is wrong.
func (e *NoWebSocketError) Unwrap() error { return e.Err }

// BlamesNobody says that the DC was not asked.
func (e *NoWebSocketError) BlamesNobody() {}

// WebSocketProxyError refuses an MTProxy for WebSockets: it passes on the stream of
// TCP alone.
type WebSocketProxyError struct{ Proxy string }

// Error names the proxy and says what to do.
func (e *WebSocketProxyError) Error() string {
	return fmt.Sprintf("wire: proxy %s is an MTProxy, which does not lead to WebSockets: take a SOCKS5 or HTTP proxy, or connect by TCP", e.Proxy)
}

// BlamesNobody says that the DC was not asked.
func (e *WebSocketProxyError) BlamesNobody() {}
