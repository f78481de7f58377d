package api

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// webToken is a sign-in in a web address: whoever has it, has the account, once.
type webToken struct {
	user    *user
	expires time.Time
	used    keyRef
}

// Tokens that stand for a sign-in by other ways: the web address, and the carrier's word for a number.
//
// Bound: the operator of the cluster makes them one by one; they are swept a while after their end.
type bearers struct {
	web map[string]*webToken
	pnv map[string]string // token to number
}

func (s *bearers) sweep(now time.Time) {
	for value, t := range s.web {
		if !now.Before(t.expires) {
			delete(s.web, value)
		}
	}
}

const (
	bearerLen   = 24
	webTokenTTL = time.Minute
)

// WebToken makes a token that signs a person in by auth.importWebTokenAuthorization on the home DC, once and within a
// minute: what messages.requestUrlAuth would put into a web address.
func (b *Backend) WebToken(now time.Time, userID int64) (token string, dc int, err error) {
	u, err := b.user(userID)
	if err != nil {
		return "", 0, err
	}
	if u.bot {
		return "", 0, fmt.Errorf("%w: %d is a bot", ErrUserUnknown, userID)
	}
	token = base64URL(b.random(bearerLen))
	if b.bearers.web == nil {
		b.bearers.web = map[string]*webToken{}
	}
	b.bearers.web[token] = &webToken{user: u, expires: now.Add(webTokenTTL)}
	b.armSweep(now)
	return token, u.home, nil
}

func (c *call) routeImportWebToken(q *tg.AuthImportWebTokenAuthorizationRequest) *Error {
	if err := c.checkApp(q.APIID, q.APIHash); err != nil {
		return err
	}
	t := c.b.bearers.web[q.WebAuthToken]
	if t == nil {
		return errAuthTokenInvalid
	}
	if c.user = t.user; t.user.home != c.ref.dc {
		return errMigrate("USER", t.user.home)
	}
	return nil
}

// importWebToken answers auth.importWebTokenAuthorization. The key that used a token may repeat it, as it must after a
// lost answer.
func (c *call) importWebToken(q *tg.AuthImportWebTokenAuthorizationRequest) (tg.AnyAuthAuthorization, *Error) {
	t := c.b.bearers.web[q.WebAuthToken]
	again := t.used == c.ref && c.key != nil && c.key.row != nil && c.key.user == t.user
	if !again && (t.used != (keyRef{}) || !c.req.Now.Before(t.expires)) {
		return nil, errWebTokenExpired
	}
	t.used = c.ref
	return c.finishLogin(t.user)
}

// The sign-in by a carrier's word for a number. Telegram has published its constructors and not what they mean: this is
// our reading, behind Config.PNV.

// PNVToken makes a token that stands for a carrier's word that who has it owns a number.
func (b *Backend) PNVToken(phone string) string {
	token := base64URL(b.random(bearerLen))
	if b.bearers.pnv == nil {
		b.bearers.pnv = map[string]string{}
	}
	b.bearers.pnv[token] = normalizePhone(phone)
	return token
}

// initPNV answers auth.initFirebasePnvLogin.
func (c *call) initPNV(q *tg.AuthInitFirebasePnvLoginRequest) (*tg.AuthFirebasePnvIntent, *Error) {
	if !c.b.cfg.PNV {
		return nil, errMethodInvalid
	}
	if err := c.checkApp(q.APIID, q.APIHash); err != nil {
		return nil, err
	}
	nonce := c.newChallenge()
	if nonce == nil {
		return nil, errAuthRestart
	}
	return &tg.AuthFirebasePnvIntent{Nonce: base64URL(nonce), DigitalCredentialPayload: `{"protocol":"test"}`}, nil
}

func (c *call) routeFinishPNV(q *tg.AuthFinishFirebasePnvLoginRequest) *Error {
	if !c.b.cfg.PNV {
		return errMethodInvalid
	}
	phone, ok := c.b.bearers.pnv[q.GoogleToken]
	if !ok {
		return errAuthTokenInvalid
	}
	return c.routePhone(phone)
}

// finishPNV answers auth.finishFirebasePnvLogin: a number without an account goes on to auth.firebasePnvSignUp.
func (c *call) finishPNV(q *tg.AuthFinishFirebasePnvLoginRequest) (tg.AnyAuthAuthorization, *Error) {
	delete(c.b.bearers.pnv, q.GoogleToken)
	if c.user != nil {
		return c.finishLogin(c.user)
	}
	if c.b.cfg.NoSignUp {
		return nil, errSignUpForbidden
	}
	a := c.b.begin(c.req.Now, c.ref, c.phone, []CodeType{CodeSMS})
	if a == nil {
		return nil, errSMSCodeCreateFailed
	}
	a.purpose, a.code = purposePNV, ""
	return &tg.AuthAuthorizationSignUpRequired{TermsOfService: tl.Some(termsOfService())}, nil
}

// signUpPNV answers auth.firebasePnvSignUp.
func (c *call) signUpPNV(q *tg.AuthFirebasePnvSignUpRequest) (tg.AnyAuthAuthorization, *Error) {
	if !c.b.cfg.PNV {
		return nil, errMethodInvalid
	}
	var a *attempt
	for _, x := range c.b.attempts.byHash {
		if x.key == c.ref && x.purpose == purposePNV && c.req.Now.Before(x.expires) && (a == nil || x.newer(a)) {
			a = x
		}
	}
	if a == nil {
		return nil, errPhoneCodeExpired
	}
	c.phone = a.phone
	if c.b.dir.byPhone[a.phone] != nil {
		return nil, errPhoneOccupied
	}
	first, last, err := signUpNames(q.FirstName, q.LastName)
	if err != nil {
		return nil, err
	}
	if s := c.state(); s == keyHome || s == keyGuest {
		return nil, errAuthRestart
	}
	if err := c.create(first, last, ""); err != nil {
		return nil, err
	}
	c.b.done(a)
	return c.finishLogin(c.user)
}

// signUpNames judges the names of a new account.
func signUpNames(first, last string) (string, string, *Error) {
	first, last = strings.TrimSpace(first), strings.TrimSpace(last)
	if n := utf8.RuneCountInString(first); n == 0 || n > maxNameLen || !utf8.ValidString(first) {
		return "", "", errFirstNameInvalid
	}
	if utf8.RuneCountInString(last) > maxNameLen || !utf8.ValidString(last) {
		return "", "", errLastNameInvalid
	}
	return first, last, nil
}
