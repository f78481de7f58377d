package login

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// tried is an attempt and what its driver did last.
type tried struct {
	t    *testing.T
	a    *Attempt
	call CallID
}

// says checks the outputs that come now, in their order.
func (p *tried) says(want ...string) {
	p.t.Helper()
	var got []string
	for out, ok := p.a.Next(); ok; out, ok = p.a.Next() {
		if out.Kind == OutCall {
			p.call = out.Call
		}
		got = append(got, out.String())
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		p.t.Fatalf("it says %q, want %q", got, want)
	}
}

// saved lets the driver write what it was told to, and checks what comes then.
func (p *tried) saved(want ...string) {
	p.t.Helper()
	p.a.Saved()
	p.says(want...)
}

// known lets the driver look up the waits.
func (p *tried) known(want string) {
	p.t.Helper()
	if out, ok := p.a.Known(); !ok || out.String() != want {
		p.t.Fatalf("the call that waited is %v (%v), want %s", out, ok, want)
	}
}

func (p *tried) answered(words string, want ...string) {
	p.t.Helper()
	body := answer(strings.Fields(words))
	p.a.Answered(epoch, p.call, body, nil)
	p.says(want...)
}

func (p *tried) refused(err error, want ...string) {
	p.t.Helper()
	p.a.Answered(epoch, p.call, nil, err)
	p.says(want...)
}

// toCode leads it to where a code is asked for.
func (p *tried) toCode() {
	p.t.Helper()
	p.a.Granted(epoch)
	p.says("Save{sending}")
	p.saved("Call{auth.sendCode, once}")
	p.known("Call{auth.sendCode, once}")
	p.answered("sent app", "Save{wait-code}")
	p.saved("Ask{code}")
}

// toPlace leads it to where the updates are looked for.
func (p *tried) toPlace() {
	p.t.Helper()
	p.toCode()
	if err := p.a.Input(epoch, Answer{Kind: AnswerCode, Code: "12345"}); err != nil {
		p.t.Fatal(err)
	}
	p.says("Save{signing-in}")
	p.saved("Call{auth.signIn, once}")
	p.answered("user 42", "Done{user 42}")
}

// ends checks how it ended.
func (p *tried) ends(user int64, place bool, reason Reason) {
	p.t.Helper()
	auth, at, err := p.a.Outcome()
	var e *Error
	switch {
	case !p.a.Over():
		p.t.Error("it is not over")
	case (auth != nil) != (user != 0) || auth != nil && auth.UserID != user, (at != nil) != place:
		p.t.Errorf("it ended with %v and the place %v", auth, at)
	case (err != nil) != (reason != "") || err != nil && (!errors.As(err, &e) || e.Reason != reason):
		p.t.Errorf("it ended with %v, want %q", err, reason)
	}
	p.says()
}

// TestAnAttempt: what a sign-in waits for besides the server and the human.
func TestAnAttempt(t *testing.T) {
	for _, c := range []struct {
		name string
		play func(p *tried)
	}{
		{"nothing is said before its turn, and its turn comes once", func(p *tried) {
			p.says()
			if !p.a.Granted(epoch) || p.a.Granted(epoch) {
				p.t.Error("it was granted twice, or never")
			}
			p.says("Save{sending}")
		}},
		{"nothing goes out before it is on disk", func(p *tried) {
			p.a.Granted(epoch)
			p.says("Save{sending}")
			p.says()
			p.saved("Call{auth.sendCode, once}")
		}},
		{"the waits about a number are looked up once, before the first query about it", func(p *tried) {
			p.toCode()
			if err := p.a.Input(epoch, Answer{Kind: AnswerCode, Code: "12345"}); err != nil {
				p.t.Fatal(err)
			}
			p.says("Save{signing-in}")
			if p.saved("Call{auth.signIn, once}"); p.a.Looks() {
				p.t.Error("the waits are known and looked up again")
			}
			if _, waited := p.a.Known(); waited {
				p.t.Error("a call waited for what is known")
			}
		}},
		{"those about another number are looked up too", func(p *tried) {
			p.toCode()
			answer := Answer{Kind: AnswerPhone, Phone: "+49 170 7654321"}
			if got := p.a.phoneAfter(answer); got != "491707654321" || p.a.Phone() != "491701234567" {
				p.t.Errorf("the number will be %q, and is %q", got, p.a.Phone())
			}
			if err := p.a.Input(epoch, answer); err != nil || p.a.Phone() != "491707654321" {
				p.t.Errorf("the number is %q (%v)", p.a.Phone(), err)
			}
			p.says("Save{canceling}")
			p.saved("Call{auth.cancelCode}")
			p.answered("true", "Save{sending}")
			if p.saved("Call{auth.sendCode, once}"); !p.a.Looks() || p.a.About() != "491707654321" {
				p.t.Errorf("the call goes out before the waits about %q are known", p.a.About())
			}
		}},
		{"an answer that does not fit changes no number", func(p *tried) {
			p.a.Granted(epoch)
			if err := p.a.Input(epoch, Answer{Kind: AnswerPhone, Phone: "+49 170 7654321"}); err == nil || p.a.Phone() != "491701234567" {
				p.t.Errorf("the number is %q (%v)", p.a.Phone(), err)
			}
		}},
		{"it goes on when home has moved", func(p *tried) {
			p.a.Granted(epoch)
			p.says("Save{sending}")
			p.saved("Call{auth.sendCode, once}")
			p.known("Call{auth.sendCode, once}")
			p.refused(tgerr.New(303, "PHONE_MIGRATE_4"), "Save{migrating}")
			p.saved("Migrate{DC 4}")
			p.says()
			p.a.Migrated(epoch)
			p.says("Save{sending}")
		}},
		{"it counts when the place of the updates is known", func(p *tried) {
			p.toPlace()
			if p.a.Over() {
				p.t.Error("it counts already")
			}
			p.a.Answered(epoch, 0, (&tg.UpdatesState{Pts: 7}).Append(nil), nil)
			p.ends(42, true, "")
		}},
		{"it counts also when the server does not say", func(p *tried) {
			p.toPlace()
			p.a.Answered(epoch, 0, nil, tgerr.New(500, "NO"))
			p.ends(42, false, "")
		}},
		{"a removal comes too late for what the server has granted", func(p *tried) {
			p.toPlace()
			if err := p.a.Input(epoch, Answer{Kind: AnswerCancel}); err == nil {
				p.t.Error("its owner cancelled what was granted")
			}
			if err := p.a.Cancel(epoch); err != nil {
				p.t.Error(err)
			}
			p.ends(42, false, "")
		}},
		{"it is cancelled at once before its turn", func(p *tried) {
			if err := p.a.Input(epoch, Answer{Kind: AnswerCancel}); err != nil {
				p.t.Error(err)
			}
			p.ends(0, false, ReasonCanceled)
		}},
		{"a cancelled one undoes what it has done", func(p *tried) {
			p.toCode()
			if err := p.a.Cancel(epoch); err != nil || !p.a.Canceled() {
				p.t.Error(err)
			}
			p.says("Save{canceling}")
			p.saved("Call{auth.cancelCode}")
			p.answered("true", "Failed{canceled}")
			p.ends(0, false, ReasonCanceled)
		}},
		{"one that is dropped has no outcome, and hears nothing more", func(p *tried) {
			p.toPlace()
			p.a.Drop()
			p.a.Answered(epoch, 0, (&tg.UpdatesState{Pts: 7}).Append(nil), nil)
			p.ends(0, false, "")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, err := Begin(testConfig(), Start{Flow: FlowPhone, Phone: "+49 170 1234567"})
			if err != nil {
				t.Fatal(err)
			}
			c.play(&tried{t: t, a: a})
		})
	}
}

// TestAnAttemptGoesOnAfterARestart: it is not fresh then, so that a cancellation
// waits for its turn, and asks for the code that it asked for.
func TestAnAttemptGoesOnAfterARestart(t *testing.T) {
	stored, err := Snapshot{Flow: FlowPhone, State: StateWaitCode, Phone: PhonePart{Number: "491701234567", Next: "491707654321", Hash: "h"}}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	a, err := Resume(testConfig(), stored)
	if err != nil {
		t.Fatal(err)
	}
	if a.Phone() != "491707654321" || a.Flow() != "phone" {
		t.Errorf("it holds %q", a.Phone())
	}
	p := &tried{t: t, a: a}
	if err := a.Input(epoch, Answer{Kind: AnswerCode, Code: "12345"}); err == nil {
		t.Error("a step that is not shown yet was answered")
	}
	a.Granted(epoch)
	p.says("Ask{code}")
	if _, err := Resume(testConfig(), []byte("{")); err == nil {
		t.Error("a snapshot that cannot be read was resumed")
	}
	if b, err := Begin(testConfig(), Start{Flow: FlowBot, Token: "123456:secret"}); err != nil || b.Flow() != "bot" || b.Phone() != "" || !strings.HasPrefix(b.About(), "123456:") {
		t.Errorf("a bot: %v", err)
	}
}

// TestASignInThatWaitsForItsTurnAfterARestartIsCanceledThen: the code of before is
// taken back, and nothing is asked.
func TestASignInThatWaitsForItsTurnAfterARestartIsCanceledThen(t *testing.T) {
	stored, err := Snapshot{Flow: FlowPhone, State: StateWaitCode, Phone: PhonePart{Number: "491701234567", Hash: "h"}}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	a, err := Resume(testConfig(), stored)
	if err != nil {
		t.Fatal(err)
	}
	p := &tried{t: t, a: a}
	if err := a.Cancel(epoch); err != nil || a.Over() || !a.Canceled() {
		t.Errorf("what an earlier process has begun was dropped, or is not to be ended: %v", err)
	}
	p.says()
	a.Granted(epoch)
	p.says("Save{canceling}")
	p.saved("Call{auth.cancelCode}")
	p.known("Call{auth.cancelCode}")
	p.answered("true", "Failed{canceled}")
	p.ends(0, false, ReasonCanceled)
}

// TestAnAttemptHoldsItsNumber: the number that a code is asked for, or is next,
// and no other.
func TestAnAttemptHoldsItsNumber(t *testing.T) {
	held := map[string]bool{"491700000000": true} // somebody else's
	cfg := testConfig()
	cfg.HoldPhone = func(had, wants string) error {
		if held[wants] && wants != had {
			return errors.New("taken")
		}
		delete(held, had)
		if wants != "" {
			held[wants] = true
		}
		return nil
	}
	holds := func(number string) {
		t.Helper()
		want := map[string]bool{"491700000000": true}
		if number != "" {
			want[number] = true
		}
		if fmt.Sprint(held) != fmt.Sprint(want) {
			t.Errorf("held are %v, want %v", held, want)
		}
	}
	if _, err := Begin(cfg, Start{Flow: FlowPhone, Phone: "+49 170 0000000"}); err == nil {
		t.Fatal("a number that is taken began a sign-in")
	}
	holds("")
	a, err := Begin(cfg, Start{Flow: FlowPhone, Phone: "+49 170 1234567"})
	if err != nil {
		t.Fatal(err)
	}
	holds("491701234567")
	p := &tried{t: t, a: a}
	p.toCode()
	for _, number := range []string{"+49 170 0000000", "none"} {
		if err := a.Input(epoch, Answer{Kind: AnswerPhone, Phone: number}); err == nil {
			t.Errorf("%s was taken", number)
		}
		holds("491701234567")
	}
	if err := a.Input(epoch, Answer{Kind: AnswerPhone, Phone: "+49 170 7654321"}); err != nil {
		t.Fatal(err)
	}
	holds("491707654321")
	a.Release()
	holds("")
}
