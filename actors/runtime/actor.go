package runtime

import (
	"io"
	"log/slog"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// An Actor handles messages of type M, one at a time. Its methods never run
// concurrently and must not wait.
type Actor[M any] interface {
	// Started is called once, before any message. An actor told to stop before
	// it ran at all sees neither Started nor Stopping.
	Started(c *Context[M])
	// Receive handles one message.
	Receive(c *Context[M], m M)
	// Stopping is called once, also after a panic, and before the children are
	// stopped: release what must be released, answer what is owed. Nothing but
	// ChildStopped and Undelivered is called afterwards.
	Stopping(c *Context[M])
}

// A Parent is an [Actor] that wants to know when its children are gone.
type Parent[M any] interface {
	// ChildStopped is called when a child has finished completely, its own
	// children included. The reason is nil after an ordinary stop, and a
	// [*PanicError] after a panic.
	ChildStopped(c *Context[M], child ActorID, reason error)
}

// A Collector is an [Actor] that takes back messages it did not receive
// because it stopped first. Calls are serial, and may come long after
// Stopping, whenever someone sends to the stopped actor.
type Collector[M any] interface {
	Undelivered(m M)
}

// An ActorID names one incarnation of one actor within its system; it is never
// reused. Zero names none.
type ActorID uint64

// A Ref is a handle on an actor. It is small, comparable and safe for
// concurrent use; the zero Ref is nobody.
type Ref[M any] struct{ c *Context[M] }

// Send queues m for the actor and returns at once. A message to a stopped
// actor goes to its Undelivered; to the zero Ref, nowhere. A nil message is
// refused and logged.
func (r Ref[M]) Send(m M) {
	if r.c != nil {
		r.c.send(m)
	}
}

// Deliver is Send for a goroutine that serves this actor alone, the reader of its
// socket for example: an idle actor handles the message there and then, which spares
// waking another goroutine. So it may take as long as the actor's method, and the
// goroutine may end in it as that one's would; it must hold no lock that the actor,
// or whoever it calls, may want.
func (r Ref[M]) Deliver(m M) {
	if r.c != nil && r.c.queue(m, true) {
		r.c.runHere()
	}
}

// Stop asks the actor to stop; the request overtakes queued messages.
func (r Ref[M]) Stop() {
	if r.c != nil {
		r.c.PostSystemMessage(&actor.Stop{})
	}
}

// Done returns a channel that is closed when the actor and its children are
// completely gone. For the zero Ref it is nil.
func (r Ref[M]) Done() <-chan struct{} {
	if r.c == nil {
		return nil
	}
	return r.c.doneChan()
}

// Depth returns how many messages are queued.
func (r Ref[M]) Depth() int {
	if r.c == nil {
		return 0
	}
	return r.c.UserMessageCount()
}

// ID returns the identity of the actor; zero for the zero Ref.
func (r Ref[M]) ID() ActorID {
	if r.c == nil {
		return 0
	}
	return r.c.id
}

// IsZero reports whether r is the zero Ref.
func (r Ref[M]) IsZero() bool { return r.c == nil }

// Spawn starts a as a child of the actor whose context is parent. Call it only
// while a method of the parent runs. If the parent is already stopping, the
// child never starts: its messages go to Undelivered and its Done is closed.
func Spawn[M, P any](parent *Context[P], a Actor[M]) Ref[M] {
	c := newContext(parent.sys, &parent.core, a)
	parent.adopt(&c.core)
	return Ref[M]{c}
}

// SpawnRoot starts a as an actor of its own, stopped only by its Ref, by
// itself or by [System.Close]. It may be called from any goroutine.
func SpawnRoot[M any](s *System, a Actor[M]) Ref[M] {
	c := newContext(s, &s.top.c.core, a)
	s.top.Send(spawnRoot[M]{c, nil})
	return Ref[M]{c}
}

// SpawnWatched is SpawnRoot for an actor whose supervisor is no ancestor, so that
// it outlives one that failed. ended, if set, is called once, when the actor and
// its children are completely gone, with what [Parent.ChildStopped] would hear. It
// must not block: send the supervisor a message. When the system has been told to
// close it may not be called.
func SpawnWatched[M any](s *System, a Actor[M], ended func(ActorID, error)) Ref[M] {
	c := newContext(s, &s.top.c.core, a)
	m := spawnRoot[M]{c, ended}
	if s.opts.Sim != nil { // one goroutine: it need not wait for its turn, nor draw for it
		m.watch(s.watched)
		m.spawn(&s.top.c.core)
		return Ref[M]{c}
	}
	s.top.Send(m)
	return Ref[M]{c}
}

// A Context is an actor's own view of itself. Except for Self, System and
// Logger its methods may only be called while a method of the actor runs.
type Context[M any] struct {
	core
	actor  Actor[M]
	in     []M  // new messages, appended under mu
	out    []M  // messages being delivered, taken from in when used up
	head   int  // index of the next message in out
	later  []M  // put off until Resume
	more   bool // see More
	timers []timerSlot[M]
}

func newContext[M any](s *System, parent *core, a Actor[M]) *Context[M] {
	c := &Context[M]{actor: a}
	c.core.sys, c.core.parent, c.core.body = s, parent, c
	c.core.id = ActorID(s.nextID.Add(1))
	return c
}

// Self returns the handle of this actor.
func (c *Context[M]) Self() Ref[M] { return Ref[M]{c} }

// System returns the system the actor lives in.
func (c *Context[M]) System() *System { return c.sys }

// Now returns the time of the system's clock.
func (c *Context[M]) Now() time.Time { return c.sys.opts.Clock.Now() }

// Rand returns the system's source of randomness.
func (c *Context[M]) Rand() io.Reader { return c.sys.opts.Rand }

// Logger returns the system's logger.
func (c *Context[M]) Logger() *slog.Logger { return c.sys.opts.Logger }

// More reports whether another message waited when the one that is being received
// was taken: what is the same for all of them is best done with the last.
func (c *Context[M]) More() bool { return c.more }

// PutOff keeps a message that the actor cannot handle yet, until [Context.Resume]
// or the actor's end, where it goes to Undelivered. Who sends bounds what is kept.
func (c *Context[M]) PutOff(m M) { c.later = append(c.later, m) }

// Resume has what was put off received again, in its order and before anything
// newer, once the running method has returned.
func (c *Context[M]) Resume() {
	if len(c.later) == 0 {
		return
	}
	c.mu.Lock()
	c.out, c.head, c.later = append(c.later, c.out[c.head:]...), 0, nil
	c.wakeLocked()
	c.mu.Unlock()
}

// Stop stops this actor once the running method has returned.
func (c *Context[M]) Stop() { c.PostSystemMessage(&actor.Stop{}) }

// Stopping reports whether the actor has begun to stop.
func (c *Context[M]) Stopping() bool { return c.state >= stateStopping }

// Go runs work on the pool for arithmetic and sends its result to this actor.
// Work already queued runs even when the actor has stopped; its result then
// goes to Undelivered. A panic in it stops the actor as its own would.
func (c *Context[M]) Go(work func() M) { c.sys.compute.run(&c.core, func() { c.send(work()) }) }

// GoIO is Go on the pool for waiting: dials, disk.
func (c *Context[M]) GoIO(work func() M) { c.sys.blocked.run(&c.core, func() { c.send(work()) }) }

func (c *Context[M]) send(m M) { c.queue(m, false) }

// queue adds a message and has the actor run, unless it does. With here an idle one
// is left to the caller: it then reports true and counts as running.
func (c *Context[M]) queue(m M, here bool) bool {
	if c.sys.crashed {
		return false // it reaches a dead process
	}
	if any(m) == nil {
		c.sys.opts.Logger.Error("nil message refused", "actor", c.typeName())
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.in = append(c.in, m)
	if here && c.sys.opts.Sim == nil && !c.running && c.runnableLocked() {
		c.running = true
		return true
	}
	c.wakeLocked()
	return false
}

// keepCap is the capacity of a queue kept while idle. One element is what a
// connection with a call now and then needs; a burst is given back.
const keepCap = 2

// pop takes the next message; mu is held.
func (c *Context[M]) pop() (m M, ok bool) {
	if c.head == len(c.out) {
		spent := c.out[:0]
		if cap(spent) > keepCap {
			spent = nil
		}
		c.out, c.in, c.head = c.in, spent, 0
		if len(c.out) == 0 {
			return m, false
		}
	}
	m = c.out[c.head]
	var none M
	c.out[c.head] = none
	c.head++
	if c.head == len(c.out) && cap(c.out) > keepCap {
		c.out, c.head = nil, 0
	}
	return m, true
}

// The methods below are what core calls; see type body.

func (c *Context[M]) queued() int { return len(c.out) - c.head + len(c.in) }

func (c *Context[M]) started() { c.actor.Started(c) }

func (c *Context[M]) deliver() {
	c.mu.Lock()
	m, ok := c.pop()
	c.more = c.queued() > 0
	c.mu.Unlock()
	if ok {
		c.actor.Receive(c, m)
	}
}

func (c *Context[M]) stopping() {
	for i := range c.timers {
		c.timers[i].cancel()
	}
	c.timers = nil
	defer c.Resume() // to Undelivered
	c.actor.Stopping(c)
}

func (c *Context[M]) childStopped(child ActorID, reason error) {
	if p, ok := c.actor.(Parent[M]); ok {
		p.ChildStopped(c, child, reason)
	}
}

func (c *Context[M]) undelivered() {
	c.mu.Lock()
	m, ok := c.pop()
	c.mu.Unlock()
	if !ok {
		return
	}
	if u, is := c.actor.(Collector[M]); is {
		u.Undelivered(m)
	}
}

func (c *Context[M]) actorValue() any {
	if w, is := c.actor.(interface{ unwrap() any }); is {
		return w.unwrap()
	}
	return c.actor
}
