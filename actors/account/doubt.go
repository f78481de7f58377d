package account

import (
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// doubt is a 401 at home that waits for its second proof: one broken answer
// must not end an account.
type doubt struct {
	err   error // the first 401
	tries int
}

// onUnauthorized reacts to a 401 by where it came from: on a guest DC the
// authorization is carried there again, at home it is confirmed first.
func (a *account) onUnauthorized(c *ctx, m callReturned, e *tgerr.Error) {
	l := m.conn.link
	if !l.home {
		if m.call.retries == 0 {
			m.call.retries++
			a.guestUnauthorized(c, l, e)
			a.onCall(c, m.call) // on a new link, if that was the end of this one
			return
		}
		m.call.finish(nil, e)
		return
	}
	m.call.finish(nil, e)
	a.doubtHome(c, e)
}

// doubtHome asks users.getUsers(self) on a second connection whether the
// login is alive.
func (a *account) doubtHome(c *ctx, err error) {
	if a.doubt != nil || a.home == nil || !a.rec.SignedIn || a.leaving != nil {
		return
	}
	a.doubt = &doubt{err: err}
	a.confirm(c)
}

// confirmPause separates two tries of a confirmation that got no answer.
const confirmPause = 5 * time.Second

func (a *account) confirm(c *ctx) {
	d, l := a.doubt, a.home
	if d == nil {
		return
	}
	if l == nil || l.using == nil || !l.ready {
		a.confirmLater(c)
		return
	}
	d.tries++
	query := &tg.UsersGetUsersRequest{ID: []tg.AnyInputUser{&tg.InputUserSelf{}}}
	a.ask(c, l, roleConfirmer, l.using, 0, query, func(how answerKind, err error) {
		if a.doubt != d {
			return
		}
		e, _ := tgerr.As(err)
		switch {
		case how == answerOK:
			a.doubt = nil
			a.env.Logger.Warn("a 401 was not confirmed; the login is alive", "account", a.id, "err", d.err)
			a.homeAlive(c)
			a.sync(c)
		case how == answerRefused && e.IsUnauthorized():
			a.revoke(c, e)
		default:
			// Nothing is proved: a lost temp key is replaced, a broken
			// connection comes back, then it is asked again.
			a.confirmLater(c)
		}
	})
}

func (a *account) confirmLater(c *ctx) {
	d := a.doubt
	c.After(timerConfirm, confirmPause, again{func(c *ctx) {
		if a.doubt == d {
			a.confirm(c)
		}
	}})
}

// revoke ends an account whose authorization is gone: two proofs agreed. The
// perm key is kept sealed for a while, apart from one in use.
func (a *account) revoke(c *ctx, err error) {
	home := a.home.dc
	why := serverWords(err)
	a.end(c, Revoked, why, "sign it in again; its old key is kept sealed for 7 days")
	id, owner, now := a.id, a.env.Owner, round(c.Now())
	a.storeJob(c, func(store persistence.Store) error {
		records, err := store.Load(id)
		if err != nil && len(persistence.BadKeys(err)) == 0 {
			return err
		}
		commit := retireKeys(id, int(home), now, records)
		commit.Owner = owner
		return store.Commit(commit)
	}, func(_ *ctx, err error) {
		if err != nil {
			a.storeFailed(err)
		}
	})
}

// retireKeys moves the home perm key aside and deletes what hung on it.
func retireKeys(id persistence.AccountID, home int, now time.Time, records []persistence.Record) persistence.Commit {
	state, err := persistence.DecodeState(records)
	_ = err
	var out persistence.Commit
	for _, p := range state.PermKeys {
		switch {
		case !p.Revoked.IsZero() && now.Sub(p.Revoked) > revokedKeep:
			out.Delete = append(out.Delete, persistence.RevokedKeyKey(id, p.DC))
		case p.Revoked.IsZero() && p.DC == home:
			out.Delete = append(out.Delete, persistence.PermKeyKey(id, p.DC))
			p.Revoked = now
			out.Put = append(out.Put, p.Record(id))
		}
	}
	for _, t := range state.TempKeys {
		if t.DC == home {
			out.Delete = append(out.Delete, persistence.TempKeyKey(id, t.DC, t.KeyID))
		}
	}
	return out
}

// purgeRevoked deletes the keys of revoked logins that were kept long enough.
func (a *account) purgeRevoked(c *ctx, keys []persistence.PermKey) {
	var gone []persistence.Key
	for i := range keys {
		if p := &keys[i]; !p.Revoked.IsZero() && c.Now().Sub(p.Revoked) > revokedKeep {
			gone = append(gone, persistence.RevokedKeyKey(a.id, p.DC))
		}
	}
	if gone != nil {
		a.commit(c, persistence.Commit{Delete: gone}, nil)
	}
}

// onPermKeyGone hears from a binding that the server has forgotten a perm key,
// proved on two connections.
func (a *account) onPermKeyGone(c *ctx, l *link, err error) {
	if l.home && a.rec.SignedIn {
		a.revoke(c, err)
		return
	}
	if l.home {
		// Nobody was authorized under it: the sign-in goes on under a new one.
		a.forgetKeys(l)
		return
	}
	a.guestKeyGone(c, l)
}

// dropTempKeys has the server forget the temp keys that were replaced.
func (a *account) dropTempKeys(_ *ctx, l *link, except []crypt.KeyID) {
	if l.conn == nil {
		return
	}
	query := &tg.AuthDropTempAuthKeysRequest{}
	for _, id := range except {
		query.ExceptAuthKeys = append(query.ExceptAuthKeys, int64(id))
	}
	call := NewCall(query.TypeName(), query.Append(nil), Repeatable, l.dc)
	call.then = func(_ []byte, err error) {
		if err != nil {
			// The old keys expire by themselves.
			a.env.Logger.Warn("old temp keys were not dropped", "account", a.id, "dc", int(l.dc), "err", err)
		}
	}
	a.send(l.conn, call)
}
