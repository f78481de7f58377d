package actors

import (
	"github.com/mtfleet/mtfleet/actors/account"
	"github.com/mtfleet/mtfleet/actors/wire"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/proxy"
)

// fence returns what wire asks before each dial and write: the lease, after what
// there is already.
func (n *node) fence(also func() error) func() error {
	if also == nil {
		return n.lease.Check
	}
	return func() error {
		if err := also(); err != nil {
			return err
		}
		return n.lease.Check()
	}
}

// fencedNetwork is a network of a simulation as a node has it: silent when the lease
// has ended, as wire is by itself.
type fencedNetwork struct {
	account.Network
	check func() error
	soon  func(func()) // runs a function soon, elsewhere
}

func (n *fencedNetwork) Dial(targets []dc.Target, dcWire int, via *proxy.Via, done func(wire.Socket, error)) (cancel func()) {
	if err := n.check(); err != nil {
		n.soon(func() { done(nil, err) })
		return func() {}
	}
	return n.Network.Dial(targets, dcWire, via, func(s wire.Socket, err error) {
		if s != nil {
			s = &fencedSocket{s, n.check}
		}
		done(s, err)
	})
}

// Media is what the network says of addresses for media.
func (n *fencedNetwork) Media(id dc.ID) bool {
	m, tells := n.Network.(interface{ Media(dc.ID) bool })
	return !tells || m.Media(id)
}

type fencedSocket struct {
	wire.Socket
	check func() error
}

func (s *fencedSocket) Send(packet []byte) error {
	if err := s.check(); err != nil {
		s.Socket.Close()
		return err
	}
	return s.Socket.Send(packet)
}

// soon runs a function on the fleet's actor.
func (m *Manager) soon(f func()) { m.fleet.Send(endCall{f}) }
