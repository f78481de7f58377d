package binding

import (
	"hash/fnv"

	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto/guest"
	"github.com/mtfleet/mtfleet/mtproto/pfs"
)

// This file begins a binding: from what is on disk, and after a while when one
// before it failed.

// What it hears before it has its keys.
type (
	// Begin ends the wait of a binding for the end of one before it.
	Begin struct{}
	// loaded is what was read for it.
	loaded struct {
		records Records
		err     error
	}
)

func (Begin) bindingMessage()  {}
func (loaded) bindingMessage() {}

// Spawn starts a binding below parent.
func Spawn[P any](parent *runtime.Context[P], env *Env, cfg Config) Handle {
	return Handle{runtime.Spawn[Message](parent, newBinding(env, cfg))}
}

func newBinding(env *Env, cfg Config) *binding {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(cfg.Account))
	if cfg.Shared == nil {
		cfg.Shared = &Shared{}
	}
	b := &binding{env: env, cfg: cfg, who: hash.Sum64()}
	if !b.forMedia() {
		b.spoken = &cfg.Shared.Spoken
	}
	return b
}

// Started implements [runtime.Actor].
func (b *binding) Started(c *ctx) {
	switch {
	case b.cfg.Wait: // for Begin
	case b.cfg.After > 0:
		c.After(timerBegin, b.cfg.After, Begin{})
	default:
		b.load(c)
	}
}

// waiting handles what comes before the keys do.
func (b *binding) waiting(c *ctx, m Message) {
	switch m := m.(type) {
	case Begin:
		b.load(c)
	case loaded:
		b.begin(c, m.records, m.err)
	case Through:
		b.cfg.Way = m.Way // before it begins by another
	default:
		_, isCall := m.(Call)
		b.cfg.Active = b.cfg.Active || isCall
		c.PutOff(m) // bounded by the callers' admission
	}
}

func (b *binding) load(c *ctx) {
	if b.forMedia() {
		b.beginMedia(c)
		return
	}
	if b.cfg.Keys != nil {
		b.begin(c, *b.cfg.Keys, nil)
		return
	}
	self := c.Self()
	b.cfg.Load(func(r Records, err error) { self.Send(loaded{r, err}) })
}

// begin makes the machines of the records and goes on with what waited. A record
// of the perm key that cannot be used is a *persistence.CorruptError.
func (b *binding) begin(c *ctx, r Records, err error) {
	var snap pfs.Snapshot
	if err == nil {
		r = r.anchored(c.Now())
		snap, err = snapshot(r)
	}
	if err != nil {
		b.notify(EventUnusable{err})
		return
	}
	b.session, b.lastID = r.Session, b.spoken.Last()
	b.start(c, snap)
	if !b.cfg.Home {
		b.guest = &guestState{machine: guest.New(guest.Config{DC: b.cfg.ID.DC}, guestSnapshot(r.Guest))}
		b.startGuest(c)
	}
	b.pump(c)
	c.Resume()
}

// start starts the machine of the keys.
func (b *binding) start(c *ctx, snap pfs.Snapshot) {
	self := c.Self()
	b.cfg.Shared.joined(b.cfg.ID.Purpose, func() { self.Send(sharedChanged{}) })
	b.keys = pfs.New(pfs.Config{
		PFS: b.cfg.PFS, Slot: slotOf(b.cfg.ID.Purpose), TempInMemory: b.env.TempInMemory, TempLife: b.env.TempLife, Rand: c.Rand(),
		Known: b.env.known, Reading: b.env.readings.of(b.cfg.ID.DC), BindAfter: b.cfg.BindAfter, BindDoubt: b.cfg.BindDoubt, Trial: b.cfg.Trial,
	}, snap)
	b.cfg.Keys = nil // they are the machines' now
	b.keeper.Started(c.Now())
	b.keys.Ordered(c.Now(), pfs.Waits{Drop: b.cfg.DropAfter})
	b.keys.Start(c.Now())
}
