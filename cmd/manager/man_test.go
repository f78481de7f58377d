package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestIndentedLinesStayLinesOfTheirOwnInAManPage(t *testing.T) {
	text := `first says
what it does:

  manager one    this
  manager two    that
and more
  at once

  after an empty line`
	want := `first says
what it does:


      manager one    this
      manager two    that

and more

      at once

      after an empty line`
	if diff := cmp.Diff(want, manText(text)); diff != "" {
		t.Error(diff)
	}
}
