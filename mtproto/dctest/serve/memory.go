package serve

import (
	"context"
	"net"
	"slices"
	"strconv"
	"sync/atomic"
	"syscall"
)

// A Dialer connects clients of the same process without sockets. It understands the addresses of the cluster.
type Dialer struct {
	s     *Cluster
	count atomic.Uint64
}

// Dialer returns a dialer into the cluster.
func (s *Cluster) Dialer() *Dialer { return &Dialer{s: s} }

// DialContext connects to the DC, or the MTProxy, with that address. network is ignored. An unknown address or a stopped DC is refused,
// as a closed port is. It does not block.
func (d *Dialer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	refused := func(err error) error {
		return &net.OpError{Op: "dial", Net: network, Err: err}
	}
	if err := ctx.Err(); err != nil {
		return nil, refused(err)
	}
	for _, l := range d.s.listeners {
		if i := slices.IndexFunc(l.all(), func(at door) bool { return at.addr == addr }); i >= 0 {
			return d.dial(l.dc, l.all()[i].media)
		}
	}
	if p := d.s.proxyAt(addr); p != nil {
		return d.dialProxy(p)
	}
	return nil, refused(syscall.ECONNREFUSED)
}

// dialProxy connects to an MTProxy.
func (d *Dialer) dialProxy(p *Proxy) (net.Conn, error) {
	client, server := net.Pipe()
	if !p.accept(server, "memory:"+strconv.FormatUint(d.count.Add(1), 10)) {
		_ = client.Close()
		return nil, &net.OpError{Op: "dial", Net: "memory", Err: syscall.ECONNREFUSED}
	}
	return client, nil
}

// DialDC connects to a DC by its number.
func (d *Dialer) DialDC(dc int) (net.Conn, error) { return d.dial(dc, false) }

func (d *Dialer) dial(dc int, media bool) (net.Conn, error) {
	refused := &net.OpError{Op: "dial", Net: "memory", Err: syscall.ECONNREFUSED}
	l := d.s.listener(dc)
	if l == nil || l.isDown() {
		return nil, refused
	}
	client, server := net.Pipe()
	if !d.s.accept(dc, media, server, "memory:"+strconv.FormatUint(d.count.Add(1), 10)) {
		_ = client.Close()
		return nil, refused
	}
	return client, nil
}
