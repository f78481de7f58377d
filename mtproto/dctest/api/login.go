package api

import (
	"crypto/subtle"
	"time"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// futureToken replaces a code at the next sign-in of its account.
type futureToken struct {
	value   []byte
	expires time.Time
}

const (
	futureTokenLen  = 64
	maxTokensLooked = 20 // a client sends at most 20
)

// newToken gives a person a future auth token; the oldest goes when there are too many.
func (b *Backend) newToken(now time.Time, u *user) []byte {
	t := futureToken{value: b.random(futureTokenLen), expires: now.Add(b.cfg.FutureTokenTTL)}
	u.tokens = append(u.tokens, t)
	if over := len(u.tokens) - b.cfg.FutureTokens; over > 0 {
		u.tokens = u.tokens[over:]
	}
	return t.value
}

// spendToken looks for the account's newest token among those offered and uses it up: the success carries a fresh one.
func (b *Backend) spendToken(now time.Time, u *user, offered [][]byte) bool {
	if len(offered) > maxTokensLooked {
		offered = offered[:maxTokensLooked]
	}
	for i := len(u.tokens) - 1; i >= 0; i-- {
		t := u.tokens[i]
		if !now.Before(t.expires) {
			continue
		}
		for _, o := range offered {
			if subtle.ConstantTimeCompare(o, t.value) == 1 {
				u.tokens = append(u.tokens[:i:i], u.tokens[i+1:]...)
				return true
			}
		}
	}
	return false
}

// loginsSince counts successful sign-ins, forgetting the older ones.
func (u *user) loginsSince(t time.Time) int {
	for len(u.logins) > 0 && !u.logins[0].After(t) {
		u.logins = u.logins[1:]
	}
	return len(u.logins)
}

// finishLogin ends a sign-in whose first factor was right. A key that carries the same user already answers as if it
// had signed in now, without a second authorization; one that carries another user takes no second one.
func (c *call) finishLogin(u *user) (tg.AnyAuthAuthorization, *Error) {
	switch s := c.state(); {
	case u.banned:
		return nil, errUserDeactivatedBan
	case u.deactivated:
		return nil, errUserDeactivated
	case s == keyHome && c.key.user == u:
		return c.authorizationOf(u), nil
	case s == keyHome, s == keyGuest:
		return nil, errAuthRestart
	case u.hasPassword():
		c.authorize(u, kindHalf, nil)
		return nil, errSessionPassword
	}
	return c.admit(u), nil
}

// admit makes the key the account's: every factor was right.
func (c *call) admit(u *user) *tg.AuthAuthorization {
	watched := u.online()
	row := c.authorize(u, kindHome, nil)
	row.unconfirmed = watched && !u.bot
	now := c.req.Now
	u.loginsSince(now.Add(-24 * time.Hour))
	u.logins = append(u.logins, now)
	if !u.bot {
		c.b.pushHome(u, c.key, updateShort(now, appendNewAuthorization(nil, row)))
	}
	return c.authorizationOf(u)
}

// authorizationOf is the success of a sign-in.
func (c *call) authorizationOf(u *user) *tg.AuthAuthorization {
	auth := &tg.AuthAuthorization{User: u.self()}
	if n := c.b.cfg.TmpSessions; n > 0 {
		auth.TmpSessions = tl.Some(int32(n))
	}
	if u.reloginDays > 0 && !u.hasPassword() {
		auth.SetupPasswordRequired, auth.OtherwiseReloginDays = true, tl.Some(int32(u.reloginDays))
	}
	if !u.bot {
		auth.FutureAuthToken = tl.Some(c.b.newToken(c.req.Now, u))
	}
	return auth
}

// routeImportBot reads the token: it names the bot, and with it the DC.
func (c *call) routeImportBot(q *tg.AuthImportBotAuthorizationRequest) *Error {
	if err := c.checkApp(q.APIID, q.APIHash); err != nil {
		return err
	}
	if c.b.expired[q.BotAuthToken] {
		return errAccessTokenExpired
	}
	id, ok := botID(q.BotAuthToken)
	u := c.b.dir.byID[id]
	if !ok || u == nil || !u.bot || subtle.ConstantTimeCompare([]byte(u.token), []byte(q.BotAuthToken)) != 1 {
		return errAccessTokenInvalid
	}
	c.user = u
	if u.home != c.ref.dc {
		return errMigrate("USER", u.home)
	}
	return nil
}

// importBot answers auth.importBotAuthorization.
func (c *call) importBot(*tg.AuthImportBotAuthorizationRequest) (tg.AnyAuthAuthorization, *Error) {
	return c.finishLogin(c.user)
}

// logOut answers auth.logOut: at home the guests end with it and a person gets a token for the next sign-in.
func (c *call) logOut(*tg.AuthLogOutRequest) (*tg.AuthLoggedOut, *Error) {
	out := &tg.AuthLoggedOut{}
	if c.state() == keyHome && !c.user.bot {
		out.FutureAuthToken = tl.Some(c.b.newToken(c.req.Now, c.user))
	}
	c.b.end(c.req.Now, c.key.row, whyLoggedOut)
	return out, nil
}

// accountScope counts a limit per account, on whichever key it calls.
func accountScope(u *user) string {
	if u == nil {
		return "nobody"
	}
	return userScope(u)
}
