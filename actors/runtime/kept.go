package runtime

import "sync"

// A Dropper is an [Actor] below [Keep] that can answer for the message at which
// it panicked, which nobody else will receive. Dropped is called at the end of
// its Stopping.
type Dropper[M any] interface {
	Dropped(m M)
}

// Keep returns an actor for whom there must always be one. It has one child,
// made by fresh, passes every message on to it, and does nothing else. A child
// that panicked is stopped, and when it is completely gone another is made after
// a delay, 1 s doubling to 5 min, however often: fresh gives it what its
// predecessors left behind. What comes meanwhile, and what the child had not
// begun with, waits for its successor, in order; the bound of it is the senders'.
// The message at which a child panicked is not passed on again, see [Dropper].
//
// A Ref to the kept actor is good for all its children. M must be an interface,
// and fresh must not fail: what may, a child does in its Started.
func Keep[M any](fresh func() Actor[M]) Actor[M] { return &kept[M]{fresh: fresh} }

// kept is the parent of the one child.
type kept[M any] struct {
	fresh  func() Actor[M]
	keeper Keeper
	child  Ref[M] // zero while there is none
	body   *keptChild[M]
	late   []M // came while there was none

	mu       sync.Mutex // guards the following fields, which the child's Undelivered uses
	self     Ref[M]
	returned []M  // came back from the child that is stopping
	ended    bool // no child will follow
}

// timerKept is the one timer; its message is no message.
const timerKept = 0

// Started implements [Actor].
func (k *kept[M]) Started(c *Context[M]) {
	k.mu.Lock()
	k.self = c.Self()
	k.mu.Unlock()
	k.spawn(c)
}

func (k *kept[M]) spawn(c *Context[M]) {
	k.body = &keptChild[M]{Actor: k.fresh(), parent: k}
	k.child = Spawn[M](c, k.body)
	k.keeper.Started(c.Now())
	k.mu.Lock()
	first := k.returned
	k.returned = nil
	k.mu.Unlock()
	for _, list := range [][]M{first, k.late} {
		for _, m := range list {
			k.child.Send(m)
		}
	}
	k.late = nil
}

// Receive implements [Actor].
func (k *kept[M]) Receive(c *Context[M], m M) {
	switch {
	case any(m) == nil: // the timer's
		k.spawn(c)
	case k.child.IsZero():
		k.late = append(k.late, m)
	default:
		k.child.Send(m)
	}
}

// ChildStopped implements [Parent].
func (k *kept[M]) ChildStopped(c *Context[M], _ ActorID, reason error) {
	if c.Stopping() {
		return
	}
	k.child = Ref[M]{}
	k.mu.Lock()
	k.body.gone = true
	k.mu.Unlock()
	delay, tooOften := k.keeper.Failed(c.Now(), c.Rand())
	if tooOften { // without it nothing works, so it is tried for ever
		delay = k.keeper.Max
	}
	c.Logger().Error("a central actor failed and will be started again", "actor", typeName(k.body.Actor), "in", delay, "err", reason)
	c.After(timerKept, delay, *new(M))
}

// Stopping implements [Actor].
func (k *kept[M]) Stopping(*Context[M]) {
	k.mu.Lock()
	k.ended = true
	left := append(k.returned, k.late...)
	k.returned, k.late = nil, nil
	k.mu.Unlock()
	for _, m := range left {
		k.Undelivered(m)
	}
}

// Undelivered implements [Collector].
func (k *kept[M]) Undelivered(m M) {
	if k.body == nil {
		return // it never started
	}
	if u, is := k.body.Actor.(Collector[M]); is {
		k.mu.Lock() // the child may be asked at the same time
		defer k.mu.Unlock()
		u.Undelivered(m)
	}
}

// keptChild is one child: the actor itself, and what it is about.
type keptChild[M any] struct {
	Actor[M]
	parent *kept[M]
	gone   bool // its parent knows that it is; guarded by the parent's mutex
	busy   bool // with inHand
	inHand M
}

// Receive implements [Actor].
func (n *keptChild[M]) Receive(c *Context[M], m M) {
	n.busy, n.inHand = true, m
	n.Actor.Receive(c, m)
	n.busy, n.inHand = false, *new(M)
}

// Stopping implements [Actor].
func (n *keptChild[M]) Stopping(c *Context[M]) {
	if d, is := n.Actor.(Dropper[M]); is && n.busy {
		defer d.Dropped(n.inHand)
	}
	n.Actor.Stopping(c)
}

// ChildStopped implements [Parent].
func (n *keptChild[M]) ChildStopped(c *Context[M], child ActorID, reason error) {
	if p, is := n.Actor.(Parent[M]); is {
		p.ChildStopped(c, child, reason)
	}
}

// Undelivered implements [Collector]: the message is its successor's.
func (n *keptChild[M]) Undelivered(m M) {
	k := n.parent
	k.mu.Lock()
	switch {
	case k.ended:
		k.mu.Unlock()
		k.Undelivered(m)
		return
	case n.gone:
		k.self.Send(m)
	default: // not sent there: it would come back at once
		k.returned = append(k.returned, m)
	}
	k.mu.Unlock()
}

func (n *keptChild[M]) unwrap() any { return n.Actor }
