package qrcode

import (
	"strings"
	"testing"

	"rsc.io/qr"
)

const someLink = "tg://login?token=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"

// TestAQRCodeIsDarkOnLight reads the modules back from what is drawn.
func TestAQRCodeIsDarkOnLight(t *testing.T) {
	code, err := qr.Encode(someLink, qr.L)
	if err != nil {
		t.Fatal(err)
	}
	for _, quiet := range QuietZones {
		lines, err := Lines(someLink, quiet)
		if err != nil {
			t.Fatal(err)
		}
		for row, line := range lines {
			body, ok := strings.CutPrefix(line, Colours)
			body, reset := strings.CutSuffix(body, Plain)
			if !ok || !reset {
				t.Fatalf("line %d has not its own colours: %q", row, line)
			}
			for x, r := range []rune(body) {
				top, bottom := r == '▀' || r == '█', r == '▄' || r == '█'
				if top != code.Black(x-quiet, 2*row-quiet) || bottom != code.Black(x-quiet, 2*row+1-quiet) {
					t.Fatalf("quiet zone %d, line %d, column %d: %q", quiet, row, x, r)
				}
			}
			if n := len([]rune(body)); n != code.Size+2*quiet {
				t.Fatalf("line %d has %d columns", row, n)
			}
		}
	}
}

func TestTheWidestQuietZoneThatFitsIsTaken(t *testing.T) {
	for _, c := range []struct{ columns, rows, quiet int }{
		{80, 40, 4}, {41, 21, 4}, {40, 40, 2}, {80, 20, 2}, {37, 19, 2}, {36, 40, -1}, {80, 18, -1},
	} {
		lines, err := Fit(someLink, c.columns, c.rows)
		if err != nil {
			t.Fatal(err)
		}
		want := 0
		if c.quiet >= 0 {
			drawn, err := Lines(someLink, c.quiet)
			if err != nil {
				t.Fatal(err)
			}
			want = len(drawn)
		}
		if len(lines) != want {
			t.Errorf("in %d columns and %d rows: %d lines, want %d", c.columns, c.rows, len(lines), want)
		}
	}
	if _, err := Fit(strings.Repeat("x", 8000), 80, 24); err == nil {
		t.Error("a text for which there is no code is drawn")
	}
}
