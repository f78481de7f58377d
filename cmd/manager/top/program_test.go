package top

import (
	"bytes"
	"context"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/exp/teatest/v2"

	"github.com/mtfleet/mtfleet/actors/actorstest"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/cmd/manager/qrcode"
)

// TestTheProgramRunsInRealTime is the model in Bubble Tea itself: filter, one account,
// back, quit.
func TestTheProgramRunsInRealTime(t *testing.T) {
	w := family(t)
	ctx, cancel := context.WithCancel(t.Context())
	m := newModel(ctx, Options{Dial: w.dial, now: time.Now})
	ended := make(chan struct{})
	go func() { defer close(ended); m.feed.run(ctx) }()
	defer func() { cancel(); <-ended }()
	tm := teatest.NewTestModel(t, m, teatest.WithInitialTermSize(80, 24))
	sees := func(text string) {
		t.Helper()
		teatest.WaitFor(t, tm.Output(), func(b []byte) bool { return bytes.Contains(b, []byte(text)) }, teatest.WithDuration(30*time.Second))
	}
	sees("2 online")
	tm.Send(tea.KeyPressMsg{Code: '/', Text: "/"})
	tm.Type("ali")
	sees("1 of 3")
	tm.Send(tea.KeyPressMsg{Code: tea.KeyEnter})
	tm.Send(tea.KeyPressMsg{Code: tea.KeyEnter})
	sees("labels")
	tm.Send(tea.KeyPressMsg{Code: 'q', Text: "q"})
	tm.WaitFinished(t, teatest.WithFinalTimeout(30*time.Second))
}

func TestWhereNoManagerRunsNothingIsDrawn(t *testing.T) {
	w := &world{t: t}
	var out bytes.Buffer
	err := Run(t.Context(), Options{Dial: w.dial, In: strings.NewReader("q"), Out: &out})
	if control.KindOf(err) != control.KindState || !strings.Contains(err.Error(), "`manager run`") || out.Len() > 0 {
		t.Errorf("%v, and %d bytes are drawn", err, out.Len())
	}
	// A sign-in that has the store is not a manager.
	dial := func(context.Context) (control.Service, error) {
		return &control.Local{About: control.About{Command: "manager account login alice"}}, nil
	}
	if err := Run(t.Context(), Options{Dial: dial, In: strings.NewReader("q"), Out: &out}); err == nil || !strings.Contains(err.Error(), "`manager account login alice` has the store") || out.Len() > 0 {
		t.Errorf("%v, and %d bytes are drawn", err, out.Len())
	}
}

// colours are SGR sequences but the one that ends them.
var colours = regexp.MustCompile("\x1b\\[[0-9;]*[1-9][0-9;]*m")

func TestNoColorIsNotAboutQRCodes(t *testing.T) {
	env := []string{"TERM=xterm-256color", "NO_COLOR=1", "TTY_FORCE=1"}
	was := slices.Clone(env)
	if p := profile(io.Discard, env); p < colorprofile.ANSI256 {
		t.Errorf("with NO_COLOR a QR code has the colours of %v", p)
	}
	if !slices.Equal(env, was) {
		t.Error("the environment is changed")
	}
	actorstest.Bubble(t, func(t *testing.T) {
		w, _ := alone(t)
		p := sit(t, w.dial)
		p.sees("1 new")
		for _, open := range []string{"enter", "e", "g", "?"} {
			p.press(open)
			if text := p.m.View().Content; colours.MatchString(text) {
				t.Errorf("there are colours without Colours: %q", colours.FindString(text))
			}
			p.press("esc")
		}
		p.press("l", "down", "enter")
		p.sees("then it is replaced")
		for line := range strings.Lines(p.m.View().Content) {
			if colours.MatchString(line) != strings.HasPrefix(line, qrcode.Colours) {
				t.Errorf("the colours of %q", line)
			}
		}
	})
}
