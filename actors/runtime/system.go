package runtime

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	goruntime "runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/eventstream"
)

// Options configure a [System]. The zero value is ready for production.
type Options struct {
	// Clock tells the time; nil: [RealClock]. It may be off, but it passes as the
	// time package's does: that it was set, by more than a second, is not seen.
	Clock  Clock
	Rand   io.Reader // must be safe for concurrent use; nil: crypto/rand
	Logger *slog.Logger

	// Workers is how many functions of [Context.Go] run at once; zero: GOMAXPROCS.
	Workers int
	// Blocking is how many functions of [Context.GoIO] run at once; zero: 256.
	Blocking int

	// OnPanic, if set, is called for each panic of an actor, from whatever
	// goroutine it happened in, before the actor is stopped. It must not block.
	OnPanic func(*PanicError)

	// WedgeAfter is how long one method of an actor may run before OnWedged is
	// called for it; zero: 30 s, negative: never. OnWedged is called once for
	// each such run, from a goroutine of its own.
	WedgeAfter time.Duration
	OnWedged   func(Wedged)

	// OnWoken, if set, is called when this process did not run for half a minute or
	// more, because the machine slept or the process was stopped, or when the clock
	// was set ahead by as much, which cannot always be told apart. It is looked for
	// as often as for actors that do not return, from a goroutine of its own. Time
	// that passed meanwhile may or may not have passed by Clock.
	OnWoken func(slept time.Duration)

	// Sim, if set, runs the actors of this system instead of goroutines; it
	// replaces Clock and both pools, and is the Rand if that is nil. There is no
	// wedge detection: an actor that does not return holds the whole Sim.
	Sim *Sim
}

const (
	defaultBlocking   = 256
	defaultWedgeAfter = 30 * time.Second
)

// A System is a tree of actors with their clock, randomness and work pools.
type System struct {
	opts    Options
	lib     *actor.ActorSystem
	props   *actor.Props
	compute *pool
	blocked *pool
	top     Ref[topMsg]
	watched map[ActorID]func(ActorID, error) // the top's: who hears of the end of a root
	made    time.Time                        // see leap
	nextID  atomic.Uint64
	tally   tally
	workers workers
	alarms  alarms
	wedges  wedgeScan

	// Under a Sim only.
	crashed bool
	frozen  bool
	held    simHeld
	simJobs int // work given to the pools and not ended

	// The library's producers take no argument, so the one shared Props finds
	// the actor it is to produce here.
	spawnMu sync.Mutex
	pending *core

	// All live actors, for the wedge scan and the census.
	liveMu sync.Mutex
	live   *core
	census int // without the top of the tree
}

// NewSystem starts a system. While its actors are idle it has a few parked
// goroutines, however many actors there are, and [System.Close] ends them.
func NewSystem(o Options) *System {
	if o.Clock == nil {
		o.Clock = RealClock()
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
		if o.Sim != nil {
			o.Rand = o.Sim
		}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Workers <= 0 {
		o.Workers = goruntime.GOMAXPROCS(0)
	}
	if o.Blocking <= 0 {
		o.Blocking = defaultBlocking
	}
	if o.WedgeAfter == 0 {
		o.WedgeAfter = defaultWedgeAfter
	}
	o.Clock = steady(o.Clock)
	s := &System{opts: o, made: time.Now()}
	if _, real := o.Clock.(realClock); real && o.Sim == nil {
		s.alarms.sys, s.alarms.base = s, s.made
	}
	if o.Sim != nil {
		s.opts.Clock = simClock{s}
		s.opts.WedgeAfter = -1
	}
	s.tally.zero = make(chan struct{}, 1)
	s.workers.tally = &s.tally
	s.workers.keep = parkedPerProc * goruntime.GOMAXPROCS(0)
	s.compute = &pool{sys: s, limit: o.Workers}
	s.blocked = &pool{sys: s, limit: o.Blocking, waits: true}
	s.lib = actor.NewActorSystem(
		actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger {
			return slog.New(libraryLog{s.opts.Logger.Handler()})
		}),
	)
	// A dead letter (a stop that crosses the end of its actor) would start the
	// library's log throttle, a goroutine of one second; nobody listens, and
	// messages of this package never become dead letters.
	s.lib.EventStream = eventstream.NewEventStream()
	s.props = actor.PropsFromProducer(
		func() actor.Actor { return s.pending },
		actor.WithMailbox(func() actor.Mailbox { return s.pending }),
	)
	s.watched = map[ActorID]func(ActorID, error){}
	top := newContext[topMsg](s, nil, &topActor{s.watched})
	s.attach(func(p *actor.Props) *actor.PID { return s.lib.Root.Spawn(p) }, &top.core)
	s.top = Ref[topMsg]{top}
	s.wedges.start(s)
	return s
}

// Clock returns the clock of the system.
func (s *System) Clock() Clock { return s.opts.Clock }

// Rand returns the source of randomness, safe for concurrent use.
func (s *System) Rand() io.Reader { return s.opts.Rand }

// Logger returns the logger of the system.
func (s *System) Logger() *slog.Logger { return s.opts.Logger }

// Len returns how many actors are alive.
func (s *System) Len() int {
	s.liveMu.Lock()
	defer s.liveMu.Unlock()
	return s.census
}

// Close stops every actor, children before parents, and returns when each has
// finished its Stopping, all work given to the pools has ended and every
// goroutine of the system is gone; or when ctx is done, with its error. It may
// be called again to go on waiting.
func (s *System) Close(ctx context.Context) error {
	s.wedges.stop()
	s.top.Stop()
	if s.opts.Sim != nil {
		return s.simClose(ctx)
	}
	select {
	case <-s.top.Done():
		s.workers.release()
		return s.tally.wait(ctx)
	case <-ctx.Done():
		s.workers.release() // only actors that are left keep a goroutine
		return ctx.Err()
	}
}

// simClose steps the simulation until the system is gone.
func (s *System) simClose(ctx context.Context) error {
	ok := s.opts.Sim.Wait(func() bool {
		return ctx.Err() != nil || s.crashed || s.top.c.ended() && s.simJobs == 0
	})
	switch {
	case s.crashed:
		return ErrCrashed
	case !ok:
		return ErrStuck
	case s.top.c.ended() && s.simJobs == 0:
		return nil
	}
	return ctx.Err()
}

// Crash ends a system under a [Sim] as SIGKILL ends a process: nothing of it
// runs any more, not Stopping either, and no message reaches it. A method or a
// piece of work from within which it is called runs to its end: what that may
// reach outside must be cut off by who crashes.
func (s *System) Crash() {
	if s.opts.Sim == nil {
		panic("runtime: only a simulated system can crash")
	}
	if !s.crashed {
		s.crashed = true
		s.opts.Sim.crash(s)
	}
}

// Crashed reports whether Crash was called.
func (s *System) Crashed() bool { return s.crashed }

// attach lets the library create the process of c: spawn calls the library
// with the shared Props.
func (s *System) attach(spawn func(*actor.Props) *actor.PID, c *core) *actor.PID {
	s.liveMu.Lock()
	c.next = s.live
	if c.next != nil {
		c.next.prev = c
	}
	s.live = c
	if c.parent != nil {
		s.census++
	}
	s.liveMu.Unlock()

	s.spawnMu.Lock()
	defer s.spawnMu.Unlock()
	s.pending = c
	defer func() { s.pending = nil }()
	return spawn(s.props)
}

// detach forgets an actor that is gone.
func (s *System) detach(c *core) {
	s.liveMu.Lock()
	defer s.liveMu.Unlock()
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		s.live = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	}
	c.prev, c.next = nil, nil
	if c.parent != nil {
		s.census--
	}
}

// topActor is the parent of every root actor, so that a whole system is one
// tree with one order of stopping.
type topActor struct {
	watched map[ActorID]func(ActorID, error)
}

type topMsg interface {
	spawn(parent *core)
	watch(ended map[ActorID]func(ActorID, error))
}

type spawnRoot[M any] struct {
	child *Context[M]
	ended func(ActorID, error)
}

func (m spawnRoot[M]) spawn(parent *core) { parent.adopt(&m.child.core) }

func (m spawnRoot[M]) watch(ended map[ActorID]func(ActorID, error)) {
	if m.ended != nil {
		ended[m.child.id] = m.ended
	}
}

func (*topActor) Started(*Context[topMsg]) {}

func (t *topActor) Receive(c *Context[topMsg], m topMsg) {
	m.watch(t.watched)
	m.spawn(&c.core)
}

func (*topActor) Stopping(*Context[topMsg]) {}

func (*topActor) Undelivered(m topMsg) { m.spawn(nil) }

// ChildStopped implements [Parent].
func (t *topActor) ChildStopped(_ *Context[topMsg], child ActorID, reason error) {
	if ended := t.watched[child]; ended != nil {
		delete(t.watched, child)
		ended(child, reason)
	}
}

// libraryLog passes on the library's warnings without their attributes, which
// hold message and panic values.
type libraryLog struct{ slog.Handler }

func (h libraryLog) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && h.Handler.Enabled(ctx, l)
}

func (h libraryLog) Handle(ctx context.Context, r slog.Record) error {
	bare := slog.NewRecord(r.Time, r.Level, "actor library: "+r.Message, r.PC)
	return h.Handler.Handle(ctx, bare)
}

func (h libraryLog) WithAttrs([]slog.Attr) slog.Handler { return h }

func (h libraryLog) WithGroup(string) slog.Handler { return h }

// tally counts goroutines so that Close can wait for them. A WaitGroup would
// not do: late messages may start one while Close is waiting.
type tally struct {
	n       atomic.Int64
	closing atomic.Bool
	zero    chan struct{}
}

func (t *tally) add() { t.n.Add(1) }

func (t *tally) done() {
	if t.n.Add(-1) == 0 && t.closing.Load() {
		select {
		case t.zero <- struct{}{}:
		default:
		}
	}
}

func (t *tally) wait(ctx context.Context) error {
	t.closing.Store(true)
	for t.n.Load() != 0 {
		select {
		case <-t.zero:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
