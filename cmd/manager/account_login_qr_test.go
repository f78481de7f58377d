package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/mtfleet/mtfleet/cmd/manager/qrcode"
)

const someLink = "tg://login?token=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"

// TestAQRCodeIsDrawnAgainInItsPlace: the next code covers the last one and moves
// nothing, in terminals of several sizes.
func TestAQRCodeIsDrawnAgainInItsPlace(t *testing.T) {
	title := "Scan this in an app that is signed in: Settings, Devices, Link Desktop Device."
	foot := "Good until 12:00:00 (in 28s), then replaced. To end the sign-in type cancel."
	for _, c := range []struct {
		width, height int
		quiet         int // -1: it does not fit
	}{{80, 24, 2}, {80, 25, 4}, {200, 60, 4}, {80, 22, -1}, {37, 40, 2}, {36, 60, -1}, {44, 60, 4}} {
		t.Run(fmt.Sprintf("%dx%d", c.width, c.height), func(t *testing.T) {
			s := newScreen(c.width, c.height)
			s.write("$ manager account login alice --qr\r\n")
			var q qrScreen
			draw := func(link string) string {
				var b bytes.Buffer
				if err := q.show(&b, c.width, c.height, title, link, foot); err != nil {
					t.Fatal(err)
				}
				s.write(b.String())
				return s.text()
			}
			first := draw(someLink)
			scrolled := s.scrolled
			other := strings.Replace(someLink, "AAEC", "ZZZZ", 1)
			second := draw(other)
			if s.scrolled != scrolled {
				t.Errorf("it scrolled by %d", s.scrolled-scrolled)
			}
			if again := draw(someLink); again != first || second == first || strings.Count(again, "Scan this") != 1 {
				t.Errorf("drawn again:\n%s\nat first:\n%s", again, first)
			}
			if drawn := strings.ContainsAny(first, "▀▄█"); drawn != (c.quiet >= 0) {
				t.Errorf("a code is drawn: %v\n%s", drawn, first)
			}
			if lines, _ := qrcode.Lines(someLink, max(c.quiet, 0)); c.quiet >= 0 && strings.Count(first, "\n") < len(lines) {
				t.Errorf("the quiet zone is not %d:\n%s", c.quiet, first)
			}
			if !strings.Contains(strings.ReplaceAll(first, "\n", ""), someLink) {
				t.Errorf("the link is missing:\n%s", first)
			}
			// A line that was typed below it, an expired code, and the end.
			s.write("what?\r\n")
			q.typed()
			draw(someLink)
			var b bytes.Buffer
			q.expired(&b)
			q.clear(&b)
			if s.write(b.String()); strings.ContainsAny(s.text(), "▀▄█") || strings.Contains(s.text(), "token") {
				t.Errorf("it is not taken away:\n%s", s.text())
			}
			if c.height > 30 && !strings.HasPrefix(s.text(), "$ manager") {
				t.Errorf("more is taken away:\n%s", s.text())
			}
		})
	}
}

// screen is a terminal, for the few sequences that are used.
type screen struct {
	cells    [][]rune
	row, col int
	scrolled int
	held     string // the beginning of something
}

func newScreen(width, height int) *screen {
	s := &screen{}
	for range height {
		s.cells = append(s.cells, blank(width))
	}
	return s
}

func blank(width int) []rune { return []rune(strings.Repeat(" ", width)) }

// write takes what is whole of it; a terminal is read in pieces.
func (s *screen) write(text string) {
	text = s.held + text
	for s.held = ""; len(text) > 0; {
		if strings.HasPrefix(text, "\x1b") {
			end := strings.IndexAny(text, "ABCDHJKmhl")
			if end < 0 {
				break
			}
			n := 1
			_, _ = fmt.Sscanf(text[2:end], "%d", &n)
			s.control(text[end], n)
			text = text[end+1:]
			continue
		}
		if !utf8.FullRuneInString(text) {
			break
		}
		r, size := utf8.DecodeRuneInString(text)
		text = text[size:]
		switch {
		case r == '\r':
			s.col = 0
		case r == '\n':
			s.newline()
		default:
			if s.col == len(s.cells[0]) {
				s.col = 0
				s.newline()
			}
			s.cells[s.row][s.col] = r
			s.col++
		}
	}
	s.held = text
}

func (s *screen) newline() {
	if s.row < len(s.cells)-1 {
		s.row++
		return
	}
	s.cells = append(s.cells[1:], blank(len(s.cells[0])))
	s.scrolled++
}

func (s *screen) control(what byte, n int) {
	width := len(s.cells[0])
	switch what {
	case 'A':
		s.row = max(s.row-n, 0)
	case 'K':
		copy(s.cells[s.row][min(s.col, width):], blank(width))
	case 'J':
		copy(s.cells[s.row][min(s.col, width):], blank(width))
		for row := s.row + 1; row < len(s.cells); row++ {
			s.cells[row] = blank(width)
		}
	}
}

func (s *screen) text() string {
	var lines []string
	for _, row := range s.cells {
		lines = append(lines, strings.TrimRight(string(row), " "))
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n")
}
