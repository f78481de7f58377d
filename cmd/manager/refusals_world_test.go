package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/actorstest"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
)

// The world of TestEveryRefusalIsSaidInWords: a cluster, a manager, and people
// who answer whatever a sign-in asks for.

// refusalWorld serves all rows of one road.
type refusalWorld struct {
	t     *testing.T
	road  *road
	s     *serve.Cluster
	m     *actors.Manager
	local *control.Local
	n     int       // people so far
	last  *somebody // of a row of a sign-in, and signed out again
	kept  *somebody // is signed in, for the next row

	always bool // every call of the road's method fails in this row
}

func newRefusalWorld(t *testing.T, r *road) *refusalWorld {
	never := api.RateLimit{Calls: -1}
	s := actorstest.Cluster(t, serve.Config{
		Core: dctest.Config{DCs: 2},
		API: api.Config{
			LoginsPerDay: -1, ResendTimeout: -1, LoginEmailWait: -1, Firebase: true, PNV: true,
			Limits: api.Limits{
				SendCodeNumber: never, SendCodeAddress: never, ImportBot: never, ExportAuthorization: never, GetAuthorizations: never,
				ExportLoginToken: never, AcceptLoginToken: never, CheckPassword: never, Mail: never,
			},
		},
	})
	o := actorstest.Options(s, persistence.NewMemory())
	if r.options != nil {
		r.options(&o)
	}
	m := actorstest.Open(t, o)
	return &refusalWorld{t: t, road: r, s: s, m: m, local: &control.Local{Manager: m}}
}

// api runs f with the cluster's people.
func (w *refusalWorld) api(f func(b *api.Backend, now time.Time) error) {
	w.t.Helper()
	var failed error
	if err := w.s.API(func(b *api.Backend, now time.Time) { failed = f(b, now) }); err != nil || failed != nil {
		w.t.Fatal(err, failed)
	}
}

// somebody is one person or bot, and the account that signs in as it.
type somebody struct {
	w           *refusalWorld
	id          string
	user        int64
	phone, mail string
	token       string // of a bot
	a           *actors.Account
	device      *device // that has a passkey
	password    string  // two-step, as the account set it
}

// newcomer makes somebody whose home is DC 2, where sign-ins begin.
func (w *refusalWorld) newcomer() *somebody {
	w.t.Helper()
	w.n++
	p := &somebody{w: w, id: fmt.Sprintf("x%d", w.n), mail: fmt.Sprintf("x%d@example.org", w.n)}
	w.api(func(b *api.Backend, now time.Time) (err error) {
		switch {
		case w.road.one && w.last != nil:
			p.user, p.mail = w.last.user, w.last.mail // who is signed out
		case w.road.bot:
			p.user, err = b.AddBot(2)
		case w.road.fresh:
			p.phone = fmt.Sprintf("99966290%02d", w.n)
		default:
			p.user, err = b.AddPerson(api.Person{HomeDC: cmp.Or(w.road.home, 2)})
		}
		for _, u := range b.Users() {
			if u.ID == p.user {
				p.phone, p.token = u.Phone+p.phone, u.BotToken
			}
		}
		if err == nil && w.road.setUp != nil {
			err = w.road.setUp(b, p)
		}
		return err
	})
	w.last = p
	p.a = actorstest.Add(w.t, w.m, p.id, actors.AccountOptions{NoPFS: !w.road.pfs})
	if w.road.before != nil {
		if err := w.road.before(p); err != nil {
			w.t.Fatal(err)
		}
	}
	return p
}

const rightPassword = "correct horse"

// begins is what a sign-in of somebody begins with.
func (p *somebody) begins() actors.Credentials {
	switch {
	case p.w.road.begins != nil:
		return p.w.road.begins(p)
	case p.token != "":
		return actors.BotToken(p.token)
	}
	return actors.Phone(p.phone)
}

// says is what somebody answers to a step.
func (p *somebody) says(s *actors.Step) actors.Answer {
	if p.w.road.says != nil {
		if a := p.w.road.says(p, s); a.Kind != "" {
			return a
		}
	}
	var code, mailed string
	p.w.api(func(b *api.Backend, _ time.Time) error {
		code, mailed = b.Code(p.phone), b.Mail(p.mail)
		return nil
	})
	switch s.Kind {
	case actors.StepCode:
		return actors.Answer{Kind: actors.AnswerCode, Code: code}
	case actors.StepNewCode:
		return actors.Answer{Kind: actors.AnswerResend}
	case actors.StepPhone:
		return actors.Answer{Kind: actors.AnswerPhone, Phone: p.phone}
	case actors.StepEmail:
		return actors.Answer{Kind: actors.AnswerEmail, Email: p.mail}
	case actors.StepEmailSetup:
		if mailed == "" {
			return actors.Answer{Kind: actors.AnswerEmail, Email: p.mail}
		}
		return actors.Answer{Kind: actors.AnswerCode, Code: mailed}
	case actors.StepRecovery:
		if mailed == "" {
			return actors.Answer{Kind: actors.AnswerForgot}
		}
		return actors.Answer{Kind: actors.AnswerCode, Code: mailed}
	case actors.StepPassword:
		return actors.Answer{Kind: actors.AnswerPassword, Password: rightPassword}
	case actors.StepNewPassword:
		return actors.Answer{Kind: actors.AnswerNoPassword}
	case actors.StepSignUp:
		return actors.Answer{Kind: actors.AnswerSignUp, FirstName: "Ada"}
	case actors.StepPayment:
		p.w.api(func(b *api.Backend, _ time.Time) error { b.Pay(p.phone); return nil })
		return actors.Answer{Kind: actors.AnswerPaid, FormID: 1}
	case actors.StepFirebase:
		return actors.Answer{Kind: actors.AnswerFirebase, PlayIntegrity: "token"}
	case actors.StepToken:
		return actors.Answer{Kind: actors.AnswerToken, Token: p.token}
	case actors.StepWebToken:
		return actors.Answer{Kind: actors.AnswerToken, Token: webLink(p)}
	case actors.StepPasskey:
		return p.assertion(s)
	case actors.StepPNV:
		return actors.Answer{Kind: actors.AnswerPNV, Token: carrierToken(p)}
	}
	p.w.t.Fatalf("nobody knows an answer to the step %q", s.Kind)
	return actors.Answer{}
}

// answerTo is the scripted answer of a kind.
func (p *somebody) answerTo(kind actors.AnswerKind, s *actors.Step) actors.Answer {
	switch kind {
	case actors.AnswerCancel, actors.AnswerResend, actors.AnswerForgot, actors.AnswerResetEmail:
		return actors.Answer{Kind: kind}
	case actors.AnswerMissing:
		return actors.Answer{Kind: kind, MNC: "01"}
	case actors.AnswerPhone:
		return actors.Answer{Kind: kind, Phone: p.phone}
	}
	return p.says(s)
}

// patience is how long an operation may last before the row counts as a hang.
// The server's own trouble is sat out for half a minute at most.
const patience = 5 * time.Minute

func (p *somebody) signIn() (*actors.Step, error) { return p.signInWith(p.begins()) }

func (p *somebody) signInWith(c actors.Credentials) (*actors.Step, error) {
	return p.within(func(ctx context.Context) (control.Progress, error) {
		step, err := p.a.SignIn(ctx, c)
		return control.Progress{Step: step}, control.Wrap(err)
	})
}

func (p *somebody) answer(a actors.Answer) (*actors.Step, error) {
	return p.within(func(ctx context.Context) (control.Progress, error) {
		return p.w.local.Answer(ctx, control.AnswerRequest{ID: p.id, Answer: a})
	})
}

// step waits for the step after one.
func (p *somebody) step(after *actors.Step) (*actors.Step, error) {
	return p.within(func(ctx context.Context) (control.Progress, error) {
		return p.w.local.Step(ctx, control.StepRequest{ID: p.id, After: after.ID})
	})
}

func (p *somebody) within(f func(context.Context) (control.Progress, error)) (*actors.Step, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	got, err := f(ctx)
	return got.Step, err
}

// finish goes on from where a sign-in stands, or begins it anew, until somebody
// is signed in. It obeys every wait.
func (p *somebody) finish(step *actors.Step, err error) error {
	var last error
	for range 40 {
		if err != nil {
			last = err
		}
		var failed *control.Error
		switch {
		case errors.As(err, &failed) && p.a.Status().State == actors.SigningIn:
			return fmt.Errorf("an answer is refused: %w at %+v", err, p.a.Status().Step)
		case errors.As(err, &failed):
			time.Sleep(max(0, time.Until(failed.Until)) + time.Second)
			step, err = p.signIn()
		case err != nil:
			return err
		case step == nil:
			return nil
		case step.Kind == actors.StepWait:
			time.Sleep(max(0, time.Until(step.Until)) + time.Second)
			step, err = p.step(step)
		case step.Kind == actors.StepQR:
			step, err = p.scans(step)
		case !step.Supported:
			step, err = p.answer(actors.Answer{Kind: actors.AnswerCancel})
		default:
			time.Sleep(max(0, time.Until(step.Until)) + time.Millisecond)
			step, err = p.answer(p.says(step))
		}
	}
	return fmt.Errorf("it goes on for ever: %+v, %w", step, last)
}

// alive checks that an account is signed in and that its calls are answered, also
// those that are refused to who may only read.
func (p *somebody) alive() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Hour)
	defer cancel()
	if until := p.a.Status().Until; !until.IsZero() {
		time.Sleep(time.Until(until) + time.Second)
	}
	if _, err := actors.Invoke(ctx, p.a, &echo.EchoRequest{ID: time.Now().UnixNano()}, actors.WithPolicy(actors.Once)); err != nil {
		return fmt.Errorf("a call afterwards: %w", err)
	}
	return p.untilOnline(ctx)
}

// untilOnline waits until an account is online; an error says that it will not be.
func (p *somebody) untilOnline(ctx context.Context) error {
	for {
		switch st := p.a.Status(); {
		case st.State == actors.Online:
			return nil
		case !st.SignedIn:
			return errLost
		case ctx.Err() != nil:
			return fmt.Errorf("it is %+v", st)
		}
		time.Sleep(time.Second)
	}
}

// errLost says that an account is signed in no more.
var errLost = errors.New("it is signed in no more")

// leave removes an account and ends its session, without a token for the next
// sign-in.
func (p *somebody) leave() error {
	err := p.a.Remove(context.Background(), true)
	p.w.api(func(b *api.Backend, now time.Time) error {
		if p.w.road.one {
			return b.Revoke(now, p.user)
		}
		return nil
	})
	return err
}

// printed is what `account login` prints when it leaves a step, and its exit code.
func (p *somebody) printed(s *actors.Step) (text string, exit int) {
	var out bytes.Buffer
	l := &signIn{app: &app{out: &out, err: &out}, id: "alice"}
	if err := l.pause(*s); err != nil {
		return describe(err), exitCode(err)
	}
	return strings.TrimSpace(out.String()), exitOK
}
