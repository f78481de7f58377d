package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
)

// short makes a run of some seconds.
func short(t *testing.T, plant plant) config {
	t.Helper()
	if testing.Short() {
		t.Skip("it kills processes for some 15 seconds")
	}
	dir, err := os.MkdirTemp("", "kill-") // a short name: a socket is in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	binary, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return config{kills: 8, accounts: 12, seed: 5, dir: dir, manager: binary, plant: plant}
}

// built is the manager, which is built once for all tests.
var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "kill-build-")
	if err != nil {
		return "", err
	}
	builtIn = dir
	return build(context.Background(), dir)
})

var builtIn string

func TestMain(m *testing.M) {
	code := m.Run()
	if builtIn != "" {
		_ = os.RemoveAll(builtIn)
	}
	os.Exit(code)
}

// TestAShortRunLosesNothing is the command, in short.
func TestAShortRunLosesNothing(t *testing.T) {
	r, err := short(t, plantNothing).run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%v", r)
	if !r.held() {
		t.Error("a promise was not kept")
	}
	if r.Governor != governor.Loopback() || !strings.Contains(r.String(), r.Governor.String()) {
		t.Errorf("it does not name what the manager was paced by: %v", r.Governor)
	}
	if r.Kills != 8 || r.Calls["ok"] == 0 || r.Logins < 12 || r.LoggedOut == 0 || r.Imports == 0 || r.Rotations == 0 || r.UpdatesJudged == 0 || r.Hit["call"] == 0 || r.MediaKeys == 0 || r.MediaCalls == 0 {
		t.Errorf("too little happened for that to say much: %+v", r)
	}
}

// TestAnOldStoreAndRepeatedCallsAreFound plants faults in a run: a store that is of
// before a sign-in, then answers that come twice and calls that run twice.
func TestAnOldStoreAndRepeatedCallsAreFound(t *testing.T) {
	for name, c := range map[string]struct {
		plant plant
		kinds []func(*result) int
	}{
		"an old store":   {plantOldStore, []func(*result) int{func(r *result) int { return r.Lost }, func(r *result) int { return r.Orphaned }}},
		"repeated calls": {plantTwice, []func(*result) int{func(r *result) int { return r.OnceTwice }, func(r *result) int { return r.AnsweredTwice }}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := short(t, c.plant)
			cfg.kills = 3
			r, err := cfg.run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for i, count := range c.kinds {
				if count(r) == 0 {
					t.Errorf("kind %d of what was planted is not found", i)
				}
			}
			if r.held() || !strings.Contains(r.String(), "account ") || !strings.Contains(r.String(), "seed 5") {
				t.Errorf("no timeline, or no seed:\n%v", r)
			}
		})
	}
}

// TestEachPromiseIsJudged spoils the evidence of a good run, one promise after the
// other.
func TestEachPromiseIsJudged(t *testing.T) {
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		spoil func(*evidence)
		want  foundKind
	}{
		"an account that is not online":   {func(e *evidence) { e.people[0].online = false }, foundLost},
		"an account that only says it is": {func(e *evidence) { e.ledger.Authorizations = nil }, foundLost},
		"a login that the DC ended":       {func(e *evidence) { e.end("revoked") }, foundLost},
		"a logout too many":               {func(e *evidence) { e.end("logged_out"); e.end("logged_out") }, foundLost},
		"two logins": {func(e *evidence) {
			e.ledger.Authorizations = append(e.ledger.Authorizations, e.ledger.Authorizations[0])
		}, foundOrphan},
		"a key that nobody has":                  {func(e *evidence) { e.verdict.Orphans = []dctest.Orphan{{UserID: 1}} }, foundOrphan},
		"two sessions at once":                   {func(e *evidence) { e.verdict.Overlaps = []dctest.Overlap{{Perm: 7}} }, foundOverlap},
		"an update that was not told":            {func(e *evidence) { e.verdict.LostUpdates = []api.UpdateRecord{{UserID: 1}} }, foundUpdate},
		"a wait that was passed":                 {func(e *evidence) { e.early = []earlyCall{{1, time.Second}} }, foundWait},
		"a temp key too many":                    {func(e *evidence) { e.temp(noon, false); e.temp(noon, false) }, foundKeys},
		"a temp key for media too many":          {func(e *evidence) { e.temp(noon, true); e.temp(noon, true) }, foundKeys},
		"a once-call that ran twice":             {func(e *evidence) { e.runs[0] = 2 }, foundTwice},
		"a caller answered twice":                {func(e *evidence) { e.calls[0].answers = 2 }, foundAnswered},
		"a call that was answered and never ran": {func(e *evidence) { e.runs[0] = 0 }, foundCall},
		"a result that nobody saw":               {func(e *evidence) { e.calls[0].answers = 0 }, foundCall},
		"a call that ran and was not sent":       {func(e *evidence) { e.calls[0].end = endNotSent }, foundCall},
		"a caller who was forgotten":             {func(e *evidence) { e.calls[0].end = endLost }, foundCall},
	} {
		t.Run(name, func(t *testing.T) {
			e := evidence{
				people: []suspect{{account: "a", user: 1, asked: 1, online: true}},
				calls:  []call{{account: "a", once: true, end: endOK, answers: 1}},
				runs:   []int{1},
			}
			e.ledger.Authorizations = []api.Authorization{{DC: 1, Perm: 7, UserID: 1, Home: true, Created: noon}}
			e.end("logged_out")
			for _, media := range []bool{true, false} { // each slot may have two
				e.temp(noon, media)
				e.temp(noon, media)
			}
			if found := judge(e); len(found) > 0 {
				t.Fatalf("of a good run it says %+v", found)
			}
			c.spoil(&e)
			if found := judge(e); len(found) != 1 || found[0].kind != c.want || found[0].account != "a" && found[0].account != "" {
				t.Errorf("found %+v, want one of kind %d", found, c.want)
			}
		})
	}
}

// end puts a login of user 1 that has ended into the ledger.
func (e *evidence) end(why string) {
	now := time.Now()
	e.ledger.Authorizations = append(e.ledger.Authorizations, api.Authorization{DC: 1, Perm: 8, UserID: 1, Home: true, Created: now, Ended: now, Why: why})
}

// temp puts a live temp key into the ledger.
func (e *evidence) temp(made time.Time, media bool) {
	e.ledger.Keys = append(e.ledger.Keys, dctest.KeyRecord{DC: 1, Temp: true, Media: media, Perm: 7, ID: int64(len(e.ledger.Keys)), Created: made})
}

func TestTheConfigurationNamesNothingButLoopback(t *testing.T) {
	dir := t.TempDir()
	w := &world{config: config{accounts: 6, dir: dir}}
	if err := w.open(); err != nil {
		t.Fatal(err)
	}
	defer w.cluster.Close()
	text, err := os.ReadFile(filepath.Join(dir, "manager.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	addrs := 0
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, "addr:") {
			addrs++
			if !strings.Contains(line, `"127.0.0.1:`) {
				t.Errorf("%s", line)
			}
		}
	}
	if addrs != dcs {
		t.Errorf("%d addresses of %d DCs:\n%s", addrs, dcs, text)
	}
}
