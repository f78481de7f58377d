package config

import (
	"fmt"
	"strings"
)

// Source is where a setting's value comes from. The zero Source is the default.
type Source struct {
	File string // the configuration file, with Line when it is known
	Line int
	Env  string // the environment variable
	Flag bool   // the command line
}

// layer is which of the layers the value is of: a higher one overrides a lower one,
// and 0 is the default.
func (s Source) layer() int {
	switch {
	case s.Flag:
		return 3
	case s.Env != "":
		return 2
	case s.File != "":
		return 1
	}
	return 0
}

// String names the source: "mtfleet.yaml:12", "MTFLEET_API_ID", "a flag", or
// "default".
func (s Source) String() string {
	switch {
	case s.Flag:
		return "a flag"
	case s.Env != "":
		return s.Env
	case s.File != "" && s.Line > 0:
		return fmt.Sprintf("%s:%d", s.File, s.Line)
	case s.File != "":
		return s.File
	}
	return "default"
}

// Problem is one thing that is wrong with a configuration.
type Problem struct {
	Path    string // the setting, as in "dcs[2].addr"; empty when it is about the whole
	Message string // what is wrong and what to do
	Source  Source
}

// String is one line: "dcs[2].addr: what is wrong (mtfleet.yaml:12)".
func (p Problem) String() string {
	s := p.Message
	if p.Path != "" {
		s = p.Path + ": " + s
	}
	if p.Source != (Source{}) {
		s += " (" + p.Source.String() + ")"
	}
	return s
}

// Error is every problem found in a configuration. It contains no secrets.
type Error struct{ Problems []Problem }

// Error lists the problems on one line; who shows them to a person may give
// each a line of its own.
func (e *Error) Error() string {
	texts := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		texts[i] = p.String()
	}
	return "the configuration is wrong: " + strings.Join(texts, "; ")
}

// unknown is the message for a name that is no setting.
func unknown(what, name string, known []string) string {
	if best := suggest(name, known); best != "" {
		return fmt.Sprintf("there is no such %s: did you mean %s?", what, best)
	}
	return fmt.Sprintf("there is no such %s", what)
}

// suggest returns the known name nearest to name, or "" when none is near: at
// most a third of the letters may differ. Dots and underscores count the same,
// and a name without its section is recognised.
func suggest(name string, known []string) string {
	normal := func(s string) string { return strings.NewReplacer(".", "_", "-", "_").Replace(strings.ToLower(s)) }
	best, bestDistance := "", len(name)/3+1
	for _, k := range known {
		d := distance(normal(name), normal(k))
		if _, last, ok := strings.Cut(k, "."); ok && len(last) > 2 {
			_, given, _ := strings.Cut("."+name, ".")
			d = min(d, distance(normal(given), normal(last))+1)
		}
		if d < bestDistance {
			best, bestDistance = k, d
		}
	}
	return best
}

// distance is the edit distance of two names: insertions, deletions,
// replacements, and swaps of neighbours.
func distance(a, b string) int {
	rows := [3][]int{make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)}
	for j := range rows[1] {
		rows[1][j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, above, row := rows[(i-1)%3], rows[i%3], rows[(i+1)%3]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return rows[(len(a)+1)%3][len(b)]
}
