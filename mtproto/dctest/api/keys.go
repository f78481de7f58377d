package api

import (
	"strconv"
	"time"
)

// keyRef names a perm key: ids are only unique within a DC.
type keyRef struct {
	dc   int
	perm int64
}

// keyState is what a perm key may do on its DC.
type keyState uint8

const (
	// keyAnonymous (K1) carries no user: only the anonymous methods, everything else is AUTH_KEY_UNREGISTERED. Left by a
	// sign-in or an import. A key without a record is in this state.
	keyAnonymous keyState = iota
	// keyHalf (K2) has passed the first factor of an account with two-step verification: the anonymous methods and those
	// of the password, everything else is SESSION_PASSWORD_NEEDED. Left by the password, or by a new code request.
	keyHalf
	// keyHome (K3) carries a user whose home this DC is (or was, after Move): every method of a person or a bot. Left by
	// log-out, or by anything that ends the authorization.
	keyHome
	// keyGuest (K4) carries a user by auth.importAuthorization: general reads; what lives at home is USER_MIGRATE_X. It
	// ends with the home authorization it was exported from.
	keyGuest
	// keyRevoked (K5) carried a user until something other than its own log-out ended that: the anonymous methods, everything
	// else gets the error that says what happened. Left by a new sign-in.
	keyRevoked
)

// key is the record of a perm key that is not simply anonymous.
type key struct {
	ref   keyRef
	state keyState
	row   *authorization // of keyHalf, keyHome, keyGuest
	why   *Error         // of keyRevoked
	user  *user          // of all but keyAnonymous; of keyRevoked, who it was

	duplicate bool      // the next query answers AUTH_KEY_DUPLICATED
	host      string    // of the last query, for DuplicateWindow
	hostAt    time.Time //
}

// endReason says what ended an authorization, in the words of the ledger.
type endReason string

const (
	whyLoggedOut  endReason = "logged_out"
	whyRevoked    endReason = "revoked"    // from another session
	whyKeyGone    endReason = "key_gone"   // the key itself no longer exists
	whyDuplicated endReason = "duplicated" // two holders of one home key
	whyBanned     endReason = "banned"
	whyDeleted    endReason = "deleted"
	whyHomeEnded  endReason = "home_ended" // a guest whose home authorization ended
	whyReplaced   endReason = "replaced"   // by another sign-in on the same key
	whyExpired    endReason = "expired"    // unused for Config.AuthTTLDays
)

// rowKind is the kind of an authorization.
type rowKind uint8

const (
	kindHalf  rowKind = iota // the password is pending
	kindHome                 // made by a sign-in
	kindGuest                // imported; parent is the home row
)

// authorization is the server's row: a user, a perm key, an app and dates.
type authorization struct {
	key    *key
	user   *user
	kind   rowKind
	hash   int64 // handle for account.resetAuthorization
	parent *authorization
	guests []*authorization

	unconfirmed            bool // signed in while there were other sessions, which have not agreed yet
	noSecretChats, noCalls bool

	app             AppInfo
	host            string
	created, active time.Time
	ended           time.Time
	why             endReason
}

// keyOf returns the record of a key, or nil for one that is plainly anonymous.
func (b *Backend) keyOf(ref keyRef) *key { return b.keys[ref] }

// record returns the record of a key, making it when there is none.
func (b *Backend) record(ref keyRef) *key {
	k := b.keys[ref]
	if k == nil {
		k = &key{ref: ref}
		b.keys[ref] = k
	}
	return k
}

// becomeAnonymous drops everything known of a key.
func (b *Backend) becomeAnonymous(k *key) { delete(b.keys, k.ref) }

func (k *key) becomeRevoked(why *Error) { k.state, k.row, k.why = keyRevoked, nil, why }

// authorize puts a user on the key of the current call. What the key carried before is replaced: the callers have
// refused the cases in which that is not allowed.
func (c *call) authorize(u *user, kind rowKind, parent *authorization) *authorization {
	b := c.b
	k := b.record(c.ref)
	if k.row != nil {
		b.end(c.req.Now, k.row, whyReplaced)
		k = b.record(c.ref)
	}
	if c.rowHash == 0 {
		c.rowHash = b.randomHash()
	}
	row := &authorization{
		key: k, user: u, kind: kind, hash: c.rowHash, parent: parent,
		app: c.req.App, host: remoteHost(c.req.RemoteAddr), created: c.req.Now, active: c.req.Now,
	}
	k.row, k.user, k.why, k.duplicate = row, u, nil, false
	u.rows = append(u.rows, row)
	c.key = k
	switch kind {
	case kindHalf:
		k.state = keyHalf
		return row
	case kindHome:
		k.state = keyHome
	case kindGuest:
		k.state = keyGuest
		parent.guests = append(parent.guests, row)
	}
	b.history = append(b.history, row)
	b.logins = append(b.logins, Login{At: c.req.Now, DC: c.ref.dc, Perm: c.ref.perm, UserID: u.id, Method: c.m.name})
	return row
}

// end finishes one authorization: the row goes, its key changes state, and guests that hang on it end with it.
func (b *Backend) end(now time.Time, row *authorization, why endReason) {
	if !row.ended.IsZero() {
		return
	}
	row.ended, row.why = now, why
	row.user.rows = without(row.user.rows, row)
	if p := row.parent; p != nil {
		p.guests = without(p.guests, row)
	}
	if row.kind == kindHalf || why == whyLoggedOut || why == whyKeyGone || why == whyReplaced {
		b.becomeAnonymous(row.key)
	} else {
		row.key.becomeRevoked(b.errorAfter(why))
	}
	if why != whyBanned && why != whyDeleted { // what befalls the account is the guests' reason too
		why = whyHomeEnded
	}
	guests := row.guests
	row.guests = nil
	for _, g := range guests {
		b.end(now, g, why)
	}
}

// endAll ends every authorization of a user but one. The keys get updatesTooLong first, so that a client that only
// listens comes and learns of it.
func (b *Backend) endAll(now time.Time, u *user, but *authorization, why endReason) {
	rows := append([]*authorization(nil), u.rows...)
	for _, row := range rows {
		if row == but || (but != nil && row.parent == but) {
			continue
		}
		if row.kind == kindHome {
			b.push(row.key, appendTooLong(nil))
		}
		b.end(now, row, why)
	}
}

// errorAfter is what a key answers once its authorization has ended that way.
func (b *Backend) errorAfter(why endReason) *Error {
	switch why {
	case whyBanned:
		return errUserDeactivatedBan
	case whyDeleted:
		return errUserDeactivated
	case whyDuplicated:
		return errAuthKeyUnregistered
	case whyExpired:
		return errSessionExpired
	}
	return &Error{401, b.cfg.RevokedError}
}

// KeyGone forgets a perm key that no longer exists.
func (b *Backend) KeyGone(now time.Time, dc int, perm int64) {
	k := b.keyOf(keyRef{dc, perm})
	if k == nil {
		return
	}
	if k.row != nil {
		b.end(now, k.row, whyKeyGone)
	}
	b.becomeAnonymous(k)
}

// UserOf returns the user authorized on a perm key of a DC, at home or as a guest.
func (b *Backend) UserOf(dc int, perm int64) (userID int64, ok bool) {
	k := b.keyOf(keyRef{dc, perm})
	if k == nil || (k.state != keyHome && k.state != keyGuest) {
		return 0, false
	}
	return k.user.id, true
}

// Revoke ends every authorization of a user as another session would; each of its keys answers Config.RevokedError.
func (b *Backend) Revoke(now time.Time, userID int64) error {
	u, err := b.user(userID)
	if err != nil {
		return err
	}
	b.endAll(now, u, nil, whyRevoked)
	return nil
}

// InjectDuplicate makes the next query on a home key answer AUTH_KEY_DUPLICATED; the authorization ends with it.
func (b *Backend) InjectDuplicate(dc int, perm int64) error {
	k := b.keyOf(keyRef{dc, perm})
	if k == nil || k.state != keyHome {
		return ErrUserUnknown
	}
	k.duplicate = true
	return nil
}

// halfTTL is how long a sign-in may wait for its password.
const halfTTL = 24 * time.Hour

// expire ends a home authorization nobody used for the account's days, and a half login nobody finished. It is noticed when it is used again.
func (c *call) expire() {
	k := c.key
	if k == nil || k.row == nil {
		return
	}
	ttl := halfTTL
	if k.state == keyHome {
		ttl = time.Duration(k.user.ttlDays(&c.b.cfg)) * 24 * time.Hour
	}
	if k.state != keyGuest && c.req.Now.Sub(k.row.active) >= ttl {
		c.b.end(c.req.Now, k.row, whyExpired)
		c.key = c.b.keyOf(c.ref)
	}
}

// duplicated decides whether the current query is the second holder of a home key, and if so ends the authorization: the
// query gets 406 once, later ones 401.
func (c *call) duplicated() bool {
	k := c.key
	if k == nil || k.state != keyHome {
		return false
	}
	host := remoteHost(c.req.RemoteAddr)
	elsewhere := c.b.cfg.DuplicateWindow > 0 && k.host != "" && host != k.host &&
		c.req.Now.Sub(k.hostAt) < c.b.cfg.DuplicateWindow
	k.host, k.hostAt = host, c.req.Now
	if !k.duplicate && !elsewhere {
		return false
	}
	c.b.push(k, updateShort(c.req.Now, appendServiceNotification(nil, "AUTH_KEY_DROP_DUPLICATE",
		"This key was used from two places at once and is no longer valid.")))
	c.b.end(c.req.Now, k.row, whyDuplicated)
	return true
}

// Logins returns every successful sign-in and import, in order.
func (b *Backend) Logins() []Login { return append([]Login(nil), b.logins...) }

// Authorizations returns every row there ever was, in order of creation; pending passwords are not rows yet.
func (b *Backend) Authorizations() []Authorization {
	out := make([]Authorization, len(b.history))
	for i, row := range b.history {
		out[i] = Authorization{
			DC: row.key.ref.dc, Perm: row.key.ref.perm, UserID: row.user.id, Bot: row.user.bot,
			Home: row.kind == kindHome, Created: row.created, Ended: row.ended, Why: string(row.why),
		}
	}
	return out
}

// remoteHost cuts the port from "ip:port"; a name without a port stays as it is.
func remoteHost(addr string) string {
	for i := len(addr) - 1; i >= 0; i-- {
		if addr[i] == ':' {
			if _, err := strconv.ParseUint(addr[i+1:], 10, 16); err == nil {
				return addr[:i]
			}
			break
		}
	}
	return addr
}

// without removes the first occurrence of v, in place.
func without[T comparable](s []T, v T) []T {
	for i := range s {
		if s[i] == v {
			return append(s[:i], s[i+1:]...)
		}
	}
	return s
}
