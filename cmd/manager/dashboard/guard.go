package dashboard

import (
	"bytes"
	"context"
	"crypto/subtle"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	mtfleetv1 "github.com/mtfleet/mtfleet/cmd/manager/api/mtfleet/v1"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
)

// policy has pages load what is ours and nothing else, and be shown in no other page.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// guarded is asked before everything: it bounds requests, and refuses those that were
// sent to another name, as a page of elsewhere has them sent whose name was made to lead
// here.
func (s *Server) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		// Without any referrer a browser would not tell the origin of a form either.
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), publickey-credentials-get=(self)")
		h.Set("Cache-Control", "no-store")
		if !slices.Contains(s.hosts, r.Host) {
			http.Error(w, fmt.Sprintf("This is the dashboard of a manager, and it answers under %s alone.", s.URL()), http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

type sessionKey struct{}

// sessionOf is who asks; nil outside.
func sessionOf(r *http.Request) *session {
	s, _ := r.Context().Value(sessionKey{}).(*session)
	return s
}

// inside lets in who has a session whose role is enough, and what changes something only
// from our own pages.
func (s *Server) inside(least mtfleetv1.Role, next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var who *session
		if c, err := r.Cookie(s.cookieName()); err == nil {
			who = s.doors.find(c.Value)
		}
		if who == nil {
			s.fail(w, r, http.StatusUnauthorized, "Nobody is signed in here. `manager dashboard` prints a link that lets you in.")
			return
		}
		caller := control.Caller{Name: "dashboard", Role: who.role}
		ctx := control.WithCaller(context.WithValue(r.Context(), sessionKey{}, who), caller)
		r = r.WithContext(ctx)
		if caller.Role < least {
			role := strings.ToLower(strings.TrimPrefix(least.String(), "ROLE_"))
			s.fail(w, r, http.StatusForbidden, fmt.Sprintf("This needs the role %s, and yours is less.", role))
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			if err := readForm(w, r); err != nil {
				s.fail(w, r, http.StatusRequestEntityTooLarge, fmt.Sprintf("What was sent did not come whole, or has more than %d bytes.", maxForm))
				return
			}
			if wrong := s.strange(r, who); wrong != "" {
				s.fail(w, r, http.StatusForbidden, wrong)
				return
			}
		}
		next(w, r)
	})
}

// readForm has the body of a request come, in time and not too much of it.
func readForm(w http.ResponseWriter, r *http.Request) error {
	c := http.NewResponseController(w)
	_ = c.SetReadDeadline(time.Now().Add(formLimit)) // what has no deadlines is a test's
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
	_ = c.SetReadDeadline(time.Time{}) // the answer may take longer
	r.Body = io.NopCloser(bytes.NewReader(body))
	return err
}

// The sentences for what is refused as not ours.
const (
	notOurs      = "This was not sent by a page of this dashboard, and was refused."
	otherSession = "This page is of another session: load it again."
)

// strange says why a request was not sent by one of our pages; empty if it was. It goes by
// what the browser says, which a page cannot change, and by a token that only our pages
// have.
func (s *Server) strange(r *http.Request, who *session) string {
	origin, site := r.Header.Get("Origin"), r.Header.Get("Sec-Fetch-Site")
	switch {
	case origin == "" && site == "", // of no browser
		origin != "" && origin != "http://"+r.Host,
		site != "" && site != "same-origin":
		return notOurs
	}
	token := r.Header.Get("X-CSRF-Token")
	if token == "" {
		if err := r.ParseForm(); err != nil {
			return otherSession
		}
		token = r.PostForm.Get("csrf")
	}
	if subtle.ConstantTimeCompare([]byte(token), []byte(who.csrf)) != 1 {
		return otherSession
	}
	return ""
}

// cookieName has the port: cookies are of a host whatever the port, and two managers of a
// machine shall not sign each other's operators out.
func (s *Server) cookieName() string {
	_, port, _ := net.SplitHostPort(s.hosts[0])
	return "mtfleet-dashboard-" + port
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
	http.SetCookie(w, &http.Cookie{
		Name: s.cookieName(), Value: cookie, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, MaxAge: int(sessionLife.Seconds()),
	})
	// The next page is asked for by this one: a browser that followed a link of another
	// site would not show the cookie at once.
	s.show(w, r, http.StatusOK, "Welcome", view{next: "/"}, message("You are signed in."))
}

// leave ends a session.
func (s *Server) leave(w http.ResponseWriter, r *http.Request) {
	s.doors.leave(sessionOf(r))
	http.SetCookie(w, &http.Cookie{Name: s.cookieName(), Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, MaxAge: -1})
	s.show(w, r.WithContext(context.WithValue(r.Context(), sessionKey{}, (*session)(nil))), http.StatusOK, "Signed out", view{},
		message("You are signed out. `manager dashboard` prints a link that lets you in again."))
}
