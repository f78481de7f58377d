package api

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/login"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// player drives the client's sign-in against the DCs.
type player struct {
	*world
	m    *login.Machine
	at   int   // DC
	perm int64 // on each DC
	lose int   // the answer to this call is lost, counted from 1; 0 loses none
	die  int   // before this call the process dies and a new one goes on from what it stored
	// answer is the human.
	answer func(s login.Step) login.Answer

	calls int
	saved login.Snapshot
	steps []string
}

func (p *player) config() login.Config {
	return login.Config{
		APIID: int32(TestApp().ID), APIHash: TestApp().Hash, Rand: rand.NewChaCha8([32]byte{}), Group: known, DC: dc.ID(p.at),
		Settings: tg.CodeSettings{AllowFirebase: true}, AllowSignUp: true, PermKeyID: func(dc.ID) (int64, bool) { return p.perm, true },
	}
}

// run plays to the end and returns who is signed in.
func (p *player) run() *login.Authorization {
	p.t.Helper()
	p.m.Start(p.now)
	for range 300 {
		out, ok := p.m.Next()
		if !ok {
			p.wait()
			continue
		}
		switch out.Kind {
		case login.OutSave:
			p.saved = out.Snapshot
		case login.OutCall:
			p.call(out)
		case login.OutMigrate:
			p.at = int(out.DC)
			p.m.Migrated(p.now)
		case login.OutWork:
			p.m.Worked(p.now, out.Work.ID, out.Work.Do())
		case login.OutAsk:
			p.ask(out.Step)
		case login.OutDone:
			return out.Authorization
		case login.OutFailed:
			p.t.Fatalf("%v; lost %d, died %d, steps %v", out.Err, p.lose, p.die, p.steps)
		}
	}
	p.t.Fatalf("the sign-in does not end: %v; lost %d, died %d, steps %v", p.m.State(), p.lose, p.die, p.steps)
	return nil
}

func (p *player) call(out login.Output) {
	p.t.Helper()
	if p.calls++; p.calls == p.die {
		m, err := login.Restore(p.config(), p.saved)
		if err != nil {
			p.t.Fatal(err)
		}
		p.m = m
		p.m.Start(p.now)
		return
	}
	r := p.raw(p.at, p.perm, out.Query.Append(nil))
	switch {
	case p.calls == p.lose:
		p.m.Lost(p.now, out.Call)
	case r.Err != nil:
		p.m.Failed(p.now, out.Call, tgerr.New(r.Err.Code, r.Err.Text))
	default:
		p.m.Result(p.now, out.Call, r.Body)
	}
	p.hear()
}

// hear hands on what is pushed to the player's key.
func (p *player) hear() {
	for _, push := range p.pushes() {
		if push.DC == p.at && push.Perm == p.perm {
			p.m.Pushed(p.now, push.Body)
		}
	}
}

func (p *player) ask(s login.Step) {
	p.t.Helper()
	p.steps = append(p.steps, string(s.Kind))
	a := p.answer(s)
	if a.Kind == "" {
		return // nothing to say: it waits
	}
	if err := p.m.Input(p.now, a); err != nil {
		p.t.Fatalf("%v at %v: %v; lost %d, died %d, steps %v", a.Kind, s.Kind, err, p.lose, p.die, p.steps)
	}
	p.hear()
}

// wait lets the time pass until the machine wants it.
func (p *player) wait() {
	p.t.Helper()
	p.hear()
	if d := p.m.Deadline(); d.After(p.now) {
		p.sleep(d.Sub(p.now))
	} else {
		p.sleep(time.Second)
	}
	p.m.Advance(p.now)
}

// answers is a human who has all that is asked for.
func (p *player) answers(u User) func(s login.Step) login.Answer {
	return func(s login.Step) login.Answer {
		switch s.Kind {
		case login.StepCode:
			return login.Answer{Kind: login.AnswerCode, Code: p.b.Code(u.Phone)}
		case login.StepNewCode:
			return login.Answer{Kind: login.AnswerResend}
		case login.StepEmail:
			return login.Answer{Kind: login.AnswerEmail, Email: mailAddress}
		case login.StepEmailSetup, login.StepRecovery:
			if p.b.Mail(mailAddress) == "" { // the process died before it was asked for
				return login.Answer{Kind: login.AnswerBack}
			}
			return login.Answer{Kind: login.AnswerCode, Code: p.b.Mail(mailAddress)}
		case login.StepPassword:
			return login.Answer{Kind: login.AnswerPassword, Password: "correct horse"}
		case login.StepSignUp:
			return login.Answer{Kind: login.AnswerSignUp, FirstName: "Ada"}
		case login.StepPayment:
			p.b.Pay(u.Phone)
			return login.Answer{Kind: login.AnswerPaid, FormID: 1}
		case login.StepFirebase:
			return login.Answer{Kind: login.AnswerFirebase, PlayIntegrity: "token"}
		case login.StepNewPassword:
			return login.Answer{Kind: login.AnswerNewPassword, Password: "battery staple"}
		}
		return login.Answer{}
	}
}

// flow is one way to sign in, as both halves have it.
type flow struct {
	cfg   Config
	setUp func(p *player, u User)
	begin func(p *player, u User) (*login.Machine, error)
	human func(p *player, u User, s login.Step) login.Answer // nil answers what is asked
	bot   bool                                               // signs in
	fresh bool                                               // nobody has the number yet
}

func byPhone(p *player, u User) (*login.Machine, error) { return login.NewPhone(p.config(), u.Phone) }

var flows = map[string]flow{
	"a code":                   {begin: byPhone},
	"a password":               {begin: byPhone, setUp: func(p *player, u User) { _ = p.b.SetPassword(u.ID, "correct horse") }},
	"a mailed code":            {begin: byPhone, setUp: func(p *player, u User) { _ = p.b.SetLoginEmail(u.ID, mailAddress) }},
	"a login e-mail to set up": {begin: byPhone, setUp: func(p *player, u User) { _ = p.b.SetCodes(u.Phone, CodeSetUpEmail, CodeSMS) }},
	"a payment":                {begin: byPhone, setUp: func(p *player, u User) { _ = p.b.SetCodes(u.Phone, CodePaid, CodeSMS) }},
	"an attestation":           {begin: byPhone, cfg: Config{Firebase: true}, setUp: func(p *player, u User) { _ = p.b.SetCodes(u.Phone, CodeFirebase, CodeSMS) }},
	"a recovered password": {begin: byPhone,
		setUp: func(p *player, u User) { _ = p.b.SetTwoStep(u.ID, TwoStep{Password: "forgotten", Email: mailAddress}) },
		human: func(p *player, u User, s login.Step) login.Answer {
			if s.Kind == login.StepPassword {
				if s.Recovery && p.person(u.HomeDC).PasswordText != "" {
					return login.Answer{Kind: login.AnswerForgot}
				}
				return login.Answer{Kind: login.AnswerPassword, Password: "battery staple"}
			}
			return p.answers(u)(s)
		}},
	"a web token": {begin: func(p *player, u User) (*login.Machine, error) {
		token, dc, err := p.b.WebToken(p.now, u.ID)
		if err != nil {
			return nil, err
		}
		return login.NewWebToken(p.config(), fmt.Sprintf("https://web.example.org/#tgWebAuthToken=%s&tgWebAuthDcId=%d", token, dc))
	}, human: func(p *player, u User, s login.Step) login.Answer {
		token, dc, _ := p.b.WebToken(p.now, u.ID)
		return login.Answer{Kind: login.AnswerToken, Token: fmt.Sprintf("https://web.example.org/#tgWebAuthToken=%s&tgWebAuthDcId=%d", token, dc)}
	}},
	"a bot token": {bot: true,
		begin: func(p *player, u User) (*login.Machine, error) { return login.NewBot(p.config(), u.BotToken) },
		human: func(_ *player, u User, _ login.Step) login.Answer {
			return login.Answer{Kind: login.AnswerToken, Token: u.BotToken}
		}},
	"a new number":              {fresh: true, begin: byPhone},
	"a QR code":                 {begin: byQR, human: scan},
	"a QR code with a password": {begin: byQR, human: scan, setUp: func(p *player, u User) { _ = p.b.SetPassword(u.ID, "correct horse") }},
}

func byQR(p *player, _ User) (*login.Machine, error) { return login.NewQR(p.config()) }

// scan accepts what is shown as a QR code from a session of the account.
func scan(p *player, u User, s login.Step) login.Answer {
	if s.Kind != login.StepQR {
		return p.answers(u)(s)
	}
	link, err := url.Parse(s.URL)
	if err != nil || !strings.HasPrefix(s.URL, "tg://login?token=") {
		p.t.Fatalf("the link is %q", s.URL)
	}
	token, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(link.Query().Get("token"), "="))
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := ask(p.world, u.HomeDC, 99, accept(token)); err != nil && err.Text != "AUTH_TOKEN_ALREADY_ACCEPTED" && err.Text != "AUTH_TOKEN_EXPIRED" {
		p.t.Fatal(err)
	}
	return login.Answer{}
}

// play plays a flow for the person whose home is DC 2, from DC 1 or at home.
func (f flow) play(t *testing.T, from, lose, die int) *player {
	t.Helper()
	cfg := f.cfg
	cfg.LoginsPerDay = -1
	cfg.Limits = Limits{SendCodeNumber: RateLimit{Calls: -1}, CheckPassword: RateLimit{Calls: -1}, Mail: RateLimit{Calls: -1}}
	w := newWorld(t, cfg)
	u := w.find(2, f.bot)
	if f.fresh {
		u = User{HomeDC: 2, Phone: "9996627777"}
	} else {
		w.login(u, 99) // somebody to scan, and to hear of the sign-in
	}
	p := &player{world: w, at: from, perm: 7, lose: lose, die: die}
	if f.setUp != nil {
		f.setUp(p, u)
	}
	p.answer = p.answers(u)
	if f.human != nil {
		p.answer = func(s login.Step) login.Answer { return f.human(p, u, s) }
	}
	m, err := f.begin(p, u)
	if err != nil {
		t.Fatal(err)
	}
	p.m = m
	p.saved = m.Snapshot()
	auth := p.run()
	if f.fresh {
		u.ID = w.b.dir.byPhone[u.Phone].id
	}
	if auth.UserID != u.ID || p.at != u.HomeDC {
		t.Fatalf("%d is signed in on DC %d", auth.UserID, p.at)
	}
	if got := must(w, 2, 7, self())[0].(*tg.User).ID; got != u.ID {
		t.Fatalf("the key is %d's", got)
	}
	rows := 0
	for _, a := range w.b.Authorizations() {
		if a.UserID == u.ID && a.Ended.IsZero() && a.Perm == 7 {
			rows++
		}
	}
	if rows != 1 {
		t.Fatalf("%d authorizations", rows)
	}
	return p
}

// Every way to sign in ends well between our client and our DCs: from a DC that is not the account's, from the one that is,
// with the answer to any one call lost, and with the process killed before any one call.
func TestEveryFlowEndsWellWhateverIsLost(t *testing.T) {
	for name, f := range flows {
		t.Run(name, func(t *testing.T) {
			f.play(t, 2, 0, 0)
			for i := range f.play(t, 1, 0, 0).calls {
				f.play(t, 1, i+1, 0)
				f.play(t, 1, 0, i+1)
			}
		})
	}
}
