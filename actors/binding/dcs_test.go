package binding

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/mtfleet/mtfleet/actors/dcconn"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/proxy"
)

// This file is what connections of a play lead to: the core of the test DC, and
// a network in virtual time.

// listened writes down which queries reach the API of the test DC.
type listened struct {
	*api.Backend
	p *play
}

func (l *listened) Handle(req *api.Request) api.Reply {
	reply := l.Backend.Handle(req)
	text := l.Method(req.Body)
	if reply.Err != nil {
		text += ": " + reply.Err.Text
	}
	l.p.ran(req, text)
	return reply
}

func (l *listened) Admit(req *api.Request, name string) (time.Duration, *api.Error) {
	d, err := l.Backend.Admit(req, name)
	text := name
	if err != nil {
		text += ": " + err.Text
	}
	l.p.ran(req, text)
	return d, err
}

func (p *play) ran(req *api.Request, what string) {
	under := req.Temp
	if under == 0 {
		under = req.Perm
	}
	p.write(fmt.Sprintf("DC %d", req.DC), what+" under "+p.key(crypt.KeyID(under)))
}

// network carries packets between connections and the core of the test DC, in
// virtual time.
type network struct {
	p     *play
	core  *dctest.Cluster
	socks map[dctest.ConnID]*socket
	last  dctest.ConnID
	alarm runtime.Timer

	sent, plantAt int // the packet at which a connection panics
}

func address(at int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, byte(at)}), 443)
}

var errRefused = errors.New("connection refused")

func (n *network) Dial(targets []dc.Target, _ int, _ *proxy.Via, done func(dcconn.Socket, error)) (cancel func()) {
	over := false
	end := func(s dcconn.Socket, err error) {
		if !over {
			over = true
			done(s, err)
		}
	}
	n.p.sim.AfterFunc(2*latency, func() {
		if over || n.p.deny {
			end(nil, errRefused)
			return
		}
		n.last++
		s := &socket{n: n, id: n.last}
		n.socks[s.id] = s
		n.core.Open(n.p.sim.Now(), s.id, int(targets[0].Addr.Addr().As4()[3]), fmt.Sprint("c", s.id))
		n.drain()
		end(s, nil)
	})
	return func() { n.p.sim.AfterFunc(0, func() { end(nil, context.Canceled) }) }
}

// drain carries out what the core wants.
func (n *network) drain() {
	for o, ok := n.core.Next(); ok; o, ok = n.core.Next() {
		s := n.socks[o.Conn]
		switch {
		case o.Kind == dctest.OutWork:
			n.p.sim.AfterFunc(time.Millisecond, func() {
				n.core.Done(n.p.sim.Now(), o.Work.Do())
				n.drain()
			})
		case s == nil:
		case o.Kind == dctest.OutPacket:
			n.p.sim.AfterFunc(latency, func() { s.deliver(o.Packet) })
		case o.Kind == dctest.OutError:
			n.p.sim.AfterFunc(latency, func() { s.end(codeError(o.Code)) })
		case o.Kind == dctest.OutClose:
			n.p.sim.AfterFunc(latency, func() { s.end(errors.New("connection closed")) })
		}
	}
	if n.alarm != nil {
		n.alarm.Stop()
		n.alarm = nil
	}
	if at := n.core.Deadline(); !at.IsZero() {
		n.alarm = n.p.sim.AfterFunc(max(at.Sub(n.p.sim.Now()), 0), func() {
			n.alarm = nil
			n.core.Advance(n.p.sim.Now())
			n.drain()
		})
	}
}

// fault makes something go wrong at the DCs.
func (p *play) fault(f dctest.Fault) {
	p.t.Helper()
	if _, err := p.net.core.Fault(p.sim.Now(), f); err != nil {
		p.t.Fatal(err)
	}
	p.net.drain()
}

type codeError int32

func (e codeError) Error() string        { return fmt.Sprintf("the server answered %d", int32(e)) }
func (e codeError) TransportCode() int32 { return int32(e) }

// socket is one connection.
type socket struct {
	n     *network
	id    dctest.ConnID
	h     dcconn.Handler
	early [][]byte
	over  bool
}

func (s *socket) Start(h dcconn.Handler) {
	s.h = h
	for _, packet := range take(&s.early) {
		h.Packet(packet)
	}
}

func (s *socket) Send(packet []byte) error {
	if s.n.sent++; s.n.sent == s.n.plantAt || s.n.p.planted {
		s.n.p.planted = false
		s.n.p.panics++
		panic("planted")
	}
	if s.over {
		return errors.New("closed")
	}
	sent := append([]byte(nil), packet...)
	s.n.p.sim.AfterFunc(latency, func() {
		if !s.over {
			s.n.core.Packet(s.n.p.sim.Now(), s.id, sent, false)
			s.n.drain()
		}
	})
	return nil
}

func (s *socket) deliver(packet []byte) {
	switch {
	case s.over:
	case s.h == nil:
		s.early = append(s.early, packet)
	default:
		s.h.Packet(packet)
	}
}

func (s *socket) Room() int   { return 128 << 10 }
func (s *socket) Release(int) {}

func (s *socket) Close() { s.end(errors.New("closed by us")) }

// end ends the connection on both sides.
func (s *socket) end(err error) {
	if s.over {
		return
	}
	s.over = true
	delete(s.n.socks, s.id)
	s.n.p.sim.AfterFunc(0, func() {
		s.n.core.Closed(s.n.p.sim.Now(), s.id)
		s.n.drain()
		if s.h != nil {
			s.h.Closed(err)
		}
	})
}
