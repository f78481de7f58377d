package api

import (
	"github.com/mtfleet/mtfleet/tl/tg"
)

// requestPasswordRecovery answers auth.requestPasswordRecovery: a code goes to the recovery e-mail.
func (c *call) requestPasswordRecovery(*tg.AuthRequestPasswordRecoveryRequest) (*tg.AuthPasswordRecovery, *Error) {
	if !c.user.hasPassword() {
		return nil, errPasswordEmpty
	}
	email := c.user.twoStep.pass.email
	if email == "" {
		return nil, errRecoveryNone
	}
	if _, err := c.sendMail(mailKey{MailRecovery, userScope(c.user)}, c.user, email); err != nil {
		return nil, err
	}
	return &tg.AuthPasswordRecovery{EmailPattern: emailPattern(email)}, nil
}

// recoveryCode checks a mailed recovery code without using it up.
func (c *call) recoveryCode(code string) *Error {
	switch {
	case !c.user.hasPassword():
		return errPasswordEmpty
	case code == "":
		return errCodeEmpty
	}
	_, err := c.readMail(mailKey{MailRecovery, userScope(c.user)}, code, errRecoveryExpired)
	return err
}

// checkRecoveryPassword answers auth.checkRecoveryPassword.
func (c *call) checkRecoveryPassword(q *tg.AuthCheckRecoveryPasswordRequest) (bool, *Error) {
	if err := c.recoveryCode(q.Code); err != nil {
		return false, err
	}
	return true, nil
}

// recoverPassword answers auth.recoverPassword: the password is replaced or removed, and who has the mailbox is signed in.
func (c *call) recoverPassword(q *tg.AuthRecoverPasswordRequest) (tg.AnyAuthAuthorization, *Error) {
	if err := c.recoveryCode(q.Code); err != nil {
		return nil, err
	}
	settings := passwordSettings{remove: true}
	if in, ok := q.NewSettings.Get(); ok {
		var err *Error
		if settings, err = c.readSettings(&in); err != nil {
			return nil, err
		}
		if settings.pass == nil && !settings.remove {
			return nil, errNewSettingsInvalid // the old password would stay
		}
	}
	email := c.user.twoStep.pass.email
	if settings.pass != nil && (!settings.setEmail || settings.email == email) {
		settings.email, settings.setEmail = email, true // it was proved to be the owner's a moment ago
	}
	if err := c.applySettings(settings); err != nil && !c.user.waitsForEmail(settings.email) {
		return nil, err
	}
	c.b.dropMail(mailKey{MailRecovery, userScope(c.user)})
	c.b.pushHome(c.user, c.key, appendTooLong(nil))
	return c.secondFactor()
}

// waitsForEmail says whether an address has been mailed a code to confirm it.
func (u *user) waitsForEmail(email string) bool {
	return email != "" && u.twoStep.waits != nil && u.twoStep.waits.email == email
}
