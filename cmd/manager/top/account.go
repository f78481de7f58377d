package top

import (
	"fmt"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/timeline"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/cmd/manager/wording"
)

// accountKey is for the keys that do something with one account, wherever it is shown.
func accountKey(m *Model, acc *control.Account, name string) (tea.Cmd, bool) {
	r := control.AccountRequest{ID: acc.ID}
	switch name {
	case "p":
		pause := func() tea.Cmd {
			return act(m, control.Pause, r, "Pausing account "+acc.ID+" ...", "Account "+acc.ID+" is paused.")
		}
		text := "Pause account " + acc.ID + "? Its connections close and its keys are kept. (y/n)"
		if state := acc.Status.State; state == actors.Paused || state == actors.Quarantined {
			pause = func() tea.Cmd {
				return act(m, control.Resume, r, "Resuming account "+acc.ID+" ...", "Account "+acc.ID+" is resumed.")
			}
			text = "Resume account " + acc.ID + "? (y/n)"
		}
		m.question = &question{text: text, answers: map[string]func() tea.Cmd{"y": pause}}
		return nil, true
	case "r":
		return act(m, control.Rotate, r, "Rotating the temp keys of account "+acc.ID+" ...", "Account "+acc.ID+" has new temp keys."), true
	case "l":
		return openSignIn(m, acc), true
	}
	return nil, false
}

// timelineEvery is how often the timeline of the account that is looked at is read.
const timelineEvery = 5 * time.Second

// account is one account in full.
type account struct {
	id     string
	scroll scroll
	room   int

	asked   time.Time // when the timeline was asked for last
	asking  bool
	entries []timeline.Entry
	err     error
}

// timelineRead is the timeline of an account, or why there is none.
type timelineRead struct {
	id      string
	entries []timeline.Entry
	err     error
}

func openAccount(m *Model, id string) tea.Cmd {
	a := &account{id: id}
	m.push(a)
	return a.ask(m)
}

// ask reads the timeline, which no event carries.
func (a *account) ask(m *Model) tea.Cmd {
	if a.asking || m.service == nil {
		return nil
	}
	a.asking, a.asked = true, m.now()
	ctx, s, id := m.ctx, m.service, a.id
	return func() tea.Msg {
		line, err := ask(ctx, s, control.Timeline, control.AccountRequest{ID: id})
		return timelineRead{id, line.Entries, err}
	}
}

func (a *account) update(m *Model, msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case timelineRead:
		if msg.id == a.id {
			if a.asking, a.err = false, msg.err; msg.err == nil {
				a.entries = msg.entries
			}
		}
	case changed:
		if _, ok := msg.statuses[a.id]; ok {
			return a.ask(m)
		}
	case connected:
		return a.ask(m)
	case lost:
		a.asking = false
	case tick:
		if m.now().Sub(a.asked) >= timelineEvery {
			return a.ask(m)
		}
	}
	return nil
}

func (a *account) key(m *Model, k tea.KeyPressMsg) (tea.Cmd, bool) {
	name := k.String()
	if a.scroll.key(name, a.room) {
		return nil, true
	}
	if name == "e" {
		return openEvents(m, a.id), true
	}
	if acc := m.fleet.byID[a.id]; acc != nil {
		return accountKey(m, acc, name)
	}
	return nil, false
}

func (a *account) keys(*Model) string {
	return "↑↓ move  end newest  l sign in  p pause  r rotate  e events  ? help  esc back"
}

func (a *account) title(m *Model) []string {
	return []string{m.styles.bold(fit("account "+plain(a.id), m.width))}
}

func (a *account) body(m *Model, room int) []string {
	a.room = room
	acc := m.fleet.byID[a.id]
	if acc == nil {
		return []string{"This account is gone: it was removed."}
	}
	lines := a.facts(m, acc)
	lines = append(lines, a.waits(m)...)
	lines = append(lines, a.keyLines(m)...)
	lines = append(lines, "", m.styles.bold("timeline, the newest last"))
	if a.err != nil {
		lines = append(lines, wrapped(sentence(a.err.Error()), m.width, "")...)
	}
	var text strings.Builder
	_ = timeline.Text(&text, a.id, a.entries) // a builder takes all
	for line := range strings.Lines(text.String()) {
		lines = append(lines, plain(strings.TrimRight(line, "\n")))
	}
	return a.scroll.seen(lines, room)
}

// facts are what is known of the account itself.
func (a *account) facts(m *Model, acc *control.Account) (lines []string) {
	now := m.now()
	add := func(name, value string) {
		if value == "" || value == "-" {
			return
		}
		for i, line := range wrapped(value, m.width-10, "") {
			if i > 0 {
				name = ""
			}
			lines = append(lines, fit(name, 9)+" "+line)
		}
	}
	add("state", wording.State(*acc))
	lines[0] = fit("state", 9) + " " + m.styles.state(plain(wording.State(*acc)), acc.State)
	if !acc.Since.IsZero() {
		add("since", acc.Since.Local().Format(time.DateTime)+", "+wording.Ago(acc.Since, now)+" ago")
	}
	add("why", acc.Why)
	if acc.Until.After(now) {
		add("until", wording.When(acc.Until, now, "%s", ""))
	}
	if acc.Step != nil && acc.Step.Kind != actors.StepQR {
		add("sign-in", acc.Step.Message)
	}
	add("to do", acc.Advice)
	kind := wording.Kind(*acc)
	if acc.UserID != 0 {
		kind += fmt.Sprintf(", user id %d", acc.UserID)
	}
	add("kind", kind)
	add("home DC", wording.HomeDC(*acc))
	add("PFS", wording.PFS(*acc))
	if o := acc.Origin; o.Format != "" {
		add("session", "taken in from "+o.Format+" on "+o.At.Local().Format(time.DateOnly))
	}
	add("proxy", acc.Proxy)
	add("labels", acc.Labels.String())
	return lines
}

// waits are those that the server ordered and that are not over, as the timeline has them.
func (a *account) waits(m *Model) (lines []string) {
	now := m.now()
	of := map[string]time.Time{}
	for _, e := range a.entries {
		if e.Kind == timeline.Wait {
			of[e.Word] = e.Until
		}
	}
	var methods []string
	for method, until := range of {
		if until.After(now) {
			methods = append(methods, method)
		}
	}
	slices.Sort(methods)
	for _, method := range methods {
		what := "everything"
		if method != "" {
			what = method
		}
		lines = append(lines, m.styles.warn(fit("wait", 9)+" "+plain(what)+" "+wording.When(of[method], now, "until %s", "")))
	}
	return lines
}

// keyLines are the keys that the timeline knows and that are not gone, each with its age.
func (a *account) keyLines(m *Model) []string {
	keys := keysOf(a.entries)
	if len(keys) == 0 {
		return nil
	}
	lines := []string{"", m.styles.bold("keys")}
	for _, k := range keys {
		age := "older than the timeline"
		if !k.made.IsZero() {
			age = "made " + wording.Ago(k.made, m.now()) + " ago"
		}
		if !k.since.IsZero() {
			age += ", " + k.stands + " for " + wording.Ago(k.since, m.now())
		}
		lines = append(lines, fmt.Sprintf("%-9s %s  DC %d%s  %s", k.what, k.id, k.dc, k.media, age))
	}
	return lines
}

// keyAge is a key of the timeline.
type keyAge struct {
	id     timeline.Key
	what   string // "perm key", "temp key", or "key" where it is not known
	dc     int
	media  string
	made   time.Time
	stands string // "in use" since
	since  time.Time
}

// keysOf finds the keys that there still are at the end of a timeline.
func keysOf(entries []timeline.Entry) []*keyAge {
	var keys []*keyAge
	of := func(e timeline.Entry) *keyAge {
		for _, k := range keys {
			if k.id == e.Key {
				return k
			}
		}
		k := &keyAge{id: e.Key, what: "key", dc: e.DC}
		if e.Media {
			k.media = " media"
		}
		keys = append(keys, k)
		return k
	}
	gone := func(id timeline.Key) {
		keys = slices.DeleteFunc(keys, func(k *keyAge) bool { return k.id == id })
	}
	for _, e := range entries {
		switch e.Kind {
		case timeline.PermMade:
			k := of(e)
			k.what, k.made = "perm key", e.At
		case timeline.TempMade:
			k := of(e)
			k.what, k.made = "temp key", e.At
		case timeline.Bound, timeline.Used, timeline.Replaced:
			if e.Key.IsZero() {
				continue
			}
			k := of(e)
			if k.what == "key" && e.Kind == timeline.Bound {
				k.what = "temp key"
			}
			k.since = e.At
			k.stands = map[timeline.Kind]string{timeline.Bound: "bound", timeline.Used: "in use", timeline.Replaced: "replaced"}[e.Kind]
		case timeline.Closed, timeline.Lost, timeline.Gone:
			gone(e.Key)
		case timeline.Forgotten:
			keys = slices.DeleteFunc(keys, func(k *keyAge) bool { return k.dc == e.DC && (k.media != "") == e.Media })
		}
	}
	return keys
}
