package account

import (
	"errors"
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/actors/binding"
	"github.com/mtfleet/mtfleet/actors/dcconn"
	"github.com/mtfleet/mtfleet/mtproto"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
)

const (
	// maxHops bounds the DCs one call is sent to by 303s: five DCs exist.
	maxHops = 5
	// maxRetries bounds the repeats of a repeatable call after the server's own
	// trouble: 1, 2, 4, 8, 16 s, half a minute in all.
	maxRetries = 5
)

// retry is a call that waits for its next try.
type retry struct {
	call *Call
	at   time.Time
	err  error // what it failed with, in case it is not tried again
}

// onCall sends a call, holds it, or ends it.
func (a *account) onCall(c *ctx, call *Call) {
	if call.ended.Load() {
		return
	}
	w, waits := a.waiting(c.Now(), call.Method)
	if !waits {
		w, waits = a.waiting(c.Now(), wholeAccount)
	}
	if waits {
		call.finish(nil, errors.Join(&WaitError{Method: call.Method, Until: w.Until}, ErrNotSent))
		return
	}
	if a.status.State.final() || !a.rec.SignedIn && !call.anonymous {
		call.finish(nil, errors.Join(&StateError{State: a.status.State, Why: a.status.Why}, ErrNotSent))
		return
	}
	l, err := a.linkFor(c, call.DC)
	if err != nil {
		call.finish(nil, errors.Join(err, ErrNotSent))
		return
	}
	if l.guest != nil {
		if err := a.wantGuest(c, l); err != nil {
			call.finish(nil, errors.Join(err, ErrNotSent))
			return
		}
	}
	a.submit(l, call)
}

// linkFor returns the link of a DC; zero is home.
func (a *account) linkFor(c *ctx, id dc.ID) (*link, error) {
	if id == 0 || a.home != nil && id == a.home.dc {
		if a.home == nil {
			return nil, &StateError{State: a.status.State, Why: a.status.Why}
		}
		return a.home, nil
	}
	if l := a.linkOf(id); l != nil {
		return l, nil
	}
	return a.openGuest(c, id)
}

// submit sends a call on the link's connection, or holds it until there is one.
func (a *account) submit(l *link, call *Call) {
	if l.ready && (l.guest == nil || l.authorized() || call.then != nil) {
		a.send(l.conn, call)
		return
	}
	// The account's own calls are few, and its engines wait for their ends.
	if len(l.held) >= maxHeld && call.then == nil {
		call.finish(nil, errors.Join(&BusyError{Limit: maxHeld}, ErrNotSent))
		return
	}
	l.held = append(l.held, call)
}

// send puts a call on a connection. What needs no policy goes from there to
// the caller directly.
func (a *account) send(cn *conn, call *Call) {
	self := a.self
	cn.ref.Send(dcconn.Call{
		ID: call.id, Body: call.Body, Policy: call.Policy,
		Reply: func(body []byte, err error) {
			if call.then == nil && !needsPolicy(err) {
				call.finish(body, err)
				return
			}
			self.Send(callReturned{call: call, conn: cn, body: body, err: err})
		},
	})
}

// needsPolicy reports whether an error is more than the caller's business.
func needsPolicy(err error) bool {
	if err == nil {
		return false
	}
	e, ok := tgerr.As(err)
	if !ok {
		// A connection that was replaced gives its calls back.
		return errors.Is(err, mtproto.ErrClosed)
	}
	switch e.Class() {
	case tgerr.ClassRetry, tgerr.ClassWait, tgerr.ClassMigrate, tgerr.ClassUnbound, tgerr.ClassRevoked,
		tgerr.ClassDeactivated, tgerr.ClassDuplicated, tgerr.ClassFrozen:
		return true
	}
	return false
}

// flushHeld sends what a link held.
func (a *account) flushHeld(l *link) {
	held := l.held
	l.held = nil
	for _, call := range held {
		if !call.ended.Load() {
			a.submit(l, call)
		}
	}
}

// onCancel forgets a call nobody waits for. Every connection may have it.
func (a *account) onCancel(call *Call) {
	call.finish(nil, errors.Join(mtproto.ErrCanceled, ErrMayHaveRun))
	a.retries = slices.DeleteFunc(a.retries, func(r retry) bool { return r.call == call })
	for _, l := range a.links {
		l.held = slices.DeleteFunc(l.held, func(c *Call) bool { return c == call })
		for _, cn := range []*conn{l.conn, l.old} {
			if cn != nil {
				cn.ref.Send(dcconn.Cancel{ID: call.id})
			}
		}
	}
}

// onReturned applies the account's policy to how a call ended.
func (a *account) onReturned(c *ctx, m callReturned) {
	call := m.call
	if call.then != nil {
		// A question asked on a connection of its own is about that connection.
		if m.conn.asks == nil && a.repeatOwn(m) {
			return
		}
		call.then(m.body, m.err)
		a.checkTerminal(c, m)
		return
	}
	if call.ended.Load() {
		return
	}
	e, ok := tgerr.As(m.err)
	if !ok {
		a.onGivenBack(c, m)
		return
	}
	switch e.Class() {
	case tgerr.ClassMigrate:
		a.onMigrate(c, call, e)
	case tgerr.ClassWait:
		a.onFloodWait(c, call, e)
	case tgerr.ClassUnbound:
		// The server refused the key, not the call: it goes again under the next.
		a.unbound(m.conn)
		a.onCall(c, call)
	case tgerr.ClassRevoked:
		a.onUnauthorized(c, m, e)
	case tgerr.ClassDeactivated, tgerr.ClassDuplicated:
		call.finish(nil, m.err)
		a.onTerminal(c, e)
	case tgerr.ClassFrozen:
		call.finish(nil, m.err)
		a.become(c, Frozen, serverWords(m.err), "the account can only read: appeal in an official app")
	default:
		a.retryLater(c, call, m.err)
	}
}

// checkTerminal ends the account when a query of its own got the one answer
// that says so; the server gives it once. A sign-in judges for itself.
func (a *account) checkTerminal(c *ctx, m callReturned) {
	e, ok := tgerr.As(m.err)
	if !ok || m.call.anonymous || !a.rec.SignedIn || !m.conn.link.home {
		return
	}
	switch e.Class() {
	case tgerr.ClassDuplicated, tgerr.ClassDeactivated:
		a.onTerminal(c, e)
	}
}

// repeatOwn sends a query of the account's own again where that cannot do
// harm: its connection was replaced before it was sent, or the key was refused.
func (a *account) repeatOwn(m callReturned) bool {
	// The link may have been started again since.
	l := a.linkOf(m.conn.link.dc)
	if m.err == nil || l == nil || l.home != m.conn.link.home || l.guest != m.conn.link.guest {
		return false
	}
	if tgerr.Is(m.err, "AUTH_KEY_PERM_EMPTY") {
		a.unbound(m.conn)
		a.submit(l, m.call)
		return true
	}
	if errors.Is(m.err, mtproto.ErrClosed) && (errors.Is(m.err, ErrNotSent) || m.call.Policy == Repeatable) {
		a.submit(l, m.call)
		return true
	}
	return false
}

// onGivenBack takes a call from a connection that was stopped.
func (a *account) onGivenBack(c *ctx, m callReturned) {
	if errors.Is(m.err, ErrNotSent) || m.call.Policy == Repeatable {
		a.onCall(c, m.call)
		return
	}
	m.call.finish(nil, m.err)
}

func (a *account) unbound(cn *conn) {
	cn.link.binding.Send(binding.Unbound{ID: cn.key})
}

// onMigrate sends a call where the server said the data is. Only a sign-in
// changes the home DC.
func (a *account) onMigrate(c *ctx, call *Call, e *tgerr.Error) {
	to, ok := e.Migrate()
	if !ok || call.hops >= maxHops || !a.env.dcs.Table().Has(dc.ID(to)) {
		call.finish(nil, e)
		return
	}
	call.hops++
	call.DC = dc.ID(to)
	a.onCall(c, call)
}

// retryLater repeats a repeatable call after a pause that doubles.
func (a *account) retryLater(c *ctx, call *Call, err error) {
	if call.Policy != Repeatable || call.retries >= maxRetries {
		call.finish(nil, err)
		return
	}
	pause := time.Second << call.retries
	call.retries++
	a.retries = append(a.retries, retry{call: call, at: c.Now().Add(pause), err: err})
	a.armRetries(c)
}

func (a *account) onRetryDue(c *ctx) {
	now, waiting := c.Now(), a.retries
	a.retries = nil
	for _, r := range waiting {
		if now.Before(r.at) {
			a.retries = append(a.retries, r)
		} else {
			a.onCall(c, r.call)
		}
	}
	a.armRetries(c)
}

func (a *account) armRetries(c *ctx) {
	var first time.Time
	for _, r := range a.retries {
		if first.IsZero() || r.at.Before(first) {
			first = r.at
		}
	}
	if first.IsZero() {
		c.Cancel(timerRetry)
		return
	}
	c.After(timerRetry, first.Sub(c.Now()), retryDue{})
}
