package persistence

import (
	"fmt"
	"io"
	"strconv"
	"time"
)

// The newest version of each record's format that this program knows, and the
// one it writes.
const (
	accountVersion  = 4
	loginVersion    = 1
	permKeyVersion  = 1
	tempKeyVersion  = 1
	sessionVersion  = 1
	updatesVersion  = 1
	channelsVersion = 1
	peersVersion    = 1
	guestVersion    = 2
	waitVersion     = 2
)

// Times are kept to the microsecond and come back in UTC.

// Account is what is known of an account as a whole.
type Account struct {
	ID       AccountID // from the key
	Bot      bool      // signs in with a bot token; otherwise with a phone
	Created  time.Time
	PFS      bool // uses temp keys
	Paused   bool // the operator stopped it
	SignedIn bool // authorized on its home DC
	UserID   int64
	HomeDC   int // 0 until known

	// The state to show after a restart, in the words of the account's actor:
	// its name, since when, and why.
	State      string
	StateSince time.Time
	StateWhy   string
	// StateBack is the state that a passing one leads back to; empty for none,
	// and in records of version 1.
	StateBack string

	// Labels are the operator's own words; none in records before version 3.
	Labels Labels

	// Proxy is how it connects: a proxy's URL with all that opens it, "none" for
	// directly, or empty for what the configuration says, as in records before
	// version 4.
	Proxy SecretText
}

// AccountKey is where an account's record is.
func AccountKey(id AccountID) Key { return Key{id, KindAccount, ""} }

// Record encodes the account.
func (a Account) Record() Record {
	var w writer
	w.bool(a.Bot)
	w.time(a.Created)
	w.bool(a.PFS)
	w.bool(a.Paused)
	w.bool(a.SignedIn)
	w.int(a.UserID)
	w.int(int64(a.HomeDC))
	w.string(a.State)
	w.time(a.StateSince)
	w.string(a.StateWhy)
	w.string(a.StateBack)
	w.string(a.Labels.text)
	w.string(string(a.Proxy))
	return Record{AccountKey(a.ID), accountVersion, Secret(w)}
}

// DecodeAccount is the reverse of Record. The error, as of every Decode, is a
// *VersionError, a *CorruptError, or an *InvalidError for a record of another
// kind.
func DecodeAccount(rec Record) (Account, error) {
	r, err := open(rec, KindAccount, accountVersion)
	if err != nil {
		return Account{}, err
	}
	a := Account{
		ID: rec.Account, Bot: r.bool(), Created: r.time(), PFS: r.bool(), Paused: r.bool(), SignedIn: r.bool(),
		UserID: r.int(), HomeDC: int(r.int32()), State: r.string(), StateSince: r.time(), StateWhy: r.string(),
	}
	if rec.Version > 1 {
		a.StateBack = r.string()
	}
	if rec.Version > 2 {
		a.Labels = r.labels()
	}
	if rec.Version > 3 {
		a.Proxy = SecretText(r.string())
	}
	return a, r.close(rec)
}

// Login is a sign-in under way. It is deleted when it ends, whichever way.
type Login struct {
	// Flow names the login machine that State belongs to: "phone", "bot", ...
	Flow string
	// State is that machine's snapshot. It holds phone number, code hash or
	// bot token, hence the type.
	State   Secret
	Updated time.Time
}

// String names the flow only.
func (l Login) String() string { return "login by " + l.Flow }

// Format is String for every verb of fmt.
func (l Login) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, l.String()) }

// LoginKey is where an account's login is.
func LoginKey(id AccountID) Key { return Key{id, KindLogin, ""} }

// Record encodes the login.
func (l Login) Record(id AccountID) Record {
	var w writer
	w.string(l.Flow)
	w.bytes(l.State)
	w.time(l.Updated)
	return Record{LoginKey(id), loginVersion, Secret(w)}
}

// DecodeLogin is the reverse of Record.
func DecodeLogin(rec Record) (Login, error) {
	r, err := open(rec, KindLogin, loginVersion)
	if err != nil {
		return Login{}, err
	}
	l := Login{Flow: r.string(), State: r.bytes(), Updated: r.time()}
	return l, r.close(rec)
}

// Origin is how we came by a perm key. The numbers are part of the format.
type Origin uint8

// The origins.
const (
	OriginHandshake Origin = 1 // made by our own handshake
	OriginImport    Origin = 2 // brought in with somebody's session
)

// String returns "handshake" or "import".
func (o Origin) String() string {
	switch o {
	case OriginHandshake:
		return "handshake"
	case OriginImport:
		return "import"
	}
	return "origin " + strconv.Itoa(int(o))
}

// PermKey is an account's perm key on one DC: the one thing that must never be
// lost.
type PermKey struct {
	DC      int
	Key     AuthKey
	KeyID   int64 // low 64 bits of the key's SHA-1
	Created time.Time
	Origin  Origin
	// Fingerprint is that of the RSA key the handshake was made under; of one that
	// was imported, that of an RSA key of the DC table it was taken in under. 0 when
	// it is not known.
	Fingerprint int64
	// LastGoodBind is when a temp key was last bound to it; zero for never.
	LastGoodBind time.Time
	// Revoked is when the server was proven to have forgotten it; zero while
	// it is in use. A revoked key is kept for some days, beside its successor.
	Revoked time.Time
}

// PermKeyKey is where the perm key of a DC is.
func PermKeyKey(id AccountID, dc int) Key { return Key{id, KindPermKey, strconv.Itoa(dc)} }

// RevokedKeyKey is where the last revoked perm key of a DC is.
func RevokedKeyKey(id AccountID, dc int) Key {
	return Key{id, KindPermKey, strconv.Itoa(dc) + ".revoked"}
}

// Record encodes the key. A revoked key is kept apart from one in use: to revoke
// a key, put this record and delete the one at PermKeyKey.
func (p PermKey) Record(id AccountID) Record {
	key := PermKeyKey(id, p.DC)
	if !p.Revoked.IsZero() {
		key = RevokedKeyKey(id, p.DC)
	}
	var w writer
	w.int(int64(p.DC))
	w = append(w, p.Key[:]...)
	w.fixed(p.KeyID)
	w.time(p.Created)
	w.uint(uint64(p.Origin))
	w.fixed(p.Fingerprint)
	w.time(p.LastGoodBind)
	w.time(p.Revoked)
	return Record{key, permKeyVersion, Secret(w)}
}

// DecodePermKey is the reverse of Record.
func DecodePermKey(rec Record) (PermKey, error) {
	r, err := open(rec, KindPermKey, permKeyVersion)
	if err != nil {
		return PermKey{}, err
	}
	p := PermKey{DC: int(r.int32()), Key: r.key(), KeyID: r.fixed(), Created: r.time()}
	origin := r.uint()
	if p.Origin = Origin(origin); origin > 255 {
		r.fail("a number is out of range")
	}
	p.Fingerprint, p.LastGoodBind, p.Revoked = r.fixed(), r.time(), r.time()
	return p, r.close(rec)
}

// TempKey is a temp key of one DC. During a rotation there are two of them.
type TempKey struct {
	DC        int
	Key       AuthKey
	KeyID     int64
	PermKeyID int64     // the perm key it is bound to, or is to be
	Created   time.Time // server time; the key made last is the one in use
	ExpiresAt time.Time // server time
	Bound     bool
}

// TempKeyKey is where a temp key is.
func TempKeyKey(id AccountID, dc int, keyID int64) Key {
	return Key{id, KindTempKey, fmt.Sprintf("%d.%016x", dc, uint64(keyID))}
}

// Record encodes the key.
func (k TempKey) Record(id AccountID) Record {
	var w writer
	w.int(int64(k.DC))
	w = append(w, k.Key[:]...)
	w.fixed(k.KeyID)
	w.fixed(k.PermKeyID)
	w.time(k.Created)
	w.time(k.ExpiresAt)
	w.bool(k.Bound)
	return Record{TempKeyKey(id, k.DC, k.KeyID), tempKeyVersion, Secret(w)}
}

// DecodeTempKey is the reverse of Record.
func DecodeTempKey(rec Record) (TempKey, error) {
	r, err := open(rec, KindTempKey, tempKeyVersion)
	if err != nil {
		return TempKey{}, err
	}
	k := TempKey{
		DC: int(r.int32()), Key: r.key(), KeyID: r.fixed(), PermKeyID: r.fixed(),
		Created: r.time(), ExpiresAt: r.time(), Bound: r.bool(),
	}
	return k, r.close(rec)
}

// Session is what a new session with a DC begins with.
type Session struct {
	DC         int
	KeyID      int64         // the auth key the salts belong to
	TimeOffset time.Duration // server time - local time
	Salts      []Salt
}

// Salt is a server salt and when it is valid, in unix seconds of server time; zero
// where that is not known.
type Salt struct {
	Value        int64
	Since, Until uint32
}

// SessionKey is where the session state of a DC is.
func SessionKey(id AccountID, dc int) Key { return Key{id, KindSession, strconv.Itoa(dc)} }

// Record encodes the session state.
func (s Session) Record(id AccountID) Record {
	var w writer
	w.int(int64(s.DC))
	w.fixed(s.KeyID)
	w.int(int64(s.TimeOffset))
	w.uint(uint64(len(s.Salts)))
	for _, salt := range s.Salts {
		w.fixed(salt.Value)
		w.seconds(salt.Since)
		w.seconds(salt.Until)
	}
	return Record{SessionKey(id, s.DC), sessionVersion, Secret(w)}
}

// DecodeSession is the reverse of Record.
func DecodeSession(rec Record) (Session, error) {
	r, err := open(rec, KindSession, sessionVersion)
	if err != nil {
		return Session{}, err
	}
	s := Session{DC: int(r.int32()), KeyID: r.fixed(), TimeOffset: time.Duration(r.int())}
	if n := r.count(8 + 1 + 1); n > 0 {
		s.Salts = make([]Salt, n)
		for i := range s.Salts {
			s.Salts[i] = Salt{r.fixed(), r.seconds(), r.seconds()}
		}
	}
	return s, r.close(rec)
}

// Updates is how far an account has seen its updates.
type Updates struct {
	Pts, Qts, Date, Seq int32
}

// UpdatesKey is where the state of an account's updates is.
func UpdatesKey(id AccountID) Key { return Key{id, KindUpdates, ""} }

// Record encodes the state.
func (u Updates) Record(id AccountID) Record {
	var w writer
	w.int(int64(u.Pts))
	w.int(int64(u.Qts))
	w.int(int64(u.Date))
	w.int(int64(u.Seq))
	return Record{UpdatesKey(id), updatesVersion, Secret(w)}
}

// DecodeUpdates is the reverse of Record.
func DecodeUpdates(rec Record) (Updates, error) {
	r, err := open(rec, KindUpdates, updatesVersion)
	if err != nil {
		return Updates{}, err
	}
	u := Updates{Pts: r.int32(), Qts: r.int32(), Date: r.int32(), Seq: r.int32()}
	return u, r.close(rec)
}

// Guest is an account's standing on a DC that is not its home.
type Guest struct {
	DC         int
	Authorized bool
	Since      time.Time

	// How the DC or home refused to carry the authorization over: how often,
	// until when it is not tried again, and the server's words (with code 0 they
	// are ours). Zero in records of version 1.
	Refusals     int
	RefusedUntil time.Time
	RefusedCode  int
	RefusedText  string
	// KeyDropped is when a perm key was given up for being refused, zero for
	// never.
	KeyDropped time.Time
}

// GuestKey is where the standing on a DC is.
func GuestKey(id AccountID, dc int) Key { return Key{id, KindGuest, strconv.Itoa(dc)} }

// Record encodes the standing.
func (g Guest) Record(id AccountID) Record {
	var w writer
	w.int(int64(g.DC))
	w.bool(g.Authorized)
	w.time(g.Since)
	w.int(int64(g.Refusals))
	w.time(g.RefusedUntil)
	w.int(int64(g.RefusedCode))
	w.string(g.RefusedText)
	w.time(g.KeyDropped)
	return Record{GuestKey(id, g.DC), guestVersion, Secret(w)}
}

// DecodeGuest is the reverse of Record.
func DecodeGuest(rec Record) (Guest, error) {
	r, err := open(rec, KindGuest, guestVersion)
	if err != nil {
		return Guest{}, err
	}
	g := Guest{DC: int(r.int32()), Authorized: r.bool(), Since: r.time()}
	if rec.Version > 1 {
		g.Refusals, g.RefusedUntil = int(r.int32()), r.time()
		g.RefusedCode, g.RefusedText, g.KeyDropped = int(r.int32()), r.string(), r.time()
	}
	return g, r.close(rec)
}

// Wait is a wait the server imposed; it outlives restarts. Start and Length are
// kept, not the end, so that a wrong clock can neither stretch nor shorten it.
type Wait struct {
	Method string // empty for the whole account
	// Subject is a hash of the phone number or the token that the wait is about,
	// whoever asks. Such waits are kept under FleetID.
	Subject string
	Start   time.Time // server time if Server is set, otherwise local time
	Server  bool
	// Length is zero where only the end is known, of records of version 1: Start
	// is the end then.
	Length time.Duration
	Why    string // the server's words
}

// Key is where the wait is.
func (w Wait) Key(id AccountID) Key {
	sub := w.Method
	if w.Subject != "" {
		sub = w.Subject + "." + w.Method
		sub = sub[:min(len(sub), maxName)]
	}
	return Key{id, KindWait, sub}
}

// Record encodes the wait.
func (w Wait) Record(id AccountID) Record {
	var b writer
	b.string(w.Method)
	b.string(w.Subject)
	b.time(w.Start)
	b.bool(w.Server)
	b.int(int64(w.Length))
	b.string(w.Why)
	return Record{w.Key(id), waitVersion, Secret(b)}
}

// DecodeWait is the reverse of Record.
func DecodeWait(rec Record) (Wait, error) {
	r, err := open(rec, KindWait, waitVersion)
	if err != nil {
		return Wait{}, err
	}
	if rec.Version == 1 {
		w := Wait{Method: r.string(), Start: r.time(), Why: r.string()}
		return w, r.close(rec)
	}
	w := Wait{
		Method: r.string(), Subject: r.string(), Start: r.time(), Server: r.bool(),
		Length: time.Duration(r.int()), Why: r.string(),
	}
	return w, r.close(rec)
}
