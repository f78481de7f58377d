package bindings

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors/binding"
	"github.com/mtfleet/mtfleet/actors/journal"
	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/persistence"
)

var epoch = time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)

// stage is an account and its bindings, which never come to anything.
type stage struct {
	*All
	log  []string
	cfgs []binding.Config
	done func([]persistence.Record, error) // of the last work
	road binding.MediaRoad
}

func (s *stage) note(format string, args ...any) { s.log = append(s.log, fmt.Sprintf(format, args...)) }

func (s *stage) Config(_ dc.ID, home bool) binding.Config {
	cfg := binding.Config{PFS: true}
	if home {
		cfg.Keys = &binding.Records{}
	}
	return cfg
}

func (s *stage) MediaRoad(dc.ID) binding.MediaRoad { return s.road }

func (s *stage) Spawn(cfg binding.Config) binding.Handle {
	s.cfgs = append(s.cfgs, cfg)
	return binding.Handle{}
}

func (s *stage) Heard(p *Binding, from *journal.Fence, ev binding.Event) {
	s.note("DC %d says %T, to the account: %v", p.DC(), ev, s.Hear(p, from, ev))
}

func (s *stage) Store(_ *journal.Fence, w journal.Work, done func([]persistence.Record, error)) {
	s.note("kind %d for %q, once: %v", w.Kind, w.Account, w.Urgency == journal.Once)
	s.done = done
}

// last is what the last start was told.
func (s *stage) last() binding.Config { return s.cfgs[len(s.cfgs)-1] }

// caller notes how its call ends.
type caller struct {
	*stage
	name string
}

func (c caller) Returned(_ []byte, err error, on binding.Where) {
	c.note("%s given back: %v, DC %d, home: %v", c.name, err != nil, on.DC, on.Home)
}

// zeros draws the shortest delay.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestBindings(t *testing.T) {
	for _, c := range []struct {
		name string
		play func(t *testing.T, s *stage)
		want []string
	}{
		{"home is opened once, a guest when it is needed", func(t *testing.T, s *stage) {
			if s.To(0) != nil || s.To(4) == nil {
				t.Error("there was a home, or no guest")
			}
			home := s.Open(2, true)
			if s.Home() != home || s.To(0) != home || s.To(2) != home || s.At(4).IsHome() || s.To(4) != s.At(4) {
				t.Error("a DC is opened twice, or is another's")
			}
		}, []string{"opens 4, home: false", "opens 2, home: true"}},
		{"each binds by itself, from what its host has or the store", func(t *testing.T, s *stage) {
			s.Open(2, true)
			if cfg := s.last(); cfg.Keys == nil || !cfg.PFS || !cfg.Home || cfg.ID.DC != 2 || cfg.Account != "a" || cfg.After != 0 {
				t.Errorf("home begins with %+v", cfg)
			}
			s.Open(4, false)
			if cfg := s.last(); cfg.Keys != nil || cfg.Home || cfg.ID.DC != 4 {
				t.Errorf("the guest begins with %+v", cfg)
			}
			s.last().Load(func(r binding.Records, err error) {
				s.note("read: %v, guest of 4: %v", err, r.Guest != nil && r.Guest.DC == 4)
			})
			s.done([]persistence.Record{persistence.Account{ID: "a"}.Record(), persistence.Guest{DC: 4}.Record("a"), persistence.Guest{DC: 5}.Record("a")}, nil)
			s.last().Load(func(_ binding.Records, err error) { s.note("read: %v", err) })
			s.done(nil, errors.New("no disk"))
		}, []string{"opens 2, home: true", "opens 4, home: false", `kind 1 for "a", once: false`, "read: <nil>, guest of 4: true",
			`kind 1 for "a", once: false`, "read: no disk"}},
		{"one that failed begins again after a while, and what it said before is void", func(t *testing.T, s *stage) {
			p := s.Open(2, true)
			first := s.last()
			if got, tooOften := s.Stopped(0, epoch, zeros{}); got != p || tooOften || len(s.cfgs) != 2 {
				t.Errorf("it is not begun again: %v", tooOften)
			}
			first.Notify(binding.EventHeld{})
			s.last().Notify(binding.EventHeld{})
			for i := range 5 {
				if _, tooOften := s.Stopped(0, epoch.Add(time.Duration(i)*time.Second), zeros{}); tooOften != (i == 4) {
					t.Errorf("failure %d is too many: %v", i+2, tooOften)
				}
			}
			if len(s.cfgs) != 6 {
				t.Errorf("it was begun %d times", len(s.cfgs))
			}
			s.last().Notify(binding.EventHeld{})
			if got, _ := s.Stopped(0, epoch, zeros{}); got != nil {
				t.Error("one that was given up failed")
			}
			if s.Open(2, true); s.last().Wait {
				t.Error("one waits for the end of another that has ended")
			}
		}, []string{"opens 2, home: true", "DC 2 says binding.EventHeld, to the account: false", "DC 2 says binding.EventHeld, to the account: true",
			"closes 2", "DC 2 says binding.EventHeld, to the account: false", "opens 2, home: true"}},
		{"one at a DC where another has not ended waits for that", func(t *testing.T, s *stage) {
			s.Close(s.Open(4, false))
			s.Close(s.Open(4, false))
			p := s.Open(4, false)
			if s.cfgs[0].Wait || !s.cfgs[1].Wait || !s.cfgs[2].Wait || s.cfgs[0].Shared == nil || s.cfgs[0].Shared != s.cfgs[2].Shared {
				t.Errorf("they begin with %+v", s.cfgs)
			}
			for range 2 {
				if got, _ := s.Stopped(0, epoch, zeros{}); got != nil {
					t.Error("a closed one failed")
				}
			}
			if s.isEnding(binding.ID{DC: 4}) || s.At(4) != p {
				t.Error("the end of those that were closed is not known")
			}
			if s.Open(2, true); s.last().Wait || s.last().Shared == s.cfgs[0].Shared {
				t.Error("another DC waits, or knows what was said at the first")
			}
		}, nil},
		{"a guest's routes are nobody else's business, its records cost no account", func(t *testing.T, s *stage) {
			for _, at := range []dc.ID{2, 4} {
				s.Open(at, at == 2)
				for _, ev := range []binding.Event{
					binding.EventRoute{}, binding.EventRoute{Again: true}, binding.EventHeld{}, binding.EventLost{}, binding.EventUnreachable{}, binding.EventUnusable{},
				} {
					s.last().Notify(ev)
				}
			}
		}, []string{"opens 2, home: true",
			"DC 2 says binding.EventRoute, to the account: true", "DC 2 says binding.EventRoute, to the account: false",
			"DC 2 says binding.EventHeld, to the account: true", "DC 2 says binding.EventLost, to the account: true",
			"DC 2 says binding.EventUnreachable, to the account: true", "DC 2 says binding.EventUnusable, to the account: true",
			"opens 4, home: false",
			"DC 4 says binding.EventRoute, to the account: false", "DC 4 says binding.EventRoute, to the account: false",
			"DC 4 says binding.EventHeld, to the account: false", "DC 4 says binding.EventLost, to the account: false",
			"DC 4 says binding.EventUnreachable, to the account: false", "closes 4", "DC 4 says binding.EventUnusable, to the account: false"}},
		{"calls for a home that is not open wait until it is", func(t *testing.T, s *stage) {
			s.Send(0, binding.Call{ID: 1}, caller{s, "first"})
			s.Send(0, binding.Call{ID: 2}, caller{s, "second"})
			s.Confirm(binding.Call{ID: 3}, caller{s, "third"})
			s.Open(4, false)
			s.Cancel(0, 2)
			if s.Open(2, true); s.Home().pending.Load() != 2 {
				t.Error("they are not counted there")
			}
			s.Cancel(0, 3)
		}, []string{"opens 4, home: false", "second given back: true, DC 0, home: false", "opens 2, home: true",
			"tells 2 binding.Call", "tells 2 binding.Call", "tells 2 binding.Cancel"}},
		{"calls for a home that is never opened are given back once", func(t *testing.T, s *stage) {
			s.Send(0, binding.Call{}, caller{s, "call"})
			s.CloseAll()
			s.Release()
		}, []string{"call given back: true, DC 0, home: false"}},
		{"a guest that nobody needs is closed, one with calls is not", func(t *testing.T, s *stage) {
			p := s.Open(4, false)
			s.Send(4, binding.Call{}, caller{s, "call"})
			if !s.Hear(p, p.from, binding.EventIdle{}) || s.At(4) != p {
				t.Error("it was closed with a call")
			}
			p.returned(caller{s, "call"}, nil, nil, binding.Where{})
			if !s.Hear(p, p.from, binding.EventIdle{}) || s.At(4) != nil {
				t.Error("it is there still")
			}
			p = s.Open(4, false)
			if !s.Hear(p, p.from, binding.EventFailed{}) || s.At(4) != nil {
				t.Error("one that failed for good is there still")
			}
		}, nil},
		{"a rotation is of every DC, and ends when all have answered", func(t *testing.T, s *stage) {
			home, guest := s.Open(2, true), s.Open(4, false)
			for _, err := range []error{nil, errors.New("PFS is off")} {
				g := &gather{left: 2, reply: func(err error) { s.note("rotated: %v", err) }}
				g.add(guest, err)
				s.note("one has answered")
				g.add(home, nil)
			}
			s.Rotate(func(err error) { s.note("no binding is there that says %v", err) })
			s.CloseAll()
			s.Rotate(func(err error) { s.note("rotated: %v", err) })
		}, []string{"opens 2, home: true", "opens 4, home: false", "one has answered", "rotated: <nil>", "one has answered", "rotated: DC 4: PFS is off",
			"tells 2 binding.Rotate", "tells 4 binding.Rotate", "closes 2", "closes 4", "rotated: it has no DC"}},
		{"who is told what concerns whom", func(t *testing.T, s *stage) {
			s.Open(2, true)
			s.Open(4, false)
			s.TellAll(binding.Recall{})
			s.TellGuests(binding.HomeAlive{})
			s.CloseAll()
		}, []string{"opens 2, home: true", "opens 4, home: false", "tells 2 binding.Recall", "tells 4 binding.Recall",
			"tells 4 binding.HomeAlive", "closes 2", "closes 4"}},
		{"what a binding writes is repeated by it, or owed", func(t *testing.T, s *stage) {
			s.Open(4, false)
			s.cfgs[0].Commit(persistence.Commit{}, false, nil)
			s.cfgs[0].Commit(persistence.Commit{}, true, nil)
			s.cfgs[0].Notify(binding.EventHeld{})
		}, []string{"opens 4, home: false", `kind 0 for "", once: true`, `kind 0 for "", once: false`, "DC 4 says binding.EventHeld, to the account: false"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &stage{}
			s.All = New("a", s, &Trace{
				Opened: func(_ persistence.AccountID, at dc.ID, home bool) { s.note("opens %d, home: %v", at, home) },
				Closed: func(_ persistence.AccountID, at dc.ID) { s.note("closes %d", at) },
				Told: func(_ persistence.AccountID, at dc.ID, m binding.Message, _ crypt.KeyID) {
					s.note("tells %d %T", at, m)
				},
				Heard: func(persistence.AccountID, dc.ID, binding.Event) {},
			})
			if c.play(t, s); c.want != nil && !slices.Equal(s.log, c.want) {
				t.Errorf("got  %q\nwant %q", s.log, c.want)
			}
		})
	}
}
