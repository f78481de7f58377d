package wording

import (
	"fmt"
	"strings"
	"time"
)

// When puts a time that is to come into words, with how far it is; one that is over is past.
func When(t, now time.Time, format, past string) string {
	switch d := t.Sub(now); {
	case d <= 0:
		return past
	case d < 24*time.Hour:
		return fmt.Sprintf(format, fmt.Sprintf("%s (in %s)", t.Local().Format(time.TimeOnly), Short(RoundUp(d))))
	default:
		return fmt.Sprintf(format, t.Local().Format(time.DateTime))
	}
}

// Short is a duration without what is nought at its end.
func Short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// RoundUp is the next full second: what is waited for is then over.
func RoundUp(d time.Duration) time.Duration { return d.Truncate(time.Second) + time.Second }
