package watch

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// scene is a page, and what was pressed there.
type scene struct {
	*Server
	t       *testing.T
	client  http.Client
	pressed []string
	next    []string // links that Used was told
}

func newScene(t *testing.T, figures Figures) *scene {
	t.Helper()
	c := &scene{t: t, client: http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	s, err := Serve(Options{
		Figures: func() Figures { return figures },
		Do: func(_ context.Context, act Act, dc int) error {
			if act == Kill {
				return errors.New("there is no manager")
			}
			c.pressed = append(c.pressed, string(act)+" "+string(rune('0'+dc)))
			return nil
		},
		Dashboard: func(context.Context) (string, error) { return "http://127.0.0.1:1/enter/x", nil },
		Used:      func(next string) { c.next = append(c.next, next) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	c.Server = s
	return c
}

// ask sends a request with heads, which come in pairs.
func (c *scene) ask(method, path, body string, heads ...string) (*http.Response, string) {
	c.t.Helper()
	if strings.HasPrefix(path, "/") {
		path = "http://" + c.host + path
	}
	q, err := http.NewRequestWithContext(c.t.Context(), method, path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(heads); i += 2 {
		if q.Header.Set(heads[i], heads[i+1]); heads[i] == "Host" {
			q.Host = heads[i+1]
		}
	}
	r, err := c.client.Do(q)
	if err != nil {
		c.t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return r, string(b)
}

// enter is the cookie of a browser that came by a link.
func (c *scene) enter(link string) string {
	c.t.Helper()
	r, text := c.ask("GET", link, "")
	if r.StatusCode != http.StatusOK || len(r.Cookies()) != 1 {
		c.t.Fatalf("the link is answered %s %v %s", r.Status, r.Cookies(), text)
	}
	cookie := r.Cookies()[0]
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode {
		c.t.Errorf("scripts or other sites can have the cookie %v", cookie)
	}
	return cookie.Name + "=" + cookie.Value
}

func TestALinkLetsOneBrowserIn(t *testing.T) {
	c := newScene(t, Figures{})
	for _, path := range []string{"/", "/live", "/dashboard"} {
		if r, text := c.ask("GET", path, ""); r.StatusCode != http.StatusUnauthorized || !strings.Contains(text, "printed a link") {
			t.Errorf("who has no cookie gets %s at %s: %s", r.Status, path, text)
		}
		if r, _ := c.ask("GET", path, "", "Cookie", c.cookieName()+"=else"); r.StatusCode != http.StatusUnauthorized {
			t.Errorf("who has another cookie gets %s at %s", r.Status, path)
		}
	}
	link := c.Link()
	if r, _ := c.ask("HEAD", link, ""); r.StatusCode != http.StatusNoContent || len(r.Cookies()) > 0 {
		t.Errorf("who only looks is answered %s %v", r.Status, r.Cookies())
	}
	c.enter(link)
	if r, text := c.ask("GET", link, ""); r.StatusCode != http.StatusForbidden || len(r.Cookies()) > 0 || !strings.Contains(text, "used already") {
		t.Errorf("a link that was used is answered %s %s", r.Status, text)
	}
	if len(c.next) != 1 {
		t.Fatalf("there are %q for the next browser", c.next)
	}
	if r, _ := c.ask("GET", "/", "", "Cookie", c.enter(c.next[0])); r.StatusCode != http.StatusOK {
		t.Errorf("the next browser gets %s", r.Status)
	}
}

func TestALinkThatIsLeftIsNotReplaced(t *testing.T) {
	c := newScene(t, Figures{})
	first, second := c.Link(), c.Link()
	if c.enter(second); len(c.next) != 0 {
		t.Errorf("%q came beside %s, which nobody used", c.next, first)
	}
}

func TestOnlyThePageItselfPresses(t *testing.T) {
	c := newScene(t, Figures{})
	cookie := c.enter(c.Link())
	for _, s := range []struct {
		name   string
		status int
		heads  []string
	}{
		{"the page", http.StatusSeeOther, []string{"Sec-Fetch-Site", "same-origin", "Origin", "http://" + c.host}},
		{"the page's script", http.StatusNoContent, []string{"Sec-Fetch-Site", "same-origin", "Accept", "application/json"}},
		{"a page of another port of this machine", http.StatusForbidden, []string{"Sec-Fetch-Site", "same-site", "Origin", "http://127.0.0.1:1"}},
		{"a page of elsewhere", http.StatusForbidden, []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://example.org"}},
		{"a page of elsewhere in an old browser", http.StatusForbidden, []string{"Origin", "https://example.org"}},
		{"a name that was made to lead here", http.StatusMisdirectedRequest, []string{"Host", "example.org"}},
	} {
		c.pressed = nil
		r, text := c.ask("POST", "/act", "act=cut&dc=2", append(s.heads, "Cookie", cookie)...)
		if r.StatusCode != s.status {
			t.Errorf("%s is answered %s %s", s.name, r.Status, text)
		}
		if done := len(c.pressed) == 1 && c.pressed[0] == "cut 2"; done != (s.status < 400) {
			t.Errorf("%s: %q was done", s.name, c.pressed)
		}
	}
}

func TestWhatCannotBeDoneIsSaid(t *testing.T) {
	c := newScene(t, Figures{})
	cookie := c.enter(c.Link())
	for body, want := range map[string]string{
		"act=kill":          "there is no manager",
		"act=cut":           `"" is no number of a DC.`,
		"act=give&dc=two":   `"two" is no number of a DC.`,
		"act=forget&dc=-1":  `"-1" is no number of a DC.`,
		"act=<b>burn</b>&x": `There is nothing here that is called "<b>burn</b>".`,
	} {
		r, text := c.ask("POST", "/act", body, "Cookie", cookie, "Accept", "application/json")
		var got struct{ Error string }
		if err := json.Unmarshal([]byte(text), &got); err != nil || r.StatusCode < 400 || got.Error != want {
			t.Errorf("%s is answered %s %s", body, r.Status, text)
		}
		if r, text := c.ask("POST", "/act", body, "Cookie", cookie); r.StatusCode < 400 || strings.Contains(text, "<b>") {
			t.Errorf("%s is answered %s %s to a browser without scripts", body, r.Status, text)
		}
	}
}

func TestThePageAndItsStreamSayTheSame(t *testing.T) {
	c := newScene(t, Figures{
		Process: 7, Accounts: 5, Online: 3, Logins: 11, PermKeys: 12, TempKeys: 13,
		DCs:   []DC{{ID: 1, Accounts: 3, Online: 3}, {ID: 2, Accounts: 2, Down: true}},
		Story: []Line{{time.Unix(0, 0), "DC 1 was <cut>"}, {time.Unix(60, 0), "DC 2 was cut"}},
	})
	cookie := c.enter(c.Link())
	_, page := c.ask("GET", "/", "", "Cookie", cookie)
	q, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+c.host+"/live", nil)
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Cookie", cookie)
	r, err := c.client.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	line, err := bufio.NewReader(r.Body).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	var got view
	if err := json.Unmarshal([]byte(strings.TrimPrefix(line, "data: ")), &got); err != nil {
		t.Fatal(err)
	}
	for id, text := range got.Text {
		class := ""
		if kind := got.Kind[id]; kind != "" {
			class = ` class="` + kind + `"`
		}
		if !strings.Contains(page, `id="`+id+`"`+class+`>`+text+`<`) {
			t.Errorf("the page does not say %q at %s", text, id)
		}
	}
	for id, off := range got.Off {
		_, rest, found := strings.Cut(page, `id="`+id+`"`)
		if tag, _, _ := strings.Cut(rest, ">"); !found || strings.Contains(tag, "disabled") != off {
			t.Errorf("the page has the button %s as %q", id, tag)
		}
	}
	if len(got.Story) != 2 || got.Story[0].Text != "DC 2 was cut" || !strings.Contains(page, "DC 1 was &lt;cut&gt;") {
		t.Errorf("what happened is %+v", got.Story)
	}
	if got.Text["online"] != "3 of 5" || got.Text["state-2"] != "down" || got.Kind["state-2"] != "badge bad" || got.Kind["state-1"] != "badge ok" || !got.Off["cut-2"] || got.Off["give-2"] {
		t.Errorf("it is told %+v", got)
	}
}

func TestAManagerThatIsAwayIsSaid(t *testing.T) {
	v := Figures{Accounts: 5, DCs: []DC{{ID: 1, Accounts: 5}}}.view()
	if !v.Off["kill"] || !strings.Contains(v.Text["manager"], "started again") || strings.Contains(v.Text["online"], "5") || v.Text["online-1"] != "–" {
		t.Errorf("%+v", v)
	}
}

func TestTheDashboardIsReachedByALink(t *testing.T) {
	c := newScene(t, Figures{})
	r, _ := c.ask("GET", "/dashboard", "", "Cookie", c.enter(c.Link()))
	if r.StatusCode != http.StatusSeeOther || r.Header.Get("Location") != "http://127.0.0.1:1/enter/x" {
		t.Errorf("it is answered %s to %s", r.Status, r.Header.Get("Location"))
	}
	for name, want := range map[string]string{"/style.css": "text/css", "/icon.svg": "image/svg+xml", "/watch.js": "text/javascript"} {
		r, text := c.ask("GET", name, "")
		if r.StatusCode != http.StatusOK || !strings.HasPrefix(r.Header.Get("Content-Type"), want) || text == "" {
			t.Errorf("%s is answered %s, %s", name, r.Status, r.Header.Get("Content-Type"))
		}
	}
}
