package top

import (
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

const password = " open sesame "

// alone is a world with one account, to which nobody is signed in, and a person with a
// password who has the first phone.
func alone(t *testing.T) (*world, serve.Phone) {
	w := newWorld(t, serve.Config{Core: dctest.Config{DCs: 2}, Persons: 2, Bots: 1})
	phone := w.cluster.Descriptor().Phones[0]
	w.api(func(b *api.Backend, _ time.Time) error {
		return b.SetTwoStep(phone.UserID, api.TwoStep{Password: password, Hint: "the forty thieves"})
	})
	actorstest.Add(t, w.manager, "alice", actors.AccountOptions{})
	return w, phone
}

// neverSeen fails when a secret is on the screen, or can be reached from the model.
func (p *person) neverSeen(secrets ...string) {
	p.t.Helper()
	for _, secret := range secrets {
		if strings.Contains(p.m.View().Content, secret) {
			p.t.Errorf("%q is on the screen:\n%s", secret, p.screen())
		}
		if holds(p.m, secret) {
			p.t.Errorf("%q is still in the model", secret)
		}
	}
}

func TestASignInByCodeAndPassword(t *testing.T) {
	actorstest.Bubble(t, func(t *testing.T) {
		w, phone := alone(t)
		p := sit(t, w.dial)
		p.sees("1 new")
		p.press("l")
		golden(t, "flows", p.sees("> phone number"))
		p.press("enter")
		p.types("12")
		p.press("enter")
		p.sees("Phone number with its country code: 12_", "number")
		p.press("ctrl+u")
		p.send(tea.PasteMsg{Content: "+" + phone.Number + "\n"})
		p.press("enter")
		golden(t, "code", p.sees("Code: _", "digits"))

		// A wrong code is told, and the field is empty again.
		wrong := "00000"
		if wrong == phone.Code {
			wrong = "11111"
		}
		p.types(wrong)
		if !holds(p.m, wrong) {
			t.Fatal("what is typed is not found in the model: the search for secrets finds nothing")
		}
		p.press("enter")
		p.sees("1 wrong so far", "Code: _")
		p.neverSeen(wrong)
		p.types(phone.Code)
		p.press("enter")

		golden(t, "password", p.sees("Password (nothing is shown of it): _", "the forty thieves"))
		p.types("sesame")
		if strings.Contains(p.m.View().Content, "sesame") {
			t.Error("the password is shown")
		}
		p.press("enter")
		p.sees("1 wrong so far")
		p.neverSeen("sesame")
		p.types(password)
		p.press("enter")
		p.sees("Account alice is signed in: user", "1 online")
		p.neverSeen("sesame", phone.Code)
	})
}

func TestASignInByQRCodeThatRenewsItself(t *testing.T) {
	actorstest.Bubble(t, func(t *testing.T) {
		w, phone := alone(t)
		p := sit(t, w.dial)
		p.sees("1 new")
		p.press("l", "down", "enter")
		shown := func(screen string) bool {
			return strings.Contains(screen, "▀▀▀▀▀▀▀") && strings.Contains(screen, "then it is replaced")
		}
		first := p.until("a QR code", shown)
		if !regexp.MustCompile(`Good until \d\d:\d\d:\d\d \(in \d+s\)`).MatchString(first) {
			t.Errorf("no countdown:\n%s", first)
		}
		code := func(screen string) string { return screen[:strings.Index(screen, "Good until")] }
		second := p.until("the next code", func(screen string) bool { return shown(screen) && code(screen) != code(first) })
		p.press("esc")
		if screen := p.sees("c cancels the sign-in"); code(second)[:500] != screen[:500] {
			t.Errorf("the question moves the code:\n%s", screen)
		}
		p.press("x")
		p.until("the code", shown)

		// While the DC is away no code that is over is passed off as good.
		if err := w.cluster.StopDC(2, true); err != nil {
			t.Fatal(err)
		}
		if screen := p.sees("This code has expired"); strings.Contains(screen, "▀") {
			t.Errorf("it is still shown:\n%s", screen)
		}
		if err := w.cluster.StartDC(2); err != nil {
			t.Fatal(err)
		}
		p.until("the next code", shown)
		p.send(tea.WindowSizeMsg{Width: 80, Height: 20})
		p.sees("too small for the QR code")
		p.send(tea.WindowSizeMsg{Width: 80, Height: 24})

		token, err := actorstest.QRToken(p.m.top().(*signIn).step.URL)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(p.screen(), "tg://") {
			t.Error("the link is on the screen")
		}
		w.api(func(b *api.Backend, now time.Time) error { return b.Scan(now, token, phone.UserID) })
		p.sees("Password (nothing is shown of it)")
		p.types(password)
		p.press("enter")
		p.sees("Account alice is signed in: user", "1 online")
	})
}

func TestASignInIsLeftGoneOnWithAndCancelled(t *testing.T) {
	actorstest.Bubble(t, func(t *testing.T) {
		w, phone := alone(t)
		p := sit(t, w.dial)
		p.sees("1 new")
		p.press("l", "enter")
		p.types("+" + phone.Number)
		p.press("esc")
		p.sees("> phone number")
		p.neverSeen(phone.Number)
		p.press("enter")
		p.types("+" + phone.Number)
		p.press("enter")
		p.sees("Code: _")
		p.types("12")
		p.press("esc", "l")
		p.sees("is stored: l goes on with it", "1 signing-in")

		// It is there again, also for a manager that was started anew.
		was := w.manager
		w.manager = nil
		actorstest.Close(t, was)
		p.sees("Not connected since")
		w.start()
		p.until("the new manager", func(screen string) bool { return !strings.Contains(screen, "Not connected since") })
		p.press("l")
		p.sees("Code: _")

		// Another way is chosen with tab: a wait shows its countdown, a number is asked for.
		p.until("how long", func(screen string) bool { return regexp.MustCompile(`resend \(in \d+`).MatchString(screen) })
		p.press("tab", "enter")
		p.sees("[resend", "That can be had at")
		p.press("tab", "enter")
		p.sees("Phone number: _")
		p.press("esc")
		p.sees("Code: _")

		// Answered elsewhere, it goes on here.
		service, err := w.dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := control.Answer.Call(actorstest.Soon(t), service, control.AnswerRequest{ID: "alice", Answer: actors.Answer{Kind: actors.AnswerCode, Code: phone.Code}}); err != nil {
			t.Fatal(err)
		}
		p.sees("Password (nothing is shown of it)")
		p.types("half a passw")
		p.press("esc", "c")
		p.sees("The sign-in of account alice is cancelled.", "1 new")
		p.neverSeen("half a passw")
	})
}

func TestABotIsSignedIn(t *testing.T) {
	actorstest.Bubble(t, func(t *testing.T) {
		w, _ := alone(t)
		bot := w.cluster.Descriptor().Bots[0]
		p := sit(t, w.dial)
		p.sees("1 new")
		p.press("l", "down", "down", "enter")
		p.types("nonsense")
		p.press("enter")
		p.sees("Bot token (nothing is shown of it): _")
		if p.m.top().(*signIn).form.why == "" {
			t.Error("what is no token is taken for one")
		}
		p.send(tea.PasteMsg{Content: bot.Token})
		p.press("enter")
		p.sees("Account alice is signed in: bot", "1 online")
		p.neverSeen(bot.Token, "nonsense")
		p.press("l")
		p.sees("log it out first")
	})
}

func TestAWaitOfTheServerIsCountedDown(t *testing.T) {
	actorstest.Bubble(t, func(t *testing.T) {
		w, phone := alone(t)
		if err := w.cluster.FailNext("auth.sendCode", "FLOOD_WAIT_90"); err != nil {
			t.Fatal(err)
		}
		p := sit(t, w.dial)
		p.sees("1 new")
		p.press("l", "enter")
		p.types("+" + phone.Number)
		p.press("enter")
		countdown := regexp.MustCompile(`\(in (1m)?\d*s?\)`)
		first := countdown.FindString(p.until("a countdown", countdown.MatchString))
		time.Sleep(10 * time.Second)
		if later := countdown.FindString(p.screen()); later == first || later == "" {
			t.Errorf("it shows %s, and ten seconds later %s", first, later)
		}
	})
}
