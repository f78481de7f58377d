package dashboard

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"slices"
	"sync"
	"time"

	mtfleetv1 "github.com/mtfleet/mtfleet/cmd/manager/api/mtfleet/v1"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
)

const (
	// linkLife is how long a link lets somebody in.
	linkLife = 10 * time.Minute
	// sessionLife is how long a session lasts, and idleLife how long after its last
	// request.
	sessionLife = 12 * time.Hour
	idleLife    = 2 * time.Hour
	// maxLinks are kept, and maxSessions of each caller, and of all that came by links: the
	// oldest makes way for another one, and nobody's for somebody else's.
	maxLinks    = 8
	maxSessions = 16
)

// byLink is who came by a link, who may do everything: as the owner of the unix socket may,
// through which links come.
var byLink = entrant{name: "dashboard", role: mtfleetv1.Role_ROLE_ADMIN}

// entrant is who may come in.
type entrant struct {
	name  string // for the audit log
	role  mtfleetv1.Role
	grant control.Grant // what lets them in; zero: a link
}

// granted is who is let in by a grant.
func granted(g control.Grant) entrant { return entrant{g.Name + ", dashboard", g.Role, g} }

// certified tells whether it was by a certificate.
func (e entrant) certified() bool { return e.grant.Certificate != "" }

type digest [sha256.Size]byte

// doors knows the links that let somebody in, and who is in. Of tokens it has digests
// alone.
type doors struct {
	now    func() time.Time
	access *control.Access // nil: there are links alone

	mu       sync.Mutex // guards the following fields
	links    []link     // the oldest first
	sessions []*session // the oldest first
}

type link struct {
	token   digest
	expires time.Time
}

// session is somebody who came in.
type session struct {
	entrant
	token   digest
	csrf    string // what a change must bring along
	expires time.Time

	// Guarded by the mutex of doors.
	seen    time.Time
	streams int
}

func newDoors(now func() time.Time, access *control.Access) *doors {
	return &doors{now: now, access: access}
}

// newToken is a secret of 256 bits.
func newToken() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

func digestOf(token string) digest { return sha256.Sum256([]byte(token)) }

func (d digest) is(other digest) bool { return subtle.ConstantTimeCompare(d[:], other[:]) == 1 }

// link makes a token that lets somebody in once.
func (d *doors) link() string {
	token := newToken()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tidy()
	if len(d.links) == maxLinks {
		d.links = slices.Delete(d.links, 0, 1)
	}
	d.links = append(d.links, link{digestOf(token), d.now().Add(linkLife)})
	return token
}

// enter takes a link's token and returns that of a new session.
func (d *doors) enter(token string) (cookie string, ok bool) {
	given := digestOf(token)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tidy()
	at := slices.IndexFunc(d.links, func(l link) bool { return l.token.is(given) })
	if at < 0 {
		return "", false
	}
	d.links = slices.Delete(d.links, at, at+1)
	return d.begin(byLink), true
}

// admit returns the token of a new session.
func (d *doors) admit(e entrant) (cookie string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tidy()
	return d.begin(e)
}

// begin is admit with the mutex held.
func (d *doors) begin(e entrant) (cookie string) {
	n, oldest := 0, -1
	for i, s := range d.sessions {
		if s.entrant == e {
			if n++; n == 1 {
				oldest = i
			}
		}
	}
	if n >= maxSessions {
		d.sessions = slices.Delete(d.sessions, oldest, oldest+1)
	}
	cookie = newToken()
	d.sessions = append(d.sessions, &session{
		entrant: e, token: digestOf(cookie), csrf: newToken(), expires: d.now().Add(sessionLife), seen: d.now(),
	})
	return cookie
}

// find is the session of a cookie, nil if there is none.
func (d *doors) find(cookie string) *session {
	given := digestOf(cookie)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tidy()
	at := slices.IndexFunc(d.sessions, func(s *session) bool { return s.token.is(given) })
	if at < 0 {
		return nil
	}
	d.sessions[at].seen = d.now()
	return d.sessions[at]
}

// leave ends a session.
func (d *doors) leave(s *session) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sessions = slices.DeleteFunc(d.sessions, func(other *session) bool { return other == s })
}

// stream counts a stream of a session, until release; false if it, or its caller, has enough.
func (d *doors) stream(s *session) (release func(), ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := 0
	for _, other := range d.sessions {
		if other.entrant == s.entrant {
			all += other.streams
		}
	}
	if s.streams >= maxStreamsEach || all >= maxStreamsOf {
		return nil, false
	}
	s.streams++
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		s.streams--
		s.seen = d.now() // a page that was open was looked at
	}, true
}

// over tells whether a session has ended; a stream that is open keeps it from being idle.
func (d *doors) over(s *session) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tidy()
	return !slices.Contains(d.sessions, s)
}

// tidy forgets what is over: also what the configuration does not grant any more.
func (d *doors) tidy() {
	now := d.now()
	d.links = slices.DeleteFunc(d.links, func(l link) bool { return !now.Before(l.expires) })
	d.sessions = slices.DeleteFunc(d.sessions, func(s *session) bool {
		return !now.Before(s.expires) || s.streams == 0 && now.Sub(s.seen) >= idleLife || s.grant != (control.Grant{}) && !d.access.Has(s.grant)
	})
}
