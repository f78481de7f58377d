package bindings

import (
	"slices"
	"testing"

	"github.com/mtfleet/mtfleet/actors/binding"
	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/persistence"
)

func TestBindingsForMedia(t *testing.T) {
	// routed gives a binding a route under a perm key, as far as it matters here.
	routed := func(s *stage, p *Binding, perm crypt.KeyID) {
		s.Hear(p, p.from, binding.EventRoute{Perm: perm})
	}
	// bound is routed with a temp key that is bound.
	bound := func(s *stage, p *Binding, perm crypt.KeyID) {
		routed(s, p, perm)
		p.bound, p.temps = true, true
	}
	media := func(s *stage, at dc.ID) { s.SendMedia(at, binding.Call{}, caller{s, "call"}) }
	for _, c := range []struct {
		name string
		road binding.MediaRoad
		play func(s *stage)
		want []string
	}{
		{"one is opened by the first call, which waits for it", binding.MediaByOwn, func(s *stage) {
			routed(s, s.Open(2, true), 1)
			media(s, 0)
			media(s, 2)
		}, []string{"opens 2, home: true", "opens -2, home: true", "tells -2 binding.Call", "tells -2 binding.Call"}},
		{"none where the main connection is to carry them", binding.MediaByMain, func(s *stage) {
			routed(s, s.Open(2, true), 1)
			media(s, 0)
		}, []string{"opens 2, home: true", "tells 2 binding.Call"}},
		{"what was left behind is dropped first, once, and calls go by the main one until then", binding.MediaByOwn, func(s *stage) {
			bound(s, s.Open(2, true), 1)
			media(s, 0)
			media(s, 0)
			s.Hear(s.At(2), s.At(2).from, binding.EventSwept{})
			media(s, 0)
			bound(s, s.At(2), 2) // another perm key
			media(s, 0)
		}, []string{"opens 2, home: true", "tells 2 binding.Sweep", "tells 2 binding.Call", "tells 2 binding.Call", "opens -2, home: true", "tells -2 binding.Call",
			"closes -2", "tells 2 binding.Sweep", "tells 2 binding.Call"}},
		{"also while the main connection is lost", binding.MediaByOwn, func(s *stage) {
			bound(s, s.Open(2, true), 1)
			s.Hear(s.Home(), s.Home().from, binding.EventLost{})
			media(s, 0)
		}, []string{"opens 2, home: true", "tells 2 binding.Sweep", "tells 2 binding.Call"}},
		{"a rotation of the main key finds out where nobody knows", binding.MediaFindOut, func(s *stage) {
			routed(s, s.Open(2, true), 1)
			media(s, 0)
		}, []string{"opens 2, home: true", "tells 2 binding.Rotate", "tells 2 binding.Call"}},
		{"a call that finds no key yet goes by the main one, and the other is opened with its route", binding.MediaByOwn, func(s *stage) {
			media(s, 4)
			routed(s, s.At(4), 1)
			media(s, 4)
		}, []string{"opens 4, home: false", "tells 4 binding.Call", "opens -4, home: false", "tells -4 binding.Call"}},
		{"calls go by the main one when the other has no route for long", binding.MediaByOwn, func(s *stage) {
			routed(s, s.Open(2, true), 1)
			media(s, 0)
			p := s.byID(mediaID(2))
			s.Hear(p, p.from, binding.EventLost{})
			media(s, 0)
			s.Hear(p, p.from, binding.EventHeld{}) // it rotates
			media(s, 0)
		}, []string{"opens 2, home: true", "opens -2, home: true", "tells -2 binding.Call", "tells 2 binding.Call", "tells -2 binding.Call"}},
		{"calls on a guest DC wait until it is authorized", binding.MediaByOwn, func(s *stage) {
			routed(s, s.Open(4, false), 1)
			media(s, 4)
			s.TellGuest(4, binding.Unauthorized{})
			media(s, 4)
			routed(s, s.At(4), 1)
			media(s, 4)
		}, []string{"opens 4, home: false", "opens -4, home: false", "tells -4 binding.Call", "tells 4 binding.Unauthorized", "tells 4 binding.Call", "tells -4 binding.Call"}},
		{"home carries on while its main connection is lost", binding.MediaByOwn, func(s *stage) {
			routed(s, s.Open(2, true), 1)
			s.Hear(s.Home(), s.Home().from, binding.EventLost{})
			media(s, 0)
		}, []string{"opens 2, home: true", "opens -2, home: true", "tells -2 binding.Call"}},
		{"another perm key ends it", binding.MediaByOwn, func(s *stage) {
			routed(s, s.Open(2, true), 1)
			media(s, 0)
			routed(s, s.Home(), 2)
		}, []string{"opens 2, home: true", "opens -2, home: true", "tells -2 binding.Call", "closes -2"}},
		{"and so does the end of the main one", binding.MediaByOwn, func(s *stage) {
			routed(s, s.Open(2, true), 1)
			media(s, 0)
			s.Close(s.Home())
		}, []string{"opens 2, home: true", "opens -2, home: true", "tells -2 binding.Call", "closes -2", "closes 2"}},
		{"a guest is not closed under it", binding.MediaByOwn, func(s *stage) {
			routed(s, s.Open(4, false), 1)
			media(s, 4)
			p := s.At(4)
			s.Hear(p, p.from, binding.EventIdle{})
			m := s.byID(mediaID(4))
			m.pending.Store(0)
			s.Hear(m, m.from, binding.EventIdle{})
			s.Hear(p, p.from, binding.EventIdle{})
		}, []string{"opens 4, home: false", "opens -4, home: false", "tells -4 binding.Call", "closes -4", "closes 4"}},
		{"both are told of a key that is not bound, and of a call that was left", binding.MediaByOwn, func(s *stage) {
			routed(s, s.Open(2, true), 1)
			media(s, 0)
			s.TellUnbound(2, binding.Unbound{})
			s.Cancel(0, 1)
		}, []string{"opens 2, home: true", "opens -2, home: true", "tells -2 binding.Call", "tells 2 binding.Unbound", "tells -2 binding.Unbound",
			"tells 2 binding.Cancel", "tells -2 binding.Cancel"}},
		{"a rotation does not wait for one that cannot be reached", binding.MediaByOwn, func(s *stage) {
			routed(s, s.Open(2, true), 1)
			media(s, 0)
			s.Rotate(func(error) {})
		}, []string{"opens 2, home: true", "opens -2, home: true", "tells -2 binding.Call", "tells 2 binding.Rotate"}},
		{"the account stands with the main one", binding.MediaByOwn, func(s *stage) {
			routed(s, s.Open(2, true), 1)
			media(s, 0)
			p := s.byID(mediaID(2))
			for _, ev := range []binding.Event{binding.EventRoute{}, binding.EventHeld{}, binding.EventLost{}, binding.EventUnreachable{}} {
				s.note("told: %v", s.Hear(p, p.from, ev))
			}
			s.note("home: %v, at home: %v", p.IsHome(), p.AtHome())
		}, []string{"opens 2, home: true", "opens -2, home: true", "tells -2 binding.Call", "told: false", "told: false", "told: false", "told: false",
			"home: false, at home: true"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &stage{road: c.road}
			s.All = New("a", s, &Trace{
				Opened: func(_ persistence.AccountID, at dc.ID, home bool) { s.note("opens %d, home: %v", at, home) },
				Closed: func(_ persistence.AccountID, at dc.ID) { s.note("closes %d", at) },
				Told: func(_ persistence.AccountID, at dc.ID, m binding.Message, _ crypt.KeyID) {
					s.note("tells %d %T", at, m)
				},
				Heard: func(persistence.AccountID, dc.ID, binding.Event) {},
			})
			if c.play(s); !slices.Equal(s.log, c.want) {
				t.Errorf("%q\nwant %q", s.log, c.want)
			}
		})
	}
}
