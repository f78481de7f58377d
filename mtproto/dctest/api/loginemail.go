package api

import (
	"fmt"
	"time"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// SetLoginEmail makes login codes of a person go to an e-mail address; "" restores the phone.
func (b *Backend) SetLoginEmail(userID int64, email string) error {
	u, err := b.user(userID)
	if err != nil {
		return err
	}
	if email != "" && !validEmail(email) {
		return fmt.Errorf("%w: %q", ErrEmail, email)
	}
	u.loginEmail, u.emailResetAt = email, time.Time{}
	return nil
}

// emailCodeType says where the code was mailed, and when the address can be got rid of: a running reset has a date, before
// that there is the time it would take.
func (c *call) emailCodeType(length int32) *tg.AuthSentCodeTypeEmailCode {
	t := &tg.AuthSentCodeTypeEmailCode{EmailPattern: emailPattern(c.user.loginEmail), Length: length}
	if at := c.user.emailResetAt; !at.IsZero() {
		t.ResetPendingDate = tl.Some(int32(at.Unix()))
	} else {
		t.ResetAvailablePeriod = tl.Some(int32(max(0, c.b.cfg.LoginEmailWait) / time.Second))
	}
	return t
}

func (c *call) routeResetLoginEmail(q *tg.AuthResetLoginEmailRequest) *Error {
	return c.routePhone(q.PhoneNumber)
}

// resetLoginEmail answers auth.resetLoginEmail: the login e-mail goes at once or after a wait, then codes come by phone.
func (c *call) resetLoginEmail(q *tg.AuthResetLoginEmailRequest) (tg.AnyAuthSentCode, *Error) {
	now, u := c.req.Now, c.user
	a, err := c.b.find(now, c.ref, c.phone, q.PhoneCodeHash)
	switch {
	case err != nil:
		return nil, err
	case a.codeType() != CodeEmail || u == nil || u.loginEmail == "":
		return nil, errEmailNotInstalled
	case u.emailResetAt.IsZero() && c.b.cfg.LoginEmailWait > 0:
		u.emailResetAt = now.Add(c.b.cfg.LoginEmailWait)
		return c.sentCode(a), nil
	case now.Before(u.emailResetAt):
		return nil, errTaskExists
	}
	u.loginEmail, u.emailResetAt = "", time.Time{}
	c.b.done(a)
	return c.startCode(c.b.chainFor(c.phone, u, c.req.Layer), "")
}

// emailPurpose is what an address is to be verified for, found to be allowed.
type emailPurpose struct {
	key     mailKey
	attempt *attempt // of a login set-up
}

// routeEmailPurpose is the DC gate of a purpose that names a number.
func (c *call) routeEmailPurpose(purpose tg.AnyEmailVerifyPurpose) *Error {
	if p, ok := purpose.(*tg.EmailVerifyPurposeLoginSetup); ok {
		return c.routePhone(p.PhoneNumber)
	}
	return nil
}

// readPurpose judges a purpose: a set-up needs its attempt, the others an account at home.
func (c *call) readPurpose(purpose tg.AnyEmailVerifyPurpose) (p emailPurpose, err *Error) {
	switch purpose := purpose.(type) {
	case *tg.EmailVerifyPurposeLoginSetup:
		a, err := c.b.find(c.req.Now, c.ref, c.phone, purpose.PhoneCodeHash)
		switch {
		case err != nil:
			return p, errPhoneHashExpired
		case a.codeType() != CodeSetUpEmail:
			return p, errEmailNotAllowed
		}
		return emailPurpose{mailKey{MailLoginSetup, a.hash}, a}, nil
	case *tg.EmailVerifyPurposeLoginChange:
		if err := c.needsHome(); err != nil {
			return p, err
		}
		if c.user.loginEmail == "" {
			return p, errEmailNotSetUp
		}
		return emailPurpose{key: mailKey{MailLoginSetup, userScope(c.user)}}, nil
	}
	if err := c.needsHome(); err != nil {
		return p, err
	}
	return emailPurpose{key: mailKey{MailPassport, userScope(c.user)}}, nil
}

// needsHome is the gate of methods that need an account at home only for some of their arguments.
func (c *call) needsHome() *Error {
	switch c.state() {
	case keyHome:
		return nil
	case keyHalf:
		return errSessionPassword
	case keyRevoked:
		return c.key.why
	case keyGuest:
		return errMigrate("USER", c.user.home)
	}
	return errAuthKeyUnregistered
}

func (c *call) routeSendVerifyEmailCode(q *tg.AccountSendVerifyEmailCodeRequest) *Error {
	return c.routeEmailPurpose(q.Purpose)
}

// sendVerifyEmailCode answers account.sendVerifyEmailCode.
func (c *call) sendVerifyEmailCode(q *tg.AccountSendVerifyEmailCodeRequest) (*tg.AccountSentEmailCode, *Error) {
	p, err := c.readPurpose(q.Purpose)
	if err != nil {
		return nil, err
	}
	if !validEmail(q.Email) {
		return nil, errEmailInvalid
	}
	code, err := c.sendMail(p.key, c.user, q.Email)
	if err != nil {
		return nil, err
	}
	if a := p.attempt; a != nil { // a mail takes longer than a text message
		a.expires = c.req.Now.Add(max(c.b.cfg.CodeTTL, c.b.cfg.MailTTL))
	}
	return &tg.AccountSentEmailCode{EmailPattern: emailPattern(q.Email), Length: int32(len(code))}, nil
}

func (c *call) routeVerifyEmail(q *tg.AccountVerifyEmailRequest) *Error {
	return c.routeEmailPurpose(q.Purpose)
}

// verifyEmail answers account.verifyEmail. During a sign-in the answer is the code that comes next.
func (c *call) verifyEmail(q *tg.AccountVerifyEmailRequest) (tg.AnyAccountEmailVerified, *Error) {
	p, err := c.readPurpose(q.Purpose)
	if err != nil {
		return nil, err
	}
	code, ok := q.Verification.(*tg.EmailVerificationCode)
	if !ok {
		return nil, errEmailTokenInvalid // no sign-in with Apple or Google was offered
	}
	email, err := c.readMail(p.key, code.Code, errEmailVerifyExpired)
	if err != nil {
		return nil, err
	}
	c.b.dropMail(p.key)
	if p.key.kind == MailLoginSetup && c.user != nil {
		c.user.loginEmail, c.user.emailResetAt = email, time.Time{}
	}
	if p.attempt == nil {
		return &tg.AccountEmailVerified{Email: email}, nil
	}
	c.b.done(p.attempt)
	sent, err := c.startCode(p.attempt.chain[1:], email)
	if err != nil {
		return nil, err
	}
	return &tg.AccountEmailVerifiedLogin{Email: email, SentCode: sent}, nil
}
