package timeline

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	width     = 80
	clock     = "15:04:05.000"
	leastText = 24 // columns; whatever the lanes take
)

var cells = [...]string{cellNone: " ", cellIdle: "│", cellUsed: "┃", cellMark: "●", cellEnd: "╵"}

// Text writes what happened to an account, a line or a few for each entry, with a
// lane for each key on their left: ┃ while calls go under it, │ while it is
// there, ● where something happens to it, ╵ at its end. No line is longer than 80
// columns. Times are in UTC.
func Text(w io.Writer, account string, list []Entry) error {
	out := &strings.Builder{}
	if len(list) == 0 {
		fmt.Fprintf(out, "Nothing is known of what happened to account %s.\n", account)
	}
	rows, columns := rowsOf(list)
	room := max(width-len(clock)-2-2*columns-1, leastText)
	day := ""
	for _, r := range rows {
		if d := r.entry.At.UTC().Format(time.DateOnly); d != day {
			day = d
			fmt.Fprintf(out, "%s UTC, account %s\n", day, account)
		}
		for i, line := range wrap(r.entry.String(), room) {
			when := ""
			if i == 0 {
				when = r.entry.At.UTC().Format(clock)
			}
			fmt.Fprintf(out, "%-*s  ", len(clock), when)
			for _, l := range r.lanes {
				out.WriteString(cells[below(l, i)] + " ")
			}
			out.WriteString(" " + line + "\n")
		}
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// below is what a lane shows beside a further line of an entry.
func below(l lane, line int) cell {
	switch {
	case line == 0 || l.cell != cellMark && l.cell != cellEnd:
		return l.cell
	case l.cell == cellEnd:
		return cellNone
	case l.used:
		return cellUsed
	}
	return cellIdle
}

// wrap breaks text into lines of most runes, between words where it can.
func wrap(s string, most int) (lines []string) {
	for {
		at, n, space := 0, 0, -1
		for at < len(s) && n < most {
			if n > 2 && s[at] == ' ' { // a further line begins with two
				space = at
			}
			_, size := utf8.DecodeRuneInString(s[at:])
			at, n = at+size, n+1
		}
		if at == len(s) {
			return append(lines, s)
		}
		if space > 0 && s[at] != ' ' {
			at = space
		}
		lines, s = append(lines, strings.TrimRight(s[:at], " ")), "  "+strings.TrimLeft(s[at:], " ")
	}
}
