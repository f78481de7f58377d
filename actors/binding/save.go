package binding

import "time"

// saveRetry is how long a refused commit waits for its next try: a full or
// failing disk is not helped by hurry, and keys wait meanwhile.
const saveRetry = 5 * time.Second

// save writes what the machine of the keys wants on disk. Nothing it decided
// after that leaves this actor before it is there.
func (b *binding) save(c *ctx) {
	if b.saving == nil {
		return
	}
	self := c.Self()
	b.cfg.Commit(*b.saving, false, func(err error) { self.Send(saved{err}) })
}

// onSaved goes on after a commit. A refused one is repeated for as long as it
// takes: going on without it could lose a login.
func (b *binding) onSaved(c *ctx, err error) {
	if err == nil {
		b.saving = nil
		return
	}
	b.notify(EventStoreFailed{err})
	c.After(timerSave, saveRetry, saveAgain{})
}
