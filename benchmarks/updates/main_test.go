package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors/governor"
)

func TestAResultNamesTheBudget(t *testing.T) {
	if r := (&result{governor: governor.Loopback()}); !strings.Contains(r.String(), "governor, loopback: 2000 connects and 500 keys a second") {
		t.Errorf("%v", r)
	}
}

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		os.Exit(child(dir))
	}
	os.Exit(m.Run())
}

// TestAShortRunLosesNothing is the command, in short.
func TestAShortRunLosesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("it kills processes for some 20 seconds")
	}
	c := config{accounts: 5, channels: 2, updates: 600, rate: 60, seed: 3, every: time.Second, limit: 2 * time.Minute}
	r, err := c.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%v", r)
	if !r.held() {
		t.Errorf("%+v", *r)
	}
	if r.governor != governor.Loopback() {
		t.Errorf("the manager was paced by %v", r.governor)
	}
	if r.kills == 0 || r.cuts == 0 || r.sent != c.updates {
		t.Errorf("nothing went wrong: %+v", *r)
	}
}
