package account

import (
	"time"

	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto/login"
	"github.com/mtfleet/mtfleet/persistence"
)

// This file begins and ends a sign-in, and hands on what the human says.

// signIn is a login under way. It decides by itself; the account does for it what
// waits: its turn, calls, moves to another home DC, commits, and the human.
type signIn struct {
	*login.Attempt
	ticket *governor.Ticket
	call   *Call                        // the last one
	asks   bool                         // its step is new: nobody was told of it
	asked  runtime.Replies[*login.Step] // who waits for the next step, or the end: a nil step
}

// onSignIn starts a login.
func (a *account) onSignIn(c *ctx, m SignIn) {
	if a.login != nil {
		m.Reply.Send(nil, &StateError{State: SigningIn, Why: "a sign-in is under way: answer its step, or cancel it"})
		return
	}
	attempt, err := login.Begin(a.loginConfig(), m.Start)
	if err == nil {
		if err = a.stand.BeginSignIn(c.Now(), m.Start.Flow == login.FlowBot); err != nil {
			attempt.Release()
		}
	}
	if err != nil {
		m.Reply.Send(nil, err)
		return
	}
	a.waitForTurn(c, attempt)
	a.login.asked.Add(m.Reply)
}

// resumeLogin goes on with a sign-in that a restart interrupted.
func (a *account) resumeLogin(c *ctx, rec persistence.Login) {
	a.stand.StartLogin(c.Now())
	if a.stand.State() != SigningIn {
		return // it goes on when the account is resumed
	}
	attempt, err := login.Resume(a.loginConfig(), rec.State)
	if err != nil {
		a.stand.Quarantine(c.Now(), err.Error(), "end the other sign-in if there is one and resume the account, or remove it by force and add it again")
		return
	}
	if attempt.Keeps() {
		a.stand.SignInStep(c.Now(), "a session of another program is taken in", "", time.Time{})
	}
	a.waitForTurn(c, attempt)
}

// waitForTurn asks the governor for leave to sign in.
func (a *account) waitForTurn(c *ctx, attempt *login.Attempt) {
	self, ticket := c.Self(), &governor.Ticket{Kind: governor.SignIn, DC: int(a.stand.Home()), Active: true}
	ticket.Granted = func() { self.Send(signInGranted{ticket}) }
	a.login = &signIn{Attempt: attempt, ticket: ticket}
	a.env.Governor.Send(governor.Want{Ticket: ticket})
}

func (a *account) onSignInGranted(c *ctx, m signInGranted) {
	a.env.Governor.Send(governor.Done{Ticket: m.ticket})
	if s := a.login; s != nil && s.ticket == m.ticket && !s.Over() {
		s.ticket = nil
		a.stand.SignInGranted(c.Now())
		s.Granted(c.Now())
	}
}

// onAnswer hands on what the human said; the reply comes with the next step.
func (a *account) onAnswer(c *ctx, m Answer) {
	s := a.login
	if s == nil || s.Over() {
		m.Reply.Send(nil, &StateError{State: a.stand.State(), Why: "no sign-in is under way"})
		return
	}
	if err := s.Input(c.Now(), m.Answer); err != nil {
		m.Reply.Send(nil, err)
		return
	}
	s.asked.Add(m.Reply)
	a.hurryCancel(c, s)
}

// onNextStep answers who saw a step with what follows it.
func (a *account) onNextStep(m NextStep) {
	switch s := a.login; {
	case s == nil && a.stand.SignedIn():
		m.Reply.Send(nil, nil)
	case s == nil:
		m.Reply.Send(nil, &StateError{State: a.stand.State(), Why: a.stand.Status().Why})
	case s.Step() != nil && !s.asks && s.Step().ID != m.After:
		m.Reply.Send(s.Step(), nil)
	default:
		s.asked.Add(m.Reply)
	}
}

// cancelSignIn ends the login for a removal.
func (a *account) cancelSignIn(c *ctx) {
	if s := a.login; s != nil && !s.Over() && s.Cancel(c.Now()) == nil {
		a.hurryCancel(c, s)
	}
}

// hurryCancel ends a sign-in that is over by what it was told. It takes back the
// call that a cancelled one waits for, if the DC cannot be reached: who cancels
// does not want to wait for it.
func (a *account) hurryCancel(c *ctx, s *signIn) {
	switch {
	case s.Over():
		a.conclude(c, s)
	case s.Canceled() && s.call != nil && a.bindings.Home() != nil && a.bindings.Home().Lost():
		a.withdraw(c, s.call)
	}
}

// conclude tells standing how it ended.
func (a *account) conclude(c *ctx, s *signIn) {
	auth, place, err := s.Outcome()
	switch {
	case err != nil && s.Keeps():
		a.env.Logger.Warn(string(a.id)+": the session was not taken in, and nothing of it is kept", "account", a.id, "err", err)
		a.stand.ImportFailed(c.Now())
		return
	case err != nil:
		a.stand.SignInFailed(c.Now(), err)
		return
	case !s.Keeps():
		a.signedInAnew(c)
	}
	a.feed.Begin(place)
	if a.tokens.SignedIn(auth) {
		a.storeTokens(c)
	}
	a.stand.SignedInAs(c.Now(), auth.UserID, auth.IsBot, a.stand.Home())
}

// endLogin tells who waits for a sign-in that it is over: the account's status
// says so already. It gives back what a sign-in holds of what all share.
func (a *account) endLogin(err error) {
	s := a.login
	a.login = nil
	s.Release()
	if s.ticket != nil {
		a.env.Governor.Send(governor.Done{Ticket: s.ticket})
	}
	auth, _, failed := s.Outcome()
	switch {
	case failed != nil:
		err = failed
	case err != nil:
	case auth == nil:
		err = &StateError{State: a.stand.State(), Why: a.stand.Status().Why}
	default:
		a.env.Observe.SignedIn(string(s.Flow()))
		a.env.Logger.Info(string(a.id)+" is signed in", "account", a.id, "dc", int(a.stand.Home()), "bot", auth.IsBot)
	}
	s.asked.Send(nil, err)
}
