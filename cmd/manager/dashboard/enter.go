package dashboard

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"

	mtfleetv1 "github.com/mtfleet/mtfleet/cmd/manager/api/mtfleet/v1"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
)

// visitor is who asks: by the session of a cookie, or by a certificate, which begins one when
// a page is opened. nil is nobody.
func (s *Server) visitor(w http.ResponseWriter, r *http.Request) *session {
	grant, certified := control.Grant{}, false
	if s.o.Access != nil {
		grant, certified = s.o.Access.ByCertificate(r.TLS)
	}
	if c, err := r.Cookie(s.cookieName()); err == nil {
		// The cookie of who came with a certificate is of no use without it.
		if who := s.doors.find(c.Value); who != nil && (!who.certified() || certified && who.grant == grant) {
			return who
		}
	}
	if !certified || r.Method != http.MethodGet || r.Header.Get("Sec-Fetch-Mode") != "navigate" {
		return nil
	}
	return s.begin(w, r, grant)
}

// begin begins the session of a grant.
func (s *Server) begin(w http.ResponseWriter, r *http.Request, g control.Grant) *session {
	if c, err := r.Cookie(s.cookieName()); err == nil {
		if old := s.doors.find(c.Value); old != nil {
			s.doors.leave(old) // whose cookie is replaced
		}
	}
	token := s.doors.admit(granted(g))
	http.SetCookie(w, s.cookie(token, int(sessionLife.Seconds())))
	s.cameIn(r, g.Name, g.Role)
	return s.doors.find(token)
}

func (s *Server) cameIn(r *http.Request, caller string, role mtfleetv1.Role) {
	s.o.Log.Info("somebody signed in to the dashboard", "caller", caller, "role", roleWord(role), "from", r.RemoteAddr)
}

// stranger tells who has no session how to get one.
func (s *Server) stranger(w http.ResponseWriter, r *http.Request) {
	const nobody = "Nobody is signed in here. "
	if s.o.Access == nil || r.Header.Get("Accept") == "application/json" {
		s.fail(w, r, http.StatusUnauthorized, nobody+s.wayIn())
		return
	}
	s.show(w, r, http.StatusUnauthorized, "Sign in to the dashboard", view{}, entranceBody(nobody))
}

// wayIn says what lets somebody in.
func (s *Server) wayIn() string {
	if s.o.Access == nil {
		return "`manager dashboard` prints a link that lets you in."
	}
	return "A token lets you in, or a link that `manager dashboard` prints."
}

// cookie is one with a session's token, good for some seconds; for less than none it is taken
// away.
func (s *Server) cookie(token string, seconds int) *http.Cookie {
	return &http.Cookie{Name: s.cookieName(), Value: token, Path: "/", HttpOnly: true, Secure: s.secure, SameSite: http.SameSiteStrictMode, MaxAge: seconds}
}

// cookieName has the port: cookies are of a host whatever the port, and two managers of a
// machine shall not sign each other's operators out. By TLS it has the prefix of cookies that
// nothing without TLS, and no other host, can set.
func (s *Server) cookieName() string {
	name := "mtfleet-dashboard-" + s.port
	if s.secure {
		name = "__Host-" + name
	}
	return name
}

// enter makes a session of a link.
func (s *Server) enter(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet { // HEAD comes here too, and is of somebody who only looks
		w.WriteHeader(http.StatusNoContent)
		return
	}
	cookie, ok := s.doors.enter(r.PathValue("token"))
	if !ok {
		s.fail(w, r, http.StatusForbidden, "This link was used already, or it is older than ten minutes. `manager dashboard` prints another one.")
		return
	}
	http.SetCookie(w, s.cookie(cookie, int(sessionLife.Seconds())))
	s.cameIn(r, "a link", byLink.role)
	// The next page is asked for by this one: a browser that followed a link of another
	// site would not show the cookie at once.
	s.show(w, r, http.StatusOK, "Welcome", view{next: "/"}, message("You are signed in."))
}

// entrance asks for a token.
func (s *Server) entrance(w http.ResponseWriter, r *http.Request) {
	s.show(w, r, http.StatusOK, "Sign in to the dashboard", view{}, entranceBody(""))
}

// enterByToken makes a session of a token. What was typed is in no answer and no log.
func (s *Server) enterByToken(w http.ResponseWriter, r *http.Request) {
	if err := readForm(w, r, maxTokenForm); err != nil {
		s.failTooLarge(w, r, maxTokenForm)
		return
	}
	if s.foreign(r) {
		s.fail(w, r, http.StatusForbidden, notOurs)
		return
	}
	wrong := func(status int, words string) {
		s.show(w, r, status, "Sign in to the dashboard", view{}, entranceBody(words))
	}
	from, now := sourceOf(r.RemoteAddr), s.o.Now()
	var grant control.Grant
	ok, wait := s.tries.try(from, now, func() (right bool) {
		grant, right = s.o.Access.ByToken(r.PostFormValue("token"))
		return right
	})
	switch {
	case wait > 0:
		seconds := int(wait.Seconds()) + 1
		w.Header().Set("Retry-After", strconv.Itoa(seconds))
		wrong(http.StatusTooManyRequests, fmt.Sprintf("Too many tokens from your address were wrong: try again in %d s.", seconds))
		return
	case !ok:
		s.o.Log.Warn("a wrong token was tried at the dashboard", "from", r.RemoteAddr)
		wrong(http.StatusForbidden, "That is no token of a caller of this manager: look at api.callers in its configuration.")
		return
	}
	s.begin(w, r, grant)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// leave ends a session.
func (s *Server) leave(w http.ResponseWriter, r *http.Request) {
	who := sessionOf(r)
	s.doors.leave(who)
	http.SetCookie(w, s.cookie("", -1))
	words := "You are signed out. " + s.wayIn()
	if who.certified() {
		words = "You are signed out. The certificate of this browser signs you in again with the next page."
	}
	s.show(w, r.WithContext(context.WithValue(r.Context(), sessionKey{}, (*session)(nil))), http.StatusOK, "Signed out", view{}, message(words))
}

const (
	// triesAtOnce wrong tokens of an address are looked at, and then one every triesEvery. A
	// token has 256 bits: this keeps the log short, and guessers slow.
	triesAtOnce = 5
	triesEvery  = 10 * time.Second
	// maxSources are told apart; beyond that the rest are one.
	maxSources = 1024
)

// tries paces who gives wrong tokens, by where they come from. The zero value is ready.
type tries struct {
	mu   sync.Mutex // guards the following field
	from map[netip.Prefix]*rate.Limiter
}

// sourceOf is where an address is counted: an IPv6 network of 64 bits is one machine's.
func sourceOf(remote string) netip.Prefix {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Prefix{}
	}
	addr, bits := at.Addr().Unmap(), 32
	if addr.Is6() {
		bits = 64
	}
	p, _ := addr.WithZone("").Prefix(bits) // of so many bits there always is one
	return p
}

// try has a token of a source be looked at, unless the source has to wait, and counts one that
// is wrong.
func (t *tries) try(from netip.Prefix, now time.Time, right func() bool) (ok bool, wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	at := t.place(from, now)
	l := t.from[at]
	if l != nil {
		if left := l.TokensAt(now); left < 1 {
			return false, time.Duration((1 - left) * float64(triesEvery))
		}
	}
	if right() {
		return true, 0
	}
	if l == nil {
		l = rate.NewLimiter(rate.Every(triesEvery), triesAtOnce)
		if t.from == nil {
			t.from = map[netip.Prefix]*rate.Limiter{}
		}
		t.from[at] = l
	}
	l.AllowN(now, 1)
	return false, 0
}

// place is what a source is counted as: itself, or one of the rest. Called with the mutex
// held.
func (t *tries) place(from netip.Prefix, now time.Time) netip.Prefix {
	if t.from[from] != nil || len(t.from) < maxSources {
		return from
	}
	maps.DeleteFunc(t.from, func(_ netip.Prefix, l *rate.Limiter) bool { return l.TokensAt(now) >= triesAtOnce })
	if len(t.from) < maxSources {
		return from
	}
	return netip.Prefix{}
}
