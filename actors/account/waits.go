package account

import (
	"errors"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/persistence"
)

// maxWaits bounds the methods whose waits are remembered: there are some 800
// methods, a manager uses a few dozen. At the bound the one that ends first is
// forgotten; the server will repeat it.
const maxWaits = 128

// wholeAccount is the method of a wait that holds every call of the account.
const wholeAccount = ""

// restoreWaits takes over the waits that are not over yet.
func (a *account) restoreWaits(now time.Time, waits []persistence.Wait) {
	for _, w := range waits {
		if now.Before(w.Until) {
			a.remember(w)
		}
	}
}

// remember keeps a wait; it reports the one that had to go for it.
func (a *account) remember(w persistence.Wait) (forgotten string, full bool) {
	if a.waits == nil {
		a.waits = map[string]persistence.Wait{}
	}
	if _, known := a.waits[w.Method]; !known && len(a.waits) >= maxWaits {
		full = true
		var first time.Time
		for method, other := range a.waits {
			if first.IsZero() || other.Until.Before(first) || other.Until.Equal(first) && method < forgotten {
				first, forgotten = other.Until, method
			}
		}
		delete(a.waits, forgotten)
	}
	a.waits[w.Method] = w
	return forgotten, full
}

// waiting returns the wait that holds a method, if there is one.
func (a *account) waiting(now time.Time, method string) (persistence.Wait, bool) {
	w, ok := a.waits[method]
	if !ok {
		return w, false
	}
	if !now.Before(w.Until) {
		delete(a.waits, method)
		return w, false
	}
	return w, true
}

// onFloodWait remembers what the server ordered, durably, and tells the
// caller when it may call again. It is never retried early.
func (a *account) onFloodWait(c *ctx, call *Call, e *tgerr.Error) {
	until := a.imposed(c, call.Method, e)
	call.finish(nil, errors.Join(&WaitError{Method: call.Method, Until: until, Err: e}, ErrNotSent))
}

// imposed writes a wait down and returns its end.
func (a *account) imposed(c *ctx, method string, e *tgerr.Error) time.Time {
	d, _ := e.Wait()
	until := c.Now().Add(d)
	w := persistence.Wait{Method: method, Until: round(until), Why: e.Error()}
	commit := persistence.Commit{Put: []persistence.Record{w.Record(a.id)}}
	if forgotten, full := a.remember(w); full {
		commit.Delete = append(commit.Delete, persistence.WaitKey(a.id, forgotten))
	}
	a.commit(c, commit, nil)
	return until
}

// waitAll holds the whole account until the server's wait is over.
func (a *account) waitAll(c *ctx, until time.Time, why string) {
	a.change(c, Status{State: Waiting, Why: why, Advice: "nothing: the wait is obeyed", Until: until})
	c.After(timerWait, until.Sub(c.Now()), waitOver{})
}

// onWaitOver ends a wait that held the whole account.
func (a *account) onWaitOver(c *ctx) {
	if a.status.State == Waiting {
		a.become(c, Connecting, "the wait is over", "")
		a.sync(c)
	}
}
