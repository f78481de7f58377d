package dashboard

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"rsc.io/qr"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/mtproto/login"
)

// flows are the ways to sign in that begin here, and the steps of each as people count
// them.
var flows = []struct {
	flow  login.Flow
	name  string
	needs string // what it begins with: the field of the form
	hint  string
	steps []string
}{
	{login.FlowPhone, "Phone number", "phone", "A code is sent to the number's owner.", []string{"Number", "Code", "Password", "Signed in"}},
	{login.FlowQR, "QR code", "", "An app that is signed in scans a code of this page.", []string{"Scan", "Password", "Signed in"}},
	{login.FlowBot, "Bot token", "bot_token", "Of @BotFather.", []string{"Token", "Signed in"}},
	{login.FlowPasskey, "Passkey", "", "Of an authenticator that this browser reaches, where the relying party lets this page ask.", []string{"Authenticator", "Signed in"}},
	{login.FlowWeb, "Web client's link", "web_token", "Of a web client that is signed in.", []string{"Link", "Signed in"}},
}

// signInForm is what a sign-in begins with. Secrets are never in it: a form that comes back
// with an error asks for them again.
type signInForm struct {
	account string
	flow    login.Flow
	wrong   string
}

func (s *Server) signInPage(w http.ResponseWriter, r *http.Request) {
	s.show(w, r, http.StatusOK, "Sign in", view{}, signInBody(signInForm{account: r.URL.Query().Get("account"), flow: login.FlowPhone}))
}

// signInBegin makes the account if there is none of that name, and begins the sign-in.
func (s *Server) signInBegin(w http.ResponseWriter, r *http.Request) {
	f := signInForm{account: strings.TrimSpace(r.PostFormValue("account")), flow: login.Flow(r.PostFormValue("flow"))}
	q := control.SignInRequest{ID: f.account, Flow: f.flow}
	switch f.flow { // what stands in the fields of other flows is not of this one
	case login.FlowPhone:
		q.Phone = r.PostFormValue("phone")
	case login.FlowBot:
		q.BotToken = strings.TrimSpace(r.PostFormValue("bot_token"))
	case login.FlowWeb:
		q.WebToken = strings.TrimSpace(r.PostFormValue("web_token"))
	}
	ctx, cancel := context.WithTimeout(r.Context(), answerLimit)
	defer cancel()
	_, err := control.Show.Call(ctx, s.o.Service, control.AccountRequest{ID: q.ID})
	if control.KindOf(err) == control.KindNoAccount {
		_, err = control.Add.Call(ctx, s.o.Service, control.AddRequest{ID: q.ID})
	}
	if err == nil {
		_, err = control.SignIn.Call(ctx, s.o.Service, q)
	}
	if err != nil {
		f.wrong = sentence(err)
		s.show(w, r, statusOf(err), "Sign in", view{}, signInBody(f))
		return
	}
	http.Redirect(w, r, stepURL(f.account, f.flow), http.StatusSeeOther)
}

func stepURL(id string, flow login.Flow) string {
	return "/accounts/" + id + "/sign-in?flow=" + string(flow)
}

// stepPart is what the sign-in waits for.
func (s *Server) stepPart(ctx context.Context, host, id string, flow login.Flow) (part, error) {
	acc, err := control.Show.Call(ctx, s.o.Service, control.AccountRequest{ID: id})
	if err != nil {
		return part{}, err
	}
	bar := ""
	if acc.Step != nil && acc.Step.Kind == actors.StepPasskey {
		bar = s.passkeyBar(string(acc.Step.Options), host)
	}
	return part{"step", stepBody(acc, trailOf(acc, flow), choicesOf(acc.Step), bar, s.o.Now())}, nil
}

func (s *Server) stepPage(w http.ResponseWriter, r *http.Request) {
	s.showStep(w, r, http.StatusOK, "")
}

func (s *Server) showStep(w http.ResponseWriter, r *http.Request, status int, wrong string) {
	id, flow := r.PathValue("id"), login.Flow(r.URL.Query().Get("flow"))
	p, err := s.stepPart(r.Context(), r.Host, id, flow)
	if err != nil {
		s.failed(w, r, err)
		return
	}
	s.show(w, r, status, "Sign in "+id, view{live: "/live" + stepURL(id, flow), scripts: []string{"passkey.js", "signin.js"}}, stepPageBody(id, p, wrong))
}

func (s *Server) stepLive(w http.ResponseWriter, r *http.Request) {
	id, flow := r.PathValue("id"), login.Flow(r.URL.Query().Get("flow"))
	s.parts(w, r, func(ctx context.Context) ([]part, error) {
		p, err := s.stepPart(ctx, r.Host, id, flow)
		return []part{p}, err
	})
}

// stepAnswer answers a step. What was typed is in no answer of ours.
func (s *Server) stepAnswer(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	answer, err := answerOf(r)
	if err == nil {
		ctx, cancel := context.WithTimeout(r.Context(), answerLimit)
		defer cancel()
		_, err = control.Answer.Call(ctx, s.o.Service, control.AnswerRequest{ID: id, Answer: answer})
	}
	if err != nil {
		s.showStep(w, r, statusOf(err), sentence(err))
		return
	}
	http.Redirect(w, r, stepURL(id, login.Flow(r.URL.Query().Get("flow"))), http.StatusSeeOther)
}

// answerOf reads the form of a step. Passwords are taken as they are: spaces are part of
// them.
func answerOf(r *http.Request) (actors.Answer, error) {
	field := r.PostFormValue
	text := func(name string) string { return strings.TrimSpace(field(name)) }
	a := actors.Answer{Step: text("step"), Kind: actors.AnswerKind(text("kind"))}
	switch a.Kind {
	case actors.AnswerCode:
		a.Code = text("code")
	case actors.AnswerPhone:
		a.Phone = text("phone")
	case actors.AnswerSignUp:
		a.FirstName, a.LastName = text("first_name"), text("last_name")
	case actors.AnswerEmail:
		a.Email = text("email")
	case actors.AnswerEmailToken:
		a.Provider, a.Token = text("provider"), text("token")
	case actors.AnswerPassword:
		a.Password = field("password")
	case actors.AnswerNewPassword:
		a.Password, a.Hint = field("password"), text("hint")
		if a.Password != field("again") {
			return a, invalid("the two passwords differ: type them again")
		}
	case actors.AnswerToken, actors.AnswerPNV:
		a.Token = text("token")
	case actors.AnswerFirebase:
		a.PlayIntegrity, a.SafetyNet, a.IOSPushSecret = text("play_integrity"), text("safety_net"), text("ios_push_secret")
	case actors.AnswerPaid:
		n, err := strconv.ParseInt(text("form_id"), 10, 64)
		if err != nil {
			return a, invalid("the id of a payment form is a number")
		}
		a.FormID = n
	case actors.AnswerPasskey:
		a.Credential = actors.JSONText(text("credential"))
	case actors.AnswerResend, actors.AnswerResetEmail, actors.AnswerForgot, actors.AnswerBack, actors.AnswerNoPassword, actors.AnswerCancel:
	default:
		return a, invalid("this page sends no such answer: load it again")
	}
	return a, nil
}

// choice is a button beside what a step asks for.
type choice struct {
	kind actors.AnswerKind
	name string
	from time.Time // not before
}

// choicesOf are those that fit a step.
func choicesOf(s *actors.Step) (all []choice) {
	if s == nil {
		return nil
	}
	add := func(fits bool, c choice) {
		if fits && s.Supported {
			all = append(all, c)
		}
	}
	add(s.Kind == actors.StepCode && s.Next != "" || s.Kind == actors.StepFirebase, choice{actors.AnswerResend, "Send another code", s.ResendAt})
	add(s.Kind == actors.StepNewCode, choice{actors.AnswerResend, "Send a new code", s.Until})
	add(s.Kind == actors.StepCode && !s.ResetAt.IsZero(), choice{actors.AnswerResetEmail, "Nobody can read that mailbox", time.Time{}})
	add(s.Kind == actors.StepPassword && s.Recovery, choice{actors.AnswerForgot, "Forgotten: mail a code", s.Until})
	add(s.Kind == actors.StepRecovery, choice{actors.AnswerForgot, "Mail another code", s.Until})
	add(s.Kind == actors.StepNewPassword, choice{actors.AnswerNoPassword, "Have no password", s.Until})
	add(s.Kind == actors.StepRecovery || s.Kind == actors.StepNewPassword || s.Kind == actors.StepEmailSetup, choice{actors.AnswerBack, "Back", time.Time{}})
	return append(all, choice{actors.AnswerCancel, "End the sign-in", time.Time{}})
}

// trail is the steps of a flow, and which of them it is at.
type trail struct {
	steps []string
	at    int
}

// trailOf finds where a sign-in stands. Whoever comes to one that was begun elsewhere does
// not say its flow: it is guessed of the step.
func trailOf(a control.Account, flow login.Flow) trail {
	if s := a.Step; s != nil && flow == "" {
		switch {
		case s.Kind == actors.StepQR:
			flow = login.FlowQR
		case s.Kind == actors.StepPasskey:
			flow = login.FlowPasskey
		case s.Kind == actors.StepToken:
			flow = login.FlowBot
		case s.Kind == actors.StepWebToken:
			flow = login.FlowWeb
		default:
			flow = login.FlowPhone
		}
	}
	t := trail{steps: []string{"Begun", "Signed in"}}
	for _, f := range flows {
		if f.flow == flow {
			t.steps = f.steps
		}
	}
	if a.SignedIn {
		t.at = len(t.steps) - 1
		return t
	}
	find := func(name string) {
		for i, step := range t.steps {
			if step == name {
				t.at = i
			}
		}
	}
	if a.Step == nil {
		return t
	}
	switch a.Step.Kind {
	case actors.StepCode, actors.StepNewCode, actors.StepFirebase, actors.StepPayment, actors.StepEmail, actors.StepEmailSetup, actors.StepSignUp:
		find("Code")
	case actors.StepPassword, actors.StepRecovery, actors.StepNewPassword:
		find("Password")
	}
	return t
}

// qrQuiet are the light modules around a code that the standard wants.
const qrQuiet = 4

// qrPath draws the dark modules of a code, and says how many there are to a side with the
// quiet ones around them.
func qrPath(text string) (path string, size int, err error) {
	code, err := qr.Encode(text, qr.L)
	if err != nil {
		return "", 0, err
	}
	var b strings.Builder
	for y := range code.Size {
		for x := 0; x < code.Size; x++ {
			from := x
			for x < code.Size && code.Black(x, y) {
				x++
			}
			if n := x - from; n > 0 {
				fmt.Fprintf(&b, "M%d %dh%dv1h-%dz", from+qrQuiet, y+qrQuiet, n, n)
			}
		}
	}
	return b.String(), code.Size + 2*qrQuiet, nil
}
