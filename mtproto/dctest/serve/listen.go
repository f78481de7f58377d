package serve

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
)

// listener is the front door of one DC: a TCP listener, or only its address for in-memory clients.
type listener struct {
	dc   int
	mu   sync.Mutex
	tcp  net.Listener // nil while stopped and in memory
	addr string       // stays the same over stop and start
	down bool
}

// memoryPort is the first port of the made-up addresses of a cluster without sockets.
const memoryPort = 40000

// listenAll opens the listeners of all DCs, or none.
func (s *Cluster) listenAll() error {
	for id := 1; id <= s.cfg.Core.DCs; id++ {
		l := &listener{dc: id, addr: s.cfg.addr(id)}
		if s.cfg.MemoryOnly {
			if _, named := s.cfg.Addrs[id]; !named {
				l.addr = "127.0.0.1:" + strconv.Itoa(memoryPort+id)
			}
		} else if err := l.listen(); err != nil {
			for _, other := range s.listeners {
				other.stop()
			}
			return &AddrError{id, l.addr, err.Error()}
		}
		s.listeners = append(s.listeners, l)
	}
	return nil
}

// reopenTimeout is how long a port that was ours may stay busy before start gives up.
const reopenTimeout = 2 * time.Second

func (l *listener) listen() error {
	deadline := time.Now().Add(reopenTimeout)
	for {
		tcp, err := net.Listen("tcp", l.addr)
		if err == nil {
			l.tcp, l.addr = tcp, tcp.Addr().String()
			return nil
		}
		if !l.down || !errors.Is(err, syscall.EADDRINUSE) || time.Now().After(deadline) {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// stop closes the door. New connections are refused until start.
func (l *listener) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = true
	if l.tcp != nil {
		_ = l.tcp.Close()
		l.tcp = nil
	}
}

// isDown tells whether the DC refuses connections.
func (l *listener) isDown() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.down
}

// serveListener accepts connections in a goroutine until the listener is stopped.
func (s *Cluster) serveListener(l *listener) {
	l.mu.Lock()
	tcp := l.tcp
	l.mu.Unlock()
	if tcp == nil {
		return
	}
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
			s.accept(l.dc, nc, nc.RemoteAddr().String())
		}
	})
}

func (s *Cluster) listener(dc int) *listener {
	if dc < 1 || dc > len(s.listeners) {
		return nil
	}
	return s.listeners[dc-1]
}

// Addr returns where a DC listens, "" if there is no such DC.
func (s *Cluster) Addr(dc int) string {
	l := s.listener(dc)
	if l == nil {
		return ""
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.addr
}

func (s *Cluster) endpoints() []api.Endpoint {
	var list []api.Endpoint
	for _, l := range s.listeners {
		host, port, _ := net.SplitHostPort(s.Addr(l.dc))
		n, _ := strconv.Atoi(port)
		list = append(list, api.Endpoint{DC: l.dc, IP: host, Port: n})
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

// StartDC brings a stopped DC back on the same address.
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
		if err := l.listen(); err != nil {
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
