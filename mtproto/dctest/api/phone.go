package api

import (
	"strings"
	"time"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// routePhone is the DC gate of the calls that name a number: a known number belongs to its account's home, an unknown
// one to the DC in a test number, or to the nearest.
func (c *call) routePhone(number string) *Error {
	c.phone = normalizePhone(number)
	if !validPhone(c.phone) {
		return errPhoneInvalid
	}
	c.user = c.b.dir.byPhone[c.phone]
	if u := c.user; u != nil {
		if u.home != c.ref.dc {
			return errMigrate("PHONE", u.home)
		}
		return nil
	}
	dc, ok := testNumberDC(c.phone)
	if !ok || dc > c.b.cfg.DCs {
		dc = c.b.cfg.NearestDC
	}
	if dc != c.ref.dc {
		return errMigrate("NETWORK", dc)
	}
	return nil
}

// checkApp judges the application of a sign-in call: an accepted pair, and the one initConnection named.
func (c *call) checkApp(id int32, hash string) *Error {
	if err := c.b.cfg.acceptsApp(id, hash); err != nil {
		return err
	}
	if c.req.App.APIID != 0 && c.req.App.APIID != int(id) {
		return errAPIIDInvalid
	}
	return nil
}

func (c *call) routeSendCode(q *tg.AuthSendCodeRequest) *Error {
	if err := c.checkApp(q.APIID, q.APIHash); err != nil {
		return err
	}
	return c.routePhone(q.PhoneNumber)
}

// sendCode answers auth.sendCode: a logout token of the account makes a code unnecessary, otherwise an attempt begins.
func (c *call) sendCode(q *tg.AuthSendCodeRequest) (tg.AnyAuthSentCode, *Error) {
	now, u := c.req.Now, c.user
	switch {
	case u == nil && c.b.cfg.NoSignUp:
		return nil, errSignUpForbidden
	case u != nil && u.banned:
		return nil, errPhoneBanned
	case u != nil && c.b.cfg.LoginsPerDay >= 0 && u.loginsSince(now.Add(-24*time.Hour)) >= c.b.cfg.LoginsPerDay:
		return nil, errPhoneFlood
	}
	if c.state() == keyHalf { // a new attempt drops the half login
		c.b.end(now, c.key.row, whyReplaced)
		c.key = nil
	}
	if tokens, ok := q.Settings.LogoutTokens.Get(); ok && u != nil && c.state() != keyHome && c.state() != keyGuest {
		if c.b.spendToken(now, u, tokens) {
			auth, err := c.finishLogin(u)
			if err != nil {
				return nil, err
			}
			return &tg.AuthSentCodeSuccess{Authorization: auth}, nil
		}
	}
	return c.startCode(c.b.chainFor(c.phone, u, c.req.Layer), "")
}

// startCode begins an attempt and sends its code. email is a login e-mail that the attempt already confirmed.
func (c *call) startCode(chain []CodeType, email string) (tg.AnyAuthSentCode, *Error) {
	if chain[0] == CodePaid && !tg.LayerHas(c.req.Layer, tg.AuthSentCodePaymentRequiredID) {
		return nil, errUpdateApp
	}
	a := c.b.begin(c.req.Now, c.ref, c.phone, chain)
	if a == nil {
		return nil, errSMSCodeCreateFailed
	}
	a.email = email
	if a.codeType() == CodePaid {
		return paymentRequired(a), nil
	}
	if a.codeType() == CodeFirebase {
		a.code = "" // it is sent when the attestation has come
	}
	c.deliver(a)
	return c.sentCode(a), nil
}

// deliver brings an attempt's code to where a person finds it: the list of codes, and for the app the chat with the service
// in the account's other sessions.
func (c *call) deliver(a *attempt) {
	if a.code == "" {
		return
	}
	sent := SentCode{At: c.req.Now, Expires: a.expires, Kind: a.codeType().String(), Phone: a.phone, Code: a.code}
	if u := c.user; u != nil {
		sent.UserID = u.id
		switch a.codeType() {
		case CodeEmail:
			sent.Email = u.loginEmail
		case CodeApp:
			c.b.tell(c.req.Now, u, "Login code: "+a.code+". Do not give this code to anyone.")
		}
	}
	c.b.recordCode(sent)
}

// floodSendCode limits auth.sendCode per number and per address. Every client of a loopback cluster has the same
// address, so loopback and in-memory ones are not counted.
func (c *call) floodSendCode() *Error {
	if err := c.flood(c.b.cfg.Limits.SendCodeNumber, "number "+c.phone); err != nil {
		return err
	}
	host := remoteHost(c.req.RemoteAddr)
	if host == c.req.RemoteAddr || strings.HasPrefix(host, "127.") || host == "[::1]" || host == "::1" {
		return nil
	}
	return c.flood(c.b.cfg.Limits.SendCodeAddress, "host "+host)
}

func (c *call) routeResendCode(q *tg.AuthResendCodeRequest) *Error {
	return c.routePhone(q.PhoneNumber)
}

// resendCode answers auth.resendCode: the next type of the chain under a new hash.
func (c *call) resendCode(q *tg.AuthResendCodeRequest) (tg.AnyAuthSentCode, *Error) {
	if q.PhoneCodeHash == "" {
		return nil, errPhoneCodeHashEmpty
	}
	now := c.req.Now
	a, err := c.b.find(now, c.ref, c.phone, q.PhoneCodeHash)
	switch {
	case err != nil:
		return nil, err
	case len(a.chain) < 2, a.codeType() == CodeSetUpEmail, a.codeType() == CodePaid:
		return nil, errSendCodeUnavailable
	case now.Before(a.resend):
		return nil, errWait(a.resend.Sub(now))
	}
	c.b.done(a)
	return c.startCode(a.chain[1:], a.email)
}

func (c *call) routeCancelCode(q *tg.AuthCancelCodeRequest) *Error {
	return c.routePhone(q.PhoneNumber)
}

// cancelCode answers auth.cancelCode: the hash is dead afterwards.
func (c *call) cancelCode(q *tg.AuthCancelCodeRequest) (bool, *Error) {
	if q.PhoneCodeHash == "" {
		return false, errPhoneCodeHashEmpty
	}
	a, err := c.b.find(c.req.Now, c.ref, c.phone, q.PhoneCodeHash)
	if err != nil {
		return false, err
	}
	c.b.done(a)
	return true, nil
}

func (c *call) routeSignIn(q *tg.AuthSignInRequest) *Error { return c.routePhone(q.PhoneNumber) }

// signIn answers auth.signIn: a right code makes the key the account's, asks for a name, or for the password.
func (c *call) signIn(q *tg.AuthSignInRequest) (tg.AnyAuthAuthorization, *Error) {
	code := strings.TrimSpace(q.PhoneCode.Or(""))
	mailed, _ := q.EmailVerification.Or(nil).(*tg.EmailVerificationCode)
	if code == "" && mailed == nil {
		return nil, errPhoneCodeEmpty
	}
	a, err := c.b.find(c.req.Now, c.ref, c.phone, q.PhoneCodeHash)
	if err != nil {
		return nil, err
	}
	if a.codeType() == CodeEmail { // only as an e-mail verification
		if code = ""; mailed != nil {
			code = strings.TrimSpace(mailed.Code)
		}
	}
	if code == "" {
		return nil, errPhoneCodeEmpty
	}
	if !sameCode(a.codeType(), code, a.code) {
		a.tries++
		return nil, errPhoneCodeInvalid
	}
	if c.user == nil {
		if _, test := testNumberDC(c.phone); !test || !c.b.cfg.AutoCreate {
			a.purpose = purposeSignUp
			a.expires = c.req.Now.Add(c.b.cfg.CodeTTL)
			return &tg.AuthAuthorizationSignUpRequired{TermsOfService: tl.Some(termsOfService())}, nil
		}
		if err := c.create("", "", a.email); err != nil {
			return nil, err
		}
	}
	c.b.done(a)
	return c.finishLogin(c.user)
}

func (c *call) routeSignUp(q *tg.AuthSignUpRequest) *Error { return c.routePhone(q.PhoneNumber) }

// maxNameLen is the longest first or last name, in characters.
const maxNameLen = 64

// signUp answers auth.signUp: it needs the hash of an attempt whose code was right.
func (c *call) signUp(q *tg.AuthSignUpRequest) (tg.AnyAuthAuthorization, *Error) {
	if c.b.cfg.NoSignUp {
		return nil, errSignUpForbidden
	}
	a, err := c.b.find(c.req.Now, c.ref, c.phone, q.PhoneCodeHash)
	if err != nil {
		return nil, err
	}
	if a.purpose != purposeSignUp {
		return nil, errPhoneCodeExpired
	}
	if c.user != nil {
		return nil, errPhoneOccupied
	}
	first, last, err := signUpNames(q.FirstName, q.LastName)
	if err != nil {
		return nil, err
	}
	if s := c.state(); s == keyHome || s == keyGuest {
		return nil, errAuthRestart
	}
	if err := c.create(first, last, a.email); err != nil {
		return nil, err
	}
	c.b.done(a)
	return c.finishLogin(c.user)
}

// create makes the person of the number at hand, with this DC as home.
func (c *call) create(first, last, email string) *Error {
	id, err := c.b.AddPerson(Person{Phone: c.phone, HomeDC: c.ref.dc, FirstName: first, LastName: last})
	if err != nil {
		return errPhoneOccupied
	}
	c.user = c.b.dir.byID[id]
	c.user.loginEmail = email
	return nil
}
