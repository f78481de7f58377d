package dashboard

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/certtest"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
)

const secureHost = "fleet.example:8070"

// guests are callers of an API, the tokens of those that have one, and the log.
type guests struct {
	*desk
	access *control.Access
	grants []control.Grant
	tokens map[string]string // by role
	log    bytes.Buffer
}

// withTLS runs a test at a dashboard with TLS: a reader, an operator and an admin have
// tokens, and "ops" a certificate and the role operate.
func withTLS(t *testing.T, f func(t *testing.T, g *guests)) {
	atDesk(t, func(t *testing.T, d *desk) {
		g := &guests{desk: d, tokens: map[string]string{}}
		for _, role := range []string{"read", "operate", "admin"} {
			token, hash, err := control.NewToken(rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			g.tokens[role] = token
			g.grants = append(g.grants, control.Grant{Caller: control.Caller{Name: role + "er", Role: control.RoleNamed(role)}, TokenSHA256: hash})
		}
		g.grants = append(g.grants, control.Grant{Caller: control.Caller{Name: "ops", Role: operate}, Certificate: "ops"})
		g.access = control.NewAccess(g.grants)
		g.s.stop()
		g.s = newServer(true, "8070", "Fleet.example", "proxied.example:443")
		g.s.open(Options{Service: &control.Local{Manager: d.manager}, Access: g.access, Log: slog.New(slog.NewTextHandler(&g.log, nil))})
		f(t, g)
	})
}

// ask is a request as browsers send one of a page, of an address.
func (g *guests) ask(from, method, path, body string) *http.Request {
	r := httptest.NewRequestWithContext(g.t.Context(), method, path, strings.NewReader(body))
	r.Host, r.RemoteAddr, r.TLS = secureHost, from, &tls.ConnectionState{}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	if method == http.MethodPost {
		r.Header.Set("Origin", "https://"+secureHost)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return r
}

// signIn gives a token, from an address.
func (g *guests) signIn(from, token string) *httptest.ResponseRecorder {
	return g.send(g.ask(from, http.MethodPost, "/enter", url.Values{"token": {token}}.Encode()))
}

// in is a session of a role's token.
func (g *guests) in(role string) (cookie *http.Cookie, who *session) {
	g.t.Helper()
	w := g.signIn("192.0.2.1:1000", g.tokens[role])
	cookies := w.Result().Cookies()
	if w.Code != http.StatusSeeOther || len(cookies) != 1 {
		g.t.Fatalf("%d %s, and the cookies %v", w.Code, w.Body, cookies)
	}
	return cookies[0], g.s.doors.find(cookies[0].Value)
}

// as is a request in a session.
func (g *guests) as(cookie *http.Cookie, who *session, method, path, body string) *http.Request {
	r := g.ask("192.0.2.1:1000", method, path, body)
	r.AddCookie(cookie)
	if method == http.MethodPost {
		r.Header.Set("X-CSRF-Token", who.csrf)
	}
	return r
}

func TestATokenBecomesASession(t *testing.T) {
	withTLS(t, func(t *testing.T, g *guests) {
		w := g.send(g.ask("192.0.2.1:1000", http.MethodGet, "/", ""))
		if w.Code != http.StatusUnauthorized || !strings.Contains(w.Body.String(), `action="/enter"`) {
			t.Errorf("who is nobody gets %d %s", w.Code, w.Body)
		}
		c, who := g.in("operate")
		if !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Name != "__Host-mtfleet-dashboard-8070" || c.Path != "/" || c.Domain != "" || c.MaxAge != int(sessionLife.Seconds()) {
			t.Errorf("the cookie is %v", c)
		}
		g.is(g.as(c, who, http.MethodGet, "/", ""), http.StatusOK, "operateer, operate")

		// What is not of our own pages, and what is no token.
		for name, spoil := range map[string]func(http.Header){
			"another site": func(h http.Header) { h.Set("Origin", "https://evil.example") },
			"without TLS":  func(h http.Header) { h.Set("Origin", "http://"+secureHost) },
			"no browser":   func(h http.Header) { h.Del("Origin"); h.Del("Sec-Fetch-Site") },
		} {
			r := g.ask("192.0.2.1:1000", http.MethodPost, "/enter", url.Values{"token": {g.tokens["admin"]}}.Encode())
			spoil(r.Header)
			if w := g.send(r); w.Code != http.StatusForbidden || len(w.Result().Cookies()) != 0 {
				t.Errorf("%s: %d, and the cookies %v", name, w.Code, w.Result().Cookies())
			}
		}
		for _, token := range []string{"", g.tokens["admin"] + "x", g.grants[2].TokenSHA256} {
			w := g.signIn("192.0.2.1:1000", token)
			if w.Code != http.StatusForbidden || len(w.Result().Cookies()) != 0 || token != "" && strings.Contains(w.Body.String(), token) {
				t.Errorf("%q: %d %s", token, w.Code, w.Body)
			}
		}
		if w := g.signIn("192.0.2.1:1000", strings.Repeat("x", maxTokenForm)); w.Code != http.StatusRequestEntityTooLarge {
			t.Errorf("a long token: %d", w.Code)
		}
		if w := g.send(g.ask("192.0.2.1:1000", http.MethodGet, "/enter?token="+g.tokens["admin"], "")); len(w.Result().Cookies()) != 0 {
			t.Error("a token in an address lets in")
		}
		if log := g.log.String(); !strings.Contains(log, "caller=operateer") || !strings.Contains(log, "a wrong token was tried") || strings.Contains(log, "mtfleet_") {
			t.Errorf("the log is\n%s", log)
		}

		// Another sign-in takes the place of the first.
		r := g.as(c, who, http.MethodPost, "/enter", url.Values{"token": {g.tokens["read"]}}.Encode())
		if w := g.send(r); w.Code != http.StatusSeeOther || !g.s.doors.over(who) {
			t.Errorf("%d, and the first session is kept", w.Code)
		}
	})
}

// TestOverTLS is the way of a browser that has a certificate, and of one that has none.
func TestOverTLS(t *testing.T) {
	ca, err := certtest.New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	server, errServer := ca.Server("server")
	ops, errOps := ca.Client("ops")
	if err := errors.Join(errServer, errOps); err != nil {
		t.Fatal(err)
	}
	s, err := ListenTLS(TLS{TCP: control.TCP{Addr: "127.0.0.1:0", Cert: server + ".pem", Key: server + ".key", ClientCA: ca.File + ".pem"}, Names: []string{"fleet.example"}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.Serve(Options{Access: control.NewAccess([]control.Grant{{Caller: control.Caller{Name: "ops", Role: operate}, Certificate: "ops"}})})
	text, err := os.ReadFile(ca.File + ".pem")
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	pair, err := tls.LoadX509KeyPair(ops+".pem", ops+".key")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		shows []tls.Certificate
		want  int // of a page that there is not
		in    bool
	}{
		"without a certificate": {nil, http.StatusUnauthorized, false},
		"with one":              {[]tls.Certificate{pair}, http.StatusNotFound, true},
	} {
		transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: c.shows}}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+s.listener.Addr().String()+"/none", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Sec-Fetch-Mode", "navigate")
		got, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = got.Body.Close()
		transport.CloseIdleConnections()
		if got.StatusCode != c.want || got.ProtoMajor != 2 || (len(got.Cookies()) == 1) != c.in {
			t.Errorf("%s: %s by %s, and the cookies %v", name, got.Status, got.Proto, got.Cookies())
		}
	}
	_, err = ListenTLS(TLS{TCP: control.TCP{Addr: "127.0.0.1:0", Cert: "none.pem", Key: "none.key"}})
	if err == nil || !strings.Contains(err.Error(), "the dashboard is not served on 127.0.0.1:0: its certificate cannot be used: ") {
		t.Errorf("without its files: %v", err)
	}
}

func TestNamesThatADashboardAnswersTo(t *testing.T) {
	withTLS(t, func(t *testing.T, g *guests) {
		for host, want := range map[string]int{
			"fleet.example:8070": http.StatusOK, "proxied.example": http.StatusOK,
			"fleet.example": http.StatusMisdirectedRequest, "proxied.example:8070": http.StatusMisdirectedRequest,
			"evil.example:8070": http.StatusMisdirectedRequest, "localhost:8070": http.StatusMisdirectedRequest,
		} {
			r := g.ask("192.0.2.1:1000", http.MethodGet, "/enter", "")
			r.Host = host
			g.is(r, want, "")
		}
		if g.s.URL() != "https://fleet.example:8070/" || !strings.HasPrefix(g.s.Link(), "https://fleet.example:8070/enter/") {
			t.Errorf("it is at %s", g.s.URL())
		}
	})
}

func TestWithoutTLSNoTokenIsTaken(t *testing.T) {
	atDesk(t, func(t *testing.T, d *desk) {
		s := newServer(false, "8070", "127.0.0.1")
		s.open(Options{Service: &control.Local{Manager: d.manager}, Access: control.NewAccess(nil)})
		d.s.stop()
		d.s = s
		r := d.request(http.MethodPost, "/enter", "token=x")
		r.Header.Del("Cookie")
		if w := d.send(r); w.Code == http.StatusOK || strings.Contains(w.Body.String(), `name="token"`) {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}

func TestWrongTokensArePaced(t *testing.T) {
	withTLS(t, func(t *testing.T, g *guests) {
		const home, neighbour, away = "[2001:db8:1::1]:1000", "[2001:db8:1::2]:2000", "[2001:db8:2::1]:1000"
		for range triesAtOnce {
			if w := g.signIn(home, "wrong"); w.Code != http.StatusForbidden {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
		}
		for _, from := range []string{home, neighbour} {
			w := g.signIn(from, g.tokens["read"])
			if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "11" || !strings.Contains(w.Body.String(), "try again in 11 s") {
				t.Errorf("%s: %d %v", from, w.Code, w.Header())
			}
		}
		if w := g.signIn(away, g.tokens["read"]); w.Code != http.StatusSeeOther {
			t.Errorf("another address pays for it: %d", w.Code)
		}
		time.Sleep(triesEvery)
		if w := g.signIn(home, g.tokens["read"]); w.Code != http.StatusSeeOther {
			t.Errorf("after the wait it is %d", w.Code)
		}
		// A right one costs nothing.
		for range 3 * triesAtOnce {
			if w := g.signIn(away, g.tokens["read"]); w.Code != http.StatusSeeOther {
				t.Fatalf("a right token is paced: %d", w.Code)
			}
		}
	})
}

func TestWhereWrongTokensComeFromIsKeptWithinBounds(t *testing.T) {
	var some tries
	now := time.Unix(1_700_000_000, 0)
	wrong := func() bool { return false }
	for i := range 3 * maxSources {
		from := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 32)
		if _, wait := some.try(from, now, wrong); wait > 0 != (i >= maxSources+triesAtOnce) {
			t.Fatalf("%v, the %dth, waits %v", from, i, wait)
		}
	}
	if len(some.from) != maxSources+1 {
		t.Errorf("%d are kept", len(some.from))
	}
	now = now.Add(triesAtOnce * triesEvery)
	if _, wait := some.try(netip.MustParsePrefix("192.0.2.1/32"), now, wrong); wait > 0 || len(some.from) != 1 {
		t.Errorf("it waits %v, and %d are kept of what is over", wait, len(some.from))
	}
}

func TestATokenThatIsTakenAwayEndsItsSessions(t *testing.T) {
	withTLS(t, func(t *testing.T, g *guests) {
		other, otherWho := g.in("read")
		changed := append([]control.Grant(nil), g.grants...)
		changed[1].Role = read
		for name, grants := range map[string][]control.Grant{"another role": changed, "no grant": append(changed[:1:1], changed[2:]...)} {
			g.access.Set(g.grants)
			c, who := g.in("operate")
			release, _ := g.s.doors.stream(who)
			g.access.Set(grants)
			if !g.s.doors.over(who) {
				t.Errorf("%s: a page that is open stays", name)
			}
			release()
			g.is(g.as(c, who, http.MethodGet, "/dcs", ""), http.StatusUnauthorized, `action="/enter"`)
			g.is(g.as(other, otherWho, http.MethodGet, "/dcs", ""), http.StatusOK, "DCs")
		}
	})
}

func TestSessionsOfOneCallerPushNobodyElseOut(t *testing.T) {
	withTLS(t, func(t *testing.T, g *guests) {
		_, admin := g.in("admin")
		_, first := g.in("read")
		for range maxSessions {
			g.s.doors.admit(first.entrant)
		}
		if !g.s.doors.over(first) || g.s.doors.over(admin) || len(g.s.doors.sessions) != maxSessions+1 {
			t.Errorf("%d sessions are kept", len(g.s.doors.sessions))
		}
	})
}

func TestACallerHasSoManyStreams(t *testing.T) {
	withTLS(t, func(t *testing.T, g *guests) {
		open := func(who *session) (n int) {
			for range maxStreams {
				if _, ok := g.s.doors.stream(who); ok {
					n++
				}
			}
			return n
		}
		var counts []int
		for range 3 {
			_, who := g.in("read")
			counts = append(counts, open(who))
		}
		_, other := g.in("operate")
		if counts = append(counts, open(other)); !slices.Equal(counts, []int{maxStreamsEach, maxStreamsOf - maxStreamsEach, 0, maxStreamsEach}) {
			t.Errorf("three sessions of a caller, and one of another, have %v streams", counts)
		}
	})
}

func TestACertificateSignsInByItself(t *testing.T) {
	withTLS(t, func(t *testing.T, g *guests) {
		shown := func(r *http.Request, name string) *http.Request {
			leaf := &x509.Certificate{Subject: pkix.Name{CommonName: name}}
			r.TLS = &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{leaf}}}
			return r
		}
		const at = "192.0.2.1:1000"
		w := g.send(shown(g.ask(at, http.MethodGet, "/", ""), "ops"))
		cookies := w.Result().Cookies()
		if w.Code != http.StatusOK || len(cookies) != 1 || !strings.Contains(w.Body.String(), "ops, operate") {
			t.Fatalf("%d %s, and the cookies %v", w.Code, w.Body, cookies)
		}
		who := g.s.doors.find(cookies[0].Value)
		g.is(shown(g.as(cookies[0], who, http.MethodGet, "/dcs", ""), "ops"), http.StatusOK, "DCs")
		if len(g.s.doors.sessions) != 1 {
			t.Errorf("%d sessions were begun", len(g.s.doors.sessions))
		}
		// Its cookie is of no use without it.
		g.is(g.as(cookies[0], who, http.MethodGet, "/dcs", ""), http.StatusUnauthorized, "Nobody is signed in")
		for name, r := range map[string]*http.Request{
			"another name":                 shown(g.ask(at, http.MethodGet, "/", ""), "stranger"),
			"one that nobody has verified": g.ask(at, http.MethodGet, "/", ""),
			"what opens no page":           shown(g.ask(at, http.MethodGet, "/live/dcs", ""), "ops"),
			"a change without a session":   shown(g.ask(at, http.MethodPost, "/accounts/a/act", "action=pause"), "ops"),
		} {
			if name == "what opens no page" {
				r.Header.Set("Sec-Fetch-Mode", "cors")
			}
			if w := g.send(r); w.Code != http.StatusUnauthorized || len(w.Result().Cookies()) != 0 {
				t.Errorf("%s: %d, and the cookies %v", name, w.Code, w.Result().Cookies())
			}
		}
		g.is(shown(g.as(cookies[0], who, http.MethodPost, "/leave", ""), "ops"), http.StatusOK, "certificate of this browser signs you in again")
	})
}

// TestWhoMayOnlyLookSeesNoButtons, and what is sent nevertheless is refused and told.
func TestWhoMayOnlyLookSeesNoButtons(t *testing.T) {
	withTLS(t, func(t *testing.T, g *guests) {
		if _, err := g.manager.Add(t.Context(), "a", actors.AccountOptions{}); err != nil {
			t.Fatal(err)
		}
		for role, want := range map[string]struct {
			pages  map[string][]string // what each page has of what changes something
			refuse []string
		}{
			"read": {map[string][]string{"/": nil, "/accounts/a": nil, "/dcs": nil, "/store": nil},
				[]string{"/sign-in", "/accounts/a/sign-in", "/events", "/live/events", "/audit"}},
			"operate": {map[string][]string{"/": {`id="bulk"`, `id="act"`, `href="/sign-in"`}, "/accounts/a": {`action="/accounts/a/act"`, "Sign it in"}},
				[]string{"/audit"}},
			"admin": {map[string][]string{"/": {`id="bulk"`, `href="/audit"`}, "/accounts/a": {`action="/accounts/a/act"`, `action="/accounts/a/sessions"`, `action="/accounts/a/passkeys"`}}, nil},
		} {
			c, who := g.in(role)
			for path, has := range want.pages {
				body := g.send(g.as(c, who, http.MethodGet, path, "")).Body.String()
				for _, text := range has {
					if !strings.Contains(body, text) {
						t.Errorf("%s: %s has no %s", role, path, text)
					}
				}
				_, main, _ := strings.Cut(body, "<main")
				if role == "read" && (strings.Contains(main, `method="post"`) || strings.Contains(main, "data-act=") || strings.Contains(body, `href="/sign-in`)) {
					t.Errorf("who may only look sees at %s\n%s", path, main)
				}
				if role != "admin" && (strings.Contains(body, "/sessions") || strings.Contains(body, "/passkeys")) {
					t.Errorf("%s: %s offers what is an admin's", role, path)
				}
			}
			for _, path := range want.refuse {
				g.is(g.as(c, who, http.MethodGet, path, ""), http.StatusForbidden, "and yours is "+role)
			}
		}
		c, who := g.in("read")
		refused := []string{"/fleet/act", "/accounts/a/act", "/accounts/a/sessions", "/accounts/a/passkeys", "/sign-in", "/accounts/a/sign-in"}
		for _, path := range refused {
			g.is(g.as(c, who, http.MethodPost, path, "action=pause"), http.StatusForbidden, "and yours is read")
		}
		list, err := control.Audit.Call(t.Context(), g.s.o.Service, control.AuditRequest{})
		if err != nil {
			t.Fatal(err)
		}
		var denied []string
		for _, e := range list.Entries {
			if e.Outcome == "denied" {
				denied = append(denied, fmt.Sprintf("%s: %s %s", e.Who, e.What, e.Account))
			}
		}
		want := "reader, dashboard: POST /fleet/act |reader, dashboard: POST /accounts/{id}/act a|reader, dashboard: POST /accounts/{id}/sessions a|" +
			"reader, dashboard: POST /accounts/{id}/passkeys a|" +
			"reader, dashboard: POST /sign-in |reader, dashboard: POST /accounts/{id}/sign-in a"
		if got := strings.Join(denied, "|"); got != want {
			t.Errorf("the audit log has\n%s\nwant\n%s", got, want)
		}

		// What is done is there under the caller's name.
		c, who = g.in("operate")
		g.is(g.as(c, who, http.MethodPost, "/accounts/a/act", url.Values{"action": {"label"}, "label": {"env=prod"}}.Encode()), http.StatusSeeOther, "")
		list, err = control.Audit.Call(t.Context(), g.s.o.Service, control.AuditRequest{Limit: 1})
		if err != nil || len(list.Entries) != 1 || list.Entries[0].Who != "operateer, dashboard" || list.Entries[0].What != "AccountService/Label" {
			t.Errorf("the last entry is %+v, %v", list.Entries, err)
		}
	})
}
