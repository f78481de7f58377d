package top

import (
	"os"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
)

// TestTheScreenOfThePage is that of docs/top.md: what is drawn of a fleet with all that
// can be wrong with one.
func TestTheScreenOfThePage(t *testing.T) {
	now := time.Date(2026, 11, 27, 9, 30, 0, 0, time.UTC)
	m := newModel(t.Context(), Options{now: func() time.Time { return now }})
	m.Update(tea.WindowSizeMsg{Width: 80, Height: 24})
	m.hear(connected{&control.Local{}, control.About{Running: true, PID: 812, Version: "v0.1.0", Since: now.Add(-50 * time.Hour)}})
	var list control.AccountList
	add := func(id string, s actors.Status, ago time.Duration) {
		s.Since = now.Add(-ago)
		list.Accounts = append(list.Accounts, control.Account{ID: id, State: s.State.String(), Status: s})
	}
	for _, id := range []string{"ada", "bea", "cem", "dora", "emil", "fritz"} {
		add(id, actors.Status{State: actors.Online, HomeDC: 2}, 20*time.Hour)
	}
	add("support-bot", actors.Status{State: actors.Revoked, HomeDC: 4, Why: "the server said 401 SESSION_REVOKED", Advice: "Sign it in again; its old key is kept sealed for 7 days."}, 3*time.Minute)
	add("shop", actors.Status{State: actors.SigningIn, Step: &actors.Step{Kind: actors.StepPassword, Message: "The account has a two-step password: type it."}}, 40*time.Second)
	add("news", actors.Status{State: actors.Waiting, HomeDC: 2, Until: now.Add(9*time.Minute + 30*time.Second), Why: "the server said 420 FLOOD_WAIT_600"}, 30*time.Second)
	add("gerda", actors.Status{State: actors.Connecting, HomeDC: 5, Why: "DC 5 cannot be reached"}, 90*time.Second)
	add("old", actors.Status{State: actors.Paused, HomeDC: 1, Why: "by its owner"}, 72*time.Hour)
	m.hear(listed{list})
	m.hear(paced{control.Pacing{DCs: []control.GovernedDC{
		{DC: 2, Up: true}, {DC: 4, Up: true}, {DC: 5, Since: now.Add(-90 * time.Second), Waiting: control.Permits{Connects: 1}},
	}}})
	var screen strings.Builder
	for line := range strings.Lines(ansi.Strip(m.View().Content)) {
		screen.WriteString(strings.TrimRight(line, " \n") + "\n")
	}

	const path = "../../../docs/top.md"
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(b), "```text\n")
	was, after, closed := strings.Cut(rest, "```\n")
	if !ok || !closed {
		t.Fatal("the page has no screen")
	}
	if *rewrite {
		if err := os.WriteFile(path, []byte(before+"```text\n"+screen.String()+"```\n"+after), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if was != screen.String() {
		t.Errorf("the page has another screen (go test ./cmd/manager/top -run TestTheScreenOfThePage -rewrite takes it):\n%s", screen.String())
	}
}
