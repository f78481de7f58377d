package top

import (
	"context"
	"fmt"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/cmd/manager/wording"
)

// callTime bounds what is asked of a DC, as the commands do.
const callTime = 30 * time.Second

// Model is the whole of what is shown. Its screens lie one on another; the table of all
// accounts is the lowest.
type Model struct {
	ctx    context.Context // of everything that is asked
	feed   *feed
	now    func() time.Time
	styles styles

	width, height int

	service control.Service // nil while no manager answers
	about   control.About
	since   time.Time // of the present state of the connection
	why     error     // there is none
	fleet   fleet
	outages []actors.Outage
	pacing  control.Pacing
	read    bool // the list was read once

	screens  []screen
	note     note
	question *question
}

// A screen is what is shown and what its keys do. Escape leaves any but the lowest, if
// the screen does not want it for itself.
type screen interface {
	// key takes a key; false for one that is none of this screen's.
	key(m *Model, k tea.KeyPressMsg) (tea.Cmd, bool)
	// update hears of all else, also when another screen lies on it.
	update(m *Model, msg tea.Msg) tea.Cmd
	// title, body and keys are shown from the top to the bottom. The body has at most so
	// many lines.
	title(m *Model) []string
	body(m *Model, room int) []string
	keys(m *Model) string
}

// pasted is a screen that text can be pasted into.
type pasted interface{ paste(text string) }

// A note is what was done last, or why not.
type note struct {
	text string
	bad  bool
}

var noManager = note{"No manager answers now: wait until it is back, then try again.", true}

// question is what is asked before something is done: a key for each answer, and any
// other for none.
type question struct {
	text    string
	answers map[string]func() tea.Cmd
}

// tick is once a second, for clocks.
type tick struct{}

func newModel(ctx context.Context, o Options) *Model {
	m := &Model{
		ctx: ctx, now: o.now, styles: styles{o.Colours}, since: o.now(),
		feed: &feed{dial: o.Dial, out: make(chan tea.Msg)},
	}
	m.screens = []screen{&table{}}
	return m
}

// Init implements tea.Model.
func (m *Model) Init() tea.Cmd { return tea.Batch(m.feed.next(m.ctx), m.tick()) }

func (m *Model) tick() tea.Cmd {
	return func() tea.Msg {
		sleep(m.ctx, time.Second)
		return tick{}
	}
}

// Update implements tea.Model.
func (m *Model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
		return m, nil
	case tea.KeyPressMsg:
		return m, m.key(msg)
	case tea.PasteMsg:
		if to, ok := m.top().(pasted); ok && m.question == nil {
			to.paste(msg.Content)
		}
		return m, nil
	case told:
		return m, tea.Batch(m.hear(msg.Msg), m.feed.next(m.ctx))
	case tick:
		return m, tea.Batch(m.all(msg), m.tick())
	case acted:
		m.note = note{msg.text, msg.err != nil}
		if msg.err != nil {
			m.note.text = m.sayError(msg.err)
		}
	}
	return m, m.all(msg)
}

// hear takes what the feed tells.
func (m *Model) hear(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case connected:
		m.service, m.about, m.why, m.since = msg.service, msg.about, nil, m.now()
	case lost:
		if m.why == nil || m.service != nil {
			m.since = m.now()
		}
		m.service, m.why = nil, msg.err
	case listed:
		m.fleet.set(msg.list.Accounts)
		m.outages, m.read = msg.list.Outages, true
	case changed:
		m.fleet.change(msg.statuses)
	case paced:
		m.pacing = msg.pacing
	}
	return m.all(msg)
}

// all tells every screen.
func (m *Model) all(msg tea.Msg) tea.Cmd {
	var cmds []tea.Cmd
	for _, s := range m.screens {
		if cmd := s.update(m, msg); cmd != nil {
			cmds = append(cmds, cmd)
		}
	}
	return tea.Batch(cmds...)
}

func (m *Model) top() screen { return m.screens[len(m.screens)-1] }

func (m *Model) push(s screen) { m.screens = append(m.screens, s) }

// leave takes the top screen away.
func (m *Model) leave() {
	if len(m.screens) > 1 {
		m.screens = m.screens[:len(m.screens)-1]
	}
}

func (m *Model) key(k tea.KeyPressMsg) tea.Cmd {
	name := k.String()
	switch {
	case name == "ctrl+c":
		return tea.Quit
	case name == "ctrl+z":
		return tea.Suspend
	case m.question != nil:
		q := m.question
		m.question = nil
		if answer := q.answers[name]; answer != nil {
			return answer()
		}
		return nil
	}
	m.note = note{}
	if cmd, ok := m.top().key(m, k); ok {
		return cmd
	}
	switch name {
	case "esc":
		m.leave()
	case "q":
		return tea.Quit
	case "?":
		m.push(&help{})
	}
	return nil
}

// acted is the end of what a key began.
type acted struct {
	text string
	err  error
}

// act asks the manager to do something, and says what it is doing.
func act[Req, Resp any](m *Model, method control.Method[Req, Resp], r Req, doing, done string) tea.Cmd {
	if m.service == nil {
		m.note = noManager
		return nil
	}
	m.note = note{text: doing}
	ctx, s := m.ctx, m.service
	return func() tea.Msg {
		ctx, cancel := context.WithTimeout(ctx, callTime)
		defer cancel()
		_, err := method.Call(ctx, s, r)
		return acted{done, err}
	}
}

// sayError is an error for people, with the end of a wait.
func (m *Model) sayError(err error) string {
	var e *control.Error
	text := err.Error()
	if asError(err, &e) && e.Until.After(m.now()) {
		text += " (" + wording.When(e.Until, m.now(), "until %s", "") + ")"
	}
	return sentence(text)
}

// sentence begins with a capital and ends with a full stop.
func sentence(text string) string {
	text = strings.TrimSpace(text)
	if text == "" {
		return ""
	}
	if !strings.HasSuffix(text, ".") && !strings.HasSuffix(text, ")") {
		text += "."
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// View implements tea.Model.
func (m *Model) View() tea.View {
	v := tea.NewView(m.draw())
	v.AltScreen = true
	return v
}

// draw is the screen as text.
func (m *Model) draw() string {
	if m.width == 0 || m.height == 0 {
		return ""
	}
	if m.width < leastWidth || m.height < leastHeight {
		return page(m.width, m.height, wrapped(fmt.Sprintf("The terminal has %d columns and %d lines; this needs %d and %d. Make it larger, or press q to quit.",
			m.width, m.height, leastWidth, leastHeight), m.width, ""), nil, nil)
	}
	s := m.top()
	head := append(s.title(m), m.lostLines()...)
	foot := m.footLines()
	if m.question == nil {
		foot = append(foot, m.styles.faint(plain(s.keys(m))))
	}
	return page(m.width, m.height, head, s.body(m, max(m.height-len(head)-len(foot), 0)), foot)
}

// lostLines say that no manager answers.
func (m *Model) lostLines() []string {
	if m.service != nil {
		return nil
	}
	text := "Waiting for the manager to answer."
	if m.why != nil {
		text = fmt.Sprintf("Not connected since %s, tried every second. %s", m.since.Local().Format(time.TimeOnly), sentence(m.why.Error()))
	}
	lines := wrapped(text, m.width, "")
	for i := range lines {
		lines[i] = m.styles.trouble(lines[i])
	}
	return lines
}

// footLines are a question, or what was done last.
func (m *Model) footLines() (lines []string) {
	switch {
	case m.question != nil:
		for _, line := range wrapped(m.question.text, m.width, "") {
			lines = append(lines, m.styles.bold(line))
		}
	case m.note.text != "":
		lines = wrapped(m.note.text, m.width, "")
		for i := range lines {
			if m.note.bad {
				lines[i] = m.styles.trouble(lines[i])
			}
		}
	}
	return lines[:min(len(lines), 4)]
}
