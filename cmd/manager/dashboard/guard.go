package dashboard

import (
	"bytes"
	"context"
	"crypto/subtle"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	mtfleetv1 "github.com/mtfleet/mtfleet/cmd/manager/api/mtfleet/v1"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
)

// policy has pages load what is ours and nothing else, and be shown in no other page.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// Protect has a browser load what is the page's own and nothing else, show the page in no
// other, tell nobody of it and keep nothing of it. It is for every page of this program.
func Protect(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	// Without any referrer a browser would not tell the origin of a form either.
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), publickey-credentials-create=(self), publickey-credentials-get=(self)")
	h.Set("Cache-Control", "no-store")
}

// guarded is asked before everything: it bounds requests, and refuses those that were
// sent to another name, as a page of elsewhere has them sent whose name was made to lead
// here.
func (s *Server) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		Protect(w.Header())
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
		who := s.visitor(w, r)
		if who == nil {
			s.stranger(w, r)
			return
		}
		r = r.WithContext(control.WithCaller(context.WithValue(r.Context(), sessionKey{}, who), control.Caller{Name: who.name, Role: who.role}))
		changes := r.Method != http.MethodGet && r.Method != http.MethodHead
		if changes {
			if err := readForm(w, r, maxForm); err != nil {
				s.failTooLarge(w, r, maxForm)
				return
			}
			if wrong := s.strange(r, who); wrong != "" {
				s.fail(w, r, http.StatusForbidden, wrong)
				return
			}
		}
		if who.role < least {
			if changes && s.denials.Allow() {
				control.AuditDenied(r.Context(), s.o.Service, r.Pattern, r.PathValue("id"))
			}
			s.fail(w, r, http.StatusForbidden, fmt.Sprintf("This needs the role %s, and yours is %s.", roleWord(least), roleWord(who.role)))
			return
		}
		next(w, r)
	})
}

// roleWord is a role as the configuration names it.
func roleWord(r mtfleetv1.Role) string {
	return strings.ToLower(strings.TrimPrefix(r.String(), "ROLE_"))
}

func (s *Server) failTooLarge(w http.ResponseWriter, r *http.Request, most int64) {
	s.fail(w, r, http.StatusRequestEntityTooLarge, fmt.Sprintf("What was sent did not come whole, or has more than %d bytes.", most))
}

// readForm has the body of a request come, in time and not too much of it.
func readForm(w http.ResponseWriter, r *http.Request, most int64) error {
	c := http.NewResponseController(w)
	_ = c.SetReadDeadline(time.Now().Add(formLimit)) // what has no deadlines is a test's
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	_ = c.SetReadDeadline(time.Time{}) // the answer may take longer
	r.Body = io.NopCloser(bytes.NewReader(body))
	return err
}

// The sentences for what is refused as not ours.
const (
	notOurs      = "This was not sent by a page of this dashboard, and was refused."
	otherSession = "This page is of another session: load it again."
)

// foreign tells, by what the browser says, which a page cannot change, whether a request was
// not sent by one of our pages.
func (s *Server) foreign(r *http.Request) bool {
	origin, site := r.Header.Get("Origin"), r.Header.Get("Sec-Fetch-Site")
	return origin == "" && site == "" || // of no browser
		origin != "" && origin != s.origin(r.Host) ||
		site != "" && site != "same-origin"
}

// strange says why a request was not sent by one of our pages; empty if it was. Beside what
// the browser says it goes by a token that only our pages have.
func (s *Server) strange(r *http.Request, who *session) string {
	if s.foreign(r) {
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
