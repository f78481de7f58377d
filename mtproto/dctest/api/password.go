package api

import (
	"fmt"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// password is a two-step password: what the server keeps of it is no use to who reads it, except that one set by the
// operator of the cluster is remembered, to be shown in Users.
type password struct {
	algo     crypt.SRPAlgo
	verifier []byte // nil until first needed, of a password the operator set
	text     string // as the operator set it
	hint     string
	email    string // for recovery; "" without one
}

// unconfirmed is what waits for a mailed code: a recovery e-mail, and, at the first set-up, the password itself.
type unconfirmed struct {
	pass  *password // nil when only the e-mail waits
	email string
}

// twoStep is the two-step verification of an account.
type twoStep struct {
	pass    *password // nil: off
	setAt   time.Time // when the person set it; zero when the operator did
	changes int       // how often it was set, changed or removed: an srp_id of before is SRP_PASSWORD_CHANGED
	waits   *unconfirmed

	resetAt time.Time // a running account.resetPassword; zero without one
	retryAt time.Time // after a declined one, when another may be asked for
}

func (u *user) hasPassword() bool { return u.twoStep.pass != nil }

// setPassword replaces the password, or removes it.
func (u *user) setPassword(pass *password) {
	u.twoStep.pass, u.twoStep.waits, u.twoStep.resetAt, u.twoStep.setAt = pass, nil, time.Time{}, time.Time{}
	u.twoStep.changes++
}

// changePassword is setPassword by the person: tokens that stand for a first factor are void.
func (u *user) changePassword(now time.Time, pass *password) {
	u.setPassword(pass)
	u.twoStep.setAt = now
	u.tokens = nil
}

// TwoStep is a two-step password as the operator of the cluster sets it.
type TwoStep struct {
	Password string // "" removes it
	Hint     string
	Email    string // recovery e-mail, as if confirmed; "" without one
}

// SetPassword sets a person's two-step password; "" removes it.
func (b *Backend) SetPassword(userID int64, password string) error {
	return b.SetTwoStep(userID, TwoStep{Password: password})
}

// SetTwoStep sets a person's two-step password with its hint and recovery e-mail. Bots have none. Future auth tokens stay
// good, so that a test can try one on an account with a password; a change by the person ends them.
func (b *Backend) SetTwoStep(userID int64, s TwoStep) error {
	u, err := b.user(userID)
	if err != nil {
		return err
	}
	switch {
	case u.bot:
		return fmt.Errorf("%w: %d is a bot", ErrUserUnknown, userID)
	case s.Password == "":
		u.setPassword(nil)
	default:
		algo := b.newAlgo(u)
		algo.Salt1 = append(algo.Salt1, newStream(b.cfg.Seed, "own salt "+userScope(u)).bytes(ownSaltLen)...)
		u.setPassword(&password{algo: algo, text: s.Password, hint: s.Hint, email: s.Email})
	}
	return nil
}

const (
	salt1Len   = 8 // of the server's part
	salt2Len   = 16
	ownSaltLen = 32 // what the client adds to the first salt
)

// newAlgo is the algorithm offered for the next password of an account: the same salts at every question, so that an
// answer to any of them fits.
func (b *Backend) newAlgo(u *user) crypt.SRPAlgo {
	s := newStream(b.cfg.Seed, "salts "+userScope(u))
	g := b.passwordGroup()
	return crypt.SRPAlgo{Salt1: s.bytes(salt1Len), Salt2: s.bytes(salt2Len), G: g.G(), P: g.Prime()}
}

func (b *Backend) passwordGroup() *crypt.Group {
	if b.group == nil {
		if b.group = b.cfg.Group; b.group == nil {
			b.group = crypt.WellKnownGroup()
		}
	}
	return b.group
}

// verifierOf makes the verifier of a password the operator set when it is first needed: tens of milliseconds, which a
// directory of many persons would feel.
func (b *Backend) verifierOf(p *password) []byte {
	if p.verifier == nil {
		v, err := p.algo.Verifier(b.passwordGroup(), []byte(p.text))
		if err != nil {
			return nil // no proof fits it
		}
		p.verifier = v
	}
	return p.verifier
}

func algoToTL(a crypt.SRPAlgo) tg.AnyPasswordKdfAlgo {
	return &tg.PasswordKdfAlgoSHA256SHA256PBKDF2HMACSHA512iter100000SHA256ModPow{
		Salt1: a.Salt1, Salt2: a.Salt2, G: int32(a.G), P: a.P,
	}
}

const secureRandomLen = 256

// getPassword answers account.getPassword: with a password set, the parameters of one proof. On a key nobody has begun to
// sign in on it says that there is no password (our choice; what Telegram says is not documented).
func (c *call) getPassword(*tg.AccountGetPasswordRequest) (*tg.AccountPassword, *Error) {
	out := &tg.AccountPassword{
		NewSecureAlgo: &tg.SecurePasswordKdfAlgoPBKDF2HMACSHA512iter100000{Salt: c.b.random(salt1Len)},
		SecureRandom:  c.b.random(secureRandomLen),
	}
	u := c.user
	if u == nil {
		g := c.b.passwordGroup()
		out.NewAlgo = algoToTL(crypt.SRPAlgo{Salt1: c.b.random(salt1Len), Salt2: c.b.random(salt2Len), G: g.G(), P: g.Prime()})
		return out, nil
	}
	out.NewAlgo = algoToTL(c.b.newAlgo(u))
	if p := u.twoStep.pass; p != nil {
		proof, srpB := c.newProof(u)
		if proof == nil {
			return nil, errAuthRestart
		}
		out.HasPassword, out.HasRecovery = true, p.email != ""
		out.CurrentAlgo, out.SRPB, out.SRPID = tl.Some(algoToTL(p.algo)), tl.Some(srpB), tl.Some(proof.id)
		if p.hint != "" {
			out.Hint = tl.Some(p.hint)
		}
	}
	if w := u.twoStep.waits; w != nil {
		out.EmailUnconfirmedPattern = tl.Some(emailPattern(w.email))
	}
	if at := u.twoStep.resetAt; !at.IsZero() {
		out.PendingResetDate = tl.Some(int32(at.Unix()))
	}
	if u.loginEmail != "" {
		out.LoginEmailPattern = tl.Some(emailPattern(u.loginEmail))
	}
	return out, nil
}

// checkPassword answers auth.checkPassword: the second factor of a half login.
func (c *call) checkPassword(q *tg.AuthCheckPasswordRequest) (tg.AnyAuthAuthorization, *Error) {
	if c.user == nil || !c.user.hasPassword() {
		return nil, errPasswordEmpty
	}
	if err := c.prove(q.Password); err != nil {
		return nil, err
	}
	return c.secondFactor()
}

// secondFactor ends a sign-in whose second factor was right. At home the account is signed in already.
func (c *call) secondFactor() (tg.AnyAuthAuthorization, *Error) {
	switch c.state() {
	case keyHalf:
		if c.user.banned {
			return nil, errUserDeactivatedBan
		}
		c.rowHash = c.key.row.hash
		return c.admit(c.user), nil
	case keyHome:
		return c.authorizationOf(c.user), nil
	}
	return nil, errAuthRestart
}
