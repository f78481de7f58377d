package binding

import (
	"time"

	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto/pfs"
)

// pump takes what the machine decided, up to the next commit: an output after
// it may not be known to anybody before it is on disk.
func (b *binding) pump(c *runtime.Context[Message]) {
	for b.saving == nil {
		out, ok := b.machine.Next()
		if !ok {
			break
		}
		if out.Durable() {
			commit := commit(b.cfg.Owner, b.cfg.Account, b.cfg.DC, c.Now(), out.Changes)
			b.saving = &commit
			b.commit(c)
			break
		}
		b.perform(out)
	}
	b.arm(c)
}

// perform hands one output to the account.
func (b *binding) perform(out pfs.Output) {
	if out.Kind == pfs.OutPermit {
		b.asked, b.wants = true, out.Key
	}
	ev := Event{Output: out}
	if perm := b.machine.Perm(); perm != nil {
		ev.Perm, ev.Fingerprint = perm.ID(), perm.Fingerprint
	}
	b.cfg.Notify(ev)
}

// commit writes what is waiting to be written, on the pool for waiting.
func (b *binding) commit(c *runtime.Context[Message]) {
	if b.saving == nil {
		return
	}
	commit, store := *b.saving, b.cfg.Store
	c.GoIO(func() Message { return saved{store.Commit(commit)} })
}

// onSaved goes on after a commit. A refused one is repeated for as long as it
// takes: going on without it could lose a login.
func (b *binding) onSaved(c *runtime.Context[Message], err error) {
	if err == nil {
		b.saving = nil
		return
	}
	b.cfg.Notify(Event{StoreErr: err})
	c.After(timerSave, saveRetry, saveAgain{})
}

// arm sets the timer to the machine's deadline.
func (b *binding) arm(c *runtime.Context[Message]) {
	d := b.machine.Deadline()
	if d.Equal(b.armed) {
		return
	}
	b.armed = d
	if d.IsZero() {
		c.Cancel(timerMachine)
		return
	}
	c.After(timerMachine, d.Sub(c.Now()), tick{})
}

// Stopping gives the permit back; the machine's state is on disk.
func (b *binding) Stopping(*runtime.Context[Message]) { b.permit.giveBack() }

// onPermitted begins the key, or gives the permit back when nobody wants it
// any more.
func (b *binding) onPermitted(now time.Time, p permitted) {
	if p.ticket != b.permit.ticket {
		return // withdrawn since
	}
	if !b.asked {
		b.permit.giveBack()
		return
	}
	// The permit is as good for a key of the other kind, should the machine
	// have changed its mind meanwhile.
	b.asked = false
	b.machine.Permitted(now, b.wants)
	if b.machine.Stage() != pfs.StageMaking {
		b.permit.giveBack() // the wish was overtaken by something else
	}
}
