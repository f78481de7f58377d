// Package bindings is the DCs of one account as its actor sees them: a binding for
// each, and another when it fails; the way of calls there and back; those that
// wait for a home. It is part of the account's actor
// and has none of its own: it never waits, and is used by that actor alone.
package bindings

import (
	"io"
	"slices"
	"sync/atomic"
	"time"

	"github.com/mtfleet/mtfleet/actors/binding"
	"github.com/mtfleet/mtfleet/actors/journal"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/persistence"
)

// Host is the account.
type Host interface {
	// Config says what the account knows for the binding of a DC: PFS, BindAfter,
	// DropAfter, Keys if they were read, and Active when somebody waits for the
	// account. The rest is filled in here.
	Config(at dc.ID, home bool) binding.Config
	// MediaRoad says by which binding calls for media on a DC go.
	MediaRoad(at dc.ID) binding.MediaRoad
	// Spawn starts a binding below the account.
	Spawn(cfg binding.Config) binding.Handle
	// Heard and Store are called from within a binding, and post what it says to
	// the account: Hear follows, or the journal's Add. Done is called once, with
	// the records of a Load, or with an error when the fence is closed.
	Heard(p *Binding, from *journal.Fence, ev binding.Event)
	Store(from *journal.Fence, w journal.Work, done func([]persistence.Record, error))
}

// Trace is told what accounts and their bindings say to each other, in the order
// of its happening. Each function is set; none may block, or keep what it was
// given.
type Trace struct {
	// Opened and Closed: the binding of a DC begins, and ends. The number of a DC has
	// a minus here for its binding for media.
	Opened func(id persistence.AccountID, at dc.ID, home bool)
	Closed func(id persistence.AccountID, at dc.ID)
	// Told: the account sends the binding of a DC a message, or by the route a
	// call to the connection under a key. It is zero where the binding is told.
	Told func(id persistence.AccountID, at dc.ID, m binding.Message, under crypt.KeyID)
	// Heard: the binding of a DC told the account this.
	Heard func(id persistence.AccountID, from dc.ID, ev binding.Event)
}

// Binding is one DC of the account: a binding, and where calls for it go.
type Binding struct {
	id      binding.ID
	home    bool
	handle  binding.Handle // of this start
	route   binding.Route  // zero while calls go to the binding
	bound   bool           // the last route was under a bound temp key
	temps   bool           // and so are all, also while there is none
	perm    crypt.KeyID    // of the last route, zero before there was one
	from    *journal.Fence // of this start; what an earlier one said is void
	keeper  runtime.Keeper
	pending atomic.Int64 // calls that were sent there and have not ended

	wanted bool // of a main one: somebody asked for media there before it had a route
	sweeps bool // of a main one: it was told to sweep
	// Of a main one: the perm key under which it has swept.
	swept crypt.KeyID
	opens bool // of one for media: it has no route yet and calls may wait for it
	lost  bool // the last that was heard of its route is that it is lost
}

// number is that of its DC, with a minus for media.
func (p *Binding) number() dc.ID {
	if p.media() {
		return -p.id.DC
	}
	return p.id.DC
}

// media reports whether it is for media.
func (p *Binding) media() bool { return p.id.Purpose == binding.Media }

// DC is which it is.
func (p *Binding) DC() dc.ID { return p.id.DC }

// AtHome reports whether the login was made there.
func (p *Binding) AtHome() bool { return p.home }

// IsHome reports whether it is the one that the account stands with: its login was
// made there, and it is not for media. Bound whether calls
// go under a bound temp key, Lost whether they wait for a route.
func (p *Binding) IsHome() bool { return p.home && !p.media() }
func (p *Binding) Bound() bool  { return p != nil && p.bound }
func (p *Binding) Lost() bool   { return p.route.IsZero() }

// Perm is the perm key that the last route was under, or behind its temp key.
// Nobody's, and one's before its first route, is zero.
func (p *Binding) Perm() crypt.KeyID {
	if p == nil {
		return 0
	}
	return p.perm
}

// All are all of them. One owner: the account's actor.
type All struct {
	id    persistence.AccountID
	host  Host
	trace *Trace
	all   []*Binding // in the order they were opened
	home  *Binding   // one of them, nil while there is none

	homeless []query // for a home that is about to be opened; bounded by the callers' admission

	ending []*Binding // closed ones whose binding has not ended yet
	shared []*shared  // one for each DC that had one; a map would cost each account more
}

// shared is what the bindings of a DC have in common.
type shared struct {
	binding.Shared
	at dc.ID
}

// New returns the bindings of an account: none. The trace may be nil.
func New(id persistence.AccountID, host Host, trace *Trace) *All {
	return &All{id: id, host: host, trace: trace}
}

// Home returns the home, nil while there is none.
func (s *All) Home() *Binding { return s.home }

// To returns the binding of a DC, opening a guest's; zero is home. It is nil for a
// home that is not open.
func (s *All) To(at dc.ID) *Binding {
	if at == 0 || s.home != nil && s.home.id.DC == at {
		return s.home
	}
	if p := s.At(at); p != nil {
		return p
	}
	return s.Open(at, false)
}

// At returns the main binding of a DC, nil for none.
func (s *All) At(at dc.ID) *Binding { return s.byID(binding.ID{DC: at}) }

// Numbered is At by the governor's number of a DC, which has a minus for media.
func (s *All) Numbered(at dc.ID) *Binding {
	if at < 0 {
		return s.byID(binding.ID{DC: -at, Purpose: binding.Media})
	}
	return s.At(at)
}

func (s *All) byID(id binding.ID) *Binding {
	if i := slices.IndexFunc(s.all, func(p *Binding) bool { return p.id == id }); i >= 0 {
		return s.all[i]
	}
	return nil
}

// Open makes the main binding of a DC.
func (s *All) Open(at dc.ID, home bool) *Binding {
	p := &Binding{id: binding.ID{DC: at}, home: home}
	s.all = append(s.all, p)
	if home {
		s.home = p
	}
	if s.trace != nil {
		s.trace.Opened(s.id, at, home)
	}
	s.begin(p, 0)
	if home {
		s.settle()
	}
	return p
}

// begin begins with a binding, after a while when one before it failed, and not
// before one that was closed has ended.
func (s *All) begin(p *Binding, after time.Duration) {
	from := &journal.Fence{}
	cfg := s.host.Config(p.id.DC, p.IsHome())
	cfg.Account, cfg.ID, cfg.Home, cfg.After = s.id, p.id, p.home, after
	cfg.Wait, cfg.Shared = s.isEnding(p.id), s.sharedAt(p.id.DC)
	cfg.Notify = func(ev binding.Event) { s.host.Heard(p, from, ev) }
	cfg.Load = func(done func(binding.Records, error)) {
		s.host.Store(from, journal.Work{Kind: journal.Load, Account: s.id}, func(records []persistence.Record, err error) {
			done(recordsOf(p.id.DC, records, err))
		})
	}
	cfg.Commit = func(commit persistence.Commit, owed bool, done func(error)) {
		w := journal.Work{Commit: commit, Urgency: journal.Once}
		if owed {
			w.Urgency = journal.Should
		}
		s.host.Store(from, w, func(_ []persistence.Record, err error) { done(err) })
	}
	p.from, p.handle, p.sweeps = from, s.host.Spawn(cfg), false
}

func (s *All) sharedAt(at dc.ID) *binding.Shared {
	i := slices.IndexFunc(s.shared, func(l *shared) bool { return l.at == at })
	if i < 0 {
		i, s.shared = len(s.shared), append(s.shared, &shared{at: at})
	}
	return &s.shared[i].Shared
}

// recordsOf picks what a binding begins with out of what was read. It fails where
// that is not enough to begin with.
func recordsOf(at dc.ID, records []persistence.Record, err error) (binding.Records, error) {
	state, bad := persistence.DecodeState(records)
	if err = persistence.JoinRecords(err, bad); persistence.Vital(err) {
		return binding.Records{}, err
	}
	return binding.RecordsOf(&state, at), nil
}

// void reports whether what an earlier start asked for, or a closed one, comes
// too late.
func (p *Binding) void(from *journal.Fence) bool { return p.from != from || from.Closed }

// Hear takes what a binding said, and knows then where calls go; a guest that
// nobody needs, or that failed for good, is closed. It reports whether the account
// has to hear it too: an earlier start's word counts for nothing, and where calls
// go to a guest is nobody else's business.
func (s *All) Hear(p *Binding, from *journal.Fence, ev binding.Event) bool {
	if p.void(from) {
		return false
	}
	if s.trace != nil {
		s.trace.Heard(s.id, p.number(), ev)
	}
	if p.media() {
		return s.hearMedia(p, ev)
	}
	switch ev := ev.(type) {
	case binding.EventRoute:
		p.route, p.bound, p.perm, p.lost = ev.Route, ev.Route.Where().Temp, ev.Perm, false
		p.temps = p.bound
		s.routed(p)
		return p.home && !ev.Again // it was asked what is new when the last was lost
	case binding.EventHeld:
		p.route = binding.Route{}
		return p.home
	case binding.EventLost:
		p.route, p.bound, p.lost = binding.Route{}, false, true
		return p.home
	case binding.EventUnreachable:
		return p.home
	case binding.EventSwept:
		if p.sweeps, p.swept = false, p.perm; s.byID(mediaID(p.id.DC)) == nil {
			s.openMedia(p)
		}
		return false
	case binding.EventIdle:
		if p.pending.Load() == 0 && s.byID(mediaID(p.id.DC)) == nil {
			s.Close(p)
		}
	case binding.EventUnusable:
		if !p.home { // it is asked for anew by who needs it
			s.Close(p)
			return false
		}
	case binding.EventFailed:
		s.Close(p)
	}
	return true
}

// Tell sends a binding a message. Calls go there until it names a route again, where the message says that the last is none. Nobody is
// told nothing.
func (s *All) Tell(p *Binding, m binding.Message) {
	if p == nil {
		return
	}
	switch m.(type) {
	case binding.Unbound:
		p.route = binding.Route{}
	case binding.Unauthorized:
		p.route, p.lost = binding.Route{}, true // for media too
	}
	if s.trace != nil {
		s.trace.Told(s.id, p.number(), m, 0)
	}
	p.handle.Send(m)
}

// TellUnbound tells the bindings of a DC that a key of one of them is not bound.
func (s *All) TellUnbound(at dc.ID, m binding.Unbound) {
	s.Tell(s.At(at), m)
	s.Tell(s.byID(mediaID(at)), m)
}

// TellAll tells every binding.
func (s *All) TellAll(m binding.Message) {
	for _, p := range s.all {
		s.Tell(p, m)
	}
}

// TellGuest tells the binding of a DC that is not home, if there is one.
func (s *All) TellGuest(at dc.ID, m binding.Message) {
	if p := s.At(at); p != nil && !p.home {
		s.Tell(p, m)
	}
}

// TellGuests tells all but home's.
func (s *All) TellGuests(m binding.Message) {
	for _, p := range s.all {
		if !p.home && !p.media() {
			s.Tell(p, m)
		}
	}
}

// Close ends a binding. What waits for it comes back to be admitted again, or
// refused in words of the account's state. Nobody may be closed.
func (s *All) Close(p *Binding) {
	if p == nil {
		return
	}
	s.drop(p)
	s.ending = append(s.ending, p)
	p.handle.Stop()
}

// drop takes a binding out.
func (s *All) drop(p *Binding) {
	if !p.media() { // there is no key for it without this one
		s.Close(s.byID(mediaID(p.id.DC)))
		defer s.sharedAt(p.id.DC).Clear()
	}
	s.all = slices.DeleteFunc(s.all, func(other *Binding) bool { return other == p })
	if s.home == p {
		s.home = nil
	}
	if s.trace != nil {
		s.trace.Closed(s.id, p.number())
	}
	p.from.Closed = true
	p.route = binding.Route{}
}

// CloseAll ends all of them.
func (s *All) CloseAll() {
	for len(s.all) > 0 {
		s.Close(s.all[0])
	}
	s.Release()
}

// Stopped takes the end of a binding, which is completely gone with its
// connections. One that was closed makes way for the next at its DC. One that
// failed is begun anew after a while, from what is on disk, unless it failed too
// often. A binding that failed is returned.
func (s *All) Stopped(child runtime.ActorID, now time.Time, rand io.Reader) (failed *Binding, tooOften bool) {
	is := func(p *Binding) bool { return p.handle.ID() == child }
	if i := slices.IndexFunc(s.ending, is); i >= 0 {
		id := s.ending[i].id
		s.ending = slices.Delete(s.ending, i, i+1)
		if p := s.byID(id); p != nil && !s.isEnding(id) {
			p.handle.Send(binding.Begin{})
		}
		if s.At(id.DC) == nil {
			s.sharedAt(id.DC).Clear()
		}
		return nil, false
	}
	i := slices.IndexFunc(s.all, is)
	if i < 0 {
		return nil, false
	}
	p := s.all[i]
	p.route, p.opens, p.lost = binding.Route{}, false, true
	delay, tooOften := p.keeper.Failed(now, rand)
	if tooOften {
		s.drop(p) // it has ended already: nobody at its DC need wait for that
		return p, true
	}
	p.keeper.Started(now.Add(delay))
	s.begin(p, delay)
	return p, false
}

// Quiet reports whether there is none, and no connection of one that was closed.
func (s *All) Quiet() bool { return len(s.all) == 0 && len(s.ending) == 0 }

// isEnding reports whether a binding that was closed still has connections to a
// DC: the server is to see one session of a key after the other.
func (s *All) isEnding(id binding.ID) bool {
	return slices.ContainsFunc(s.ending, func(p *Binding) bool { return p.id == id })
}
