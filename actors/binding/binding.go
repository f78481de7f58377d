package binding

import (
	"time"

	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto/pfs"
	"github.com/mtfleet/mtfleet/persistence"
)

// ctx is a binding's view of itself as an actor.
type ctx = runtime.Context[Message]

// binding is the actor.
type binding struct {
	env *Env
	cfg Config
	who uint64 // the account, for the governor

	// The keys; see keys.go, save.go and permit.go.
	keys    *pfs.Machine        // nil until the records were read; see begin.go
	saving  *persistence.Commit // of the keys, under way or refused; outputs wait for it
	making  making
	wants   pfs.KeyKind      // the key of making
	ticket  *governor.Ticket // wanted or held
	using   *inUse           // the key calls travel under, nil while there is none
	bind    *pfs.Output      // the bind the machine waits for
	session *persistence.Session

	// The connections; see conns.go.
	children []*child // in the order they were made
	flow     flow
	told     flow // what the account knows
	health   health
	keeper   runtime.Keeper
	saidLast string  // of why the account gets nowhere
	lastID   uint64  // the last msg_id of connections that fell silent
	dropping QueryID // that is under way, 0 for none
	queries  uint64  // of its own, counted

	// The calls; see calls.go and ask.go.
	own, held []Call
	asks      []*question
	rotates   []Rotate  // that wait for their answer
	sweeps    bool      // a Sweep waits for its end
	proof     *child    // the prover, while the machine waits for what it finds
	proofs    uint32    // questions asked for it
	doubted   time.Time // of the first -404 under the perm key, zero while it is trusted

	guest *guestState // nil at home; see guest.go
	watch watch       // see observe.go

	// A binding that is closed for want of calls: a guest's, and that for media.
	usedAt  time.Time
	resting bool // it said so, and nothing was asked since

	spoken *Spoken // of its purpose; nil: it is not noted
}

// Kinds of timers.
const (
	timerBegin = iota
	timerKeys
	timerSave
	timerRespawn
	timerProof
	timerAsk
	timerGuest
	timerIdle
	timerPatience
	timerDrop
)

// What the actor and its parts say to it.
type (
	keysDue    struct{}
	saveAgain  struct{}
	respawnDue struct{}
	saved      struct{ err error }
)

func (keysDue) bindingMessage()    {}
func (saveAgain) bindingMessage()  {}
func (respawnDue) bindingMessage() {}
func (saved) bindingMessage()      {}

// Receive implements [runtime.Actor].
func (b *binding) Receive(c *ctx, m Message) {
	if b.keys == nil {
		b.waiting(c, m)
		return
	}
	now := c.Now()
	b.keys.Learned(now, b.env.readings.of(b.cfg.ID.DC))
	switch m := m.(type) {
	case Call:
		b.onCall(c, m)
	case Cancel:
		b.onCancel(m.ID)
	case Recall:
		b.onRecall(m)
	case Check:
		b.check(m)
	case Through:
		b.through(m)
	case Unbound:
		b.onUnbound(c, m)
	case Confirm:
		b.onConfirm(m.Call)
	case Forget:
		b.forget(now)
	case Rotate:
		b.onRotate(c, m)
	case Sweep:
		b.sweeps = true
		b.keys.Sweep(now)
	case KeyWaits:
		b.keys.Ordered(now, pfs.Waits(m))
		b.holdBind(now)
	case WaitCleared:
		b.cfg.Shared.waitsLeft(m.Left)
		b.keys.WaitCleared(now, pfs.Waits(m.Left))
		b.onGuest(c, m)
	case Unauthorized, HomeAlive, Answered, guestDue, guestSaved:
		b.onGuest(c, m)
	case idleDue:
		b.onIdle(c)
	case impatient:
		b.onImpatient()
	case sharedChanged:
		b.onSharedChanged(now)

	case connEvent:
		b.onConn(c, m.child, m.ev)
	case permitted:
		b.onPermitted(now, m)
	case dropEnded:
		b.onDropEnded(c, m)
	case dropOverdue:
		b.onDropOverdue(m)
	case saved:
		b.onSaved(c, m.err)
	case saveAgain:
		b.save(c)
	case keysDue:
		b.keys.Advance(now)
	case respawnDue:
		b.onRespawn(c)

	case proofEnded:
		b.onProofEnded(c, m)
	case doubted:
		b.onDoubted(now, m)
	case askEnded:
		b.onAskEnded(c, m)
	}
	b.pump(c)
}

// pump takes what the engines decided, up to a commit of theirs, and sees to
// the connections that this takes.
func (b *binding) pump(c *ctx) {
	for b.pumpKeys(c) || b.pumpGuest(c) {
	}
	b.cfg.Shared.has(b.cfg.ID.Purpose, b.keys.Live())
	b.staff(c)
	c.At(timerKeys, b.keys.Deadline(), keysDue{})
}

// notify tells the account.
func (b *binding) notify(ev Event) { b.cfg.Notify(ev) }

// Stopping implements [runtime.Actor]: it answers what is owed. What it knows
// of keys is on disk.
func (b *binding) Stopping(*ctx) {
	b.endPermit()
	b.leaveKeys()
	for _, list := range [][]Call{b.own, b.held} {
		for i := range list {
			list[i].giveBack()
		}
	}
	for _, q := range b.asks {
		q.call.giveBack()
	}
	b.own, b.held, b.asks = nil, nil, nil
	b.endRotate(errClosed)
	for _, ch := range b.children {
		b.setUp(ch, false)
	}
	b.rotationEnded(RotationAborted, nil)
}

// Undelivered implements [runtime.Collector].
func (b *binding) Undelivered(m Message) {
	switch m := m.(type) {
	case Call:
		m.giveBack()
	case Confirm:
		m.Call.giveBack()
	case Rotate:
		m.Reply(errClosed)
	case permitted:
		b.env.Governor.Send(governor.Done{Ticket: m.ticket})
	}
}
