package binding

import (
	"time"

	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/pfs"
	"github.com/mtfleet/mtfleet/persistence"
)

// Config is what a binding actor begins with.
type Config struct {
	Account persistence.AccountID
	DC      int
	PFS     pfs.Config
	// State is the account's state as the store has it; the actor takes the
	// keys of its DC from it.
	State persistence.State
	// Store writes the keys' records.
	Store interface {
		Commit(persistence.Commit) error
	}
	Owner persistence.Owner
	// Governor gives the permits to make keys.
	Governor runtime.Ref[governor.Message]
	// Notify is called with each event, from the actor, in order. It must not
	// block: the account posts the event to itself.
	Notify func(Event)
}

// Event is what a binding tells its account: what the machine decided, or that
// the store refused a commit.
type Event struct {
	// Output is what the machine asks of the account: any of its kinds but
	// pfs.OutSave, which never leaves this actor. pfs.OutPermit is answered with
	// Connected once there is a connection to make the key on; the permit itself
	// is asked for here, so that nobody holds one while a DC is down. Kind 0 when
	// StoreErr is set.
	Output pfs.Output
	// Perm is the id of the perm key at this moment, 0 when there is none, and
	// Fingerprint that of the RSA key under which it was made.
	Perm        crypt.KeyID
	Fingerprint int64
	// StoreErr: a commit was refused; it is tried again, and nothing after it
	// happens before it is on disk.
	StoreErr error
}

// Message is what a binding actor receives; the types of this package only.
type Message interface{ bindingMessage() }

// The answers to the machine's outputs, as pfs documents them.
type (
	// Connected: there is a connection on which a key can be made.
	Connected struct{}
	// Made: a handshake ended with a key.
	Made struct {
		Kind pfs.KeyKind
		Key  pfs.NewKey
	}
	// MakeFailed: a handshake came to nothing.
	MakeFailed struct {
		Kind pfs.KeyKind
		Err  error
	}
	// Held: nothing is sent under the serving key any more.
	Held struct{}
	// Bound: the server confirmed a binding.
	Bound struct{ ID crypt.KeyID }
	// BindFailed: a bind was refused or came to nothing.
	BindFailed struct {
		ID  crypt.KeyID
		Err error
	}
	// Retired: the connection under a replaced temp key has stopped.
	Retired struct{ ID crypt.KeyID }
	// Unknown: the server answered -404 under the key.
	Unknown struct{ ID crypt.KeyID }
	// Unbound: a call under the key was answered AUTH_KEY_PERM_EMPTY.
	Unbound struct{ ID crypt.KeyID }
	// Proof: how help.getNearestDc under the perm key itself went.
	Proof struct {
		Answered bool  // any answer: the server knows the key
		Unknown  bool  // -404
		Err      error // neither: nothing is proved
	}
	// Clock: what a session learnt of the server's time.
	Clock struct {
		Offset time.Duration
		Synced bool
	}
	// Forget: throw every key away and begin anew.
	Forget struct{}
)

// What the actor sends itself.
type (
	saved     struct{ err error }
	tick      struct{}
	saveAgain struct{}
)

func (Connected) bindingMessage()  {}
func (Made) bindingMessage()       {}
func (MakeFailed) bindingMessage() {}
func (Held) bindingMessage()       {}
func (Bound) bindingMessage()      {}
func (BindFailed) bindingMessage() {}
func (Retired) bindingMessage()    {}
func (Unknown) bindingMessage()    {}
func (Unbound) bindingMessage()    {}
func (Proof) bindingMessage()      {}
func (Clock) bindingMessage()      {}
func (Forget) bindingMessage()     {}
func (saved) bindingMessage()      {}
func (tick) bindingMessage()       {}
func (saveAgain) bindingMessage()  {}

const (
	timerMachine = iota + 1
	timerSave
)

// saveRetry is how long a refused commit waits for its next try: a full or
// failing disk is not helped by hurry, and keys wait meanwhile.
const saveRetry = 5 * time.Second

// binding is the actor.
type binding struct {
	cfg     Config
	machine *pfs.Machine

	saving *persistence.Commit // under way; outputs wait for it
	asked  bool                // the machine wants a permit
	wants  pfs.KeyKind         // for a key of this kind
	permit permit
	armed  time.Time
}

// Spawn starts a binding below parent. The error is a
// *persistence.CorruptError when the perm key's record cannot be used.
func Spawn[P any](parent *runtime.Context[P], cfg Config) (runtime.Ref[Message], error) {
	snap, err := snapshot(cfg.State, cfg.DC)
	if err != nil {
		return runtime.Ref[Message]{}, err
	}
	cfg.State = persistence.State{} // it holds every key of the account
	b := &binding{cfg: cfg, machine: pfs.New(cfg.PFS, snap)}
	return runtime.Spawn[Message](parent, b), nil
}

func (b *binding) Started(c *runtime.Context[Message]) {
	b.machine.Start(c.Now())
	b.pump(c)
}

func (b *binding) Receive(c *runtime.Context[Message], m Message) {
	now := c.Now()
	switch m := m.(type) {
	case Connected:
		b.ask(c)
	case Made:
		b.permit.giveBack()
		b.machine.Made(now, m.Kind, m.Key)
	case MakeFailed:
		b.permit.giveBack()
		b.machine.MakeFailed(now, m.Kind, m.Err)
	case Held:
		b.machine.Held(now)
	case Bound:
		b.machine.Bound(now, m.ID)
	case BindFailed:
		b.machine.BindFailed(now, m.ID, m.Err)
	case Retired:
		b.machine.Retired(now, m.ID)
	case Unknown:
		b.machine.Unknown(now, m.ID)
	case Unbound:
		b.machine.Unbound(now, m.ID)
	case Proof:
		b.onProof(now, m)
	case Clock:
		b.machine.Clock(now, m.Offset, m.Synced)
	case Forget:
		b.machine.Forget(now)
	case permitted:
		b.onPermitted(now, m)
	case saved:
		b.onSaved(c, m.err)
	case saveAgain:
		b.commit(c)
	case tick:
		b.armed = time.Time{}
		b.machine.Advance(now)
	}
	b.pump(c)
}

func (b *binding) onProof(now time.Time, p Proof) {
	switch {
	case p.Answered:
		b.machine.ProofAnswered(now)
	case p.Unknown:
		b.machine.ProofUnknown(now, false)
	default:
		b.machine.ProofFailed(now, p.Err)
	}
}
