package main

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		os.Exit(child(dir))
	}
	os.Exit(m.Run())
}

func TestNoHarmIsSilent(t *testing.T) {
	rounds := 20
	if testing.Short() {
		rounds = 5
	}
	total, err := config{rounds: rounds, accounts: 60, seed: 7000}.play(t.Output())
	if err != nil {
		t.Fatal(err)
	}
	if total.bad() || total.risen > 0 {
		t.Errorf("%v", total)
	}
	if total.salvaged == 0 {
		t.Error("no round harmed anything")
	}
}
