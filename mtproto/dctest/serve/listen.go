package serve

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
)

// listener is the front of one DC: its doors, which open and close together.
type listener struct {
	dc    int
	mu    sync.Mutex
	doors []door // at least one
	web   *web   // nil: it takes no WebSockets
	down  bool
}

// door is one TCP listener, or only its address for in-memory clients.
type door struct {
	tcp   net.Listener // nil while stopped and in memory
	addr  string       // stays the same over stop and start
	media bool         // for media alone
}

// memoryPort is the first port of the made-up addresses of a cluster without sockets, and mediaPort of those for media.
const (
	memoryPort = 40000
	mediaPort  = 41000
)

// listenAll opens the listeners of all DCs, or none.
func (s *Cluster) listenAll() error {
	for id := 1; id <= s.cfg.Core.DCs; id++ {
		l := &listener{dc: id}
		for _, addr := range s.cfg.addrs(id) {
			l.doors = append(l.doors, door{addr: addr})
		}
		if s.cfg.Media {
			l.doors = append(l.doors, door{addr: s.cfg.mediaAddr(id), media: true})
		}
		if s.cfg.WebSockets {
			l.web = newWeb(s, id)
		}
		s.listeners = append(s.listeners, l)
		if s.cfg.MemoryOnly {
			continue
		}
		if at, err := l.listen(); err != nil {
			for _, l := range s.listeners {
				l.stop()
			}
			return &AddrError{id, at, err.Error()}
		}
	}
	return nil
}

// reopenTimeout is how long a port that was ours may stay busy before start gives up.
const reopenTimeout = 2 * time.Second

// listen opens all doors; after an error, which is about the address at, some are open.
func (l *listener) listen() (at string, err error) {
	deadline := time.Now().Add(reopenTimeout)
	for i := range l.doors {
		if err := l.doors[i].listen(l.down, deadline); err != nil {
			return l.doors[i].addr, err
		}
	}
	if l.web == nil {
		return "", nil
	}
	return l.web.listen(l.down, deadline)
}

// listen opens one door. With again, its port was ours and may stay busy until deadline.
func (d *door) listen(again bool, deadline time.Time) error {
	for {
		tcp, err := net.Listen("tcp", d.addr)
		if err == nil {
			d.tcp, d.addr = tcp, tcp.Addr().String()
			return nil
		}
		if !again || !errors.Is(err, syscall.EADDRINUSE) || time.Now().After(deadline) {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// stop closes the doors. New connections are refused until start.
func (l *listener) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = true
	l.shut()
}

func (l *listener) shut() {
	for i := range l.doors {
		if d := &l.doors[i]; d.tcp != nil {
			_ = d.tcp.Close()
			d.tcp = nil
		}
	}
	if l.web != nil {
		l.web.shut()
	}
}

// isDown tells whether the DC refuses connections.
func (l *listener) isDown() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.down
}

// serveListener accepts connections, in a goroutine for each door, until the listener is stopped.
func (s *Cluster) serveListener(l *listener) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range l.doors {
		if d.tcp != nil {
			s.serveDoor(l, d.tcp, d.media)
		}
	}
	if l.web != nil {
		l.web.serve()
	}
}

func (s *Cluster) serveDoor(l *listener, tcp net.Listener, media bool) {
	s.wg.Go(func() {
		for {
			nc, err := tcp.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				// Out of file descriptors, most likely: wait until some are back.
				time.Sleep(10 * time.Millisecond)
				continue
			}
			s.accept(l.dc, media, nc, nc.RemoteAddr().String())
		}
	})
}

func (s *Cluster) listener(dc int) *listener {
	if dc < 1 || dc > len(s.listeners) {
		return nil
	}
	return s.listeners[dc-1]
}

// Addr returns where a DC listens, the first of its addresses; "" if there is no such DC.
func (s *Cluster) Addr(dc int) string {
	if l := s.listener(dc); l != nil {
		return l.addrs()[0]
	}
	return ""
}

// addrs lists the doors' addresses; they do not change while the cluster runs.
func (l *listener) addrs() []string {
	var list []string
	for _, d := range l.all() {
		list = append(list, d.addr)
	}
	return list
}

func (l *listener) all() []door {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.doors)
}

func (s *Cluster) endpoints() []api.Endpoint {
	var list []api.Endpoint
	for _, l := range s.listeners {
		for _, d := range l.all() {
			host, port, _ := net.SplitHostPort(d.addr)
			n, _ := strconv.Atoi(port)
			list = append(list, api.Endpoint{DC: l.dc, IP: host, Port: n, Media: d.media})
		}
	}
	return list
}

// StopDC takes a DC down: its listener closes, its connections break, and it forgets sessions and, unless keepTemp,
// temp keys. Clients get connection refused until StartDC.
func (s *Cluster) StopDC(dc int, keepTemp bool) error {
	l := s.listener(dc)
	if l == nil {
		return errNoDC(dc)
	}
	l.stop()
	if err := s.forget(dc, keepTemp); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.open {
		if c.dc == dc {
			c.abort()
		}
	}
	return nil
}

// StartDC brings a stopped DC back on the same addresses.
func (s *Cluster) StartDC(dc int) error {
	l := s.listener(dc)
	if l == nil {
		return errNoDC(dc)
	}
	started, err := l.start(s.cfg.MemoryOnly)
	if err != nil {
		return fmt.Errorf("serve: start DC %d: %w", dc, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		l.stop()
		return ErrClosed
	}
	if started {
		s.serveListener(l)
	}
	return nil
}

// start opens the door again; started is false if it was open.
func (l *listener) start(memory bool) (started bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.down {
		return false, nil
	}
	if !memory {
		if _, err := l.listen(); err != nil {
			l.shut()
			return false, err
		}
	}
	l.down = false
	return true, nil
}

// RestartDC is StopDC and StartDC with a pause between them.
func (s *Cluster) RestartDC(dc int, keepTemp bool, pause time.Duration) error {
	if err := s.StopDC(dc, keepTemp); err != nil {
		return err
	}
	select {
	case <-time.After(pause):
	case <-s.quit:
		return ErrClosed
	}
	return s.StartDC(dc)
}
