package dashboard

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/actorstest"
	mtfleetv1 "github.com/mtfleet/mtfleet/cmd/manager/api/mtfleet/v1"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const host = "127.0.0.1:8070"

// desk is somebody at a dashboard of a manager with test DCs.
type desk struct {
	t       *testing.T
	s       *Server
	manager *actors.Manager
	cluster *serve.Cluster
	cookie  string
	who     *session
}

// atDesk runs a test in virtual time.
func atDesk(t *testing.T, f func(t *testing.T, d *desk)) {
	actorstest.Bubble(t, func(t *testing.T) {
		cluster := actorstest.Cluster(t, actorstest.Small())
		m := actorstest.Open(t, actorstest.Options(cluster, persistence.NewMemory()))
		d := &desk{t: t, s: newServer(false, "8070", "127.0.0.1", "localhost"), manager: m, cluster: cluster}
		d.s.open(Options{Service: &control.Local{Manager: m}})
		defer d.s.stop()
		d.cookie, _ = d.s.doors.enter(d.s.doors.link())
		d.who = d.s.doors.find(d.cookie)
		f(t, d)
	})
}

// request is one as our own pages send it.
func (d *desk) request(method, path, body string) *http.Request {
	r := httptest.NewRequestWithContext(d.t.Context(), method, path, strings.NewReader(body))
	r.Host = host
	r.AddCookie(&http.Cookie{Name: d.s.cookieName(), Value: d.cookie})
	if method == http.MethodPost {
		r.Header.Set("Origin", "http://"+host)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		r.Header.Set("X-CSRF-Token", d.who.csrf)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return r
}

func (d *desk) send(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	d.s.handler().ServeHTTP(w, r)
	if got := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(got, "default-src 'none'") || strings.Contains(got, "unsafe") {
		d.t.Errorf("%s %s has the policy %q", r.Method, r.URL.Path, got)
	}
	return w
}

func (d *desk) is(r *http.Request, status int, text string) {
	d.t.Helper()
	if w := d.send(r); w.Code != status || !strings.Contains(w.Body.String(), text) {
		d.t.Errorf("%s %s: %d %s; want %d with %q", r.Method, r.URL.Path, w.Code, w.Body, status, text)
	}
}

// inner are requests that want a session.
func (d *desk) inner() (all []*http.Request) {
	for _, path := range []string{
		"/", "/live/fleet", "/accounts/a", "/live/accounts/a", "/accounts/a/timeline.svg", "/sign-in", "/accounts/a/sign-in",
		"/live/accounts/a/sign-in", "/dcs", "/live/dcs", "/store", "/live/store", "/events", "/live/events", "/audit", "/none",
	} {
		all = append(all, d.request(http.MethodGet, path, ""))
	}
	return append(all, d.changes()...)
}

// changes are those that change something, or could.
func (d *desk) changes() (all []*http.Request) {
	for _, path := range []string{"/fleet/plan", "/fleet/act", "/accounts/a/act", "/accounts/a/sessions", "/accounts/a/passkeys", "/sign-in", "/accounts/a/sign-in", "/leave"} {
		all = append(all, d.request(http.MethodPost, path, ""))
	}
	return all
}

func TestNobodyIsLetInWithoutASession(t *testing.T) {
	atDesk(t, func(t *testing.T, d *desk) {
		for _, cookie := range []string{"", newToken()} {
			for _, r := range d.inner() {
				r.Header.Del("Cookie")
				if cookie != "" {
					r.AddCookie(&http.Cookie{Name: d.s.cookieName(), Value: cookie})
				}
				d.is(r, http.StatusUnauthorized, "Nobody is signed in here.")
			}
		}
	})
}

func TestAnotherHostIsRefused(t *testing.T) {
	atDesk(t, func(t *testing.T, d *desk) {
		for _, other := range []string{"evil.example", "evil.example:8070", "127.0.0.1", "127.0.0.1:8071", "127.0.0.2:8070", ""} {
			r := d.request(http.MethodGet, "/", "")
			r.Host = other
			d.is(r, http.StatusMisdirectedRequest, "answers under http://127.0.0.1:8070/ alone")
			r = d.request(http.MethodGet, "/assets/app.js", "")
			r.Host = other
			d.is(r, http.StatusMisdirectedRequest, "alone")
		}
		r := d.request(http.MethodGet, "/", "")
		r.Host = "localhost:8070"
		d.is(r, http.StatusOK, "Fleet")
	})
}

func TestAChangeIsOfOurOwnPages(t *testing.T) {
	atDesk(t, func(t *testing.T, d *desk) {
		other, _ := d.s.doors.enter(d.s.doors.link())
		for name, spoil := range map[string]func(http.Header){
			"another site":             func(h http.Header) { h.Set("Origin", "https://evil.example") },
			"another port":             func(h http.Header) { h.Set("Origin", "http://127.0.0.1:8071") },
			"no origin that is told":   func(h http.Header) { h.Set("Origin", "null") },
			"a site of the same owner": func(h http.Header) { h.Set("Sec-Fetch-Site", "same-site") },
			"a link of elsewhere":      func(h http.Header) { h.Set("Sec-Fetch-Site", "cross-site") },
			"no browser":               func(h http.Header) { h.Del("Origin"); h.Del("Sec-Fetch-Site") },
			"no token":                 func(h http.Header) { h.Del("X-CSRF-Token") },
			"a wrong token":            func(h http.Header) { h.Set("X-CSRF-Token", newToken()) },
			"a token of another session": func(h http.Header) {
				h.Set("X-CSRF-Token", d.s.doors.find(other).csrf)
			},
		} {
			for _, r := range d.changes() {
				spoil(r.Header)
				if w := d.send(r); w.Code != http.StatusForbidden {
					t.Errorf("%s: %s: %d %s", name, r.URL.Path, w.Code, w.Body)
				}
			}
		}
	})
}

func TestARoleLimitsWhatItMayDo(t *testing.T) {
	atDesk(t, func(t *testing.T, d *desk) {
		d.who.role = mtfleetv1.Role_ROLE_READ
		d.is(d.request(http.MethodGet, "/dcs", ""), http.StatusOK, "DCs")
		d.is(d.request(http.MethodPost, "/fleet/act", `{}`), http.StatusForbidden, "This needs the role operate")
		d.is(d.request(http.MethodGet, "/sign-in", ""), http.StatusForbidden, "This needs the role operate")
		d.who.role = mtfleetv1.Role_ROLE_OPERATE
		d.is(d.request(http.MethodGet, "/sign-in", ""), http.StatusOK, "Begin")
		d.is(d.request(http.MethodPost, "/accounts/a/sessions", ""), http.StatusForbidden, "This needs the role admin")
		d.is(d.request(http.MethodGet, "/audit", ""), http.StatusForbidden, "This needs the role admin")
	})
}

func TestALinkLetsInOnceAndForTenMinutes(t *testing.T) {
	atDesk(t, func(t *testing.T, d *desk) {
		d.cookie = "" // somebody else
		first, late := d.s.Link(), d.s.Link()
		for _, look := range []string{http.MethodHead, http.MethodGet} {
			w := d.send(d.request(look, strings.TrimPrefix(first, "http://"+host), ""))
			cookies := w.Result().Cookies()
			if look == http.MethodHead {
				if len(cookies) > 0 {
					t.Error("who only looks has got a session")
				}
				continue
			}
			if w.Code != http.StatusOK || len(cookies) != 1 {
				t.Fatalf("%d %s, and the cookies %v", w.Code, w.Body, cookies)
			}
			c := cookies[0]
			if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Name != "mtfleet-dashboard-8070" || c.Path != "/" || c.MaxAge <= 0 {
				t.Errorf("the cookie is %v", c)
			}
			d.cookie = c.Value
		}
		d.is(d.request(http.MethodGet, "/", ""), http.StatusOK, "Fleet")
		d.is(d.request(http.MethodGet, strings.TrimPrefix(first, "http://"+host), ""), http.StatusForbidden, "was used already")
		d.is(d.request(http.MethodGet, "/enter/"+newToken(), ""), http.StatusForbidden, "was used already")
		time.Sleep(linkLife)
		d.is(d.request(http.MethodGet, strings.TrimPrefix(late, "http://"+host), ""), http.StatusForbidden, "older than ten minutes")
	})
}

func TestASessionEnds(t *testing.T) {
	atDesk(t, func(t *testing.T, d *desk) {
		for range 5 {
			time.Sleep(idleLife - time.Second)
			d.is(d.request(http.MethodGet, "/dcs", ""), http.StatusOK, "DCs")
		}
		time.Sleep(idleLife)
		d.is(d.request(http.MethodGet, "/dcs", ""), http.StatusUnauthorized, "manager dashboard")

		enter := func() {
			d.cookie, _ = d.s.doors.enter(d.s.doors.link())
			d.who = d.s.doors.find(d.cookie)
		}
		enter()
		for begun := time.Now(); time.Since(begun) < sessionLife-time.Hour; time.Sleep(time.Hour) {
			d.is(d.request(http.MethodGet, "/dcs", ""), http.StatusOK, "DCs")
		}
		time.Sleep(time.Hour)
		d.is(d.request(http.MethodGet, "/dcs", ""), http.StatusUnauthorized, "manager dashboard")

		enter()
		d.is(d.request(http.MethodPost, "/leave", ""), http.StatusOK, "You are signed out.")
		d.is(d.request(http.MethodGet, "/dcs", ""), http.StatusUnauthorized, "manager dashboard")

		enter()
		for range maxSessions {
			d.s.doors.enter(d.s.doors.link())
		}
		d.is(d.request(http.MethodGet, "/dcs", ""), http.StatusUnauthorized, "manager dashboard")
	})
}

func TestAnAddressThatOtherMachinesReachIsRefused(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", "[::]:0", ":0", "192.0.2.1:8070", "example.com:8070"} {
		if s, err := Listen(addr); !errors.Is(err, ErrNotLoopback) || !strings.Contains(err.Error(), "ssh -L") {
			s.Close()
			t.Errorf("%s: %v", addr, err)
		}
	}
	s, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	s.Close()
}

// TestABulkActionSaysWhatItTouches, and touches that.
func TestABulkActionSaysWhatItTouches(t *testing.T) {
	atDesk(t, func(t *testing.T, d *desk) {
		bot := actorstest.SignInBot(t, d.manager, "bot", d.cluster.Descriptor().Bots[0], actors.AccountOptions{})
		actorstest.Wait(t, bot, actors.Online)
		if _, err := d.manager.Add(t.Context(), "idle", actors.AccountOptions{}); err != nil {
			t.Fatal(err)
		}
		ask := func(path, body string, into any) {
			t.Helper()
			w := d.send(d.request(http.MethodPost, path, body))
			if err := json.Unmarshal(w.Body.Bytes(), into); w.Code != http.StatusOK || err != nil {
				t.Fatalf("%s %s: %d %s", path, body, w.Code, w.Body)
			}
		}
		var p plan
		ask("/fleet/plan", `{"action":"rotate","ids":["bot","idle","nobody"]}`, &p)
		if len(p.Touch) != 1 || p.Touch[0].ID != "bot" || len(p.Skip) != 2 || p.Skip[1].Why != "is no more" {
			t.Errorf("the plan is %+v", p)
		}
		var done struct {
			Done   int
			Failed []target
		}
		ask("/fleet/act", `{"action":"label","ids":["bot","idle","nobody"],"label":"env=prod"}`, &done)
		if done.Done != 2 || len(done.Failed) != 1 || done.Failed[0].ID != "nobody" || !strings.Contains(done.Failed[0].Why, "There is no account") {
			t.Errorf("it did %+v", done)
		}
		ask("/fleet/act", `{"action":"pause","ids":["bot"]}`, &done)
		if bot.Status().State != actors.Paused || bot.Status().Labels.String() != "env=prod" {
			t.Errorf("it is %+v", bot.Status())
		}
		for body, want := range map[string]string{
			`{`:                                 "cannot be read",
			`{"action":"remove","ids":["bot"]}`: "no action",
			`{"action":"pause"}`:                "No account is selected",
			`{"action":"label","ids":["bot"],"label":"x"}`:                         "key=value",
			`{"action":"label","ids":["bot"],"label":"A=b"}`:                       "has a key of other characters",
			`{"action":"pause","ids":["a"` + strings.Repeat(`,"a"`, maxAct) + `]}`: "51 accounts are too many at once",
		} {
			d.is(d.request(http.MethodPost, "/fleet/act", body), http.StatusUnprocessableEntity, want)
		}
		d.is(d.request(http.MethodPost, "/fleet/act", `{"action":"`+strings.Repeat("x", maxForm)+`"}`), http.StatusRequestEntityTooLarge, "has more than 1048576 bytes")
	})
}

// TestSecretsAreNotEchoed: what was typed is in no answer, right or wrong.
func TestSecretsAreNotEchoed(t *testing.T) {
	atDesk(t, func(t *testing.T, d *desk) {
		const secret = "12345:not-a-token-of-anybody"
		form := url.Values{"account": {"bot"}, "flow": {"bot"}, "bot_token": {secret}}
		if w := d.send(d.request(http.MethodPost, "/sign-in", form.Encode())); strings.Contains(w.Body.String(), "not-a-token") || strings.Contains(w.Header().Get("Location"), "not-a-token") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		phone := d.cluster.Descriptor().Phones[0]
		form = url.Values{"account": {"alice"}, "flow": {"phone"}, "phone": {"+" + phone.Number}}
		w := d.send(d.request(http.MethodPost, "/sign-in", form.Encode()))
		if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/accounts/alice/sign-in?flow=phone" {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		d.is(d.request(http.MethodGet, "/accounts/alice/sign-in?flow=phone", ""), http.StatusOK, `id="code"`)
		form = url.Values{"kind": {"code"}, "code": {"98765"}}
		if w := d.send(d.request(http.MethodPost, "/accounts/alice/sign-in?flow=phone", form.Encode())); strings.Contains(w.Body.String(), "98765") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		form = url.Values{"kind": {"new_password"}, "password": {"one secret"}, "again": {"two secret"}}
		if w := d.send(d.request(http.MethodPost, "/accounts/alice/sign-in", form.Encode())); !strings.Contains(w.Body.String(), "The two passwords differ") || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		d.is(d.request(http.MethodPost, "/accounts/alice/sign-in", "kind=else"), http.StatusUnprocessableEntity, "sends no such answer")
	})
}

// listener is a browser that reads a stream.
type listener struct {
	*httptest.ResponseRecorder
	heard chan string
}

func (l *listener) Write(b []byte) (int, error) {
	l.heard <- string(b)
	return len(b), nil
}
func (l *listener) WriteString(s string) (int, error) { return l.Write([]byte(s)) }

// TestTheFleetIsFollowed: all rows at first, and then those that change; a labelled
// account too, of which no event tells.
func TestTheFleetIsFollowed(t *testing.T) {
	atDesk(t, func(t *testing.T, d *desk) {
		bot := actorstest.SignInBot(t, d.manager, "bot", d.cluster.Descriptor().Bots[0], actors.AccountOptions{})
		actorstest.Wait(t, bot, actors.Online)
		ctx, cancel := context.WithCancel(t.Context())
		l := &listener{httptest.NewRecorder(), make(chan string, 100)}
		over := make(chan struct{})
		go func() {
			defer close(over)
			d.s.handler().ServeHTTP(l, d.request(http.MethodGet, "/live/fleet", "").WithContext(ctx))
		}()
		next := func(want ...string) {
			t.Helper()
			for {
				text := <-l.heard
				if !strings.HasPrefix(text, "event: rows") {
					continue
				}
				for _, w := range want {
					if !strings.Contains(text, w) {
						t.Errorf("it tells %s, and not %s", text, w)
					}
				}
				return
			}
		}
		next(`"all":true`, `"online"`, `"bot"`)
		if err := bot.Pause(t.Context()); err != nil {
			t.Fatal(err)
		}
		next(`"paused"`)
		time.Sleep(time.Minute)
		if _, err := bot.Label(t.Context(), map[string]string{"env": "prod"}); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		next(`"env=prod"`)
		if took := time.Since(begun); took > lookEvery+beat {
			t.Errorf("a label was told after %v", took)
		}
		if err := bot.Remove(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		next(`"gone":["bot"]`)
		d.s.doors.leave(d.who)
		for text := range l.heard {
			if strings.Contains(text, "The session has ended") {
				break
			}
		}
		<-over
		cancel()
	})
}

func TestASessionHasSoManyStreams(t *testing.T) {
	atDesk(t, func(t *testing.T, d *desk) {
		for range maxStreamsEach {
			release, ok := d.s.doors.stream(d.who)
			if !ok {
				t.Fatal("there was no place")
			}
			defer release()
		}
		d.is(d.request(http.MethodGet, "/live/dcs", ""), http.StatusTooManyRequests, "8 pages of yours are open")
	})
}

// TestTheTimelineHasAPolicyOfItsOwn: its style is permitted, and no other.
func TestTheTimelineHasAPolicyOfItsOwn(t *testing.T) {
	atDesk(t, func(t *testing.T, d *desk) {
		bot := actorstest.SignInBot(t, d.manager, "bot", d.cluster.Descriptor().Bots[0], actors.AccountOptions{})
		actorstest.Wait(t, bot, actors.Online)
		w := d.send(d.request(http.MethodGet, "/accounts/bot/timeline.svg", ""))
		if got := w.Header().Get("Content-Security-Policy"); !strings.Contains(got, "style-src 'sha256-") || w.Header().Get("Content-Type") != "image/svg+xml" {
			t.Errorf("%v", w.Header())
		}
		w = d.send(d.request(http.MethodGet, "/accounts/bot", ""))
		for _, text := range []string{"temp key", "perm key", "in use", "It is online."} {
			if !strings.Contains(w.Body.String(), text) {
				t.Errorf("the account's page does not say %q", text)
			}
		}
		for _, inline := range []string{" style=", "<style", " onclick=", "<script>"} {
			if bytes.Contains(w.Body.Bytes(), []byte(inline)) {
				t.Errorf("the account's page has %s", inline)
			}
		}
	})
}
