package api

import (
	"errors"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// proof is one chance to prove a password: the server's secret number of an account.getPassword, by its srp_id.
type proof struct {
	id      int64
	user    *user
	changes int // of the password, when it was made
	b       []byte
	expires time.Time
}

// proofs holds the unused srp_ids.
//
// Bound: maxProofs of about 400 bytes; when it is reached, the expired ones go, and if there are none, no more are made.
type proofs struct {
	byID map[int64]*proof
}

const maxProofs = 1 << 16

func (s *proofs) sweep(now time.Time) {
	for id, p := range s.byID {
		if !now.Before(p.expires) {
			delete(s.byID, id)
		}
	}
}

// newProof makes an srp_id and its srp_B for the password of a user, or nil when there is no room.
func (c *call) newProof(u *user) (*proof, []byte) {
	s, now := &c.b.proofs, c.req.Now
	if len(s.byID) >= maxProofs {
		if s.sweep(now); len(s.byID) >= maxProofs {
			return nil, nil
		}
	}
	p := &proof{
		id: c.b.randomHash(), user: u, changes: u.twoStep.changes, b: c.b.random(crypt.KeySize), expires: now.Add(c.b.cfg.ProofTTL),
	}
	pass := u.twoStep.pass
	srpB, err := pass.algo.Challenge(c.b.passwordGroup(), c.b.verifierOf(pass), p.b)
	if err != nil {
		return nil, nil
	}
	s.byID[p.id] = p
	return p, srpB
}

// prove checks that who calls knows the account's password. An srp_id is spent by the attempt, right or wrong.
func (c *call) prove(in tg.AnyInputCheckPasswordSRP) *Error {
	u := c.user
	q, given := in.(*tg.InputCheckPasswordSRP)
	switch {
	case !given && u.hasPassword():
		return errPasswordInvalid
	case !given:
		return nil
	}
	if wait := c.b.floods.take(c.req.Now, floodScope{"password", userScope(u)}, c.b.cfg.Limits.CheckPassword); wait > 0 {
		return errWait(wait)
	}
	p := c.b.proofs.byID[q.SRPID]
	if p == nil || p.user != u || !c.req.Now.Before(p.expires) {
		return errSRPIDInvalid
	}
	delete(c.b.proofs.byID, p.id)
	if p.changes != u.twoStep.changes || !u.hasPassword() {
		return errSRPChanged
	}
	pass := u.twoStep.pass
	err := pass.algo.Check(c.b.passwordGroup(), c.b.verifierOf(pass), p.b, q.A, q.M1)
	switch {
	case errors.Is(err, crypt.ErrSRPPublic):
		return errSRPAInvalid
	case err != nil:
		return errPasswordInvalid
	}
	return nil
}

// getPasswordSettings answers account.getPasswordSettings.
func (c *call) getPasswordSettings(q *tg.AccountGetPasswordSettingsRequest) (*tg.AccountPasswordSettings, *Error) {
	if !c.user.hasPassword() {
		return nil, errPasswordInvalid
	}
	if err := c.prove(q.Password); err != nil {
		return nil, err
	}
	out := &tg.AccountPasswordSettings{}
	if email := c.user.twoStep.pass.email; email != "" {
		out.Email.Set, out.Email.Value = true, email
	}
	return out, nil
}

// Periods a temporary password may be asked for, in seconds.
const (
	tmpPasswordMin = 60
	tmpPasswordMax = 86400
	tmpPasswordLen = 16
)

// getTmpPassword answers account.getTmpPassword. Nothing here takes the password that it gives.
func (c *call) getTmpPassword(q *tg.AccountGetTmpPasswordRequest) (*tg.AccountTmpPassword, *Error) {
	if !c.user.hasPassword() {
		return nil, errTmpPasswordDisabled
	}
	if err := c.prove(q.Password); err != nil {
		return nil, err
	}
	period := min(max(q.Period, tmpPasswordMin), tmpPasswordMax)
	return &tg.AccountTmpPassword{
		TmpPassword: c.b.random(tmpPasswordLen), ValidUntil: int32(c.req.Now.Unix()) + period,
	}, nil
}
