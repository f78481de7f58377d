package serve

import (
	"errors"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/transport"
)

// Proxy is an MTProxy in front of the cluster: it lets in who has its secret, and
// leads to the DC named in the header. Its methods may be called from any
// goroutine.
type Proxy struct {
	s      *Cluster
	secret transport.Secret

	mu   sync.Mutex // guards door, down and open
	door door
	down bool
	open map[*conn]struct{}
}

const (
	// maxProxies bounds the proxies of one cluster: each is a listener.
	maxProxies = 64
	// greetTimeout is how long a client of a proxy may take to say where it wants
	// to go.
	greetTimeout = 10 * time.Second
	// codeInvalidDC answers a client that names a DC that the cluster does not have.
	codeInvalidDC = -444
)

// StartProxy opens an MTProxy with a secret of any form on a loopback address,
// "127.0.0.1:0" for any; of a cluster without sockets the address is made up, for
// clients of Dialer. It is closed with the cluster.
func (s *Cluster) StartProxy(addr string, secret transport.Secret) (*Proxy, error) {
	p := &Proxy{s: s, secret: secret, open: map[*conn]struct{}{}}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, ErrClosed
	case len(s.proxies) == maxProxies:
		return nil, &AddrError{0, addr, "a cluster has at most " + strconv.Itoa(maxProxies) + " proxies"}
	case s.cfg.MemoryOnly:
		p.door.addr = "127.0.0.1:" + strconv.Itoa(memoryPort-1-len(s.proxies))
	default:
		check := Config{Core: s.cfg.Core}
		if reason := check.badAddr(1, 0, addr); reason != "" {
			return nil, &AddrError{0, addr, reason}
		}
		p.door.addr = addr
		if err := p.door.listen(false, time.Time{}); err != nil {
			return nil, &AddrError{0, addr, err.Error()}
		}
		p.serve(p.door.tcp)
	}
	s.proxies = append(s.proxies, p)
	return p, nil
}

// Addr is where it listens.
func (p *Proxy) Addr() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.door.addr
}

// Stop closes its door and the connections that came through it, until Start.
func (p *Proxy) Stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = true
	if p.door.tcp != nil {
		_ = p.door.tcp.Close()
		p.door.tcp = nil
	}
	for c := range p.open {
		c.abort()
	}
}

// Start opens it again on the same address.
func (p *Proxy) Start() error {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.s.closed:
		return ErrClosed
	case p.down && !p.s.cfg.MemoryOnly:
		if err := p.door.listen(true, time.Now().Add(reopenTimeout)); err != nil {
			return err
		}
		p.serve(p.door.tcp)
	}
	p.down = false
	return nil
}

// Connections is how many clients are connected through it now.
func (p *Proxy) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.open)
}

func (p *Proxy) serve(tcp net.Listener) {
	p.s.wg.Go(func() {
		for {
			nc, err := tcp.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				time.Sleep(10 * time.Millisecond) // as serveDoor
				continue
			}
			p.accept(nc, nc.RemoteAddr().String())
		}
	})
}

// accept takes a client in and finds out where it wants to go; false, and it is
// closed, when there is no room.
func (p *Proxy) accept(nc net.Conn, remote string) bool {
	c := &conn{s: p.s, remote: remote, net: nc, credits: make(chan struct{}, connCredits), by: p}
	p.mu.Lock()
	down := p.down
	p.open[c] = struct{}{}
	p.mu.Unlock()
	if down || !p.s.admit(c) {
		p.forget(c)
		_ = nc.Close()
		return false
	}
	go func() {
		if err := p.greet(c); err != nil {
			c.leave()
			return
		}
		p.s.box.post(event{kind: evOpen, conn: c})
		c.read()
	}()
	return true
}

func (p *Proxy) forget(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, c)
}

var (
	errOtherFraming = errors.New("the secret asks for the padded framing")
	errOtherDC      = errors.New("there is no such DC")
)

// greet reads what a client says first: it proves the secret and names the DC. Who
// does not is closed without a word, as by any server that does not know it.
func (p *Proxy) greet(c *conn) error {
	_ = c.net.SetDeadline(time.Now().Add(greetTimeout))
	if p.secret.Domain != "" {
		tls, err := transport.ServerTLS(c.net, p.secret, p.s.cfg.Now(), p.s.cfg.Core.Rand)
		if err != nil {
			return err
		}
		c.mu.Lock()
		c.net = &disguised{c.net, tls}
		c.mu.Unlock()
	}
	codec, err := transport.NewServer(transport.ServerConfig{Secret: p.secret.Inner().Bytes(), Rand: p.s.cfg.Core.Rand})
	if err != nil {
		return err
	}
	if c.first, err = codec.ReadPacket(c.net, nil); err != nil {
		return err
	}
	if p.secret.Padded && codec.Kind() != transport.Padded {
		return errOtherFraming
	}
	p.s.mu.Lock()
	c.codec, c.dc, c.media = codec, p.s.dcOf(codec.DC()), p.s.cfg.Core.Media && codec.DC() < 0
	p.s.mu.Unlock()
	if l := p.s.listener(c.dc); l == nil {
		if b, err := codec.AppendError(nil, codeInvalidDC); err == nil {
			c.put(b)
		}
		return errOtherDC
	} else if l.isDown() {
		return errOtherDC
	}
	return c.net.SetDeadline(time.Time{})
}

// dcOf reads the number of an obfuscated header; 0 for one of another environment.
func (s *Cluster) dcOf(wire int) int {
	if wire < 0 { // media
		wire = -wire
	}
	if s.cfg.Core.Test {
		wire -= 10000
	}
	return max(wire, 0)
}

// proxyAt finds the proxy with an address.
func (s *Cluster) proxyAt(addr string) *Proxy {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.IndexFunc(s.proxies, func(p *Proxy) bool { return p.Addr() == addr }); i >= 0 {
		return s.proxies[i]
	}
	return nil
}

// disguised is a socket with fake-TLS around it.
type disguised struct {
	net.Conn
	tls *transport.TLS
}

func (d *disguised) Read(b []byte) (int, error)  { return d.tls.Read(b) }
func (d *disguised) Write(b []byte) (int, error) { return d.tls.Write(b) }
