package tgerr

import (
	"strings"
	"time"
)

// Sentence puts what an error is to a person on one line: the message, when it
// can be tried again (zero: not known), and the cause in the server's words (nil:
// none), without the name of this package.
func Sentence(message string, until time.Time, cause error) string {
	if !until.IsZero() {
		message += " (not before " + until.UTC().Format(time.RFC3339) + ")"
	}
	if cause != nil {
		message += ": " + strings.TrimPrefix(cause.Error(), "tgerr: ")
	}
	return message
}
