package peers

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

// stage is an account and its peers; its bindings never come to anything.
type stage struct {
	*Peers
	log   []string
	read  []*journal.Fence
	cfgs  []binding.Config
	spoil error // of the records
}

func (s *stage) note(format string, args ...any) { s.log = append(s.log, fmt.Sprintf(format, args...)) }

func (s *stage) Config(dc.ID) binding.Config { return binding.Config{PFS: true} }

func (s *stage) Spawn(cfg binding.Config) (binding.Handle, error) {
	s.cfgs = append(s.cfgs, cfg)
	return binding.Handle{}, s.spoil
}

func (s *stage) Read(_ *Peer, from *journal.Fence) { s.read = append(s.read, from) }

func (s *stage) Heard(p *Peer, from *journal.Fence, ev binding.Event) {
	s.note("DC %d says %T, counts: %v", p.DC(), ev, s.Hear(p, from, ev))
}

func (s *stage) Write(_ *journal.Fence, w journal.Work, _ func(error)) {
	s.note("write, once: %v", w.Urgency == journal.Once)
}

// last is the fence of the last start.
func (s *stage) last() *journal.Fence { return s.read[len(s.read)-1] }

// start lets the binding that was opened last start.
func (s *stage) start(p *Peer) error { return s.Start(p, s.last(), &persistence.State{}, epoch) }

// caller notes how its call ends.
type caller struct {
	*stage
	name string
}

func (c caller) Returned(_ []byte, err error, on binding.Where) {
	c.note("%s given back: %v, DC %d, home: %v", c.name, err != nil, on.DC, on.Home)
}

func TestPeers(t *testing.T) {
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
		{"what waits for a binding that will not be is given back", func(t *testing.T, s *stage) {
			p := s.Open(2, true)
			s.Send(0, binding.Call{}, caller{s, "call"})
			s.Confirm(binding.Call{}, caller{s, "confirmation"})
			s.Tell(p, binding.HomeAlive{})
			s.Close(p)
			if s.Home() != nil || s.At(2) != nil || !s.last().Closed {
				t.Error("it is there still")
			}
			s.Release()
		}, []string{"opens 2, home: true", "tells 2 binding.Call", "tells 2 binding.Confirm", "tells 2 binding.HomeAlive", "closes 2",
			"call given back: true, DC 2, home: true", "confirmation given back: true, DC 2, home: true"}},
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
		{"what waits makes a binding active", func(t *testing.T, s *stage) {
			p := s.Open(2, true)
			if err := s.start(p); err != nil || s.cfgs[0].Active {
				t.Errorf("nobody waits: %v", err)
			}
			s.Send(0, binding.Call{}, caller{s, "call"})
			s.Again(p)
			if err := s.start(p); err != nil || !s.cfgs[1].Active || !s.cfgs[1].PFS || !s.cfgs[1].Home || s.cfgs[1].ID.DC != 2 {
				t.Errorf("it begins with %+v (%v)", s.cfgs[1], err)
			}
		}, nil},
		{"what an earlier start says is void", func(t *testing.T, s *stage) {
			p := s.Open(2, true)
			first := s.last()
			s.Again(p)
			if s.Hear(p, first, binding.EventHeld{}) || !s.Hear(p, s.last(), binding.EventHeld{}) {
				t.Error("the earlier start counts, or this one does not")
			}
			if err := s.Start(p, first, &persistence.State{}, epoch); err != nil || len(s.cfgs) > 0 {
				t.Error("it was started from what was read for the earlier")
			}
			s.Close(p)
			if s.Hear(p, s.last(), binding.EventHeld{}) {
				t.Error("a closed one is heard")
			}
			if s.Again(p); len(s.read) != 2 {
				t.Error("a closed one began again")
			}
		}, nil},
		{"a guest whose records cannot be used is closed, home is told of", func(t *testing.T, s *stage) {
			s.spoil = errors.New("spoilt")
			if err := s.start(s.Open(4, false)); err != nil || s.At(4) != nil {
				t.Errorf("the guest: %v", err)
			}
			home := s.Open(2, true)
			if err := s.start(home); !errors.Is(err, s.spoil) || s.Home() != home {
				t.Errorf("home: %v", err)
			}
			if err := s.Unusable(home, &journal.Fence{}, s.spoil); err != nil {
				t.Errorf("what was read for an earlier start says %v", err)
			}
		}, nil},
		{"a guest that nobody needs is closed, one with calls is not", func(t *testing.T, s *stage) {
			p := s.Open(4, false)
			s.Send(4, binding.Call{}, caller{s, "call"})
			if !s.Hear(p, s.last(), binding.EventIdle{}) || s.At(4) != p {
				t.Error("it was closed with a call")
			}
			p.release()
			if !s.Hear(p, s.last(), binding.EventIdle{}) || s.At(4) != nil {
				t.Error("it is there still")
			}
			p = s.Open(4, false)
			if !s.Hear(p, s.last(), binding.EventFailed{}) || s.At(4) != nil {
				t.Error("one that failed for good is there still")
			}
		}, nil},
		{"who is told what concerns whom", func(t *testing.T, s *stage) {
			s.Open(2, true)
			s.Open(4, false)
			s.TellAll(binding.Recall{})
			s.TellGuests(binding.HomeAlive{})
			s.CloseAll()
		}, []string{"opens 2, home: true", "opens 4, home: false", "tells 2 binding.Recall", "tells 4 binding.Recall",
			"tells 4 binding.HomeAlive", "closes 2", "closes 4"}},
		{"what a binding writes is repeated by it, or owed", func(t *testing.T, s *stage) {
			p := s.Open(4, false)
			if err := s.start(p); err != nil {
				t.Fatal(err)
			}
			s.cfgs[0].Commit(persistence.Commit{}, false, nil)
			s.cfgs[0].Commit(persistence.Commit{}, true, nil)
			s.cfgs[0].Notify(binding.EventHeld{})
		}, []string{"opens 4, home: false", "write, once: true", "write, once: false", "DC 4 says binding.EventHeld, counts: true"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &stage{}
			s.Peers = New("a", s, &Trace{
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
