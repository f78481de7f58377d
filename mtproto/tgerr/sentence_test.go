package tgerr

import (
	"errors"
	"testing"
	"time"
)

func TestASentenceSaysWhatWhenAndWhy(t *testing.T) {
	until := time.Date(2026, 1, 2, 4, 4, 5, 0, time.FixedZone("", 3600))
	for name, tt := range map[string]struct {
		until time.Time
		cause error
		want  string
	}{
		"what alone":            {want: "the code was wrong"},
		"when, in UTC":          {until: until, want: "the code was wrong (not before 2026-01-02T03:04:05Z)"},
		"the server's own word": {cause: New(400, "PHONE_CODE_INVALID"), want: "the code was wrong: server answered 400 PHONE_CODE_INVALID"},
		"when and another's":    {until: until, cause: errors.New("no disk"), want: "the code was wrong (not before 2026-01-02T03:04:05Z): no disk"},
	} {
		if got := Sentence("the code was wrong", tt.until, tt.cause); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}
