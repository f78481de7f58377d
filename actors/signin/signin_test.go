package signin

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto/login"
	"github.com/mtfleet/mtfleet/mtproto/standing"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

var (
	noon    = time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)
	refused = tgerr.New(400, "ACCESS_TOKEN_INVALID")
)

// errand is what the account of a test does next.
type errand func()

// stage is an account that writes down what its sign-in does, and a governor that
// gives no permit before the test does.
type stage struct {
	t       *testing.T
	sys     *runtime.System
	account runtime.Ref[errand]
	signIn  *SignIn
	stand   *standing.Machine
	lines   []string
	asked   []Question
	tickets []*governor.Ticket // that were wanted
	given   int                // back
}

func (p *stage) Started(*runtime.Context[errand])             {}
func (p *stage) Stopping(*runtime.Context[errand])            {}
func (p *stage) Receive(_ *runtime.Context[errand], m errand) { m() }

// permits is the governor.
type permits struct{ *stage }

func (g permits) Started(*runtime.Context[governor.Message])  {}
func (g permits) Stopping(*runtime.Context[governor.Message]) {}

func (g permits) Receive(_ *runtime.Context[governor.Message], m governor.Message) {
	switch m := m.(type) {
	case governor.Want:
		g.tickets = append(g.tickets, m.Ticket)
	case governor.Done:
		g.given++
	}
}

func (p *stage) write(format string, args ...any) {
	p.lines = append(p.lines, fmt.Sprintf(format, args...))
}

func (p *stage) Standing() *standing.Machine { return p.stand }
func (p *stage) Route() governor.Route       { return governor.Direct }
func (p *stage) Config() login.Config {
	return login.Config{APIID: 1, APIHash: "hash", DC: 2, Rand: rand.Reader}
}
func (p *stage) Granted(t *governor.Ticket) { p.account.Send(func() { p.signIn.Granted(noon, t) }) }

func (p *stage) Ask(_ standing.Call, query tl.Object, of Question) standing.CallID {
	p.asked = append(p.asked, of)
	p.write("ask %s", query.TypeName())
	return standing.CallID(len(p.asked))
}

func (p *stage) Withdraw(id standing.CallID) { p.write("withdraw %d", id) }
func (p *stage) Work(login.Work, Question)   { p.write("work") }
func (p *stage) Save(rec persistence.Record) { p.write("save %v", rec.Kind) }
func (p *stage) Keep(rec persistence.Record) { p.write("keep %v", rec.Kind) }
func (p *stage) Look()                       { p.write("look") }
func (p *stage) Shown(step *login.Step)      { p.write("show %v", step.Kind) }
func (p *stage) Decided(any)                 {}

func (p *stage) Authorized(anew bool, place *tg.UpdatesState) {
	p.write("authorized, anew: %v, place known: %v", anew, place != nil)
}

// does lets the account do something, and what the login decides by it, and
// returns when all of it has happened.
func (p *stage) does(what func()) {
	p.account.Send(func() {
		what()
		for p.signIn.Pump(noon) {
		}
		p.signIn.Tell()
	})
	synctest.Wait()
}

func (p *stage) want(sentence string, lines ...string) {
	p.t.Helper()
	if diff := cmp.Diff(lines, p.lines); diff != "" {
		p.t.Errorf("%s (-want +got):\n%s", sentence, diff)
	}
	p.lines = nil
}

// asks sends a question whose answer goes to got.
func (p *stage) asks(got chan<- error, question func(runtime.Reply[*login.Step])) {
	go func() {
		_, err := runtime.Ask(p.t.Context(), p.account, func(r runtime.Reply[*login.Step]) errand {
			return func() { question(r) }
		})
		got <- err
	}()
	synctest.Wait()
}

// begins begins a bot's sign-in.
func (p *stage) begins(got chan<- error) {
	p.asks(got, func(r runtime.Reply[*login.Step]) {
		p.signIn.Begin(noon, login.Start{Flow: login.FlowBot, Token: "42:token"}, r)
	})
}

// granted gives the permit that was wanted last, and has the first call sent.
func (p *stage) granted() {
	if len(p.tickets) == 0 {
		p.t.Fatal("nobody asked for a permit")
	}
	p.tickets[len(p.tickets)-1].Granted()
	synctest.Wait()
	p.does(func() {})
	p.does(p.signIn.Saved)
	p.does(func() { p.signIn.Looked(noon, nil) })
}

func onStage(t *testing.T, play func(p *stage)) {
	synctest.Test(t, func(t *testing.T) {
		p := &stage{t: t, sys: runtime.NewSystem(runtime.Options{}), stand: standing.Restore(standing.Config{DefaultDC: 2}, standing.Snapshot{})}
		p.stand.Start(noon)
		p.account = runtime.SpawnRoot[errand](p.sys, p)
		p.signIn = New("a", p, &Env{
			Governor: runtime.SpawnRoot[governor.Message](p.sys, permits{p}), Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		})
		synctest.Wait()
		play(p)
		if len(p.tickets) != p.given {
			t.Errorf("%d permits were asked for, %d given back", len(p.tickets), p.given)
		}
		_ = p.sys.Close(context.Background())
	})
}

// TestWhoWaitsForASignInIsAnsweredAndItsPermitGivenBack, however it ends.
func TestWhoWaitsForASignInIsAnsweredAndItsPermitGivenBack(t *testing.T) {
	stopped := errors.New("stopped")
	for name, ends := range map[string]func(p *stage){
		"it is cancelled before its turn": func(p *stage) {
			p.does(func() { p.signIn.Cancel(noon) })
		},
		"the account stops before its turn": func(p *stage) {},
		"the account stops": func(p *stage) {
			p.granted()
		},
		"the server refuses": func(p *stage) {
			p.granted()
			p.does(func() { p.signIn.Answered(noon, p.asked[0], nil, refused) })
		},
		"it is out of service": func(p *stage) {
			p.granted()
			p.does(p.signIn.Drop)
		},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, func(p *stage) {
				got := make(chan error, 2)
				p.begins(got)
				p.asks(got, func(r runtime.Reply[*login.Step]) { p.signIn.NextStep("", r) })
				ends(p)
				if len(got) != 0 {
					t.Fatalf("%d were answered before its end was told", len(got))
				}
				p.does(func() { p.signIn.End(stopped) })
				if len(got) != 2 {
					t.Fatalf("%d of the two who wait were answered", len(got))
				}
				if a, b := <-got, <-got; a == nil || b == nil {
					t.Errorf("they were answered %v, %v", a, b)
				}
				if p.signIn.UnderWay() {
					t.Error("it is under way still")
				}
			})
		})
	}
}

// TestWhatAnEarlierSignInAskedIsNotAnsweredToTheNext: answers come when they come.
func TestWhatAnEarlierSignInAskedIsNotAnsweredToTheNext(t *testing.T) {
	onStage(t, func(p *stage) {
		got := make(chan error, 2)
		p.begins(got)
		p.granted()
		p.want("it asks when it is its turn", "save login", "look", "ask auth.importBotAuthorization")
		p.does(func() {
			p.stand.SignInFailed(noon, errors.New("for the test"))
			p.signIn.End(nil)
		})
		p.begins(got)
		p.granted()
		p.want("and so does the next", "save login", "look", "ask auth.importBotAuthorization")
		p.does(func() {
			p.signIn.Answered(noon, p.asked[0], nil, refused)
			p.signIn.Worked(noon, p.asked[0], login.WorkResult{})
		})
		if p.signIn.attempt.Over() {
			t.Error("what the first was answered ended the second")
		}
		p.does(func() { p.signIn.End(errors.New("over")) })
	})
}

// TestACancelledSignInTakesItsCallBack: who cancels does not wait for a DC that
// cannot be reached.
func TestACancelledSignInTakesItsCallBack(t *testing.T) {
	onStage(t, func(p *stage) {
		got := make(chan error, 2)
		p.begins(got)
		p.granted()
		p.lines = nil
		p.does(func() { p.signIn.Cancel(noon) })
		p.want("its call is taken back", "withdraw 1", "save login")
		p.does(func() { p.signIn.End(errors.New("over")) })
	})
}
