package world

import (
	"context"
	"errors"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/persistence/foreign"
)

// This file is how sessions are handed out and taken in. An operator has one handed
// out, removes the account, and takes the session in again as one that another
// program made; or he takes the account back.

var (
	errRemoved   = errors.New("the account is removed, its session is in the operator's hands")
	errTakenBack = errors.New("the account is taken back")
	errTaking    = errors.New("the session is being taken in")
)

// handOut has a session handed out. From then on the operator goes on from wherever
// he was left, see move.
func (w *world) handOut(u *user) error {
	return w.asked(u, func(ctx context.Context, a *actors.Account) error {
		text, err := a.Export(ctx, foreign.Telethon)
		if err != nil {
			return err
		}
		w.secrets.add(string(text))
		s, err := foreign.ParseText(text)
		if err == nil {
			u.session = &s
		}
		return err
	})
}

// move does what comes next with a session that was handed out, or may have been;
// done says that the account is signed in, or nothing of a move is left to do.
func (w *world) move(ctx context.Context, u *user) (done bool, err error) {
	p, a, err := w.at(u)
	if missing := (*actors.NoAccountError)(nil); errors.As(err, &missing) && u.session != nil {
		if _, err = p.m.Import(ctx, u.name, *u.session, actors.AccountOptions{NoPFS: !u.pfs, Proxy: u.proxy}); err != nil {
			return false, err
		}
		return w.took(u)
	}
	if missing := (*actors.NoAccountError)(nil); errors.As(err, &missing) {
		return false, nil // as without a session
	}
	if err != nil {
		return false, err
	}
	switch st := a.Status(); {
	case p.m.Ready() != nil: // what it says of itself was so once
		return false, errSilent
	case st.State == actors.Exported && (u.session == nil || u.session.Key.ID()%3 == 0):
		if err := a.TakeBack(ctx); err != nil {
			return false, err
		}
		u.session = nil
		return false, errTakenBack
	case st.State == actors.Exported:
		w.endGuests(u)
		w.judge.moved = append(w.judge.moved, moved{u.ID, w.sim.Now()})
		w.judge.loginOver(u.name, w.sim.Now())
		return false, errors.Join(errRemoved, a.Remove(ctx, true))
	case u.session == nil:
		return false, nil
	case st.State == actors.SigningIn:
		step, err := a.NextStep(ctx, nil)
		if step != nil || err != nil {
			return false, errors.Join(errTaking, err)
		}
		return w.took(u)
	case st.SignedIn:
		return w.took(u)
	}
	return false, errTaking
}

func (w *world) took(u *user) (done bool, err error) {
	u.session, u.imported = nil, true
	w.rec.count.SignIns[byImport]++
	return true, nil
}

// endGuests ends the logins of a user on other DCs, as another device does: a session
// has the key of its home alone, and who removes the account by force leaves the
// others behind.
func (w *world) endGuests(u *user) {
	for _, row := range w.dcs.api.Authorizations() {
		if row.UserID == u.ID && !row.Home && row.Ended.IsZero() {
			w.dcs.script(func(b *api.Backend, now time.Time) error { return b.RevokeKey(now, row.DC, row.Perm) })
		}
	}
}
