package top

import (
	"strings"
	"unicode"

	"github.com/charmbracelet/x/ansi"
)

// The least terminal that is drawn in.
const (
	leastWidth  = 60
	leastHeight = 16
)

// styles are how words are set off; the zero styles set nothing off.
type styles struct{ colours bool }

func (s styles) paint(text string, attrs ...ansi.Attr) string {
	if !s.colours || text == "" {
		return text
	}
	return ansi.NewStyle(attrs...).Styled(text)
}

func (s styles) bold(text string) string     { return s.paint(text, ansi.AttrBold) }
func (s styles) faint(text string) string    { return s.paint(text, ansi.AttrFaint) }
func (s styles) selected(text string) string { return s.paint(text, ansi.AttrReverse) }
func (s styles) trouble(text string) string  { return s.paint(text, ansi.AttrRedForegroundColor) }
func (s styles) warn(text string) string     { return s.paint(text, ansi.AttrYellowForegroundColor) }

// state colours a word as its state is.
func (s styles) state(text, state string) string {
	switch moodOf(state) {
	case good:
		return s.paint(text, ansi.AttrGreenForegroundColor)
	case quiet:
		return s.faint(text)
	case asks:
		return s.paint(text, ansi.AttrCyanForegroundColor)
	case bad:
		return s.paint(text, ansi.AttrBold, ansi.AttrRedForegroundColor)
	}
	return s.warn(text)
}

// plain takes out what a terminal would take for an order: much of what is shown was
// said by a server, or by who signed in elsewhere.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return ' '
		}
		return r
	}, text)
}

// fit makes a text exactly as wide as it is told, with an ellipsis where it is longer.
func fit(text string, width int) string {
	if width <= 0 {
		return ""
	}
	if w := ansi.StringWidth(text); w <= width {
		return text + strings.Repeat(" ", width-w)
	}
	return ansi.Truncate(text, width, "…")
}

// wrapped breaks a text into lines between its words, of which the second and later
// begin with indent.
func wrapped(text string, width int, indent string) (lines []string) {
	room := max(width-len(indent), 10)
	line := ""
	next := func() {
		lines, line = append(lines, line), ""
		width = room
	}
	for i, word := range strings.Split(plain(text), " ") {
		switch {
		case i == 0:
			line = word
		case ansi.StringWidth(line)+1+ansi.StringWidth(word) <= width:
			line += " " + word
		default:
			next()
			line = word
		}
		for ansi.StringWidth(line) > width { // a word that is longer than a line
			rest := ansi.TruncateLeft(line, width, "")
			line = ansi.Truncate(line, width, "")
			next()
			line = rest
		}
	}
	next()
	for i := range lines {
		if lines[i] = strings.TrimRight(lines[i], " "); i > 0 {
			lines[i] = indent + lines[i]
		}
	}
	return lines
}

// flow puts parts into as few lines as there is room for, two spaces between.
func flow(parts []string, width int) (lines []string) {
	line := ""
	for _, p := range parts {
		switch {
		case line == "":
			line = p
		case ansi.StringWidth(line)+2+ansi.StringWidth(p) <= width:
			line += "  " + p
		default:
			lines = append(lines, line)
			line = p
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// page makes a screen of exactly that many lines: the head, as much of the body as
// there is room for, and the foot at the bottom.
func page(width, height int, head, body, foot []string) string {
	room := max(height-len(head)-len(foot), 0)
	lines := append([]string{}, head...)
	for i := range room {
		if i < len(body) {
			lines = append(lines, body[i])
		} else {
			lines = append(lines, "")
		}
	}
	lines = append(lines, foot...)
	for i, line := range lines {
		if ansi.StringWidth(line) > width {
			lines[i] = ansi.Truncate(line, width, "…")
		}
	}
	return strings.Join(lines[:min(len(lines), height)], "\n")
}

// scroll is which of the lines are seen, when there are more than there is room for.
type scroll struct {
	top    int
	count  int  // of lines, when they were seen last
	follow bool // the end, also when there is more
}

// seen are the lines that fit.
func (s *scroll) seen(lines []string, room int) []string {
	if s.count = len(lines); s.follow {
		s.top = far
	}
	s.top = max(min(s.top, s.count-room), 0)
	return lines[s.top:min(s.top+max(room, 0), s.count)]
}

// key moves; false for a key that moves nothing. Whoever comes to the end stays there.
func (s *scroll) key(name string, room int) bool {
	d, ok := moved(name, room)
	if ok {
		s.top = max(s.top+d, 0)
		s.follow = d > 0 && s.top >= s.count-room
	}
	return ok
}

// far is further than any list is long.
const far = 1 << 30

// moved is how far a key goes.
func moved(name string, room int) (int, bool) {
	d, ok := map[string]int{
		"up": -1, "k": -1, "down": 1, "j": 1, "pgup": -max(room-1, 1), "pgdown": max(room-1, 1), "home": -far, "end": far,
	}[name]
	return d, ok
}
