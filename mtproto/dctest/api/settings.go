package api

import (
	"bytes"
	"math/big"
	"strconv"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// passwordSettings is account.passwordInputSettings, read and found to be in order.
type passwordSettings struct {
	pass     *password // the new password, without its e-mail
	remove   bool      // of the password
	email    string
	setEmail bool // email is meant: "" removes it
}

// readSettings judges new settings of an account.
func (c *call) readSettings(in *tg.AccountPasswordInputSettings) (s passwordSettings, err *Error) {
	if algo, ok := in.NewAlgo.Get(); ok {
		hash := in.NewPasswordHash.Or(nil)
		switch algo := algo.(type) {
		case *tg.PasswordKdfAlgoUnknown:
			if len(hash) > 0 {
				return s, errNewSettingsInvalid
			}
			s.remove = true
		case *tg.PasswordKdfAlgoSHA256SHA256PBKDF2HMACSHA512iter100000SHA256ModPow:
			if s.pass, err = c.readPassword(algo, hash); err != nil {
				return s, err
			}
			s.pass.hint = in.Hint.Or("")
		}
	}
	s.email, s.setEmail = in.Email.Get()
	switch {
	case !s.remove && s.pass == nil && !s.setEmail:
		return s, errNewSettingsEmpty
	case s.email != "" && !validEmail(s.email):
		return s, errEmailInvalid
	case s.remove && s.email != "", s.setEmail && s.pass == nil && !s.remove && !c.user.hasPassword():
		return s, errNewSettingsInvalid // an e-mail recovers a password; without one there is nothing to recover
	}
	return s, nil
}

// readPassword judges a new password: the salts must be those offered, with 32 bytes of the client's own.
func (c *call) readPassword(algo *tg.PasswordKdfAlgoSHA256SHA256PBKDF2HMACSHA512iter100000SHA256ModPow, hash []byte) (*password, *Error) {
	offered := c.b.newAlgo(c.user)
	if len(algo.Salt1) != salt1Len+ownSaltLen || !bytes.HasPrefix(algo.Salt1, offered.Salt1) || !bytes.Equal(algo.Salt2, offered.Salt2) {
		return nil, errNewSaltInvalid
	}
	v := new(big.Int).SetBytes(hash)
	if int(algo.G) != offered.G || !bytes.Equal(algo.P, offered.P) || len(hash) != crypt.KeySize ||
		v.Sign() == 0 || v.Cmp(new(big.Int).SetBytes(offered.P)) >= 0 {
		return nil, errNewSettingsInvalid
	}
	offered.Salt1 = bytes.Clone(algo.Salt1)
	return &password{algo: offered, verifier: bytes.Clone(hash)}, nil
}

// applySettings makes settings the account's. An e-mail has to be confirmed first, and at the first set-up the password
// waits with it: then the answer is EMAIL_UNCONFIRMED with the length of the mailed code, which is no failure.
func (c *call) applySettings(s passwordSettings) *Error {
	u := c.user
	old := ""
	if u.hasPassword() {
		old = u.twoStep.pass.email
	}
	confirm := s.setEmail && s.email != "" && s.email != old
	if confirm {
		if _, err := c.sendMail(mailKey{MailPassword, userScope(u)}, u, s.email); err != nil {
			return err
		}
	}
	switch {
	case s.remove:
		u.changePassword(c.req.Now, nil)
		return nil
	case s.pass != nil && confirm && !u.hasPassword():
		u.twoStep.waits = &unconfirmed{pass: s.pass, email: s.email}
	case s.pass != nil:
		if s.pass.email = old; s.setEmail && s.email == "" {
			s.pass.email = ""
		}
		u.changePassword(c.req.Now, s.pass)
	case s.email == "":
		u.twoStep.pass.email = ""
	}
	if !confirm {
		return nil
	}
	if u.twoStep.waits == nil || u.twoStep.waits.pass == nil {
		u.twoStep.waits = &unconfirmed{email: s.email}
	}
	return &Error{400, "EMAIL_UNCONFIRMED_" + strconv.Itoa(mailCodeLen)}
}

// updatePasswordSettings answers account.updatePasswordSettings.
func (c *call) updatePasswordSettings(q *tg.AccountUpdatePasswordSettingsRequest) (bool, *Error) {
	s, err := c.readSettings(&q.NewSettings)
	if err != nil {
		return false, err
	}
	if err := c.prove(q.Password); err != nil {
		return false, err
	}
	if err := c.applySettings(s); err != nil {
		return false, err
	}
	return true, nil
}

// confirmPasswordEmail answers account.confirmPasswordEmail: what waited is in force.
func (c *call) confirmPasswordEmail(q *tg.AccountConfirmPasswordEmailRequest) (bool, *Error) {
	u, key := c.user, mailKey{MailPassword, userScope(c.user)}
	w := u.twoStep.waits
	if w == nil {
		return false, errEmailHashExpired
	}
	if _, err := c.readMail(key, q.Code, errEmailHashExpired); err != nil {
		return false, err
	}
	c.b.dropMail(key)
	u.twoStep.waits = nil
	switch {
	case w.pass != nil:
		w.pass.email = w.email
		u.changePassword(c.req.Now, w.pass)
	case u.hasPassword():
		u.twoStep.pass.email = w.email
	}
	return true, nil
}

// resendPasswordEmail answers account.resendPasswordEmail: a fresh code to the same address.
func (c *call) resendPasswordEmail(*tg.AccountResendPasswordEmailRequest) (bool, *Error) {
	w := c.user.twoStep.waits
	if w == nil {
		return false, errEmailHashExpired
	}
	if _, err := c.sendMail(mailKey{MailPassword, userScope(c.user)}, c.user, w.email); err != nil {
		return false, err
	}
	return true, nil
}

// cancelPasswordEmail answers account.cancelPasswordEmail: what waited is forgotten.
func (c *call) cancelPasswordEmail(*tg.AccountCancelPasswordEmailRequest) (bool, *Error) {
	if c.user.twoStep.waits == nil {
		return false, errEmailHashExpired
	}
	c.user.twoStep.waits = nil
	c.b.dropMail(mailKey{MailPassword, userScope(c.user)})
	return true, nil
}

// resetRetry is how long after a declined reset another one may not be asked for (our choice).
const resetRetry = 24 * time.Hour

// resetPassword answers account.resetPassword: the password goes a week after the first call, with another call.
func (c *call) resetPassword(*tg.AccountResetPasswordRequest) (tg.AnyAccountResetPasswordResult, *Error) {
	t, now := &c.user.twoStep, c.req.Now
	switch {
	case t.pass == nil:
		return nil, errPasswordEmpty
	case !t.resetAt.IsZero() && !now.Before(t.resetAt):
		c.user.changePassword(c.req.Now, nil)
		return &tg.AccountResetPasswordOk{}, nil
	case t.resetAt.IsZero() && now.Before(t.retryAt):
		return &tg.AccountResetPasswordFailedWait{RetryDate: int32(t.retryAt.Unix())}, nil
	case t.resetAt.IsZero():
		t.resetAt = now.Add(c.b.cfg.PasswordResetWait)
	}
	return &tg.AccountResetPasswordRequestedWait{UntilDate: int32(t.resetAt.Unix())}, nil
}

// declinePasswordReset answers account.declinePasswordReset.
func (c *call) declinePasswordReset(*tg.AccountDeclinePasswordResetRequest) (bool, *Error) {
	t := &c.user.twoStep
	if t.resetAt.IsZero() {
		return false, errResetMissing
	}
	t.resetAt, t.retryAt = time.Time{}, c.req.Now.Add(resetRetry)
	return true, nil
}
