package top

import (
	"fmt"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/qrcode"
	"github.com/mtfleet/mtfleet/cmd/manager/wording"
)

func (s *signIn) keys(m *Model) string {
	switch s.stage {
	case choosing:
		return "↑↓ choose  enter go on  esc back"
	case typing:
		return "enter go on  esc back"
	case asking:
		return "esc leave it (it goes on)"
	case over:
		return "enter try again  esc back  q quit"
	}
	switch {
	case s.more:
		return "enter send  esc back"
	case s.form == nil && len(s.choices()) == 0:
		return "esc cancel, or leave it"
	case len(s.choices()) == 0:
		return "enter send  esc cancel, or leave it"
	}
	return "enter go on  tab other ways  esc cancel, or leave it"
}

func (s *signIn) title(m *Model) []string {
	return []string{m.styles.bold(fit("sign-in of account "+plain(s.id), m.width))}
}

func (s *signIn) body(m *Model, room int) []string {
	switch s.stage {
	case choosing:
		return s.flowLines(m)
	case typing:
		return append([]string{""}, s.form.lines(m)...)
	case asking:
		return []string{"", "Asking the DC; it may have to wait for its turn ..."}
	case over:
		return append([]string{""}, s.whyLines(m)...)
	}
	if s.step.Kind == actors.StepQR {
		return s.qrLines(m, room)
	}
	return s.stepLines(m)
}

func (s *signIn) flowLines(m *Model) []string {
	lines := []string{"", "Sign account " + plain(s.id) + " in by its", ""}
	for i, way := range s.flows {
		if i == s.index {
			lines = append(lines, m.styles.selected("> "+way.name))
		} else {
			lines = append(lines, "  "+way.name)
		}
	}
	return append(append(lines, ""), wrapped(otherFlows(s.id), m.width, "")...)
}

func (s *signIn) whyLines(m *Model) (lines []string) {
	for _, line := range wrapped(s.why, m.width, "") {
		if line != "" {
			lines = append(lines, m.styles.trouble(line))
		}
	}
	return lines
}

// stepLines are what is asked, what is known, the field and the choices.
func (s *signIn) stepLines(m *Model) []string {
	now := m.now()
	lines := append([]string{""}, wrapped(s.step.Message, m.width, "")...)
	for _, fact := range wording.Facts(s.step, now) {
		lines = append(lines, wrapped(fact, m.width, "            ")...)
	}
	if s.step.Terms != "" {
		lines = append(lines, wrapped(s.step.Terms, m.width, "")...)
	}
	if s.step.Kind == actors.StepPasskey || s.step.Kind == actors.StepPNV {
		lines = append(lines, wrapped(otherFlows(s.id), m.width, "")...)
	}
	lines = append(lines, "")
	if s.form != nil {
		lines = append(lines, s.form.lines(m)...)
	}
	if !s.more {
		lines = append(lines, s.choiceLines(m)...)
	}
	return append(lines, s.whyLines(m)...)
}

// choiceLines are the other ways of a step, each with how long it is until it can be had.
func (s *signIn) choiceLines(m *Model) []string {
	var parts []string
	for i, c := range s.choices() {
		text := c.Word
		if c.From.After(m.now()) {
			text += " (in " + wording.Short(wording.RoundUp(c.From.Sub(m.now()))) + ")"
		}
		if i == s.choice {
			text = m.styles.selected("[" + text + "]")
		}
		parts = append(parts, text)
	}
	if len(parts) == 0 {
		return nil
	}
	return flow(append([]string{"other ways:"}, parts...), m.width)
}

// qrLines are the code, for as long as it is good.
func (s *signIn) qrLines(m *Model, room int) []string {
	lines := wrapped("Scan this in an app that is signed in: Settings, Devices, Link Desktop Device.", m.width, "")
	if s.step.LastError != "" {
		lines = wrapped(s.step.Message, m.width, "")
	}
	now := m.now()
	if !s.step.ExpiresAt.After(now) {
		return append(lines, "", "This code has expired; the next one comes when the DC can be reached.")
	}
	foot := "Good until " + wording.When(s.step.ExpiresAt, now, "%s", "") + ", then it is replaced by itself."
	picture, err := qrcode.Fit(s.step.URL, m.width, room-len(lines)-1)
	switch {
	case err != nil:
		return append(lines, "", "No QR code can be drawn of this: sign in by another way.")
	case picture == nil:
		return append(lines, "", fmt.Sprintf("The terminal is too small for the QR code, with %d columns and %d lines: make it larger (80 and 24 will do).", m.width, m.height))
	}
	return append(append(lines, picture...), foot)
}
