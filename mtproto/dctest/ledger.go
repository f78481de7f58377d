package dctest

import (
	"cmp"
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
)

// Ledger is what happened on a cluster, as plain data. Tests and demos read it and take no client's word for anything.
type Ledger struct {
	Counts         Counts              `json:"counts"`
	Layers         []int               `json:"layers"` // that clients declared and that are served, rising
	Keys           []KeyRecord         `json:"keys"`
	Binds          []BindRecord        `json:"binds"`
	Sessions       []SessionRecord     `json:"sessions"`
	Echoes         []EchoRecord        `json:"echoes"`
	Logins         []api.Login         `json:"logins"`
	Authorizations []api.Authorization `json:"authorizations"`
	Updates        []api.UpdateRecord  `json:"updates"` // of users, then of channels
	Memberships    []api.Membership    `json:"memberships"`
}

// Counts are totals since the cluster began.
type Counts struct {
	PermKeys   int `json:"perm_keys"` // made
	TempKeys   int `json:"temp_keys"`
	SeededKeys int `json:"seeded_keys"` // perm and temp keys that Cluster.Seed put in place: they were not made
	Binds      int `json:"binds"`       // successful
	BindErrors int `json:"bind_errors"`
	Logins     int `json:"logins"`
	Sessions   int `json:"sessions"`
	Packets    int `json:"packets"`    // accepted encrypted packets
	Queries    int `json:"queries"`    // API queries received, without binds and repeats of a msg_id
	Echoes     int `json:"echoes"`     // executions of testdc.echo
	Repeated   int `json:"repeated"`   // executions of an echo id that had run before
	Unrecorded int `json:"unrecorded"` // executions of ids beyond Config.EchoRecords: not checked for repeats
	Violations int `json:"violations"` // of any severity
	Refused    int `json:"refused"`    // violations that the server refused
	Noted      int `json:"noted"`      // violations that it let pass
}

// KeyRecord is one auth key.
type KeyRecord struct {
	DC      int       `json:"dc"`
	ID      int64     `json:"id,string"`
	Temp    bool      `json:"temp"`
	Media   bool      `json:"media,omitempty"`
	Perm    int64     `json:"perm,string,omitempty"` // of a temp key: what it was bound to last
	Seeded  bool      `json:"seeded,omitempty"`      // put in place by Cluster.Seed, not made
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires,omitzero"`
	Gone    time.Time `json:"gone,omitzero"` // zero while the server knows the key
	Why     string    `json:"why,omitempty"` // expired, dropped, replaced, forgotten, restart, destroyed
}

// BindRecord is one auth.bindTempAuthKey that was answered.
type BindRecord struct {
	At    time.Time `json:"at"`
	DC    int       `json:"dc"`
	Temp  int64     `json:"temp,string"`
	Perm  int64     `json:"perm,string"`
	Error string    `json:"error,omitempty"`
}

// SessionRecord is one session. Ids of messages are compared, not times of arrival.
type SessionRecord struct {
	At   time.Time `json:"at"`
	DC   int       `json:"dc"`
	Key  int64     `json:"key,string"`            // that carries it
	Perm int64     `json:"perm,string,omitempty"` // that it counts for
	ID   int64     `json:"id,string"`
	// FirstMain is the msg_id of the first API query without invokeWithoutUpdates, 0 if there was none: the session
	// is no main session then. Last is the highest msg_id of any packet.
	FirstMain int64 `json:"first_main,string,omitempty"`
	Last      int64 `json:"last,string"`
}

// EchoRecord is how often one id of testdc.echo ran.
type EchoRecord struct {
	ID     int64 `json:"id"`
	UserID int64 `json:"user_id"`
	DC     int   `json:"dc"`
	Count  int   `json:"count"`
	Media  int   `json:"media,omitempty"` // of them by a connection to an address for media
	// Came is when it came first, also to be refused because of a wait that the client had been told of.
	Came time.Time `json:"came"`
}

// ledger is the running account.
type ledger struct {
	counts    Counts
	layers    []int
	keys      []*KeyRecord
	keyIndex  map[*authKey]*KeyRecord
	binds     []BindRecord
	sessions  []*SessionRecord
	byS       map[*session]*SessionRecord
	echoes    map[int64]*EchoRecord
	early     map[int64]time.Time // when an echo came first in a wait, and has not run
	echoLimit int
}

// maxLedger bounds each list of the ledger: 1<<20 records of about 120 bytes, the oldest go first.
const maxLedger = 1 << 20

func newLedger(echoLimit int) *ledger {
	return &ledger{
		keyIndex: make(map[*authKey]*KeyRecord), byS: make(map[*session]*SessionRecord),
		echoes: make(map[int64]*EchoRecord), early: make(map[int64]time.Time), echoLimit: echoLimit,
	}
}

func appendBounded[T any](list []T, v T) []T {
	if len(list) >= maxLedger {
		list = slices.Delete(list, 0, maxLedger/8)
	}
	return append(list, v)
}

func (l *ledger) keyMade(now time.Time, k *authKey) {
	l.keyThere(now, k)
	if k.temp {
		l.counts.TempKeys++
	} else {
		l.counts.PermKeys++
	}
}

// keySeeded notes a key that nobody made.
func (l *ledger) keySeeded(now time.Time, k *authKey) {
	r := l.keyThere(now, k)
	r.Seeded = true
	if k.perm != nil {
		r.Perm = int64(k.perm.id())
	}
	l.counts.SeededKeys++
}

func (l *ledger) keyThere(now time.Time, k *authKey) *KeyRecord {
	r := &KeyRecord{DC: k.dc.id, ID: int64(k.id()), Temp: k.temp, Media: k.media, Created: now, Expires: k.expires}
	l.keys = appendBounded(l.keys, r)
	l.keyIndex[k] = r
	return r
}

func (l *ledger) keyGone(now time.Time, k *authKey, why string) {
	if r := l.keyIndex[k]; r != nil {
		r.Gone, r.Why = now, why
		delete(l.keyIndex, k)
	}
}

func (l *ledger) bind(now time.Time, k *authKey, perm int64, err *api.Error) {
	b := BindRecord{At: now, DC: k.dc.id, Temp: int64(k.id()), Perm: perm}
	if err != nil {
		b.Error = err.Text
		l.counts.BindErrors++
	} else {
		l.counts.Binds++
		if r := l.keyIndex[k]; r != nil {
			r.Perm = perm
		}
	}
	l.binds = appendBounded(l.binds, b)
}

func (l *ledger) sessionMade(now time.Time, k *authKey, s *session) {
	l.counts.Sessions++
	r := &SessionRecord{At: now, DC: k.dc.id, Key: int64(k.id()), Perm: k.ownerID(), ID: s.id}
	l.sessions = appendBounded(l.sessions, r)
	l.byS[s] = r
}

// packet notes an accepted packet.
func (l *ledger) packet(k *authKey, s *session, msgID int64) {
	l.counts.Packets++
	if r := l.byS[s]; r != nil {
		r.Last = max(r.Last, msgID)
		if r.Perm == 0 {
			r.Perm = k.ownerID()
		}
	}
}

// layer notes a layer that a client declared.
func (l *ledger) layer(n int) {
	if i, ok := slices.BinarySearch(l.layers, n); !ok {
		l.layers = slices.Insert(l.layers, i, n)
	}
}

func (l *ledger) sessionGone(s *session) { delete(l.byS, s) }

// apiQuery notes an API query; main says that it asks for updates.
func (l *ledger) apiQuery(k *authKey, s *session, msgID int64, main bool) {
	l.counts.Queries++
	r := l.byS[s]
	if r == nil || !main || k.owner() == nil {
		return
	}
	r.Perm = k.ownerID()
	if r.FirstMain == 0 || msgID < r.FirstMain {
		r.FirstMain = msgID
	}
}

// echoEarly notes an echo that was refused because of a wait. What is beyond the limit counts as never come.
func (l *ledger) echoEarly(now time.Time, id int64) {
	if _, ran := l.echoes[id]; ran || len(l.early) >= l.echoLimit {
		return
	}
	if _, came := l.early[id]; !came {
		l.early[id] = now
	}
}

func (l *ledger) echo(now time.Time, id, user int64, k *authKey, media bool) {
	l.counts.Echoes++
	n := 0
	if media {
		n = 1
	}
	if r := l.echoes[id]; r != nil {
		r.Count++
		r.Media += n
		l.counts.Repeated++
		return
	}
	if len(l.echoes) >= l.echoLimit {
		l.counts.Unrecorded++
		return
	}
	came, early := l.early[id]
	if !early {
		came = now
	}
	delete(l.early, id)
	l.echoes[id] = &EchoRecord{ID: id, UserID: user, DC: k.dc.id, Count: 1, Media: n, Came: came}
}

// Counts returns the totals; cheap enough to poll.
func (c *Cluster) Counts() Counts {
	n := c.ledger.counts
	n.Logins = len(c.api.Logins())
	n.Violations, n.Refused, n.Noted = c.violationCount, c.refusedCount, c.notedCount
	return n
}

// Ledger returns a copy of everything recorded.
func (c *Cluster) Ledger() Ledger {
	l := Ledger{
		Counts:         c.Counts(),
		Layers:         slices.Clone(c.ledger.layers),
		Binds:          slices.Clone(c.ledger.binds),
		Logins:         c.api.Logins(),
		Authorizations: c.api.Authorizations(),
	}
	for _, k := range c.ledger.keys {
		l.Keys = append(l.Keys, *k)
	}
	for _, s := range c.ledger.sessions {
		l.Sessions = append(l.Sessions, *s)
	}
	for _, e := range c.ledger.echoes {
		l.Echoes = append(l.Echoes, *e)
	}
	slices.SortFunc(l.Echoes, func(a, b EchoRecord) int { return cmp.Compare(a.ID, b.ID) })
	for _, u := range c.api.Users() {
		l.Updates = append(l.Updates, c.api.Updates(u.ID)...)
	}
	l.Updates = append(l.Updates, c.api.ChannelUpdates()...)
	l.Memberships = c.api.Memberships()
	return l
}

// Echo returns how often an id of testdc.echo ran; 0 if never.
func (c *Cluster) Echo(id int64) int {
	if r := c.ledger.echoes[id]; r != nil {
		return r.Count
	}
	return 0
}

// EchoCame returns when an id of testdc.echo came first, to run or to be refused because of a wait; zero if it never did.
func (c *Cluster) EchoCame(id int64) time.Time {
	if r := c.ledger.echoes[id]; r != nil {
		return r.Came
	}
	return c.ledger.early[id]
}

// EchoByMedia tells whether an id of testdc.echo ever came by a connection to an address for media.
func (c *Cluster) EchoByMedia(id int64) bool {
	r := c.ledger.echoes[id]
	return r != nil && r.Media > 0
}

// KeyAlive tells whether a DC knows a key now.
func (c *Cluster) KeyAlive(now time.Time, dc int, id int64) bool {
	d := c.dc(dc)
	return d != nil && c.lookup(now, d, crypt.KeyID(id)) != nil
}
