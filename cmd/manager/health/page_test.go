package health

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mtfleet/mtfleet/actors"
)

// get is what a page says at a path.
func get(t *testing.T, p *Page, path string) (status int, body string) {
	t.Helper()
	mux := http.NewServeMux()
	p.Register(mux)
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	if w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%s may be kept by a cache", path)
	}
	return w.Code, strings.TrimSpace(w.Body.String())
}

func TestAPageFromItsStartToItsEnd(t *testing.T) {
	var storeErr, apiErr error
	states := map[actors.State]int{actors.Online: 9, actors.Connecting: 1, actors.Paused: 5}
	p := &Page{}
	is := func(path string, status int, body string) {
		t.Helper()
		if gotStatus, got := get(t, p, path); gotStatus != status || got != body {
			t.Errorf("%s: %d\n%s\nwant %d\n%s", path, gotStatus, got, status, body)
		}
	}
	is("/livez", 200, "ok\n"+starting)
	is("/readyz", 503, "not ok\n"+starting)
	p.Waiting("another has the name")
	is("/livez", 200, "ok\nstarting: another has the name")
	is("/readyz", 503, "not ok\nstarting: another has the name")
	if _, body := get(t, p, "/fleetz"); !strings.Contains(body, "another has the name") {
		t.Errorf("/fleetz: %s", body)
	}
	p.waits.Store(nil)
	if status, body := get(t, p, "/fleetz"); status != 503 || !strings.Contains(body, starting) {
		t.Errorf("/fleetz at the start: %d %s", status, body)
	}

	p.Running(Sources{
		Live:  []Check{{"governor", func(context.Context) error { return nil }}, {"store", func(context.Context) error { return storeErr }}},
		Ready: []Check{{"control API", func(context.Context) error { return apiErr }}},
		Fleet: func() Fleet { return Fleet{states, 90} },
	})
	is("/livez", 200, "ok\ngovernor: ok\nstore: ok")
	is("/readyz", 200, "ok\ngovernor: ok\nstore: ok\ncontrol API: ok")
	apiErr = errors.New("nobody answers at x.sock")
	is("/livez", 200, "ok\ngovernor: ok\nstore: ok")
	is("/readyz", 503, "not ok\ngovernor: ok\nstore: ok\ncontrol API: nobody answers at x.sock")
	storeErr = &LateError{Limit}
	is("/livez", 503, "not ok\ngovernor: ok\nstore: no answer for 5s")
	is("/readyz", 503, "not ok\ngovernor: ok\nstore: no answer for 5s\ncontrol API: nobody answers at x.sock")
	if status, _ := get(t, p, "/fleetz"); status != 200 {
		t.Errorf("nine of ten, and 90 %% are wanted: %d", status)
	}
	states[actors.Revoked]++
	if status, body := get(t, p, "/fleetz"); status != 503 || !json.Valid([]byte(body)) {
		t.Errorf("nine of eleven, and 90 %% are wanted: %d %s", status, body)
	}

	p.Stopping()
	is("/livez", 200, "ok\n"+stopping)
	is("/readyz", 503, "not ok\n"+stopping)
	if status, body := get(t, p, "/fleetz"); status != 503 || !strings.Contains(body, stopping) {
		t.Errorf("/fleetz at the end: %d %s", status, body)
	}
}

func TestAFleetIsJudged(t *testing.T) {
	for name, c := range map[string]struct {
		states  map[actors.State]int
		min     int
		wanted  int
		percent float64
		why     string
	}{
		"nobody is in the store":               {nil, 100, 0, 100, ""},
		"nobody is to be online":               {map[actors.State]int{actors.New: 1, actors.Paused: 2, actors.SignedOut: 3, actors.Exported: 4, actors.SigningIn: 5, actors.SigningOut: 6}, 100, 0, 100, ""},
		"all are online":                       {map[actors.State]int{actors.Online: 3}, 100, 3, 100, ""},
		"just enough":                          {map[actors.State]int{actors.Online: 2, actors.Waiting: 1}, 66, 3, 66.6, ""},
		"not quite enough":                     {map[actors.State]int{actors.Online: 2, actors.Frozen: 1}, 67, 3, 66.6, "2 of 3 accounts that are to be online are: 66.6 %, and fleet.online_min_percent is 67"},
		"one of ten thousand, and all must be": {map[actors.State]int{actors.Online: 9999, actors.Duplicated: 1}, 100, 10000, 99.9, "9999 of 10000 accounts that are to be online are: 99.9 %, and fleet.online_min_percent is 100"},
		"none, and any number will do":         {map[actors.State]int{actors.Quarantined: 7}, 0, 7, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := Fleet{c.states, c.min}.Report()
			if r.Wanted != c.wanted || r.Online != c.states[actors.Online] || r.Percent != c.percent || r.Why != c.why || r.OK != (c.why == "") || r.MinPercent != c.min {
				t.Errorf("%+v", r)
			}
			if len(r.States) != int(actors.Exported)+1 {
				t.Errorf("it does not name every state: %v", r.States)
			}
		})
	}
}
