package security

import (
	"errors"
	"io"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// TwoStep is what the server tells of an account's two-step verification.
type TwoStep struct {
	// Password: one is set.
	Password bool   `json:"password"`
	Hint     string `json:"hint,omitempty"`
	// Recovery: there is a confirmed recovery e-mail.
	Recovery bool `json:"recovery"`
	// Unconfirmed is the pattern of a recovery e-mail that waits for the code
	// mailed to it; at the first set-up the password waits with it.
	Unconfirmed string `json:"unconfirmed,omitempty"`
	// LoginEmail is the pattern of the e-mail that gets login codes.
	LoginEmail string `json:"login_email,omitempty"`
	// ResetAt is when the password may be removed without it, because a reset
	// was asked for; zero when none is under way. Server time.
	ResetAt time.Time `json:"reset_at,omitzero"`
	// Passport: personal documents hang on the password.
	Passport bool `json:"passport,omitempty"`
	// Unsupported: the password is kept in a way this version does not know.
	Unsupported bool `json:"unsupported,omitempty"`
}

// TwoStepOf reads account.password.
func TwoStepOf(p *tg.AccountPassword) TwoStep {
	s := TwoStep{
		Password: p.HasPassword, Hint: p.Hint.Or(""), Recovery: p.HasRecovery, Unconfirmed: p.EmailUnconfirmedPattern.Or(""),
		LoginEmail: p.LoginEmailPattern.Or(""), ResetAt: dateOf(p.PendingResetDate.Or(0)), Passport: p.HasSecureValues,
	}
	if p.HasPassword {
		_, known := algoOf(p.CurrentAlgo.Value)
		s.Unsupported = !known
	}
	return s
}

// dateOf is a time of the server; zero stays zero.
func dateOf(unix int32) time.Time {
	if unix == 0 {
		return time.Time{}
	}
	return time.Unix(int64(unix), 0)
}

// passwordMost bounds a password, in bytes. It is a bound of ours, against what
// was given by mistake; a sign-in has the same.
const passwordMost = 4096

// A Change is what becomes of a two-step password.
type Change struct {
	// Current is the present password; "" when none is set.
	Current string
	// New is the password to set; "" leaves the present one.
	New string
	// Hint is shown to whoever is asked for New.
	Hint string
	// Remove removes the password, and its hint and e-mail with it.
	Remove bool
	// Email is the recovery e-mail; nil leaves it, and "" removes it. A new one
	// is in force when the code mailed to it was given.
	Email *string
	// LosePassport: personal documents (Telegram Passport) are sealed under the
	// password. What changes or removes it loses them, and is refused unless
	// this is set.
	LosePassport bool
}

// String says nothing of it.
func (c Change) String() string { return "change of a two-step password" }

// GoString is String.
func (c Change) GoString() string { return c.String() }

// check refuses what makes no sense.
func (c Change) check(p *tg.AccountPassword) *Error {
	switch {
	case len(c.New) > passwordMost:
		return refuse(ReasonInput, "the new password is far too long")
	case c.Remove && (c.New != "" || c.Email != nil):
		return refuse(ReasonInput, "a password is either removed or set")
	case !c.Remove && c.New == "" && c.Email == nil:
		return refuse(ReasonInput, "neither a new password nor a recovery e-mail was given")
	case c.Remove && !p.HasPassword:
		return refuse(ReasonNone, "the account has no two-step password")
	case p.HasSecureValues && (c.Remove || c.New != "") && !c.LosePassport:
		return refuse(ReasonPassport, "the account's personal documents (Telegram Passport) are sealed under its password and would be lost; "+
			"change it in an official app, or say that they may be lost")
	}
	return nil
}

// Settings makes the query that changes a password, by what account.getPassword
// said; each answer of that is good for one. known is a group this process has
// made, or nil. It fails with an *Error, and nothing is to be sent then. Some tens
// of milliseconds, a quarter of a second more for each group that is not known.
func Settings(p *tg.AccountPassword, known *crypt.Group, random io.Reader, c Change) (*tg.AccountUpdatePasswordSettingsRequest, error) {
	if err := c.check(p); err != nil {
		return nil, err
	}
	proof, err := Proof(p, known, random, c.Current)
	if err != nil {
		return nil, err
	}
	q := &tg.AccountUpdatePasswordSettingsRequest{Password: proof}
	if err := settings(&q.NewSettings, p, known, random, c); err != nil {
		return nil, err
	}
	return q, nil
}

// Recovery makes the query that ends a recovery: c.New and c.Hint replace the
// password, or it is removed. See Settings.
func Recovery(p *tg.AccountPassword, known *crypt.Group, random io.Reader, code string, c Change) (*tg.AuthRecoverPasswordRequest, error) {
	c.Remove, c.Email = c.New == "", nil
	if err := c.check(p); err != nil {
		return nil, err
	}
	q := &tg.AuthRecoverPasswordRequest{Code: code}
	if c.Remove {
		return q, nil
	}
	var s tg.AccountPasswordInputSettings
	if err := settings(&s, p, known, random, c); err != nil {
		return nil, err
	}
	q.NewSettings = tl.Some(s)
	return q, nil
}

func settings(to *tg.AccountPasswordInputSettings, p *tg.AccountPassword, known *crypt.Group, random io.Reader, c Change) error {
	if c.Email != nil {
		to.Email = tl.Some(*c.Email)
	}
	switch {
	case c.Remove:
		to.NewAlgo, to.NewPasswordHash, to.Hint = tl.Some[tg.AnyPasswordKdfAlgo](&tg.PasswordKdfAlgoUnknown{}), tl.Some([]byte{}), tl.Some("")
	case c.New != "":
		offered, ok := algoOf(p.NewAlgo)
		if !ok {
			return refuse(ReasonUnsupported, "the server wants passwords kept in a way this version does not know; a newer version may")
		}
		algo, verifier, err := offered.NewPassword(known, random, []byte(c.New))
		if err != nil {
			return distrust(err)
		}
		to.NewAlgo, to.NewPasswordHash, to.Hint = tl.Some(algoIn(algo)), tl.Some(verifier), tl.Some(c.Hint)
	}
	return nil
}

// Proof proves a password, or that there is none, by what account.getPassword
// said; see Settings. Our secret number is of random alone.
func Proof(p *tg.AccountPassword, known *crypt.Group, random io.Reader, password string) (tg.AnyInputCheckPasswordSRP, error) {
	switch {
	case !p.HasPassword && password != "":
		return nil, refuse(ReasonNone, "the account has no two-step password: leave the present one out")
	case !p.HasPassword:
		return &tg.InputCheckPasswordEmpty{}, nil
	case password == "":
		return nil, refuse(ReasonPassword, "the account has a two-step password: give the present one")
	case len(password) > passwordMost:
		return nil, refuse(ReasonInput, "the password is far too long")
	}
	algo, ok := algoOf(p.CurrentAlgo.Value)
	if !ok {
		return nil, refuse(ReasonUnsupported, "this account's password is kept in a way this version does not know; a newer version may")
	}
	a, m1, err := algo.Prove(known, random, []byte(password), p.SRPB.Or(nil))
	if err != nil {
		return nil, distrust(err)
	}
	return &tg.InputCheckPasswordSRP{SRPID: p.SRPID.Or(0), A: a, M1: m1}, nil
}

// distrust is why nothing was computed from a password.
func distrust(err error) error {
	for _, bad := range []error{
		crypt.ErrPrimeSize, crypt.ErrNotSafePrime, crypt.ErrGenerator, crypt.ErrSRPPublic, crypt.ErrSRPScramble,
	} {
		if errors.Is(err, bad) {
			return &Error{Reason: ReasonHostile, Err: bad,
				Message: "the server's parameters for the password would give it away, so nothing was sent; this may not be Telegram"}
		}
	}
	return &Error{Reason: ReasonServer, Message: "the proof of the password could not be computed", Err: err}
}

func algoOf(v tg.AnyPasswordKdfAlgo) (crypt.SRPAlgo, bool) {
	a, ok := v.(*tg.PasswordKdfAlgoSHA256SHA256PBKDF2HMACSHA512iter100000SHA256ModPow)
	if !ok {
		return crypt.SRPAlgo{}, false
	}
	return crypt.SRPAlgo{Salt1: a.Salt1, Salt2: a.Salt2, G: int(a.G), P: a.P}, true
}

func algoIn(a crypt.SRPAlgo) tg.AnyPasswordKdfAlgo {
	return &tg.PasswordKdfAlgoSHA256SHA256PBKDF2HMACSHA512iter100000SHA256ModPow{Salt1: a.Salt1, Salt2: a.Salt2, G: int32(a.G), P: a.P}
}

// A Reset is what the server said of removing a password without knowing it.
type Reset struct {
	// State says what is so.
	State ResetState `json:"state"`
	// Until is when the reset is done by asking once more (ResetWaits), or when
	// one may be asked for (ResetRefused). Server time.
	Until time.Time `json:"until,omitzero"`
}

// A ResetState says where the reset of a password stands.
type ResetState string

const (
	// ResetWaits: it was asked for; asked once more after Until, it is done.
	// Whoever has a session of the account can decline it until then.
	ResetWaits ResetState = "waits"
	// ResetRefused: one was declined not long ago.
	ResetRefused ResetState = "refused"
	// ResetDone: the password is removed.
	ResetDone ResetState = "done"
)

// ResetOf reads the answer of account.resetPassword.
func ResetOf(v tg.AnyAccountResetPasswordResult) Reset {
	switch v := v.(type) {
	case *tg.AccountResetPasswordRequestedWait:
		return Reset{ResetWaits, dateOf(v.UntilDate)}
	case *tg.AccountResetPasswordFailedWait:
		return Reset{ResetRefused, dateOf(v.RetryDate)}
	}
	return Reset{State: ResetDone}
}
