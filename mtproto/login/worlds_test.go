package login

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// TestAnyWorldEndsWell feeds random inputs, refusals, losses and crashes to every
// flow, and then helps it to its end. Nothing is sent before it is on disk, before
// an imposed wait is over, or after the end; nothing secret is stored; what fails
// leaves nobody signed in.
func TestAnyWorldEndsWell(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.SampledFrom(allFlows).Draw(t, "flow")
		d := dumb{
			home: dc.ID(rapid.IntRange(2, 4).Draw(t, "home")), password: f != FlowBot && rapid.Bool().Draw(t, "password"),
			stranger: rapid.IntRange(0, 4).Draw(t, "stranger") == 0, scans: rapid.IntRange(1, 3).Draw(t, "scans"),
			codes: rapid.SliceOfN(rapid.SampledFrom(codeKinds), 0, 4).Draw(t, "codes"),
		}
		if f == FlowPNV {
			d.home = 2
		}
		w := newWorld(t, f, d, func(cfg *Config) {
			cfg.AllowSignUp = rapid.Bool().Draw(t, "sign up")
			if f == FlowPhone && rapid.Bool().Draw(t, "tokens") {
				cfg.FutureTokens = tokensOf("token")
			}
		})
		for range rapid.IntRange(0, 40).Draw(t, "length") {
			if w.over() {
				break
			}
			w.randomStep(t)
		}
		w.finish()
	})
}

var codeKinds = []string{"app", "sms", "call", "flash_call", "missed_call", "fragment", "firebase", "word", "phrase", "email", "email_setup", "payment"}

// randomStep does anything that may happen.
func (w *world) randomStep(t *rapid.T) {
	busy := w.m.underWay(w.call.Call) && w.call.Kind != 0
	switch rapid.SampledFrom([]string{"on", "on", "on", "on", "refused", "lost", "not sent", "input", "crash", "time", "rubbish", "push", "cancel"}).Draw(t, "what") {
	case "on":
		w.helpfulStep()
		return
	case "refused":
		if busy {
			w.refuse(t)
		}
	case "lost":
		if busy {
			if rapid.Bool().Draw(t, "executed") {
				_, _ = w.server.reply(w.at, w.call.Query)
			}
			w.m.Lost(w.now, w.call.Call)
		}
	case "not sent":
		w.m.Failed(w.now, w.call.Call, errors.New("no connection"))
	case "input":
		w.input(t)
	case "crash":
		if busy && rapid.Bool().Draw(t, "executed") {
			_, _ = w.server.reply(w.at, w.call.Query)
		}
		w.crash()
	case "time":
		w.now = w.now.Add(time.Duration(rapid.IntRange(0, 400).Draw(t, "seconds")) * time.Second)
		w.m.Advance(w.now)
	case "rubbish":
		if busy { // an answer that nobody can read is an answer
			_, _ = w.server.reply(w.at, w.call.Query)
			w.m.Result(w.now, w.call.Call, []byte("rubbish!"))
		}
	case "push":
		w.m.Pushed(w.now, push(rapid.SampledFrom([]string{"login-token", "login-token-among", "paid", "rubbish"}).Draw(t, "push")))
	case "cancel":
		if rapid.IntRange(0, 5).Draw(t, "really") == 0 {
			_ = w.m.Input(w.now, Answer{Kind: AnswerCancel})
		}
	}
	w.drain()
}

// refuse answers with any error there is. What the server says is true.
func (w *world) refuse(t *rapid.T) {
	e := rapid.SampledFrom(anyRefusal()).Draw(t, "error")
	name := w.call.Query.TypeName()
	// A server that does not say who is signed in is asked no more, and logs out:
	// that has to get through.
	if _, logsOut := w.call.Query.(*tg.AuthLogOutRequest); logsOut && !e.IsUnauthorized() && w.server.auth[w.at] == nobody {
		return
	}
	w.server.told(w.at, e)
	if wait, ok := e.Wait(); ok && name != "auth.cancelCode" && !w.m.s.Canceled {
		w.waits[w.subject(name)] = w.now.Add(wait)
	}
	w.note("refused: %v", e)
	w.m.Failed(w.now, w.call.Call, e)
}

// anyRefusal is every documented error, and some that are not.
func anyRefusal() (all []*tgerr.Error) {
	var names []string
	for _, list := range documented {
		names = append(names, strings.Fields(list)...)
	}
	names = append(names, strings.Fields(everywhere)...)
	names = append(names, "400:SOMETHING_ELSE", "420:WHAT", "303:PHONE_MIGRATE_77", "303:FILE_MIGRATE_4")
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		all = append(all, parseRefusal(name))
	}
	return all
}

// input gives any answer. One that is refused changes nothing.
func (w *world) input(t *rapid.T) {
	a := rapid.SampledFrom(anyAnswer).Draw(t, "answer")
	if step, ok := w.m.Step(); ok && rapid.Bool().Draw(t, "addressed") {
		a.Step = step.ID
	}
	if a.Kind == AnswerPhone {
		clear(w.waits)
	}
	before, secret := w.m.Snapshot(), fmt.Sprint(w.m.secret.code, w.m.secret.token, w.m.secret.web)
	err := w.m.Input(w.now, a)
	var e *Error
	if err != nil && !errors.As(err, &e) {
		w.failf("%v is no *Error", err)
	}
	if err != nil && (before != w.m.Snapshot() || secret != fmt.Sprint(w.m.secret.code, w.m.secret.token, w.m.secret.web)) {
		w.failf("a refused answer (%v) changed the machine", err)
	}
}

var anyAnswer = []Answer{
	{Kind: AnswerCode, Code: "12345"}, {Kind: AnswerCode, Code: "54321"}, {Kind: AnswerCode}, {Kind: AnswerResend}, {Kind: AnswerMissing, MNC: "01"},
	{Kind: AnswerPhone, Phone: "4917099999"}, {Kind: AnswerPhone}, {Kind: AnswerSignUp, FirstName: "A"}, {Kind: AnswerSignUp},
	{Kind: AnswerPassword, Password: "SECRET"}, {Kind: AnswerPassword}, {Kind: AnswerForgot}, {Kind: AnswerBack}, {Kind: AnswerNoPassword},
	{Kind: AnswerNewPassword, Password: "SECRET"}, {Kind: AnswerEmail, Email: "ada@example.org"}, {Kind: AnswerEmail, Email: "x"},
	{Kind: AnswerEmailToken, Provider: "google", Token: "SECRET"}, {Kind: AnswerEmailToken, Provider: "apple", Token: "SECRET"},
	{Kind: AnswerResetEmail}, {Kind: AnswerPaid, FormID: 7}, {Kind: AnswerPaid}, {Kind: AnswerFirebase, SafetyNet: "SECRET"}, {Kind: AnswerFirebase},
	{Kind: AnswerToken, Token: "123456:SECRET"}, {Kind: AnswerToken, Token: "99:SECRET"}, {Kind: AnswerToken, Token: "SECRET"},
	{Kind: AnswerPasskey, Credential: "{}"}, {Kind: AnswerPNV, Token: "SECRET"}, {Kind: AnswerPNV}, {Kind: "nonsense"}, {},
}

// Whatever bytes the server answers with, and whatever it pushes.
func FuzzAnyBytes(f *testing.F) {
	for i := range allFlows {
		f.Add(uint8(i), answer([]string{"sent", "app"}), answer([]string{"user", "42"}), push("login-token"))
	}
	f.Add(uint8(2), answer([]string{"login-token", "T", "30"}), answer([]string{"login-token-dc", "4", "T"}), push("paid"))
	f.Add(uint8(3), answer([]string{"options", "{}"}), accountPassword(1, nil), push("login-token-among"))
	f.Fuzz(func(t *testing.T, flow uint8, first, second, pushed []byte) {
		w := newWorld(t, allFlows[int(flow)%len(allFlows)], dumb{home: 2, password: true}, nil)
		w.m.Start(w.now)
		// What is in the bytes is no word of the dumb server's.
		take := func() {
			for out, ok := w.m.Next(); ok; out, ok = w.m.Next() {
				if _ = out.String(); out.Kind == OutCall {
					w.call = out
				}
			}
		}
		take()
		for _, body := range [][]byte{first, second} {
			w.m.Result(w.now, w.call.Call, body)
			w.m.Pushed(w.now, pushed)
			take()
			if step, ok := w.m.Step(); ok {
				if a, knows := helpful(step, 2); knows {
					_ = w.m.Input(w.now, a)
				}
			}
			take()
		}
		b, err := w.m.Snapshot().Encode()
		if err != nil {
			t.Fatal(err)
		}
		s, err := DecodeSnapshot(b)
		if err != nil {
			t.Fatal(err)
		}
		if m, err := Restore(w.cfg, s); err == nil {
			m.Start(w.now)
		}
	})
}
