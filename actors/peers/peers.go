// Package peers is the DCs of one account as its actor sees them: a binding for
// each, started from its records and started again when it fails; where calls
// for it go; what waits until it has started. It is part of the account's actor
// and has none of its own: it never waits, and is used by that actor alone.
package peers

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
	// DropAfter, and Active when somebody waits for the account. The rest is
	// filled in here.
	Config(at dc.ID) binding.Config
	// Spawn starts a binding below the account.
	Spawn(cfg binding.Config) (binding.Handle, error)
	// Read has the account's records read; Start follows.
	Read(p *Peer, from *journal.Fence)
	// Heard and Write are called from within a binding, and post what it says to
	// the account: Hear follows, or the journal's Add.
	Heard(p *Peer, from *journal.Fence, ev binding.Event)
	Write(from *journal.Fence, w journal.Work, done func(error))
}

// Trace is told what accounts and their bindings say to each other, in the order
// of its happening. Each function is set; none may block, or keep what it was
// given.
type Trace struct {
	// Opened and Closed: the binding of a DC begins, and ends.
	Opened func(id persistence.AccountID, at dc.ID, home bool)
	Closed func(id persistence.AccountID, at dc.ID)
	// Told: the account sends the binding of a DC a message, or by the route a
	// call to the connection under a key. It is zero where the binding is told.
	Told func(id persistence.AccountID, at dc.ID, m binding.Message, under crypt.KeyID)
	// Heard: the binding of a DC told the account this.
	Heard func(id persistence.AccountID, from dc.ID, ev binding.Event)
}

// Peer is one DC of the account: a binding, and where calls for it go.
type Peer struct {
	id      binding.ID
	home    bool
	handle  binding.Handle // zero until its keys were read, and until it starts again
	route   binding.Route  // zero while calls go to the binding
	bound   bool           // the last route was under a bound temp key
	from    *journal.Fence // of this start; what an earlier one said is void
	keeper  runtime.Keeper
	early   []binding.Message // what is to be told it when it has started; bounded by the callers' admission
	pending atomic.Int64      // calls that were sent there and have not ended
}

// DC is which it is.
func (p *Peer) DC() dc.ID { return p.id.DC }

// IsHome reports whether the authorization was made there, Bound whether calls
// go under a bound temp key, Lost whether they wait for a route.
func (p *Peer) IsHome() bool { return p.home }
func (p *Peer) Bound() bool  { return p != nil && p.bound }
func (p *Peer) Lost() bool   { return p.route.IsZero() }

// Sent and Returned count the calls that are there: a DC with calls is not idle.
// Returned may be called from any goroutine.
func (p *Peer) Sent()     { p.pending.Add(1) }
func (p *Peer) Returned() { p.pending.Add(-1) }

// Peers are all of them. One owner: the account's actor.
type Peers struct {
	id    persistence.AccountID
	host  Host
	trace *Trace
	all   []*Peer // in the order they were opened
	home  *Peer   // one of them, nil while there is none
}

// New returns the peers of an account: none. The trace may be nil.
func New(id persistence.AccountID, host Host, trace *Trace) *Peers {
	return &Peers{id: id, host: host, trace: trace}
}

// Home returns the home, nil while there is none.
func (s *Peers) Home() *Peer { return s.home }

// To returns the peer of a DC, opening a guest's; zero is home. It is nil for a
// home that is not open.
func (s *Peers) To(at dc.ID) *Peer {
	if at == 0 || s.home != nil && s.home.id.DC == at {
		return s.home
	}
	if p := s.At(at); p != nil {
		return p
	}
	return s.Open(at, false)
}

// At returns the peer of a DC, nil for none.
func (s *Peers) At(at dc.ID) *Peer {
	if i := slices.IndexFunc(s.all, func(p *Peer) bool { return p.id.DC == at }); i >= 0 {
		return s.all[i]
	}
	return nil
}

// Open makes the peer of a DC. Its binding starts when its keys were read.
func (s *Peers) Open(at dc.ID, home bool) *Peer {
	p := &Peer{id: binding.ID{DC: at}, home: home}
	s.all = append(s.all, p)
	if home {
		s.home = p
	}
	if s.trace != nil {
		s.trace.Opened(s.id, at, home)
	}
	s.begin(p)
	return p
}

// begin begins, or begins anew, with a binding: from what is on disk.
func (s *Peers) begin(p *Peer) {
	p.from = &journal.Fence{}
	s.host.Read(p, p.from)
}

// Start starts the binding whose account was read, unless it was closed since. It
// fails with what cannot be used: an account cannot live without its home.
func (s *Peers) Start(p *Peer, from *journal.Fence, state *persistence.State, now time.Time) error {
	if p.void(from) {
		return nil
	}
	cfg := s.host.Config(p.id.DC)
	cfg.Account, cfg.ID, cfg.Home, cfg.Keys = s.id, p.id, p.home, binding.RecordsOf(state, p.id.DC)
	cfg.Active = cfg.Active || len(p.early) > 0
	cfg.Notify = func(ev binding.Event) { s.host.Heard(p, from, ev) }
	cfg.Commit = func(commit persistence.Commit, owed bool, done func(error)) {
		w := journal.Work{Commit: commit, Urgency: journal.Once}
		if owed {
			w.Urgency = journal.Should
		}
		s.host.Write(from, w, done)
	}
	handle, err := s.host.Spawn(cfg)
	if err != nil {
		return s.Unusable(p, from, err)
	}
	p.handle = handle
	p.keeper.Started(now)
	early := p.early
	p.early = nil
	for _, m := range early {
		p.handle.Send(m)
	}
	return nil
}

// Unusable gives up a peer whose records cannot be used. For home the error is
// returned; a guest is closed, and asked for anew by who needs it.
func (s *Peers) Unusable(p *Peer, from *journal.Fence, err error) error {
	switch {
	case p.void(from):
		return nil
	case p.home:
		return err
	}
	s.Close(p)
	return nil
}

// void reports whether what an earlier start asked for, or a closed one, comes
// too late.
func (p *Peer) void(from *journal.Fence) bool { return p.from != from || from.Closed }

// Hear takes what a binding said. It reports whether that counts, and knows then
// where calls go; a guest that nobody needs, or that failed for good, is closed.
func (s *Peers) Hear(p *Peer, from *journal.Fence, ev binding.Event) bool {
	if p.void(from) {
		return false
	}
	if s.trace != nil {
		s.trace.Heard(s.id, p.id.DC, ev)
	}
	switch ev := ev.(type) {
	case binding.EventRoute:
		p.route, p.bound = ev.Route, ev.Route.Where().Temp
	case binding.EventHeld:
		p.route = binding.Route{}
	case binding.EventLost:
		p.route, p.bound = binding.Route{}, false
	case binding.EventIdle:
		if p.pending.Load() == 0 {
			s.Close(p)
		}
	case binding.EventFailed:
		s.Close(p)
	}
	return true
}

// Tell sends a binding a message, as soon as there is one. Calls go there until
// it names a route again, where the message says that the last is none. Nobody is
// told nothing.
func (s *Peers) Tell(p *Peer, m binding.Message) {
	if p == nil {
		return
	}
	switch m.(type) {
	case binding.Unbound, binding.Unauthorized:
		p.route = binding.Route{}
	}
	if s.trace != nil {
		s.trace.Told(s.id, p.id.DC, m, 0)
	}
	if p.handle.IsZero() {
		p.early = append(p.early, m)
		return
	}
	p.handle.Send(m)
}

// TellAll tells every binding, TellGuests all but home's.
func (s *Peers) TellAll(m binding.Message) {
	for _, p := range s.all {
		s.Tell(p, m)
	}
}

func (s *Peers) TellGuests(m binding.Message) {
	for _, p := range s.all {
		if !p.home {
			s.Tell(p, m)
		}
	}
}

// Check has the binding of a DC, if there is one now, ask for a sign of life, or
// with back dial without a pause.
func (s *Peers) Check(at dc.ID, back bool) {
	if p := s.At(at); p != nil && !p.handle.IsZero() {
		s.Tell(p, binding.Check{Back: back})
	}
}

// Route returns where a call goes that is sent now; zero: Tell the binding.
func (s *Peers) Route(p *Peer, call binding.Call) binding.Route {
	if s.trace != nil && !p.route.IsZero() {
		s.trace.Told(s.id, p.id.DC, call, p.route.Where().Key)
	}
	return p.route
}

// Close ends a peer. What waits for it comes back to be admitted again, or
// refused in words of the account's state. Nobody may be closed.
func (s *Peers) Close(p *Peer) {
	if p == nil {
		return
	}
	s.all = slices.DeleteFunc(s.all, func(other *Peer) bool { return other == p })
	if s.home == p {
		s.home = nil
	}
	if s.trace != nil {
		s.trace.Closed(s.id, p.id.DC)
	}
	p.from.Closed = true
	p.route = binding.Route{}
	p.handle.Stop()
	p.release()
}

// CloseAll ends all of them.
func (s *Peers) CloseAll() {
	for len(s.all) > 0 {
		s.Close(s.all[0])
	}
}

// Release gives back what waits for bindings that will not be: the account stops.
func (s *Peers) Release() {
	for _, p := range s.all {
		p.release()
	}
}

func (p *Peer) release() {
	for _, m := range p.early {
		switch m := m.(type) {
		case binding.Call:
			binding.Route{}.Send(m) // which gives it back
		case binding.Confirm:
			binding.Route{}.Send(m.Call)
		}
	}
	p.early = nil
}

// Failed takes the end of a binding that failed. It returns whose it was, nil for
// nobody's any more, and after which delay to call Again, unless it failed too
// often.
func (s *Peers) Failed(child runtime.ActorID, now time.Time, rand io.Reader) (p *Peer, delay time.Duration, tooOften bool) {
	i := slices.IndexFunc(s.all, func(p *Peer) bool { return p.handle.ID() == child })
	if i < 0 {
		return nil, 0, false
	}
	p = s.all[i]
	p.handle, p.route, p.from = binding.Handle{}, binding.Route{}, &journal.Fence{}
	delay, tooOften = p.keeper.Failed(now, rand)
	return p, delay, tooOften
}

// Again starts what failed once more, from what is on disk.
func (s *Peers) Again(p *Peer) {
	if !p.from.Closed && p.handle.IsZero() {
		s.begin(p)
	}
}
