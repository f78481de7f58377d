package actors

import (
	"sync"
	"time"

	"github.com/mtfleet/mtfleet/actors/account"
	"github.com/mtfleet/mtfleet/actors/digest"
	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/standing"
)

// This file is about DCs that answer nobody, which the governor finds out before
// the accounts there do.

// silences are the DCs of which that is so, with when they were heard last, for
// Outages. There are as many entries as DCs at most.
type silences struct {
	mu    sync.Mutex
	since map[int]time.Time
}

func (s *silences) hear(w governor.Word) {
	if w.Route != governor.Direct || w.DC < 0 {
		return // the silence of a proxy, or of addresses for media, is not the DC's
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch w.Kind {
	case governor.IsSilent:
		if s.since == nil {
			s.since = map[int]time.Time{}
		}
		s.since[w.DC] = w.Since
	case governor.Answers:
		delete(s.since, w.DC)
	}
}

// apply makes accounts that are online at such a DC ones that are without it, since
// it was heard; those that have given up are it since then too.
func (s *silences) apply(now time.Time, all []digest.Account) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.since) == 0 {
		return
	}
	for i := range all {
		a := &all[i]
		since, silent := s.since[a.DC]
		switch {
		case silent && a.State == standing.Online:
			a.State, a.Since, a.Why = standing.Connecting, since, digest.NoAnswer(now, since)
		case silent && a.State == standing.Connecting && a.Since.After(since):
			a.Since = since
		}
	}
}

// onWord hears what the governor says of a DC: it is told, and accounts that are
// not there do nothing with it.
func (f *fleet) onWord(c *runtime.Context[fleetMsg], w governor.Word) {
	switch {
	case w.Route != governor.Direct: // those who go that way will tell of it themselves
	case w.DC < 0: // nobody is offline for it
	case w.Kind == governor.IsSilent:
		f.digest.Silent(c.Now(), w.DC, w.Since)
		f.tell(c)
	case w.Kind == governor.Answers:
		f.digest.Answers(c.Now(), w.DC)
		f.tell(c)
	}
	for _, a := range f.m.Accounts() {
		a.current().Send(account.Check{DC: dc.ID(w.DC), Route: w.Route, Back: w.Kind == governor.Answers})
	}
}
