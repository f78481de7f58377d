package wire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	socks "golang.org/x/net/proxy"

	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/proxy"
	"github.com/mtfleet/mtfleet/mtproto/transport"
)

// This file is the way of a connection: directly or through a proxy, whose every
// failure ends it. Nothing here turns from a proxy to a direct dial.

// fartherStagger is by how much longer the head start of a target is through a
// proxy or to a WebSocket: it takes two round trips more, and another target's as
// many.
const fartherStagger = 3

// A goal is what one attempt dials.
type goal struct {
	dc.Target
	web *dc.WebSocketURL // in place of the target's address
}

func (g goal) address() string {
	if g.web != nil {
		return g.web.Address()
	}
	return g.Addr.String()
}

func (g goal) url() string {
	if g.web != nil {
		return g.web.String()
	}
	return ""
}

func (g goal) loopback() bool {
	if g.web != nil {
		return g.web.Loopback()
	}
	return dc.Loopback(g.Addr)
}

func (g goal) attempt(err error) Attempt { return Attempt{Addr: g.Addr, URL: g.url(), Err: err} }

// goals returns what to dial for a DC, at least one.
func (c *Config) goals(targets []dc.Target, dcWire int, via *proxy.Via) (goals []goal, err error) {
	if via != nil {
		if targets, err = c.through(via, targets); err != nil {
			return nil, err
		}
	}
	if c.WebSocket != nil {
		return c.WebSocket.goals(dcWire)
	}
	if len(targets) == 0 {
		return nil, ErrNoTarget
	}
	for _, t := range targets {
		goals = append(goals, goal{Target: t})
	}
	return goals, nil
}

// through checks a way and returns the targets to ask its proxy for: for an
// MTProxy, which knows the DCs by their numbers, the one that is the proxy itself.
func (c *Config) through(via *proxy.Via, targets []dc.Target) ([]dc.Target, error) {
	switch {
	case via.Server == nil || via.Server.Kind < proxy.SOCKS5 || via.Server.Kind > proxy.MTProxy:
		return nil, &ProxyError{Proxy: "none that is known", Err: errNoProxy}
	case c.RequireLoopback:
		return nil, &ProxyRefusedError{via.Server.String()}
	case via.Server.Kind == proxy.MTProxy && c.WebSocket != nil:
		return nil, &WebSocketProxyError{via.Server.String()}
	case via.Server.Kind == proxy.MTProxy:
		return []dc.Target{{Secret: via.Server.Secret.Bytes()}}, nil
	}
	return targets, nil
}

// reach makes a connection to a target, on which the obfuscated stream can begin.
func (w *Network) reach(ctx context.Context, t goal, via *proxy.Via) (socket net.Conn, err error) {
	now := time.Now()
	if via == nil {
		socket, err = w.raw(ctx, t.address())
	} else {
		now = via.Now
		socket, err = w.proxied(ctx, t.address(), via.Server)
	}
	if err == nil && len(t.Secret) > 0 {
		socket, err = w.disguise(ctx, socket, t.Secret, now)
	}
	if err == nil && t.web != nil {
		socket, err = w.upgrade(ctx, socket, *t.web)
	}
	if err != nil && via != nil && !shortage(err) {
		err = &ProxyError{Proxy: via.Server.String(), Err: err}
	}
	return socket, err
}

// raw opens a socket.
func (w *Network) raw(ctx context.Context, addr string) (net.Conn, error) {
	socket, err := w.cfg.Dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	if s, ok := socket.(interface{ SetWriteBuffer(int) error }); ok {
		_ = s.SetWriteBuffer(kernelQueue) // a kernel that will not only answers late
	}
	return socket, nil
}

// proxied opens a connection to addr through a proxy.
func (w *Network) proxied(ctx context.Context, addr string, p *proxy.Server) (net.Conn, error) {
	switch p.Kind {
	case proxy.SOCKS5:
		var auth *socks.Auth
		if p.User != "" {
			auth = &socks.Auth{User: p.User, Password: p.Password}
		}
		d, err := socks.SOCKS5("tcp", p.Address(), auth, forward{w})
		if err != nil {
			return nil, err
		}
		socket, err := d.(socks.ContextDialer).DialContext(ctx, "tcp", addr)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = context.DeadlineExceeded // ctx's, which the library sets on the socket and may be felt there first
		}
		return socket, err
	case proxy.Connect:
		socket, err := w.raw(ctx, p.Address())
		if err != nil {
			return nil, err
		}
		return guarded(ctx, socket, func() (net.Conn, error) { return socket, connect(socket, addr, p) })
	case proxy.MTProxy:
		return w.raw(ctx, p.Address())
	}
	return nil, errNoProxy
}

// forward is how the library for SOCKS5 opens its socket.
type forward struct{ w *Network }

func (f forward) Dial(_, addr string) (net.Conn, error) { return f.w.raw(context.Background(), addr) }

func (f forward) DialContext(ctx context.Context, _, addr string) (net.Conn, error) {
	return f.w.raw(ctx, addr)
}

// disguise opens fake-TLS on a socket whose secret asks for it.
func (w *Network) disguise(ctx context.Context, socket net.Conn, secret []byte, now time.Time) (net.Conn, error) {
	s, err := transport.DecodeSecret(secret)
	if err != nil {
		_ = socket.Close()
		return nil, err
	}
	if s.Domain == "" {
		return socket, nil
	}
	return guarded(ctx, socket, func() (net.Conn, error) {
		tls, err := transport.ClientTLS(socket, s, now, w.cfg.Rand)
		return &disguised{socket, tls}, err
	})
}

// disguised is a socket with fake-TLS around what is read and written.
type disguised struct {
	net.Conn
	tls *transport.TLS
}

func (d *disguised) Read(p []byte) (int, error)  { return d.tls.Read(p) }
func (d *disguised) Write(p []byte) (int, error) { return d.tls.Write(p) }

// guarded runs f, which talks on a socket, until ctx ends; the socket is closed
// when f fails.
func guarded(ctx context.Context, socket net.Conn, f func() (net.Conn, error)) (net.Conn, error) {
	stop := context.AfterFunc(ctx, func() { _ = socket.SetDeadline(time.Unix(1, 0)) })
	conn, err := f()
	if !stop() && err == nil {
		err = ctx.Err() // the deadline is past for ever
	}
	if err != nil {
		_ = socket.Close()
		if cause := ctx.Err(); cause != nil {
			err = cause
		}
		return nil, err
	}
	return conn, nil
}

// ProxyError says that a connection could not be made through a proxy, which it
// names without its secrets.
type ProxyError struct {
	Proxy string
	Err   error
}

// Error names the proxy and the reason.
func (e *ProxyError) Error() string { return fmt.Sprintf("through %s: %v", e.Proxy, e.Err) }

// Unwrap returns the reason.
func (e *ProxyError) Unwrap() error { return e.Err }

// ProxyRefusedError refuses a proxy where all addresses have to be on this
// machine: who it would connect to cannot be seen from here.
type ProxyRefusedError struct{ Proxy string }

// Error names the proxy and says why.
func (e *ProxyRefusedError) Error() string {
	return fmt.Sprintf("wire: proxy %s is refused: load and tests are for this machine only, and where a proxy leads cannot be checked", e.Proxy)
}

// BlamesNobody says that the DC was not asked.
func (e *ProxyRefusedError) BlamesNobody() {}
