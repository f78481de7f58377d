package peers

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
)

// limit bounds everything but the rotation. gotd proves the DH prime in every handshake, about a second of CPU, so that
// a busy machine needs tens of seconds for the tests that run side by side.
const limit = 2 * time.Minute

// descriptor is the testdc descriptor as a foreign program reads it: by the names in the JSON, with types of its own.
// The gotd side of this package knows nothing else about a cluster.
type descriptor struct {
	Test bool `json:"test"`
	DCs  []struct {
		ID   int    `json:"id"`
		IP   string `json:"ip"`
		Port int    `json:"port"`
	} `json:"dcs"`
	PublicKeys []struct {
		PEM         string `json:"pem"`
		Fingerprint int64  `json:"fingerprint,string"`
	} `json:"public_keys"`
	Apps []struct {
		ID   int    `json:"api_id"`
		Hash string `json:"api_hash"`
	} `json:"apps"`
	Phones []person `json:"phones"`
	Bots   []bot    `json:"bots"`
	Layers []int    `json:"layers"`
}

type person struct {
	Number string `json:"phone"`
	Code   string `json:"code"`
	DC     int    `json:"dc"`
	UserID int64  `json:"user_id"`
}

type bot struct {
	Token  string `json:"token"`
	DC     int    `json:"dc"`
	UserID int64  `json:"user_id"`
}

// read writes the cluster's descriptor as `manager testdc --descriptor` does and reads it back.
func read(tb testing.TB, s *serve.Cluster) descriptor {
	tb.Helper()
	text, err := json.Marshal(s.Descriptor())
	if err != nil {
		tb.Fatal(err)
	}
	var d descriptor
	if err := json.Unmarshal(text, &d); err != nil {
		tb.Fatal(err)
	}
	return d
}

// personAwayFrom returns a person whose home is another DC than the one given.
func (d descriptor) personAwayFrom(tb testing.TB, dc int) person {
	tb.Helper()
	for _, p := range d.Phones {
		if p.DC != dc {
			return p
		}
	}
	tb.Fatalf("every person lives on DC %d", dc)
	return person{}
}

// otherDC returns a DC that is not the one given.
func (d descriptor) otherDC(tb testing.TB, dc int) int {
	tb.Helper()
	for _, o := range d.DCs {
		if o.ID != dc {
			return o.ID
		}
	}
	tb.Fatal("the cluster has one DC only")
	return 0
}

// judge fails the test for everything the cluster noticed: broken rules, keys used by two sessions at once, and
// authorized keys that the client does not hold.
//
// One rule gotd breaks as it pleases: it gives out message ids under a lock and writes the packets outside of it, so
// that two calls at once may arrive in the wrong order. The test DC notes it and answers both.
func judge(t *testing.T, s *serve.Cluster, store []dctest.StoreKey) {
	t.Helper()
	list, total := s.Violations()
	for _, v := range list {
		if v.Rule != dctest.RuleOrder && v.Severity != dctest.SeverityInfo {
			t.Errorf("the test DC noticed: %v", v)
		}
	}
	if total > len(list) {
		t.Errorf("and %d violations more", total-len(list))
	}
	if v := s.Ledger().Verdict(store, nil, time.Time{}); !v.OK() {
		t.Errorf("the ledger finds %d overlaps %+v and %d orphans %+v", len(v.Overlaps), v.Overlaps, len(v.Orphans), v.Orphans)
	}
}

// within is a context for one test.
func within(tb testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	tb.Cleanup(cancel)
	return ctx
}

// testLog is where both sides tell what they do when MTFLEET_TEST_LOG is set; nil otherwise.
func testLog() *slog.Logger {
	if os.Getenv("MTFLEET_TEST_LOG") == "" {
		return nil
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
}
