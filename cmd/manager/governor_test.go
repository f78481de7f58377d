package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/mtfleet/mtfleet/cmd/manager/control"
)

func TestAddressesForMediaAreADCOfTheirOwn(t *testing.T) {
	var out bytes.Buffer
	a := &app{out: &out}
	if err := a.tellGovernor(&outputFlags{}, control.Pacing{DCs: []control.GovernedDC{{DC: 3, Media: true, Up: true}, {DC: 3, Up: true}}}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\n3 for media   directly   up ", "\n3             directly   up "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it prints\n%s and nothing begins with %q", out.String(), want[1:])
		}
	}
}
