//go:build unix

package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/persistence/pgstore/pgtest"
)

// TestMain lets the test's own program be a node.
func TestMain(m *testing.M) {
	if text := os.Getenv(nodeEnv); text != "" {
		os.Exit(beNode(text))
	}
	os.Exit(m.Run())
}

// short makes a run of some seconds.
func short(t *testing.T) config {
	t.Helper()
	if testing.Short() {
		t.Skip("it breaks a cluster for some 20 seconds")
	}
	pgtest.New(t)                       // or it skips where there is no PostgreSQL
	dir, err := os.MkdirTemp("", "cl-") // a short name: sockets are in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return config{nodes: 3, accounts: 12, last: 20 * time.Second, lease: 3 * time.Second, seed: 51, dir: dir, self: self}
}

// TestAShortRunLosesNothing is the command, in short. How long accounts were away is
// shown and not judged: other work on the machine must not fail it.
func TestAShortRunLosesNothing(t *testing.T) {
	r, err := short(t).run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%v", r)
	for _, f := range r.found {
		if f.kind != foundGap {
			t.Errorf("%s: %s", f.account, f.text)
		}
	}
	moves := 0
	for _, g := range r.Gaps {
		moves += g.Count
	}
	if len(r.Did) < 2 || moves == 0 || r.Judged < r.Accounts || r.Calls[endOK] < 10*r.Accounts {
		t.Errorf("too little happened for that to say much: %+v", r.Did)
	}
}

// TestANodeWithoutAFenceIsFound cuts nodes off from the database that go on all the same.
func TestANodeWithoutAFenceIsFound(t *testing.T) {
	c := short(t)
	c.plant, c.only, c.last = plantNoFence, "cut", 10*time.Second
	r, err := c.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r.Overlaps == 0 || r.held() || !strings.Contains(r.String(), "an overlap of ") {
		t.Errorf("two nodes used one key, and it says\n%v", r)
	}
}

// TestEachPromiseIsJudged spoils the evidence of a good run, one promise after the other.
func TestEachPromiseIsJudged(t *testing.T) {
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		spoil func(*evidence)
		want  foundKind
	}{
		"a login that the DC ended": {func(e *evidence) {
			e.ledger.Authorizations = append(e.ledger.Authorizations, api.Authorization{UserID: 1, Perm: 8, Ended: noon, Why: "duplicated"})
		}, foundLost},
		"no login":                               {func(e *evidence) { e.ledger.Authorizations = nil }, foundLost},
		"a key that nobody has":                  {func(e *evidence) { e.verdict.Orphans = []dctest.Orphan{{UserID: 1}} }, foundOrphan},
		"two sessions at once":                   {func(e *evidence) { e.verdict.Overlaps = []dctest.Overlap{{Perm: 7}} }, foundOverlap},
		"an update that was not told":            {func(e *evidence) { e.verdict.LostUpdates = []api.UpdateRecord{{UserID: 1}} }, foundUpdate},
		"a login more":                           {func(e *evidence) { e.ledger.Counts.Logins++ }, foundLogin},
		"a perm key more":                        {func(e *evidence) { e.ledger.Counts.PermKeys++ }, foundLogin},
		"a temp key by a drain":                  {func(e *evidence) { e.drained = 1 }, foundDrain},
		"a drain that takes long":                {func(e *evidence) { e.gaps[causeDrain].P99 = 2.001 }, foundGap},
		"a killed node that is missed for long":  {func(e *evidence) { e.gaps[causeKill].P99 = 7.001 }, foundGap},
		"a once-call that ran twice":             {func(e *evidence) { e.ledger.Echoes[0].Count = 2 }, foundTwice},
		"a call that was answered and never ran": {func(e *evidence) { e.ledger.Echoes = nil }, foundCall},
		"a call that ran and was not sent":       {func(e *evidence) { e.calls[0].end = endNotSent }, foundCall},
		"a call that failed":                     {func(e *evidence) { e.calls[0].end = endFailed }, foundCall},
		"calls that nobody counted":              {func(e *evidence) { e.ledger.Counts.Unrecorded = 1 }, foundCall},
	} {
		t.Run(name, func(t *testing.T) {
			e := &evidence{lease: 5 * time.Second, people: []*person{{name: "a", user: 1}}, calls: []call{{end: endOK}}}
			e.ledger.Authorizations = []api.Authorization{{UserID: 1, Perm: 7, Home: true, Created: noon}}
			e.ledger.Echoes = []dctest.EchoRecord{{ID: 1, Count: 1}}
			e.gaps[causeDrain].P99, e.gaps[causeKill].P99, e.gaps[causeTrouble].P99 = 2, 7, 60
			if found := judge(e); len(found) > 0 {
				t.Fatalf("of a good run it says %+v", found)
			}
			c.spoil(e)
			if found := judge(e); len(found) != 1 || found[0].kind != c.want {
				t.Errorf("found %+v, want one of kind %d", found, c.want)
			}
		})
	}
}

func TestGapsAreMeasured(t *testing.T) {
	var list []time.Duration
	for i := 200; i > 0; i-- {
		list = append(list, time.Duration(i)*time.Millisecond)
	}
	if g := measure(list); g != (gaps{200, 0.101, 0.199, 0.2}) {
		t.Errorf("%+v", g)
	}
	if g := measure(nil); g != (gaps{}) {
		t.Errorf("of none: %+v", g)
	}
}

func TestARunThatCannotBeIsRefused(t *testing.T) {
	good := config{nodes: 3, accounts: 12, last: time.Minute, lease: time.Second}
	for name, spoil := range map[string]func(*config){
		"one node":         func(c *config) { c.nodes = 1 },
		"too few accounts": func(c *config) { c.accounts = 2 },
		"too short":        func(c *config) { c.last = 0 },
		"a plant":          func(c *config) { c.plant = "rose" },
		"an act":           func(c *config) { c.only = "rain" },
	} {
		c := good
		if err := c.check(); err != nil {
			t.Fatal(err)
		}
		spoil(&c)
		if _, err := c.run(context.Background()); err == nil || errors.Is(err, errBroken) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
