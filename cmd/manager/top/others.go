package top

import (
	"cmp"
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/mtfleet/mtfleet/cmd/manager/wording"
)

// pacing is what paces the manager, and the DCs.
type pacing struct {
	scroll scroll
	room   int
}

func (g *pacing) update(*Model, tea.Msg) tea.Cmd { return nil }

func (g *pacing) key(_ *Model, k tea.KeyPressMsg) (tea.Cmd, bool) {
	return nil, g.scroll.key(k.String(), g.room)
}

func (g *pacing) keys(*Model) string { return "↑↓ move  ? help  esc back  q quit" }

func (g *pacing) title(m *Model) []string {
	return append([]string{m.styles.bold("governor: what waits for permits, and the DCs")},
		wrapped("Budget, "+m.pacing.Budget.String()+".", m.width, "")...)
}

func (g *pacing) body(m *Model, room int) []string {
	g.room = room
	lines := []string{"", m.styles.faint("DC        VIA               WAITING: CONNECTS  KEYS SIGN-INS   GIVEN SO FAR")}
	for _, d := range m.pacing.DCs {
		name := fmt.Sprint(d.DC)
		if d.Media {
			name += " media"
		}
		state := wording.DCState(d, m.now())
		if !d.Up {
			state = m.styles.trouble(state)
		}
		lines = append(lines,
			fmt.Sprintf("%s%s%18d %5d %8d   %d, %d, %d", fit(name, 10), fit(plain(cmp.Or(d.Via, "directly")), 18), d.Waiting.Connects, d.Waiting.KeyCreations, d.Waiting.SignIns,
				d.Granted.Connects, d.Granted.KeyCreations, d.Granted.SignIns),
			"          "+state)
	}
	if len(m.pacing.DCs) == 0 {
		lines = append(lines, "Nobody has asked for a permit yet.")
	}
	return g.scroll.seen(lines, room)
}

// help says what the keys do.
type help struct {
	scroll scroll
	room   int
}

const helpText = `arrows, j, k, pgup, pgdn, home, end: move
enter  one account in full: state, advice, keys and their ages, timeline
/      filter by a part of a name, of a state or of a label; esc: all
← →    filter by the states that there are
l      sign the selected account in, or go on with its sign-in
p      pause it, or resume it; asks first
r      replace its temp keys before their time
e      events as they happen; on an account's page: its own; u adds updates
g      governor and DCs
esc    back
q      quit; ctrl+c quits wherever you are

Accounts that need you come first. Duplicated, revoked and quarantined ones will not mend themselves. Frozen and signing-in ones wait for somebody. Waiting and connecting ones mend themselves. Why, and what to do, is on the account's page.

In a sign-in enter sends what was typed, tab goes to the other ways that a step has, and esc asks whether to cancel the sign-in or to leave it. One that is left is stored: l goes on with it, and so does ` + "`manager account login NAME`" + `.

This is a view of the manager that runs: quitting it changes nothing there.`

func (h *help) update(*Model, tea.Msg) tea.Cmd { return nil }

func (h *help) key(_ *Model, k tea.KeyPressMsg) (tea.Cmd, bool) {
	if k.String() == "?" {
		return nil, true
	}
	return nil, h.scroll.key(k.String(), h.room)
}

func (h *help) keys(*Model) string { return "↑↓ move  esc back  q quit" }

func (h *help) title(m *Model) []string { return []string{m.styles.bold("help"), ""} }

func (h *help) body(m *Model, room int) []string {
	h.room = room
	var lines []string
	for line := range strings.Lines(helpText) {
		if line = strings.TrimRight(line, "\n"); line == "" {
			lines = append(lines, "")
			continue
		}
		lines = append(lines, wrapped(line, m.width, "")...)
	}
	return h.scroll.seen(lines, room)
}
