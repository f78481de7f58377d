package main

import (
	"slices"
	"testing"

	dccontrol "github.com/mtfleet/mtfleet/mtproto/dctest/serve/control"
)

func TestEveryFieldOfAFaultHasItsFlagAndNoOther(t *testing.T) {
	var fields, flags []string
	for _, k := range dccontrol.FaultKinds() {
		fields = append(fields, slices.Concat(k.Needs, k.Fields)...)
	}
	for _, f := range faultFields {
		flags = append(flags, f.name)
	}
	slices.Sort(fields)
	slices.Sort(flags)
	if fields = slices.Compact(fields); !slices.Equal(fields, flags) {
		t.Errorf("the kinds have %q\nthe flags are %q", fields, flags)
	}
}
