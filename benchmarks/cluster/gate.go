//go:build unix

package main

import (
	"net"
	"sync"
)

// way is what a gate lets through.
type way int

const (
	whole   way = iota
	refused     // connections are closed, and new ones too
	black       // connections stay and carry nothing, new ones too; what waits goes on when it is over
)

// gate stands between a node and what it reaches, and may be cut.
type gate struct {
	mu      sync.Mutex
	way     way
	changed chan struct{} // closed when way changes
	closed  bool
	conns   map[net.Conn]struct{}
	doors   []net.Listener
	wg      sync.WaitGroup
}

func newGate() *gate {
	return &gate{changed: make(chan struct{}), conns: map[net.Conn]struct{}{}}
}

// listen opens a door to a target, and returns where it is.
func (g *gate) listen(network, addr, target string) (string, error) {
	l, err := net.Listen(network, addr)
	if err != nil {
		return "", err
	}
	g.doors = append(g.doors, l)
	g.wg.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			g.wg.Go(func() { g.serve(client, network, target) })
		}
	})
	return l.Addr().String(), nil
}

func (g *gate) set(w way) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.way = w
	close(g.changed)
	g.changed = make(chan struct{})
	if w == refused {
		g.cut()
	}
}

// cut ends all connections; the caller holds mu.
func (g *gate) cut() {
	for c := range g.conns {
		_ = c.Close()
	}
}

func (g *gate) close() {
	g.mu.Lock()
	g.closed = true
	close(g.changed)
	g.changed = make(chan struct{})
	g.cut()
	g.mu.Unlock()
	for _, l := range g.doors {
		_ = l.Close()
	}
	g.wg.Wait()
}

// pass waits while the gate is black, and reports whether it is open then.
func (g *gate) pass() bool {
	for {
		g.mu.Lock()
		way, changed, closed := g.way, g.changed, g.closed
		g.mu.Unlock()
		if way != black || closed {
			return way == whole && !closed
		}
		<-changed
	}
}

// hold keeps a connection among those that cut ends.
func (g *gate) hold(c net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed || g.way == refused {
		return false
	}
	g.conns[c] = struct{}{}
	return true
}

func (g *gate) drop(c net.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.conns, c)
	_ = c.Close()
}

func (g *gate) serve(client net.Conn, network, target string) {
	defer g.drop(client)
	if !g.hold(client) || !g.pass() {
		return
	}
	server, err := net.Dial(network, target)
	if err != nil {
		return
	}
	defer g.drop(server)
	if !g.hold(server) {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { g.pump(server, client) })
	both.Go(func() { g.pump(client, server) })
	both.Wait()
}

// pump carries one direction; its end is that of the connection.
func (g *gate) pump(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		if !g.pass() || err != nil {
			return
		}
		if _, err := to.Write(b[:n]); err != nil {
			return
		}
	}
}
