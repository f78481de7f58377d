package runtime

import (
	"fmt"
	goruntime "runtime"
	"sync"
	"sync/atomic"

	"github.com/asynkron/protoactor-go/actor"
)

// core is the part of an actor that does not depend on its message type. To
// the library it is both the actor and its mailbox, so that one object is
// allocated instead of three. The library's mailboxes keep the memory of the
// largest burst for ever, drop the messages of a stopped actor silently, and
// spin on nil; this one does none of that.
type core struct {
	sys    *System
	parent *core
	body   body
	inv    actor.MessageInvoker // the library's context of this actor; nil until spawned
	id     ActorID

	mu      sync.Mutex
	system  []any // library messages, ticks: they overtake user messages
	done    chan struct{}
	open    bool // spawned, or refused: messages may be handled
	running bool // a worker (or the simulation) has it
	paused  bool // suspended by the library
	gone    bool // completely stopped

	begun atomic.Uint32 // odd while a method runs; see wedgeScan

	// Only the actor's own goroutine uses these.
	state    state
	children childSet
	reason   error // first panic; read by the parent after the end

	prev, next *core // list of live actors, under System.liveMu
}

type state uint8

const (
	stateNew      state = iota // Started has not been called
	stateAlive                 // Started has been called
	stateStopping              // Stopping has been called; messages go to Undelivered
)

// body is the typed part of an actor: *Context[M].
type body interface {
	queued() int // mu is held
	started()
	deliver()
	ticked(tick)
	undelivered()
	stopping()
	childStopped(child ActorID, reason error)
	actorValue() any
}

// userMessage stands for "the next message of the typed queue" in the
// library's eyes; typed queues need no boxing.
type userMessage struct{}

var next any = &userMessage{}

// fairness is after how many messages a busy mailbox lets others go first.
const fairness = 300

// PostUserMessage is called by the library only; nothing in this project
// sends through it.
func (c *core) PostUserMessage(any) {}

// PostSystemMessage queues a message that overtakes user messages.
func (c *core) PostSystemMessage(m any) {
	if c.sys.crashed {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		return
	}
	c.system = append(c.system, m)
	c.wakeLocked()
}

// post queues a tick. An actor that was idle counts as running then, and is left
// to the caller to run.
func (c *core) post(t tick) (idle bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		return false
	}
	c.system = append(c.system, t)
	if c.running || !c.runnableLocked() {
		return false
	}
	c.running = true
	return true
}

// RegisterHandlers is called by the library when the actor is spawned.
func (c *core) RegisterHandlers(inv actor.MessageInvoker, _ actor.Dispatcher) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inv = inv
}

// Start is called by the library when the Started message is queued. Messages
// sent earlier have waited for it.
func (c *core) Start() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open = true
	c.wakeLocked()
}

// UserMessageCount returns how many messages are queued.
func (c *core) UserMessageCount() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.body.queued()
}

func (c *core) runnableLocked() bool {
	if !c.open {
		return false
	}
	return len(c.system) > 0 || !c.paused && c.body.queued() > 0
}

func (c *core) wakeLocked() {
	if c.running || !c.runnableLocked() {
		return
	}
	c.running = true
	c.schedule()
}

func (c *core) schedule() {
	if sim := c.sys.opts.Sim; sim != nil {
		sim.enqueue(c)
		return
	}
	c.sys.workers.start(c)
}

// run handles messages until there are none.
func (c *core) run() {
	for {
		for range fairness {
			if !c.step() {
				return
			}
		}
		goruntime.Gosched()
	}
}

// hereAtMost is how many messages an actor handles on the goroutine of who delivered
// the first, before the rest goes to a worker: who delivers has other things to do.
const hereAtMost = 8

// runHere is run on the goroutine of who delivers.
func (c *core) runHere() {
	for range hereAtMost {
		if !c.step() {
			return
		}
	}
	c.schedule()
}

func (c *core) simStep() bool { return c.step() }

func (c *core) owner() *System { return c.sys }

// step handles one message. It returns false, no longer running, when there
// was none.
func (c *core) step() bool {
	c.mu.Lock()
	if !c.runnableLocked() {
		c.running = false
		c.mu.Unlock()
		return false
	}
	var m any
	if len(c.system) > 0 {
		m = c.system[0]
		c.system[0] = nil
		if c.system = c.system[1:]; len(c.system) == 0 {
			c.system = nil
		}
	}
	gone := c.gone
	c.mu.Unlock()
	c.handle(m, gone)
	return true
}

// handle passes one message on: m, or the next of the queue if m is nil. What
// panics in it is the library, for actors are guarded in Receive; and a method
// may end its goroutine by runtime.Goexit, as a failed test does.
func (c *core) handle(m any, gone bool) {
	normal := false
	defer func() {
		c.begun.Add(1)
		if normal {
			return
		}
		if r := recover(); r != nil {
			c.inv.EscalateFailure(describePanic(r), nil)
			return
		}
		c.fail(newPanicError(c.typeName(), "Receive", nil))
		c.schedule() // this goroutine is ending; the actor still has to stop
	}()
	c.begun.Add(1)
	switch m := m.(type) {
	case nil:
		if gone {
			c.guard("Undelivered", c.body.undelivered)
		} else {
			c.inv.InvokeUserMessage(next)
		}
	case tick:
		if c.state == stateAlive {
			c.guard("Receive", func() { c.body.ticked(m) })
		}
	case workPanicked:
		c.fail(m.err)
	case *actor.SuspendMailbox, *actor.ResumeMailbox:
		_, suspend := m.(*actor.SuspendMailbox)
		c.mu.Lock()
		c.paused = suspend
		c.mu.Unlock()
	default:
		c.inv.InvokeSystemMessage(m)
	}
	normal = true
}

// Receive is called by the library; it is the actor's side of core.
func (c *core) Receive(lib actor.Context) {
	switch m := lib.Message().(type) {
	case *userMessage:
		if c.state == stateAlive {
			c.guard("Receive", c.body.deliver)
		} else {
			c.guard("Undelivered", c.body.undelivered)
		}
	case *actor.Started:
		c.state = stateAlive
		c.guard("Started", c.body.started)
	case *actor.Stopping:
		begun := c.state == stateAlive
		c.state = stateStopping
		if begun {
			c.guard("Stopping", c.body.stopping)
		}
	case *actor.Stopped:
		c.finish()
	case *actor.Terminated:
		if child := c.children.take(m.Who); child != nil {
			c.guard("ChildStopped", func() { c.body.childStopped(child.id, child.reason) })
		}
	}
}

// HandleFailure makes core the supervisor of its children, should the library
// itself ever panic: stop, never restart.
func (c *core) HandleFailure(_ *actor.ActorSystem, s actor.Supervisor, child *actor.PID,
	_ *actor.RestartStatistics, _, _ any) {
	s.StopChildren(child)
}

// guard runs a method of the actor; its panic stops the actor and goes no
// further, wherever it happened.
func (c *core) guard(during string, f func()) {
	defer func() {
		if r := recover(); r != nil {
			c.fail(newPanicError(c.typeName(), during, r))
		}
	}()
	f()
}

// fail notes the first failure and asks for the stop.
func (c *core) fail(err *PanicError) {
	if c.sys.opts.OnPanic != nil {
		c.sys.opts.OnPanic(err)
	}
	if c.state >= stateStopping {
		return
	}
	if c.reason == nil {
		c.reason = err
	}
	c.PostSystemMessage(&actor.Stop{})
}

// finish is the last moment of an actor; its parent is told after it.
func (c *core) finish() {
	c.state = stateStopping
	c.sys.detach(c)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone = true
	c.system = nil
	c.paused = false
	if c.done != nil {
		close(c.done)
	}
}

// adopt spawns child under c; c is nil when the parent is gone.
func (c *core) adopt(child *core) {
	if c == nil || c.state >= stateStopping {
		child.reason = ErrClosed
		child.state = stateStopping
		child.mu.Lock()
		defer child.mu.Unlock()
		child.open, child.gone = true, true
		if child.done != nil {
			close(child.done)
		}
		child.wakeLocked()
		return
	}
	lib := c.inv.(actor.Context)
	c.children.add(c.sys.attach(lib.Spawn, child), child)
}

func (c *core) doneChan() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = make(chan struct{})
		if c.gone {
			close(c.done)
		}
	}
	return c.done
}

// ended reports whether the actor is completely gone, or its system crashed.
func (c *core) ended() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.gone || c.sys.crashed
}

func (c *core) typeName() string { return typeName(c.body.actorValue()) }

func typeName(actor any) string { return fmt.Sprintf("%T", actor) }

// childSet finds a child by its PID. Most actors have few children: a list
// does; the actor above all accounts has many: a map.
type childSet struct {
	few  []child
	many map[*actor.PID]*core
}

type child struct {
	pid  *actor.PID
	core *core
}

const fewChildren = 8

func (s *childSet) add(pid *actor.PID, c *core) {
	switch {
	case s.many != nil:
		s.many[pid] = c
	case len(s.few) < fewChildren:
		s.few = append(s.few, child{pid, c})
	default:
		s.many = map[*actor.PID]*core{pid: c}
		for _, k := range s.few {
			s.many[k.pid] = k.core
		}
		s.few = nil
	}
}

func (s *childSet) take(pid *actor.PID) *core {
	if c := s.many[pid]; c != nil {
		delete(s.many, pid)
		return c
	}
	for i, k := range s.few {
		if k.pid == pid {
			s.few[i] = s.few[len(s.few)-1]
			s.few[len(s.few)-1] = child{}
			s.few = s.few[:len(s.few)-1]
			return k.core
		}
	}
	return nil
}
