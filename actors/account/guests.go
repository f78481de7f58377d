package account

import (
	"errors"
	"fmt"
	"time"

	"github.com/mtfleet/mtfleet/actors/binding"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/guest"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// This file drives the engine of guest DCs: a call for another DC opens a link
// there, the authorization is carried over once, and the link is closed again
// when nobody used it for a while.

// guestIdle is how long a guest DC's connection outlives its last call. Its
// keys and its authorization stay in the store.
const guestIdle = 5 * time.Minute

// guestState is what a link to a guest DC has besides keys.
type guestState struct {
	machine *guest.Machine
	usedAt  time.Time
	saving  bool  // a commit is under way; outputs wait for it
	ending  *Call // auth.logOut before the key is thrown away
}

// authorized reports whether the link may carry calls as the user.
func (l *link) authorized() bool { return l.guest.machine.State() == guest.StateReady }

// openGuest opens the link to a guest DC.
func (a *account) openGuest(c *ctx, id dc.ID) (*link, error) {
	if !a.rec.SignedIn || a.login != nil {
		return nil, &StateError{State: a.status.State, Why: "only a signed-in account can use another DC"}
	}
	if !a.env.dcs.Table().Has(id) {
		return nil, &NoDCError{DC: id}
	}
	l := a.openLink(c, id, false)
	l.guest = &guestState{
		machine: guest.New(guest.Config{DC: id}, guest.Snapshot{Authorized: a.guests[id]}),
		usedAt:  c.Now(),
	}
	l.guest.machine.Start(c.Now())
	a.pumpGuest(c, l)
	return l, nil
}

// NoDCError says that the table does not have the DC a call is for.
type NoDCError struct{ DC dc.ID }

func (e *NoDCError) Error() string {
	return fmt.Sprintf("account: the DC table does not have %v", e.DC)
}

// wantGuest tells the engine that a call wants its DC, and returns the error
// with which the call ends instead when the DC cannot be used for now.
func (a *account) wantGuest(c *ctx, l *link) error {
	g := l.guest
	if err := g.machine.Refusal(c.Now()); err != nil {
		return err
	}
	g.usedAt = c.Now()
	g.machine.Wanted(c.Now())
	a.pumpGuest(c, l)
	return nil
}

// guestReady goes on when a guest's keys are there.
func (a *account) guestReady(c *ctx, l *link) {
	if l.guest.ending != nil {
		return // this key is on its way out
	}
	l.guest.machine.KeyReady(c.Now())
	a.pumpGuest(c, l)
}

// pumpGuest does what the engine asks for, up to the next commit.
func (a *account) pumpGuest(c *ctx, l *link) {
	g := l.guest
	for !g.saving && a.linkOf(l.dc) == l {
		out, ok := g.machine.Next()
		if !ok {
			break
		}
		switch out.Kind {
		case guest.OutExport:
			a.guestCall(c, l, a.home, out, g.machine.Exported, g.machine.ExportFailed)
		case guest.OutImport:
			a.guestCall(c, l, l, out, g.machine.Imported, g.machine.ImportFailed)
		case guest.OutSave:
			a.saveGuest(c, l, out.Snapshot)
		case guest.OutReady:
			a.env.Logger.Debug("guest DC authorized", "account", a.id, "dc", int(l.dc))
			a.flushHeld(l)
		case guest.OutStop:
			// New calls are held from now on; those under way end by themselves.
		case guest.OutDropKey:
			a.dropGuestKey(l)
		case guest.OutHomeLost:
			a.doubtHome(c, out.Err)
		case guest.OutRefused, guest.OutWaiting:
			a.endHeld(l, out.Err)
		case guest.OutFailed:
			a.closeGuest(l, out.Err)
		}
	}
	a.armGuests(c)
}

// guestCall runs an export at home, which may be repeated, or an import on the
// guest, which uses its bytes up.
func (a *account) guestCall(c *ctx, l, at *link, out guest.Output,
	answered func(time.Time, guest.CallID, []byte), failed func(time.Time, guest.CallID, error)) {
	policy := Repeatable
	if out.Kind == guest.OutImport {
		policy = Once
	}
	call := NewCall(out.Query.TypeName(), out.Query.Append(nil), policy, at.dc)
	call.then = func(body []byte, err error) {
		if err == nil {
			answered(c.Now(), out.Call, body)
		} else {
			failed(c.Now(), out.Call, err)
		}
		a.pumpAgain(c, l)
	}
	a.submit(at, call)
}

// saveGuest writes down whether the guest's perm key has the authorization.
func (a *account) saveGuest(c *ctx, l *link, snap guest.Snapshot) {
	l.guest.saving = true
	a.guests[l.dc] = snap.Authorized
	rec := persistence.Guest{DC: int(l.dc), Authorized: snap.Authorized, Since: round(c.Now())}
	a.commit(c, persistence.Commit{Put: []persistence.Record{rec.Record(a.id)}}, func(c *ctx, err error) {
		if err != nil {
			// Forgetting it costs one import after the next start.
			a.storeFailed(err)
		}
		l.guest.saving = false
		a.pumpAgain(c, l)
	})
}

// pumpAgain goes on after an answer. The link may have been started again
// since, around the same engine, or closed.
func (a *account) pumpAgain(c *ctx, l *link) {
	if now := a.linkOf(l.dc); now != nil && now.guest == l.guest {
		a.pumpGuest(c, now)
	}
}

// guestUnauthorized hears of a 401 on a guest DC: never the account's end.
func (a *account) guestUnauthorized(c *ctx, l *link, err error) {
	l.guest.machine.Unauthorized(c.Now(), err)
	a.pumpGuest(c, l)
}

// dropGuestKey throws a guest's perm key away, and ends its authorization
// first: the refusals that led here may have been wrong, an import may have
// lost no more than its answer, and nobody could end it without the key.
func (a *account) dropGuestKey(l *link) {
	g := l.guest
	query := &tg.AuthLogOutRequest{}
	g.ending = NewCall(query.TypeName(), query.Append(nil), Repeatable, l.dc)
	call := g.ending
	call.then = func([]byte, error) {
		// Any answer will do: what is not authorized has no orphan.
		if now := a.linkOf(l.dc); now != nil && now.guest == g && g.ending == call {
			g.ending = nil
			now.binding.Send(binding.Forget{})
		}
	}
	a.submit(l, call)
}

// guestKeyGone hears that a guest DC has forgotten its perm key.
func (a *account) guestKeyGone(c *ctx, l *link) {
	l.guest.ending = nil
	l.guest.machine.KeyLost(c.Now())
	l.binding.Send(binding.Forget{})
	a.pumpGuest(c, l)
}

// closeGuest gives a guest DC up; calls for it end with why.
func (a *account) closeGuest(l *link, why error) {
	for _, call := range a.closeLink(l) {
		call.end(nil, errors.Join(why, ErrNotSent))
	}
}

// endHeld ends the calls that wait for a guest DC with why.
func (a *account) endHeld(l *link, why error) {
	held := l.held
	l.held = nil
	for _, call := range held {
		call.end(nil, errors.Join(why, ErrNotSent))
	}
}

// armGuests sets the timer to the first engine's deadline or idle limit.
func (a *account) armGuests(c *ctx) {
	var first time.Time
	for _, l := range a.links {
		if l.guest == nil {
			continue
		}
		for _, at := range []time.Time{l.guest.machine.Deadline(), l.guest.usedAt.Add(guestIdle)} {
			if !at.IsZero() && (first.IsZero() || at.Before(first)) {
				first = at
			}
		}
	}
	if first.IsZero() {
		c.Cancel(timerGuests)
		return
	}
	c.After(timerGuests, first.Sub(c.Now()), guestsDue{})
}

// advanceGuests does what the passing of time demands of guests.
func (a *account) advanceGuests(c *ctx) {
	now := c.Now()
	for _, l := range append([]*link(nil), a.links...) {
		g := l.guest
		if g == nil {
			continue
		}
		if idle := now.Sub(g.usedAt) >= guestIdle; idle && len(l.held) == 0 && l.ready && l.authorized() {
			a.closeLink(l)
			continue
		} else if idle {
			g.usedAt = now // somebody still waits for it
		}
		g.machine.Advance(now)
		a.pumpGuest(c, l)
	}
	a.armGuests(c)
}

// forgetKeys begins anew with the keys of a link nobody is authorized on.
func (a *account) forgetKeys(l *link) { l.binding.Send(binding.Forget{}) }

// homeAlive tells the guests that home was found authorized after all.
func (a *account) homeAlive(c *ctx) {
	for _, l := range append([]*link(nil), a.links...) {
		if l.guest != nil {
			l.guest.machine.HomeAlive(c.Now())
			a.pumpGuest(c, l)
		}
	}
}
