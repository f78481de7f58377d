package bindings

import (
	"github.com/mtfleet/mtfleet/actors/binding"
	"github.com/mtfleet/mtfleet/mtproto/dc"
)

// This file is about the bindings for media: one beside the main one of a DC, opened
// by the first call for media and closed when there was none for a while. A call
// that it cannot take goes by the main one: nothing waits for it for long, and
// nothing fails with it.

func mediaID(at dc.ID) binding.ID { return binding.ID{DC: at, Purpose: binding.Media} }

// forMedia returns the binding that a call for media on a DC is sent to, zero is
// home, opening it if need be.
func (s *All) forMedia(at dc.ID) *Binding {
	main := s.To(at)
	if main == nil {
		return nil
	}
	p := s.byID(mediaID(main.id.DC))
	if p == nil {
		p = s.openMedia(main)
	}
	if p == nil || !main.carriesMedia() || p.route.IsZero() && !p.opens {
		return main
	}
	return p
}

// carriesMedia reports whether the account is authorized under the perm key of a
// main binding: at home it is, elsewhere while there is a route to it.
func (p *Binding) carriesMedia() bool { return p.perm != 0 && (p.home || !p.lost) }

// openMedia opens the binding for media beside the main one, nil when it is not
// to be, or not yet.
func (s *All) openMedia(main *Binding) *Binding {
	if main.wanted = !main.carriesMedia(); main.wanted {
		return nil
	}
	switch s.host.MediaRoad(main.id.DC) {
	case binding.MediaFindOut:
		s.Tell(main, binding.Rotate{Reply: func(error) {}})
		return nil
	case binding.MediaByMain:
		return nil
	case binding.MediaByOwn:
		if main.temps && main.swept != main.perm {
			s.sweep(main)
			return nil
		}
	}
	p := &Binding{id: mediaID(main.id.DC), home: main.home, perm: main.perm, opens: true}
	s.all = append(s.all, p)
	if s.trace != nil {
		s.trace.Opened(s.id, p.number(), p.home)
	}
	s.begin(p, 0)
	return p
}

// sweep has the main binding sweep, once: until it has, calls go by it. Keys for
// media are on no disk, and each process that is killed while it has some leaves
// them behind; with a new one there would be more than two.
func (s *All) sweep(main *Binding) {
	if !main.sweeps {
		main.sweeps = true
		s.Tell(main, binding.Sweep{})
	}
}

// routed goes on when a main binding has a route. One for media is of no use with
// another perm key.
func (s *All) routed(main *Binding) {
	if p := s.byID(mediaID(main.id.DC)); p != nil && p.perm != main.perm {
		s.Close(p)
	}
	if main.wanted {
		s.openMedia(main)
	}
}

// hearMedia takes what a binding for media says; the account hears what concerns
// it.
func (s *All) hearMedia(p *Binding, ev binding.Event) bool {
	switch ev := ev.(type) {
	case binding.EventRoute:
		p.route, p.opens = ev.Route, false
	case binding.EventHeld:
		p.route, p.opens = binding.Route{}, true
	case binding.EventLost:
		p.route, p.opens = binding.Route{}, false
	case binding.EventIdle:
		if p.pending.Load() == 0 {
			s.Close(p)
		}
	case binding.EventFailed:
		s.Close(p)
	case binding.EventClock, binding.EventRefused, binding.EventBroken:
		return true
	}
	return false
}
