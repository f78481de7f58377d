package dcconn

import (
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto"
	"github.com/mtfleet/mtfleet/mtproto/handshake"
)

// ctx is a connection's view of itself as an actor.
type ctx = runtime.Context[Message]

// conn is the actor.
type conn struct {
	env *Env
	cfg Config

	// The socket; see socket.go.
	state   socketState
	told    governor.Outcome // what the governor knows of this socket
	unbound bool             // the session's key is still to be bound
	epoch   uint32
	offset  time.Duration  // server time minus ours, as last known
	tries   uint32         // counts sockets of no use, to begin at another address next time
	proof   bool           // the socket's address was proved to lead to the DC
	tried   governor.Tried // by the dial under way or the socket, see families
	socket  Socket
	ticket  *governor.Ticket // wanted or held; nil once its outcome is told
	cancel  func()           // of the dial under way
	backoff runtime.Backoff
	upSince time.Time
	pulse   *governor.Pulse   // of the DC; nil before the first permit
	witness *governor.Witness // see witness.go; nil while it is none
	askedAt time.Time         // when the ping that is measured was wanted: a socket's first, or one asked for; zero: none is

	// A key in the making; see key.go.
	wish   *MakeKey
	client *handshake.Client

	// The session; see session.go.
	session  *mtproto.Session
	calls    []call     // under way, by id; nil while there are none
	gathered uint8      // of them, since the last pump
	quiet    time.Time  // since when there are none
	hurried  bool       // somebody waits for the socket
	alarm    time.Time  // for which the session's timer is set; zero: it is not
	drain    drainState // see drain.go
	keep     bool       // at the limit of drain calls stay pending
	probing  bool       // see probe.go
	checks   bool       // nothing has come since a Check
	owes     bool       // EventSilent, once it is true

	pushes   Pushes
	dropping bool // updates, since the last one that went on; see pushes.go
}

// Kinds of timers.
const (
	timerRedial = iota
	timerSettle
	timerSession // the session's or the handshake's deadline
	timerDrain
	timerProbe
	timerCheck
)

// Spawn starts a connection as a child of the actor whose context is parent.
// It dials at once.
func Spawn[P any](parent *runtime.Context[P], env *Env, cfg Config) runtime.Ref[Message] {
	return runtime.Spawn[Message](parent, newConn(env, cfg))
}

func newConn(env *Env, cfg Config) *conn {
	return &conn{env: env, cfg: cfg, tries: cfg.Address, backoff: runtime.Backoff{Initial: redialFirst, Max: redialMax}}
}

// Started implements [runtime.Actor].
func (n *conn) Started(c *ctx) {
	n.quiet = c.Now()
	n.want(c)
}

// Receive implements [runtime.Actor].
func (n *conn) Receive(c *ctx, m Message) {
	switch m := m.(type) {
	case permitted:
		n.onPermitted(c, m)
	case dialed:
		n.onDialed(c, m)
	case received:
		n.onReceived(c, m)
	case writable:
		n.onWritable(c, m)
	case closed:
		n.onClosed(c, m)
	case redial:
		n.want(c)
	case settled:
		n.onSettled()

	case MakeKey:
		n.onMakeKey(c, m)
	case worked:
		n.onWorked(c, m)

	case Run:
		n.onRun(c, m)
	case Call:
		n.onCall(c, m)
	case Cancel:
		n.onCancel(c, m)
	case Recall:
		n.onRecall(c, m)
	case Hurry:
		n.onHurry()
	case Poll:
		n.onPoll(c)
	case due:
		n.onDue(c)
	case Drain:
		n.onDrain(c, m)
	case Listen:
		n.onListen(c, m)
	case drained:
		n.onDrainLimit(c)
	case Probe:
		n.onProbe(c, m)
	case probed:
		n.endProbe(c, false)
	case Check:
		n.onCheck(c, m)
	case checked:
		n.onChecked(c)
	case ask:
		n.onAsk(c, m)
	case Follow:
		n.onFollow(c, m)
	case Through:
		n.onThrough(c, m)
	case Resume:
		n.onResume(c)
	}
	n.sendGathered(c)
}

// Stopping implements [runtime.Actor]: it releases the socket and the permit,
// and answers what is owed.
func (n *conn) Stopping(c *ctx) {
	if n.session != nil {
		n.session.Close(c.Now())
		for out, ok := n.session.Next(); ok; out, ok = n.session.Next() {
			if out.Kind == mtproto.OutFailed {
				n.reply(c, out.Query, nil, out.Err)
			}
		}
	}
	for _, k := range slices.Clone(n.calls) { // a session answers all; this is for one that panicked
		n.reply(c, k.id, nil, &mtproto.QueryError{Reason: mtproto.ErrClosed, Fate: mtproto.ErrMayHaveRun})
	}
	n.release(governor.Unknown)
	n.cfg.Spoken.note(n.lastID())
}

// Undelivered implements [runtime.Collector].
func (n *conn) Undelivered(m Message) {
	switch m := m.(type) {
	case Call:
		giveBack(m)
	case dialed:
		if m.socket != nil {
			m.socket.Close()
		}
	}
}

func (n *conn) notify(e Event) { n.cfg.Notify(e) }
