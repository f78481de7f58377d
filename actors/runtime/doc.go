// Package runtime is the layer between this project and the actor library
// (github.com/asynkron/protoactor-go), and the only package that imports it.
//
// It gives actors a typed face: an [Actor] receives messages of one Go type M,
// others hold a [Ref] to it, and a [Context] is what the actor may do while one
// of its methods runs. What it keeps from the library is spawning, the tree of
// parents and children, the order of a stop (Stopping, then the children, then
// the parent is told) and the dispatch of one message at a time. What it does
// not use, because measurements speak against it: restarts, supervision
// strategies, futures, receive timeouts, stashes, bounded mailboxes, metrics.
//
// # The life of an actor
//
// Started runs first, then Receive for each message in the order sent by each
// sender. A stop overtakes queued messages: Stopping runs (release sockets and
// timers, answer everything owed), messages that were still queued or arrive
// later go to Undelivered, the children are stopped, and only when all of them
// are completely gone does the parent learn of it by ChildStopped. Respawn
// there, never earlier, and after a delay (see [Keeper]).
//
// A panic in any method stops the actor; it is never restarted in place. The
// parent receives a [*PanicError]: it holds the stack, but of the panic value
// only its type, because values can hold secrets.
//
// # Time, randomness, work
//
// Nothing in an actor may wait. Timers are [Context.After] (one outstanding
// timer per kind; replacing or cancelling it also revokes a tick that is
// already queued). Those of all actors that are due at the same moment wake the
// process once and are handled one after the other, so what can wait for others of
// its kind is best put on a common grid. Arithmetic goes to [Context.Go] and waiting (dials, disk)
// to [Context.GoIO]; results come back as messages. Clock and randomness come
// from [Options], so the same actors run in production, in a testing/synctest
// bubble, and under [Sim], which delivers one message at a time in an order
// that depends on a seed only, and can crash a system as SIGKILL does.
//
// # Bounds
//
// Mailboxes are unbounded by themselves and give a burst back when it is over:
// bounds are kept where messages come from (credits of a socket reader,
// admission before a call is sent, one tick per timer kind).
package runtime
