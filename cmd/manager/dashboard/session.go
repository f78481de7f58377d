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
)

const (
	// linkLife is how long a link lets somebody in.
	linkLife = 10 * time.Minute
	// sessionLife is how long a session lasts, and idleLife how long after its last
	// request.
	sessionLife = 12 * time.Hour
	idleLife    = 2 * time.Hour
	// maxLinks and maxSessions are kept; the oldest makes way for another one.
	maxLinks    = 8
	maxSessions = 16
)

// linkRole is what somebody may do who came by a link: everything, as the owner of the
// unix socket may, through which links come.
const linkRole = mtfleetv1.Role_ROLE_ADMIN

type digest [sha256.Size]byte

// doors knows the links that let somebody in, and who is in. Of tokens it has digests
// alone.
type doors struct {
	now func() time.Time

	mu       sync.Mutex // guards the following fields
	links    []link     // the oldest first
	sessions []*session // the oldest first
}

type link struct {
	token   digest
	expires time.Time
}

// session is somebody who came in by a link.
type session struct {
	token   digest
	csrf    string // what a change must bring along
	role    mtfleetv1.Role
	expires time.Time

	// Guarded by the mutex of doors.
	seen    time.Time
	streams int
}

func newDoors(now func() time.Time) *doors { return &doors{now: now} }

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
	if len(d.sessions) == maxSessions {
		d.sessions = slices.Delete(d.sessions, 0, 1)
	}
	cookie = newToken()
	d.sessions = append(d.sessions, &session{
		token: digestOf(cookie), csrf: newToken(), role: linkRole, expires: d.now().Add(sessionLife), seen: d.now(),
	})
	return cookie, true
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

// stream counts a stream of a session, until release; false if it has enough.
func (d *doors) stream(s *session) (release func(), ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s.streams >= maxStreamsEach {
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

// tidy forgets what is over.
func (d *doors) tidy() {
	now := d.now()
	d.links = slices.DeleteFunc(d.links, func(l link) bool { return !now.Before(l.expires) })
	d.sessions = slices.DeleteFunc(d.sessions, func(s *session) bool {
		return !now.Before(s.expires) || s.streams == 0 && now.Sub(s.seen) >= idleLife
	})
}
