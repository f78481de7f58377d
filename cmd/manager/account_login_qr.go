package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/qrcode"
	"github.com/mtfleet/mtfleet/cmd/manager/wording"
)

// qrScreen is where a QR code is drawn, and drawn again in the same place.
type qrScreen struct {
	rows       int // from its first line to the cursor; 0 when nothing is drawn
	width      int // of the terminal then
	link, foot string
}

// show draws what fits into a terminal of that size, over what was drawn before.
func (q *qrScreen) show(w io.Writer, width, height int, title, link, foot string) error {
	q.link, q.foot = link, foot
	text := rows(title, width) + rows(link, width) + rows(foot, width) + 1 // of the cursor
	picture, err := qrcode.Fit(link, width, height-text)
	if err != nil {
		return err
	}
	if picture == nil {
		foot = "The terminal is too small for the QR code. " + foot
	}
	lines := append(append([]string{title}, picture...), link, foot)
	var b strings.Builder
	if q.rows > 0 && q.width == width {
		b.WriteString(up(q.rows))
	}
	b.WriteString("\x1b[J")
	q.rows, q.width = 0, width
	for _, line := range lines {
		b.WriteString(line + "\r\n")
		q.rows += rows(line, width)
	}
	_, err = io.WriteString(w, b.String())
	return err
}

// expired says that the code on the screen is over: the next one is late.
func (q *qrScreen) expired(w io.Writer) {
	const late = "This code has expired; the next one comes when the DC can be reached."
	if q.rows > 0 { // in place of the foot
		fmt.Fprint(w, up(rows(q.foot, q.width))+"\x1b[J"+late+"\r\n")
		q.rows += rows(late, q.width) - rows(q.foot, q.width)
		q.foot = late
	}
}

// typed counts a line that a person has typed below it.
func (q *qrScreen) typed() {
	if q.rows > 0 {
		q.rows++
	}
}

// clear takes the code away: it has been scanned, or is worth nothing any more.
func (q *qrScreen) clear(w io.Writer) {
	if q.rows > 0 {
		fmt.Fprint(w, up(q.rows)+"\x1b[J")
	}
	*q = qrScreen{}
}

// up moves the cursor to the beginning of the line so many rows above.
func up(rows int) string { return fmt.Sprintf("\x1b[%dA\r", rows) }

// rows is how many rows a line takes in a terminal.
func rows(line string, width int) int {
	line = strings.NewReplacer(qrcode.Colours, "", qrcode.Plain, "").Replace(line)
	return max((utf8.RuneCountInString(line)+width-1)/max(width, 1), 1)
}

// showQR shows the code of a step: drawn where a person sees it, and otherwise as
// its link, a line each time.
func (l *signIn) showQR(s actors.Step) error {
	if l.f.json {
		return nil
	}
	tty, ok := l.drawsOn()
	if !ok {
		return l.sayf("%s", s.URL)
	}
	width, height, err := term.GetSize(int(tty.Fd()))
	if err != nil || width <= 0 || height <= 0 {
		width, height = 80, 24
	}
	title := "Scan this in an app that is signed in: Settings, Devices, Link Desktop Device."
	if s.LastError != "" {
		title = s.Message
	}
	foot := "Good until " + wording.When(s.ExpiresAt, time.Now(), "%s", "it is replaced") + ", then replaced."
	if l.person() {
		foot += " To end the sign-in type cancel."
	}
	return l.screen.show(l.err, width, height, title, s.URL, foot)
}

// drawsOn is the terminal that a QR code can be drawn on.
func (l *signIn) drawsOn() (*os.File, bool) {
	tty, ok := terminal(l.err)
	switch name := lookup(l.env, "TERM"); {
	case name == "dumb", name == "" && os.PathSeparator == '/':
		return nil, false
	}
	return tty, ok
}
