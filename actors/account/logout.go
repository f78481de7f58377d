package account

import (
	"errors"
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// leaving is a logout under way. Its steps follow the order that loses
// nothing: the intention is on disk first, keys are deleted last.
type leaving struct {
	replies []runtime.Reply[struct{}]
	tries   int
}

// logOutTries bounds how often auth.logOut is sent when no answer comes. A
// logout that the server never confirmed keeps its keys: they are still logged
// in there.
const logOutTries = 3

// onLogOut ends the authorization at the server, then forgets the keys.
func (a *account) onLogOut(c *ctx, m LogOut) {
	switch {
	case a.leaving != nil:
		a.leaving.replies = append(a.leaving.replies, m.Reply)
		return
	case !a.rec.SignedIn || a.login != nil:
		m.Reply.Send(struct{}{}, &StateError{State: a.status.State, Why: "the account is not signed in"})
		return
	}
	l := &leaving{replies: []runtime.Reply[struct{}]{m.Reply}}
	a.leaving = l
	a.rec.State, a.rec.StateSince, a.rec.Paused = stateLoggingOut, round(c.Now()), false
	a.commit(c, persistence.Commit{Put: []persistence.Record{a.rec.Record()}}, func(c *ctx, err error) {
		switch {
		case a.leaving != l:
		case err != nil:
			a.storeFailed(err)
			a.stay(c, err)
		default:
			a.sendLogOut(c)
		}
	})
}

// resumeLogOut goes on with a logout that a restart interrupted.
func (a *account) resumeLogOut(c *ctx) {
	a.leaving = &leaving{}
	a.sendLogOut(c)
}

func (a *account) sendLogOut(c *ctx) {
	if a.home == nil {
		a.become(c, Connecting, "to log out", "")
		a.openHome(c, a.homeDC())
	}
	l := a.leaving
	l.tries++
	a.own(&tg.AuthLogOutRequest{}, Once, func(body []byte, err error) {
		if a.leaving == l {
			a.onLoggedOut(c, body, err)
		}
	})
}

// onLoggedOut forgets the keys once the server has ended the authorization. A
// 401 says that it had ended before.
func (a *account) onLoggedOut(c *ctx, body []byte, err error) {
	e, refused := tgerr.As(err)
	gone := refused && e.IsUnauthorized()
	if err != nil && !gone {
		if a.leaving.tries < logOutTries && !refused {
			a.sendLogOut(c)
			return
		}
		a.stay(c, err)
		return
	}
	var put []persistence.Record
	if err == nil {
		r := tl.NewReader(body)
		out := (*tg.AuthLogOutRequest)(nil).ParseResult(r)
		if token, ok := out.FutureAuthToken.Get(); r.End() == nil && ok && !a.rec.Bot {
			put = append(put, futureTokenRecord(a.id, token))
		}
	}
	a.forgetEverything(c, put)
}

// forgetEverything deletes keys, salts and update state, and keeps the account.
func (a *account) forgetEverything(c *ctx, put []persistence.Record) {
	a.closeAll(&StateError{State: SignedOut})
	a.dirty = dirty{}
	clear(a.sessions)
	clear(a.guests)
	a.rec.SignedIn, a.rec.HomeDC = false, 0
	a.rec.State, a.rec.StateSince, a.rec.StateWhy = SignedOut.String(), round(c.Now()), "by its owner"
	a.eraseLogin(c, append(put, a.rec.Record()))
}

// eraseLogin deletes every record but put, and what is remembered across
// logins. The server has ended the authorization already, so this is tried for
// as long as it takes; after a restart the logout goes on and finds a 401.
func (a *account) eraseLogin(c *ctx, put []persistence.Record) {
	id, owner, l := a.id, a.env.Owner, a.leaving
	a.storeJob(c, func(store persistence.Store) error {
		records, err := store.Load(id)
		if err != nil && len(persistence.BadKeys(err)) == 0 {
			return err
		}
		return store.Commit(persistence.Commit{Owner: owner, Put: put, Delete: besides(records, put)})
	}, func(c *ctx, err error) {
		if err != nil {
			a.storeFailed(err)
			c.After(timerLoginSave, storeRetry, again{func(c *ctx) { a.eraseLogin(c, put) }})
			return
		}
		a.leaving = nil
		a.become(c, SignedOut, "by its owner", "sign it in again, or remove it")
		l.tell(nil)
	})
}

// besides lists the keys of records that are not put again; revoked keys and
// what is remembered across logins stay.
func besides(records, put []persistence.Record) []persistence.Key {
	var keys []persistence.Key
	for _, r := range records {
		kept := r.Kind == persistence.KindMeta || r.Kind == persistence.KindWait ||
			slices.ContainsFunc(put, func(p persistence.Record) bool { return p.Key == r.Key })
		if !kept {
			keys = append(keys, r.Key)
		}
	}
	return keys
}

// stay gives a logout up: the account is signed in as before.
func (a *account) stay(c *ctx, err error) {
	l := a.leaving
	a.leaving = nil
	a.rec.State, a.rec.StateSince = "", round(c.Now())
	a.commit(c, persistence.Commit{Put: []persistence.Record{a.rec.Record()}}, nil)
	l.tell(err)
	if a.status.State.final() { // it was paused or quarantined, and is needed now
		a.goOnline(c, "the logout failed")
	}
	if a.updates == nil {
		a.restoreUpdates(nil, false)
	}
	a.sync(c)
}

// tell answers everybody who waits for the logout.
func (l *leaving) tell(err error) {
	for _, r := range l.replies {
		r.Send(struct{}{}, err)
	}
}

// onRemove deletes every record and ends the actor.
func (a *account) onRemove(c *ctx, m Remove) {
	if a.rec.SignedIn && !m.Force {
		m.Reply.Send(struct{}{}, ErrSignedIn)
		return
	}
	gone := &StateError{State: SignedOut, Why: "the account was removed"}
	login, leaving := a.login, a.leaving
	a.login, a.leaving, a.removing = nil, nil, true
	a.closeAll(gone)
	if login != nil {
		a.endLogin(login, gone)
	}
	if leaving != nil {
		leaving.tell(gone)
	}
	a.dirty = dirty{}
	id, owner := a.id, a.env.Owner
	a.storeJob(c, func(store persistence.Store) error {
		records, err := store.Load(id)
		keys := persistence.BadKeys(err)
		for _, r := range records {
			keys = append(keys, r.Key)
		}
		if len(keys) == 0 && err != nil {
			return err
		}
		return store.Commit(persistence.Commit{Owner: owner, Delete: keys})
	}, func(c *ctx, err error) {
		if err != nil {
			a.storeFailed(err)
			a.removing = false
			a.load(c) // it is what it was
		} else {
			c.Stop()
		}
		m.Reply.Send(struct{}{}, err)
	})
}

// ErrSignedIn refuses to remove an account whose keys are still logged in.
var ErrSignedIn = errors.New("account: it is signed in: log it out first, or force it (the server keeps the authorization then)")

// own sends a query of the account's own to its home DC.
func (a *account) own(query tl.Object, p Policy, then func(body []byte, err error)) {
	call := NewCall(query.TypeName(), query.Append(nil), p, 0)
	call.then = then
	a.submit(a.home, call)
}

// futureTokenKey is where the newest future auth token of an account is: it
// can stand for a code at the next sign-in.
const futureTokenKey = "future-auth-token"

func futureTokenRecord(id persistence.AccountID, token []byte) persistence.Record {
	return persistence.Record{
		Key:     persistence.Key{Account: id, Kind: persistence.KindMeta, Sub: futureTokenKey},
		Version: 1, Data: persistence.Secret(token),
	}
}

func joinNotSent(err error) error { return errors.Join(err, ErrNotSent) }

// revokedKeep is how long the key of a revoked authorization is kept sealed.
const revokedKeep = 7 * 24 * time.Hour
