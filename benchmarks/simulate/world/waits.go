package world

import (
	"errors"
	"time"

	"github.com/mtfleet/mtfleet/actors"
)

// echoMethod is what callers call.
const echoMethod = "testdc.echo"

// auditWait holds the end of a call against the wait that its account had been
// told of when it was made: until that ends the call may not come to a DC, over
// restarts too. What counts is that a caller was told, and the end by the DC's own
// clock, not what the manager remembers of either.
func (j *judge) auditWait(account string, id int64, err error) {
	until := j.waitOf[id]
	delete(j.waitOf, id)
	if came := j.came(id); !came.IsZero() && came.Before(until) {
		j.Complain("call %d of %s came to the DC %v before the end of a wait that was told before it was made", id, account, until.Sub(came))
	}
	if w := (*actors.WaitError)(nil); errors.As(err, &w) && w.Method == echoMethod {
		j.waits[account] = j.waitEnd(account)
	}
}

// waiting notes the wait that holds a call which is made now.
func (j *judge) waiting(account string, id int64) {
	if until := j.waits[account]; j.rec.now().Before(until) {
		j.waitOf[id] = until
	}
}

// plantWait ends the process where an account was told of a wait, and lets the
// disk forget it: a plant.
func (w *world) plantWait(err error) {
	if wait := (*actors.WaitError)(nil); w.opts.Plant == PlantForgetWait && errors.As(err, &wait) && wait.Method == echoMethod && wait.Until.Sub(w.sim.Now()) > 20*time.Second {
		w.rec.line("plant: the disk forgets the waits")
		w.disk.forgetWaits = true
		w.sim.AfterFunc(0, func() { w.nodes[0].crash("for a plant") })
	}
}
