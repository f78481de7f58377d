package proxy

import (
	"encoding/hex"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/transport"
)

// Kind is the protocol that a proxy speaks.
type Kind uint8

// The kinds. The zero Kind is none of them.
const (
	// SOCKS5 is RFC 1928, with user and password (RFC 1929) where there are any.
	SOCKS5 Kind = 1 + iota
	// Connect is HTTP's CONNECT (RFC 9110), with Basic credentials.
	Connect
	// MTProxy is Telegram's own: the stream to the DC is obfuscated with its secret,
	// and it picks the DC by the number in the header.
	MTProxy
)

var schemes = [...]string{SOCKS5: "socks5", Connect: "http", MTProxy: "mtproxy"}

// String is the scheme of its URLs.
func (k Kind) String() string {
	if int(k) < len(schemes) && schemes[k] != "" {
		return schemes[k]
	}
	return "unknown"
}

// A Server is one proxy with what opens it. It is a value that can be compared:
// equal ones are the same way out.
type Server struct {
	Kind Kind
	Host string // a name, or an IP address
	Port uint16
	// User and Password are for SOCKS5 and Connect; empty: none.
	User, Password string
	// Secret is for MTProxy.
	Secret transport.Secret
}

// Address is host and port, as a dialer takes them.
func (s Server) Address() string {
	host := s.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return host + ":" + strconv.Itoa(int(s.Port))
}

// String names the proxy without user, password and secret.
func (s Server) String() string {
	if s.Kind == 0 {
		return ""
	}
	return s.Kind.String() + "://" + s.Address()
}

// Format keeps the secrets from every verb of fmt, and so from log/slog.
func (s Server) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText keeps the secrets out of encoding/json and its like.
func (s Server) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// URL is what [Parse] reads, with all secrets.
func (s Server) URL() string {
	u := url.URL{Scheme: s.Kind.String(), Host: s.Address()}
	switch {
	case s.Kind == MTProxy:
		u.RawQuery = "secret=" + hex.EncodeToString(s.Secret.Bytes())
	case s.User != "" || s.Password != "":
		u.User = url.UserPassword(s.User, s.Password)
	}
	return u.String()
}

// A Via is the way of one dial through a proxy.
type Via struct {
	Server *Server
	// Now is the time by the server's clock as far as it is known: fake-TLS hellos
	// of another time are refused.
	Now time.Time
}
