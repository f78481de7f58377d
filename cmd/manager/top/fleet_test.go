package top

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/actorstest"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
)

// family is a world with a bot, a person, and an account that nobody is signed in to.
func family(t *testing.T) *world {
	w := newWorld(t, serve.Config{Core: dctest.Config{DCs: 2}, Persons: 2, Bots: 1})
	d := w.cluster.Descriptor()
	helper := actorstest.SignInBot(t, w.manager, "helper", d.Bots[0], actors.AccountOptions{})
	alice := actorstest.SignInPhone(t, w.manager, "alice", d.Phones[0], actors.AccountOptions{})
	actorstest.Wait(t, helper, actors.Online)
	actorstest.Wait(t, alice, actors.Online)
	if _, err := alice.Label(actorstest.Soon(t), map[string]string{"env": "prod"}); err != nil {
		t.Fatal(err)
	}
	actorstest.Add(t, w.manager, "bob", actors.AccountOptions{})
	return w
}

func TestTheFleetIsLive(t *testing.T) {
	actorstest.Bubble(t, func(t *testing.T) {
		w := family(t)
		p := sit(t, w.dial)
		golden(t, "fleet", p.sees("3 accounts:", "2 online", "1 new", "DCs:  1 up  2 up", "To do:"))

		// Somebody else pauses an account, another makes one: nobody asks again for the list.
		alice, err := w.manager.Account("alice")
		if err != nil {
			t.Fatal(err)
		}
		if err := alice.Pause(actorstest.Soon(t)); err != nil {
			t.Fatal(err)
		}
		actorstest.Add(t, w.manager, "carol", actors.AccountOptions{})
		asked := time.Now()
		p.sees("4 accounts:", "1 paused", "2 new")
		if took := time.Since(asked); took > time.Second {
			t.Errorf("seen after %v", took)
		}

		// An account whose authorization is gone comes first, with what to do.
		bot := w.cluster.Descriptor().Bots[0].UserID
		w.api(func(b *api.Backend, now time.Time) error { return b.Revoke(now, bot) })
		screen := p.sees("1 revoked", "> helper", "To do:")
		golden(t, "revoked", screen)

		// One that is removed, of which no event tells, goes with the next list.
		if err := alice.Resume(actorstest.Soon(t)); err != nil {
			t.Fatal(err)
		}
		carol, err := w.manager.Account("carol")
		if err != nil {
			t.Fatal(err)
		}
		if err := carol.Remove(actorstest.Soon(t), false); err != nil {
			t.Fatal(err)
		}
		p.sees("3 accounts:", "1 online")
	})
}

func TestADCThatIsDownIsSeenAndComesBack(t *testing.T) {
	actorstest.Bubble(t, func(t *testing.T) {
		w := family(t)
		p := sit(t, w.dial)
		p.sees("2 online")
		if err := w.cluster.StopDC(1, true); err != nil {
			t.Fatal(err)
		}
		p.until("that DC 1 is down", func(screen string) bool { return regexp.MustCompile(`1 down \d+s`).MatchString(screen) })
		p.press("g")
		p.sees("governor:", "down for")
		if err := w.cluster.StartDC(1); err != nil {
			t.Fatal(err)
		}
		p.press("esc")
		p.sees("1 up", "2 online")
	})
}

func TestAccountsAreFiltered(t *testing.T) {
	actorstest.Bubble(t, func(t *testing.T) {
		w := family(t)
		p := sit(t, w.dial)
		p.sees("2 online")
		for _, c := range []struct {
			typed string
			shown []string
		}{
			{"ALI", []string{"alice"}},
			{"prod", []string{"alice"}},
			{"onl", []string{"alice", "helper"}},
			{"onl ENV=", []string{"alice"}},
			{"nobody", nil},
		} {
			p.press("/", "ctrl+u")
			p.types(c.typed)
			screen := p.screen()
			if !strings.Contains(screen, fmt.Sprintf("shown: %d of 3", len(c.shown))) {
				t.Errorf("%q shows\n%s", c.typed, screen)
			}
			for _, name := range c.shown {
				if !regexp.MustCompile(`(?m)^[> ] ` + name + " ").MatchString(screen) {
					t.Errorf("%q does not show %s:\n%s", c.typed, name, screen)
				}
			}
			p.press("enter")
		}
		p.press("esc")
		if screen := p.screen(); strings.Contains(screen, "shown:") || !strings.Contains(screen, "> bob") {
			t.Errorf("without a filter:\n%s", screen)
		}
		// By the counts: new, online, and all again.
		p.press("right", "right")
		p.sees("[2 online]", "shown: 2 of 3")
		p.press("right")
		if screen := p.screen(); strings.Contains(screen, "shown:") {
			t.Errorf("after the last state:\n%s", screen)
		}
		p.press("left")
		p.sees("[2 online]")
		p.press("left", "left", "q")
		if !p.quit {
			t.Error("q does not quit")
		}
	})
}

var keyIDs = regexp.MustCompile(`[0-9a-f]{8}\b`)

func TestOneAccountIsShownInFull(t *testing.T) {
	actorstest.Bubble(t, func(t *testing.T) {
		w := family(t)
		p := sit(t, w.dial)
		p.sees("2 online")
		p.press("down", "enter")
		screen := p.sees("account alice", "PFS       bound", "labels    env=prod", "perm key", "in use for", "signing-in")
		if !regexp.MustCompile(`temp key  [0-9a-f]{8}  DC 1  made \d+s ago, in use for \d+s`).MatchString(screen) {
			t.Errorf("the temp key of the home DC and its age are missing:\n%s", screen)
		}
		p.press("end")
		p.sees("online")

		// A rotation is seen.
		before := len(keyIDs.FindAllString(p.screen(), -1))
		p.press("r")
		p.sees("Account alice has new temp keys.")
		p.press("end")
		p.until("the new key", func(screen string) bool {
			return strings.Contains(screen, "replaced") && len(keyIDs.FindAllString(screen, -1)) >= min(before, 1)
		})

		// A wait that the server orders has its countdown.
		if err := w.cluster.FailNext("testdc.echo", "FLOOD_WAIT_600"); err != nil {
			t.Fatal(err)
		}
		alice, err := w.manager.Account("alice")
		if err != nil {
			t.Fatal(err)
		}
		service, err := w.dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := control.Echo.Call(actorstest.Soon(t), service, control.EchoRequest{ID: alice.ID()}); control.KindOf(err) != control.KindWait {
			t.Fatalf("the echo ended in %v", err)
		}
		p.press("home")
		p.until("a countdown", func(screen string) bool {
			return regexp.MustCompile(`wait +testdc.echo until 00:1\d:\d\d \(in \d+m\d*s?\)`).MatchString(screen)
		})
		p.press("e")
		p.sees("events of account alice", "is online")
		if screen := p.screen(); strings.Contains(screen, "helper") {
			t.Errorf("events of others:\n%s", screen)
		}
		p.press("esc", "esc")
		p.sees("3 accounts:")
	})
}

func TestPausingIsAskedAboutFirst(t *testing.T) {
	actorstest.Bubble(t, func(t *testing.T) {
		w := family(t)
		p := sit(t, w.dial)
		p.sees("2 online")
		p.press("down", "p")
		p.sees("Pause account alice?")
		p.press("x")
		if p.sees("2 online"); strings.Contains(p.screen(), "Pause") {
			t.Error("the question stays")
		}
		p.press("p", "y")
		p.sees("Account alice is paused.", "1 paused")
		p.press("p")
		p.sees("Resume account alice?")
		p.press("y")
		p.sees("Account alice is resumed.", "2 online")
		// What cannot be is said.
		p.press("home", "r")
		p.until("why not", func(screen string) bool { return strings.Contains(screen, "bob") && p.m.note.bad })
	})
}

func TestEventsAreLive(t *testing.T) {
	actorstest.Bubble(t, func(t *testing.T) {
		w := family(t)
		p := sit(t, w.dial)
		p.sees("2 online")
		p.press("e")
		p.sees("helper            is online")
		alice, err := w.manager.Account("alice")
		if err != nil {
			t.Fatal(err)
		}
		if err := alice.Pause(actorstest.Soon(t)); err != nil {
			t.Fatal(err)
		}
		p.sees("alice             is paused")
		// Updates are named when they are wanted.
		if _, err := w.cluster.PushUpdate(w.cluster.Descriptor().Bots[0].UserID); err != nil {
			t.Fatal(err)
		}
		p.press("u")
		if screen := p.sees("helper            updateDeleteMessages"); strings.Contains(screen, "pts") {
			t.Errorf("more than the name:\n%s", screen)
		}
		p.press("?")
		p.sees("governor and DCs")
		p.press("esc", "esc")
		p.sees("3 accounts:")
	})
}

func TestAManagerThatGoesAwayIsWaitedFor(t *testing.T) {
	actorstest.Bubble(t, func(t *testing.T) {
		w := family(t)
		p := sit(t, w.dial)
		p.sees("2 online")
		p.press("down", "enter")
		p.sees("account alice")
		was := w.manager
		w.manager = nil
		actorstest.Close(t, was)
		golden(t, "gone", keyIDs.ReplaceAllString(p.sees("Not connected since", "start it with"), "xxxxxxxx"))
		p.press("r")
		p.sees("No manager answers now")
		w.start()
		p.until("the new one", func(screen string) bool { return !strings.Contains(screen, "Not connected since") })
		p.press("esc")
		p.sees("2 online", "up ")
	})
}

func TestATerminalThatIsTooSmallIsToldSo(t *testing.T) {
	actorstest.Bubble(t, func(t *testing.T) {
		w := family(t)
		p := sit(t, w.dial)
		p.sees("2 online")
		p.send(tea.WindowSizeMsg{Width: 40, Height: 10})
		p.sees("40 columns")
		for _, size := range []tea.WindowSizeMsg{{Width: 60, Height: 16}, {Width: 80, Height: 23}, {Width: 200, Height: 60}} {
			p.send(size)
			for _, open := range []string{"enter", "e", "g", "?", "l"} {
				p.press(open)
				p.screen() // which looks whether it fits
				p.press("esc")
			}
			p.sees("2 online", "> bob")
		}
	})
}

func TestNothingThatAServerSaysIsAnOrderToTheTerminal(t *testing.T) {
	const evil = "\x1b]0;title\x07\x1b[2J\u202ecba\x9b31m"
	m := newModel(t.Context(), Options{now: time.Now, Colours: true})
	m.Update(tea.WindowSizeMsg{Width: 80, Height: 24})
	m.hear(listed{control.AccountList{Accounts: []control.Account{{ID: "x" + evil, State: evil, Status: actors.Status{Why: evil, Advice: evil, Proxy: evil}}}}})
	for range 2 {
		for _, bad := range []string{"\x1b]", "\x07", "[2J\x1b", "\u202e", "\x9b", "\x1b[2J"} {
			if text := m.draw(); strings.Contains(text, bad) {
				t.Errorf("%q is on the screen: %q", bad, text)
			}
		}
		m.push(&account{id: "x" + evil})
	}
}

// crowd is a fleet of so many accounts, one in a hundred of which waits.
func crowd(n int) control.AccountList {
	list := control.AccountList{Accounts: make([]control.Account, n)}
	for i := range list.Accounts {
		s := actors.Status{State: actors.Online, Since: time.Unix(int64(i), 0), SignedIn: true, HomeDC: 1 + i%5}
		if i%100 == 0 {
			s.State, s.Until = actors.Waiting, time.Now().Add(time.Hour)
		}
		list.Accounts[i] = control.Account{ID: fmt.Sprintf("account-%05d", i), State: s.State.String(), Status: s}
	}
	return list
}

// TestOnlyTheRowsThatAreSeenAreDrawn: what a screen costs has nothing to do with how many
// accounts there are.
func TestOnlyTheRowsThatAreSeenAreDrawn(t *testing.T) {
	allocs := func(n int) float64 {
		m := newModel(t.Context(), Options{now: time.Now})
		m.Update(tea.WindowSizeMsg{Width: 80, Height: 24})
		m.hear(listed{crowd(n)})
		m.Update(keysByName["end"])
		m.draw()
		m.Update(keysByName["end"])
		if text := m.draw(); !strings.Contains(text, fmt.Sprintf("> account-%05d", n-1)) {
			t.Fatalf("the last account is not seen:\n%s", text)
		}
		return testing.AllocsPerRun(10, func() { m.draw() })
	}
	if few, many := allocs(100), allocs(10_000); many > few*1.2 {
		t.Errorf("a screen of 10,000 accounts takes %v allocations, of 100 %v", many, few)
	}
}

// BenchmarkTenThousandAccounts is five times a second's work at most: a hundred accounts
// changed, the table is put in order and drawn.
func BenchmarkTenThousandAccounts(b *testing.B) {
	m := newModel(b.Context(), Options{now: time.Now, Colours: true})
	m.Update(tea.WindowSizeMsg{Width: 80, Height: 24})
	m.hear(listed{crowd(10_000)})
	changes := make([]map[string]actors.Status, 2)
	for i := range changes {
		changes[i] = map[string]actors.Status{}
		for n := range 100 {
			changes[i][fmt.Sprintf("account-%05d", n*97)] = actors.Status{State: []actors.State{actors.Online, actors.Connecting}[i]}
		}
	}
	for i := 0; b.Loop(); i++ {
		m.hear(changed{changes[i%2]})
		m.draw()
	}
}

func TestOfAnUpdateTheNameAloneIsShown(t *testing.T) {
	line := eventLine(&control.Event{
		Event:  actors.Event{Account: "alice", Kind: actors.EventUpdate},
		Update: []byte(`{"_":"updateNewMessage","message":{"_":"message","message":"Login code: 13579"}}`),
	})
	if !strings.HasSuffix(line, "alice             updateNewMessage") {
		t.Errorf("an update is shown as %q", line)
	}
}
