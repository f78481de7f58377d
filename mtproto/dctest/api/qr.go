package api

import (
	"slices"
	"strconv"
	"time"

	"github.com/mtfleet/mtfleet/tl/tg"
)

// qrToken is a login token: what a waiting key shows as a QR code, or what auth.loginTokenMigrateTo sends it to another
// DC with. One store serves all DCs: whoever scans is at home elsewhere.
type qrToken struct {
	value   string
	key     keyRef // the waiting key
	expires time.Time
	except  []int64 // accounts that may not accept it
	app     AppInfo // of the waiting client, shown to who accepts
	host    string

	// Of an accepted token: who accepted it, and the hash the new authorization will have.
	user *user
	hash int64

	// Of a token that moves a waiting key to the DC target: which key used it up.
	target int
	used   keyRef
}

// qrTokens are the tokens there are, and what waits for each key.
//
// Bound: Limits.ExportLoginToken per key; a token takes about 400 bytes and is swept a while after its end, to tell an old
// one from one that never was. At maxQRTokens no more are made.
type qrTokens struct {
	byValue  map[string]*qrToken
	accepted map[keyRef]*qrToken // the key has yet to come and learn of it
	moving   map[keyRef]*qrToken // the key was sent elsewhere with this one
}

const (
	maxQRTokens = 1 << 20
	qrTokenLen  = 32
	// qrMoveTTL is the life of a token that moves a login to another DC.
	qrMoveTTL = time.Minute
	// qrAcceptedTTL is how long an accepted token waits for its key: the key comes when the push reaches it, or when the
	// code it shows runs out.
	qrAcceptedTTL = 5 * time.Minute
)

func newQRTokens() qrTokens {
	return qrTokens{byValue: map[string]*qrToken{}, accepted: map[keyRef]*qrToken{}, moving: map[keyRef]*qrToken{}}
}

func (s *qrTokens) sweep(now time.Time) {
	for value, t := range s.byValue {
		if !now.Before(t.expires) {
			delete(s.byValue, value)
		}
	}
	for _, waiting := range []map[keyRef]*qrToken{s.accepted, s.moving} {
		for key, t := range waiting {
			if !now.Before(t.expires) {
				delete(waiting, key)
			}
		}
	}
}

// isAccepted says whether a key has yet to come and learn that a token of its was accepted.
func (s *qrTokens) isAccepted(key keyRef, now time.Time) bool {
	t := s.accepted[key]
	return t != nil && now.Before(t.expires)
}

// newQRToken makes a token for the calling key, or nil when there is no room.
func (c *call) newQRToken(ttl time.Duration) *qrToken {
	s, now := &c.b.qr, c.req.Now
	if len(s.byValue) >= maxQRTokens {
		if s.sweep(now); len(s.byValue) >= maxQRTokens {
			return nil
		}
	}
	t := &qrToken{
		value: string(c.b.random(qrTokenLen)), key: c.ref, expires: now.Add(ttl),
		app: c.req.App, host: remoteHost(c.req.RemoteAddr),
	}
	s.byValue[t.value] = t
	return t
}

// exportLoginToken answers auth.exportLoginToken: a fresh token to show, or, once one of the key's tokens was accepted, the
// account or the way to its DC. Earlier tokens of the key stay good until they expire.
func (c *call) exportLoginToken(q *tg.AuthExportLoginTokenRequest) (tg.AnyAuthLoginToken, *Error) {
	if err := c.checkApp(q.APIID, q.APIHash); err != nil {
		return nil, err
	}
	now := c.req.Now
	switch c.state() {
	case keyHalf:
		if c.user.hasPassword() {
			return nil, errSessionPassword
		}
		return c.loginTokenSuccess(c.user, c.key.row.hash) // the password is gone meanwhile
	case keyHome:
		return c.loginTokenSuccess(c.user, 0)
	case keyGuest:
		return nil, errAuthRestart
	}
	if t := c.b.qr.accepted[c.ref]; c.b.qr.isAccepted(c.ref, now) {
		if t.user.home == c.ref.dc {
			delete(c.b.qr.accepted, c.ref)
			return c.loginTokenSuccess(t.user, t.hash)
		}
		if m := c.b.qr.moving[c.ref]; m == nil || m.used == (keyRef{}) {
			return c.moveLogin(t)
		}
		delete(c.b.qr.accepted, c.ref) // it went, and came back: from the beginning
		delete(c.b.qr.moving, c.ref)
	}
	t := c.newQRToken(c.b.cfg.QRTTL)
	if t == nil {
		return nil, errAuthRestart
	}
	t.except = slices.Clone(q.ExceptIDs)
	return &tg.AuthLoginToken{Expires: int32(t.expires.Unix()), Token: []byte(t.value)}, nil
}

// loginTokenSuccess signs the calling key in, or stops at the password.
func (c *call) loginTokenSuccess(u *user, hash int64) (tg.AnyAuthLoginToken, *Error) {
	c.rowHash = hash
	auth, err := c.finishLogin(u)
	if err != nil {
		return nil, err
	}
	return &tg.AuthLoginTokenSuccess{Authorization: auth}, nil
}

// moveLogin sends the calling key to the home of who accepted its token. Asked again, it is the same token while that is
// unused: the answer may have been lost.
func (c *call) moveLogin(t *qrToken) (tg.AnyAuthLoginToken, *Error) {
	m := c.b.qr.moving[c.ref]
	if m == nil || m.user != t.user || m.target != t.user.home || !c.req.Now.Before(m.expires) {
		if m = c.newQRToken(qrMoveTTL); m == nil {
			return nil, errAuthRestart
		}
		m.user, m.hash, m.target = t.user, t.hash, t.user.home
		c.b.qr.moving[c.ref] = m
	}
	return &tg.AuthLoginTokenMigrateTo{DCID: int32(m.target), Token: []byte(m.value)}, nil
}

// importLoginToken answers auth.importLoginToken on the DC that auth.loginTokenMigrateTo named. The key that used a token
// may repeat it, as it must after a lost answer.
func (c *call) importLoginToken(q *tg.AuthImportLoginTokenRequest) (tg.AnyAuthLoginToken, *Error) {
	t := c.b.qr.byValue[string(q.Token)]
	switch now := c.req.Now; {
	case t == nil || t.target != c.ref.dc:
		return nil, errAuthTokenInvalid
	case t.used != (keyRef{}) && (t.used != c.ref || c.key == nil || c.key.user != t.user):
		return nil, errAuthTokenAccepted
	case t.used == (keyRef{}) && !now.Before(t.expires):
		return nil, errAuthTokenExpired
	}
	t.used = c.ref
	if t.user.home != c.ref.dc { // moved in between
		return c.moveLogin(t)
	}
	if c.state() == keyHalf && c.user == t.user && c.user.hasPassword() {
		return nil, errSessionPassword
	}
	return c.loginTokenSuccess(t.user, t.hash)
}

// acceptLoginToken answers auth.acceptLoginToken: the waiting key becomes the caller's at its next question, and is told
// to ask.
func (c *call) acceptLoginToken(q *tg.AuthAcceptLoginTokenRequest) (*tg.Authorization, *Error) {
	t := c.b.qr.byValue[string(q.Token)]
	switch now := c.req.Now; {
	case t == nil || t.target != 0:
		return nil, errAuthTokenInvalid
	case t.user != nil, c.b.qr.isAccepted(t.key, now): // this one, or another that its key showed
		return nil, errAuthTokenAccepted
	case !now.Before(t.expires):
		return nil, errAuthTokenExpired
	case slices.Contains(t.except, c.user.id), c.b.carriesUser(t.key):
		return nil, errAuthTokenException
	}
	t.user, t.hash, t.expires = c.user, c.b.randomHash(), c.req.Now.Add(qrAcceptedTTL)
	c.b.qr.accepted[t.key] = t
	delete(c.b.qr.moving, t.key)
	c.b.pushes = append(c.b.pushes, Push{DC: t.key.dc, Perm: t.key.perm, Body: updateShort(c.req.Now, appendLoginToken(nil))})
	row := &authorization{
		user: c.user, kind: kindHome, hash: t.hash, app: t.app, host: t.host, created: c.req.Now, active: c.req.Now,
	}
	if c.user.hasPassword() {
		row.kind = kindHalf
	}
	shown := c.describe(row)
	return &shown, nil
}

// carriesUser says whether a key is somebody's, so that no other can take it.
func (b *Backend) carriesUser(ref keyRef) bool {
	k := b.keyOf(ref)
	return k != nil && (k.state == keyHome || k.state == keyGuest)
}

// dropAccepted takes an acceptance back whose key has not come yet; false when there is none with that hash.
func (b *Backend) dropAccepted(u *user, hash int64) bool {
	found := false
	for _, waiting := range []map[keyRef]*qrToken{b.qr.accepted, b.qr.moving} {
		for key, t := range waiting {
			if t.user == u && t.hash == hash {
				delete(waiting, key)
				t.expires = time.Time{}
				found = true
			}
		}
	}
	return found
}

// floodExportLoginToken limits auth.exportLoginToken per key.
func (c *call) floodExportLoginToken() *Error {
	return c.flood(c.b.cfg.Limits.ExportLoginToken, "key "+strconv.Itoa(c.ref.dc)+" "+strconv.FormatInt(c.ref.perm, 16))
}

// Scan accepts a token that a key shows as a QR code, as a session of the person at home would: for clients that have
// nobody to scan it. The error is an *Error, as auth.acceptLoginToken answers it, or that there is no such person.
func (b *Backend) Scan(now time.Time, token []byte, userID int64) error {
	u, err := b.user(userID)
	if err != nil {
		return err
	}
	c := &call{b: b, req: &Request{Now: now, DC: u.home}, ref: keyRef{dc: u.home}, key: &key{}, user: u}
	if _, refused := c.acceptLoginToken(&tg.AuthAcceptLoginTokenRequest{Token: token}); refused != nil {
		return refused
	}
	return nil
}
