package bindings

import (
	"slices"

	"github.com/mtfleet/mtfleet/actors/binding"
	"github.com/mtfleet/mtfleet/mtproto/dc"
)

// This file takes calls to their DC and back.

// A Caller is who has sent a call.
type Caller interface {
	// Returned is told once how the call ended, and on which DC; under no key if
	// nothing was sent. It is called from any goroutine and must not wait.
	Returned(body []byte, err error, on binding.Where)
}

// query is a call that nobody has yet.
type query struct {
	call binding.Call
	by   Caller
}

// Send sends a call to a DC, zero for home: on the connection of the last route,
// or to the binding that will have one. One for a home that is not open waits
// until it is, or is given back with all others.
func (s *All) Send(at dc.ID, call binding.Call, by Caller) { s.sendTo(s.To(at), call, by) }

// SendMedia is Send for a call for media: it goes by the connection for that where
// there is one, or will be soon.
func (s *All) SendMedia(at dc.ID, call binding.Call, by Caller) {
	s.sendTo(s.forMedia(at), call, by)
}

func (s *All) sendTo(p *Binding, call binding.Call, by Caller) {
	switch {
	case p == nil:
		s.homeless = append(s.homeless, query{call, by})
	case p.route.IsZero():
		s.Tell(p, p.hearing(call, by))
	default:
		if s.trace != nil {
			s.trace.Told(s.id, p.number(), call, p.route.Where().Key)
		}
		on := p.route.Where() // what the closure keeps
		p.pending.Add(1)
		p.route.SendFor(call, func(body []byte, err error) { p.returned(by, body, err, on) })
	}
}

// Confirm is Send for a call that is to go on a connection of its own at home.
func (s *All) Confirm(call binding.Call, by Caller) {
	if s.home == nil {
		s.Send(0, call, by)
		return
	}
	s.Tell(s.home, binding.Confirm{Call: s.home.hearing(call, by)})
}

// Cancel takes back a call that was sent to a DC: it ends where it is.
func (s *All) Cancel(at dc.ID, id binding.QueryID) {
	s.homeless = slices.DeleteFunc(s.homeless, func(q query) bool {
		if q.call.ID == id {
			q.giveBack()
		}
		return q.call.ID == id
	})
	p := s.home
	if at != 0 {
		p = s.At(at)
	}
	s.Tell(p, binding.Cancel{ID: id})
	if p != nil {
		s.Tell(s.byID(mediaID(p.id.DC)), binding.Cancel{ID: id})
	}
}

// hearing is a call whose end is told to who sent it.
func (p *Binding) hearing(call binding.Call, by Caller) binding.Call {
	p.pending.Add(1)
	call.Reply = func(body []byte, err error, on binding.Where) { p.returned(by, body, err, on) }
	return call
}

func (p *Binding) returned(by Caller, body []byte, err error, on binding.Where) {
	p.pending.Add(-1)
	if on.DC == 0 {
		on.DC, on.Home = p.id.DC, p.home
	}
	by.Returned(body, err, on)
}

// settle sends the calls that waited for a home.
func (s *All) settle() {
	homeless := s.homeless
	s.homeless = nil
	for _, q := range homeless {
		s.Send(0, q.call, q.by)
	}
}

// Release gives back those that none will be opened for: the account stops.
func (s *All) Release() {
	homeless := s.homeless
	s.homeless = nil
	for _, q := range homeless {
		q.giveBack()
	}
}

func (q query) giveBack() {
	q.call.Reply = q.by.Returned
	binding.Route{}.Send(q.call)
}
