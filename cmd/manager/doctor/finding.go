package doctor

import (
	"fmt"
	"strings"
)

// Level is how much a finding matters. Its text, also in JSON, is the word in quotes.
type Level uint8

const (
	// OK, "ok": it is as it should be.
	OK Level = iota
	// Note, "note": it is meant like that, or nobody is worse off for it.
	Note
	// Warning, "warning": it works, and will not for ever or not for all.
	Warning
	// Error, "error": something does not work, or accounts are in danger.
	Error
)

var levels = [...]string{OK: "ok", Note: "note", Warning: "warning", Error: "error"}

// String is the level's text.
func (l Level) String() string {
	if int(l) < len(levels) {
		return levels[l]
	}
	return fmt.Sprintf("level %d", uint8(l))
}

// MarshalText is String, for JSON.
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// Finding is what a check found.
type Finding struct {
	// Check is what was looked at: "key", "disk".
	Check string `json:"check"`
	Level Level  `json:"level"`
	// What is so, without a full stop.
	What string `json:"what"`
	// Why it matters, one sentence; empty where all is well.
	Why string `json:"why,omitempty"`
	// Mend is the command that mends it, or, where no command of this machine can,
	// the one that shows where it ends; never empty for a warning or an error.
	Mend string `json:"mend,omitempty"`
}

// Worst is the highest level of findings.
func Worst(all []Finding) (worst Level) {
	for _, f := range all {
		worst = max(worst, f.Level)
	}
	return worst
}

// Count says how many findings of each level above OK there are: "1 error, 2 warnings".
func Count(all []Finding) string {
	n := map[Level]int{}
	for _, f := range all {
		n[f.Level]++
	}
	var parts []string
	for _, l := range []Level{Error, Warning, Note} {
		if n[l] > 0 {
			parts = append(parts, counted(n[l], l.String()))
		}
	}
	if len(parts) == 0 {
		return "all is well"
	}
	return strings.Join(parts, ", ")
}

func counted(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

func ok(check, format string, args ...any) Finding {
	return Finding{Check: check, What: fmt.Sprintf(format, args...)}
}

// Quoted is an argument as a shell takes it.
func Quoted(arg string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+,:@%=", r)
	}
	if arg != "" && strings.IndexFunc(arg, func(r rune) bool { return !plain(r) }) < 0 {
		return arg
	}
	return "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
}
