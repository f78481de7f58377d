package top

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/cmd/manager/wording"
)

// table is the lowest screen: the fleet by state, and a row for each account.
type table struct {
	id     string // of the selected account; empty for the first
	index  int    // where it was seen last
	scroll scroll
	typing bool // the filter
	room   int  // rows that were seen last
}

// selected finds the row of the selected account, and the one that took its place when
// it is gone.
func (t *table) selected(m *Model) *control.Account {
	if len(m.fleet.shown) == 0 {
		return nil
	}
	if t.id == "" {
		t.index = 0
	} else if i := m.fleet.at(t.id); i >= 0 {
		t.index = i
	}
	t.index = max(min(t.index, len(m.fleet.shown)-1), 0)
	return m.fleet.shown[t.index]
}

func (t *table) move(m *Model, by int) {
	if t.selected(m) == nil {
		return
	}
	t.index = max(min(t.index+by, len(m.fleet.shown)-1), 0)
	t.id = m.fleet.shown[t.index].ID
}

func (t *table) update(*Model, tea.Msg) tea.Cmd { return nil }

func (t *table) key(m *Model, k tea.KeyPressMsg) (tea.Cmd, bool) {
	name := k.String()
	if t.typing {
		t.typed(m, k)
		return nil, true
	}
	if by, ok := moved(name, t.room); ok {
		t.move(m, by)
		return nil, true
	}
	switch name {
	case "/":
		t.typing = true
		return nil, true
	case "left", "right":
		t.nextState(m, name == "right")
		return nil, true
	case "esc":
		m.fleet.filter = filter{}
		m.fleet.refilter()
		return nil, true
	case "e":
		return openEvents(m, ""), true
	case "g":
		m.push(&pacing{})
		return nil, true
	}
	acc := t.selected(m)
	if acc == nil {
		return nil, false
	}
	t.id = acc.ID // what is acted on stays selected
	if name == "enter" {
		return openAccount(m, acc.ID), true
	}
	return accountKey(m, acc, name)
}

// typed takes a key of the filter: what is typed selects at once.
func (t *table) typed(m *Model, k tea.KeyPressMsg) {
	f := &m.fleet.filter
	switch name := k.String(); name {
	case "enter":
		t.typing = false
	case "esc":
		t.typing, f.words = false, ""
	case "backspace":
		if r := []rune(f.words); len(r) > 0 {
			f.words = string(r[:len(r)-1])
		}
	case "ctrl+u":
		f.words = ""
	default:
		if by, ok := moved(name, t.room); ok && k.Text == "" {
			t.move(m, by)
			return
		}
		if len(f.words)+len(k.Text) <= maxFilter {
			f.words += k.Text
		}
	}
	m.fleet.refilter()
}

const maxFilter = 60

// nextState filters by the next state that accounts are in, and after the last one by
// none.
func (t *table) nextState(m *Model, on bool) {
	ring := append([]string{""}, m.fleet.states()...)
	at := 0
	for i, s := range ring {
		if s == m.fleet.filter.state {
			at = i
		}
	}
	step := len(ring) - 1
	if on {
		step = 1
	}
	m.fleet.filter.state = ring[(at+step)%len(ring)]
	m.fleet.refilter()
}

func (t *table) keys(*Model) string {
	if t.typing {
		return "type a part of a name, state or label   enter keep   esc all"
	}
	return "enter open  / filter  ←→ state  l sign in  p pause  r rotate  e events  ? more"
}

func (t *table) title(m *Model) []string {
	s := m.styles
	right := m.now().Local().Format(time.TimeOnly)
	left := "mtfleet"
	if m.service != nil {
		left = fmt.Sprintf("mtfleet %s, process %d, up %s", plain(m.about.Version), m.about.PID, wording.Ago(m.about.Since, m.now()))
	}
	lines := []string{s.bold(fit(left, max(m.width-len(right)-1, 0))) + " " + right}
	lines = append(lines, t.stateLines(m)...)
	lines = append(lines, paceLines(m)...)
	for _, o := range m.outages {
		lines = append(lines, s.trouble(plain(wording.Outage(o, m.now()))))
	}
	if f := m.fleet.filter; !f.none() || t.typing {
		line := fmt.Sprintf("shown: %d of %d  %s", len(m.fleet.shown), len(m.fleet.order), plain(f.String()))
		if t.typing {
			line = fmt.Sprintf("shown: %d of %d  filter: %s_", len(m.fleet.shown), len(m.fleet.order), plain(f.words))
		}
		lines = append(lines, s.bold(line))
	}
	return append(lines, s.faint(row(m.width, "  NAME", "STATE", "DC", "SINCE", "WHY")))
}

// stateLines are the fleet by state.
func (t *table) stateLines(m *Model) []string {
	parts := []string{m.styles.bold(count(len(m.fleet.order), "account") + ":")}
	for _, state := range m.fleet.states() {
		text := fmt.Sprintf("%d %s", m.fleet.counts[state], plain(state))
		if state == m.fleet.filter.state {
			parts = append(parts, m.styles.selected("["+text+"]"))
		} else {
			parts = append(parts, m.styles.state(text, state))
		}
	}
	return flow(parts, m.width)
}

// paceLines are the DCs, what waits for permits, and the waits that the server ordered.
func paceLines(m *Model) []string {
	parts := []string{"DCs:"}
	for _, d := range m.pacing.DCs {
		if name := dcName(d); d.Up {
			parts = append(parts, name+" up")
		} else {
			parts = append(parts, m.styles.trouble(name+" "+downFor(d, m.now())))
		}
	}
	if len(parts) == 1 {
		parts = append(parts, "nobody has asked for one")
	}
	lines := flow(parts, m.width)
	var p control.Permits
	for _, d := range m.pacing.DCs {
		p.Connects, p.KeyCreations, p.SignIns = p.Connects+d.Waiting.Connects, p.KeyCreations+d.Waiting.KeyCreations, p.SignIns+d.Waiting.SignIns
	}
	line := fmt.Sprintf("queue: %s, %s, %s", count(int(p.Connects), "connect"), count(int(p.KeyCreations), "key"), count(int(p.SignIns), "sign-in"))
	n, last := waits(m.fleet.order, m.now())
	if n > 0 {
		line += m.styles.warn(fmt.Sprintf("   waits: %d, the last until %s", n, last.Local().Format(time.TimeOnly)))
	}
	return append(lines, line)
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

func dcName(d control.GovernedDC) string {
	name := strconv.Itoa(d.DC)
	if d.Media {
		name += " media"
	}
	if d.Via != "" {
		name += " by " + plain(d.Via)
	}
	return name
}

func downFor(d control.GovernedDC, now time.Time) string {
	if d.Flood {
		return "wants fewer connections, " + wording.Ago(d.Since, now)
	}
	return "down " + wording.Ago(d.Since, now)
}

// waits are the accounts that the server told to wait, and when the last of them is over.
func waits(accounts []*control.Account, now time.Time) (n int, last time.Time) {
	for _, acc := range accounts {
		if acc.Until.After(now) {
			n++
			if acc.Until.After(last) {
				last = acc.Until
			}
		}
	}
	return n, last
}

// row is a line of the table.
func row(width int, name, state, dc, since, why string) string {
	columns := 20
	if width > 100 {
		columns = 32
	}
	return fit(name, columns+2) + " " + fit(state, 22) + " " + fit(dc, 2) + " " + fit(since, 5) + " " + fit(why, width-columns-2-22-2-5-4)
}

func (t *table) body(m *Model, room int) []string {
	t.room = room
	now := m.now()
	switch {
	case !m.read:
		return nil
	case len(m.fleet.order) == 0:
		return []string{"", "There are no accounts. Make one with: manager account add NAME"}
	case len(m.fleet.shown) == 0:
		return []string{"", "No account is selected by this filter: press esc for all."}
	}
	sel := t.selected(m)
	below := t.below(m, sel)
	room -= len(below)
	t.room = room
	t.scroll.top = min(max(t.scroll.top, t.index-room+1), t.index)
	t.scroll.top = max(min(t.scroll.top, len(m.fleet.shown)-room), 0)
	var lines []string
	for _, acc := range m.fleet.shown[t.scroll.top:min(t.scroll.top+room, len(m.fleet.shown))] {
		mark := "  "
		if acc == sel {
			mark = "> "
		}
		state := plain(wording.State(*acc))
		if acc != sel {
			state = m.styles.state(state, acc.State)
		}
		line := row(m.width, mark+plain(acc.ID), state, wording.HomeDC(*acc), wording.Ago(acc.Since, now), reason(acc, now))
		if acc == sel {
			line = m.styles.selected(line)
		}
		lines = append(lines, line)
	}
	for len(lines) < room {
		lines = append(lines, "")
	}
	return append(lines, below...)
}

// below is what a row has no room for: why the selected account is where it is, and what
// to do.
func (t *table) below(m *Model, acc *control.Account) []string {
	text := reason(acc, m.now())
	if acc.Advice != "" && acc.Advice != text {
		text = strings.TrimSpace(sentence(text) + " To do: " + sentence(acc.Advice))
	}
	if text == "" {
		return nil
	}
	lines := wrapped(acc.ID+": "+text, m.width, "")
	if len(lines) > 4 { // the account's own page has all of it
		lines = append(lines[:3], lines[3]+" …")
	}
	return append([]string{""}, lines...)
}

// reason is why an account is where it is, with a countdown where there is one.
func reason(acc *control.Account, now time.Time) string {
	why := acc.Why
	if acc.Step != nil && acc.Step.Kind != actors.StepQR {
		why = acc.Step.Message
	}
	if acc.Until.After(now) {
		why = wording.Short(wording.RoundUp(acc.Until.Sub(now))) + " left; " + why
	}
	return plain(strings.TrimSuffix(why, "; "))
}
