// Package qrcode draws QR codes in a terminal, in half blocks.
package qrcode

import (
	"strings"
	"unicode/utf8"

	"rsc.io/qr"
)

// The colours of a QR code, whatever those of the terminal are: black on white of
// the cube of 256 colours, which no theme changes. Cameras want dark modules on
// a light ground.
const (
	Colours = "\x1b[38;5;16;48;5;231m"
	Plain   = "\x1b[0m"
)

// Lines draws a code with so many light modules around it, two modules a line. Each line
// has its own colours.
func Lines(text string, quiet int) ([]string, error) {
	code, err := qr.Encode(text, qr.L)
	if err != nil {
		return nil, err
	}
	var lines []string
	for y := -quiet; y < code.Size+quiet; y += 2 {
		var b strings.Builder
		for x := -quiet; x < code.Size+quiet; x++ {
			b.WriteString([]string{" ", "▀", "▄", "█"}[bit(code.Black(x, y))+2*bit(code.Black(x, y+1))])
		}
		lines = append(lines, Colours+b.String()+Plain)
	}
	return lines, nil
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// QuietZones are the light modules around a code, as the standard wants them, and
// as cameras still read it where there is less room.
var QuietZones = [...]int{4, 2}

// Fit draws a code with the widest quiet zone for which there is room; nil where there is
// none for any.
func Fit(text string, columns, rows int) ([]string, error) {
	for _, quiet := range QuietZones {
		lines, err := Lines(text, quiet)
		if err != nil {
			return nil, err
		}
		if len(lines) <= rows && Width(lines[0]) <= columns {
			return lines, nil
		}
	}
	return nil, nil
}

// Width is how many columns a line of a code takes.
func Width(line string) int {
	return utf8.RuneCountInString(strings.TrimSuffix(strings.TrimPrefix(line, Colours), Plain))
}
