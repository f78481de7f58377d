// Package signin is the sign-in of one account as its actor sees it: the login
// that decides, its turn, the human who answers its steps, and the future auth
// tokens that one login leaves to the next. It is part of the account's actor and
// has none of its own: it never waits, and is used by that actor alone.
package signin

import (
	"time"

	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto/login"
	"github.com/mtfleet/mtfleet/mtproto/standing"
	"github.com/mtfleet/mtfleet/persistence"
)

// SignIn is the sign-in of an account, while one is under way and between two. One
// owner: the account's actor.
type SignIn struct {
	id      persistence.AccountID
	host    Host
	env     *Env
	tokens  login.Futures // future auth tokens
	attempt *attempt      // nil while none is under way
}

// attempt is a login under way. It decides by itself; what waits is done for it:
// its turn, calls, moves to another home DC, commits, and the human.
type attempt struct {
	*login.Attempt
	ticket *governor.Ticket // nil when it had its turn
	call   standing.CallID  // the last one, 0 for none
	watch  Watch
	asks   bool                         // its step is new: nobody was told of it
	asked  runtime.Replies[*login.Step] // who waits for the next step, or the end: a nil step
}

// New returns the sign-in of an account whose records were not read yet.
func New(id persistence.AccountID, host Host, env *Env) *SignIn {
	return &SignIn{id: id, host: host, env: env}
}

// Load takes what the store says of earlier sign-ins.
func (s *SignIn) Load(meta []persistence.Record) { s.tokens = futuresOf(meta) }

// UnderWay reports whether there is a sign-in, Keeps whether that takes a session
// in which was authorized before.
func (s *SignIn) UnderWay() bool { return s.attempt != nil }
func (s *SignIn) Keeps() bool    { return s.attempt != nil && s.attempt.Keeps() }

// Step is what the sign-in under way waits for, nil while that is not a human, and
// ID its id.
func (s *SignIn) Step() *login.Step { return s.attempt.Step() }
func (s *SignIn) ID() string        { return s.attempt.ID() }

// Begin begins a sign-in. The reply is its first step that needs somebody, or nil
// when it has ended.
func (s *SignIn) Begin(now time.Time, start login.Start, reply runtime.Reply[*login.Step]) {
	if s.attempt != nil {
		reply.Send(nil, &standing.StateError{State: standing.SigningIn, Why: "a sign-in is under way: answer its step, or cancel it"})
		return
	}
	a, err := login.Begin(s.config(), start)
	if err == nil {
		if err = s.host.Standing().BeginSignIn(now, start.Flow == login.FlowBot); err != nil {
			a.Release()
		}
	}
	if err != nil {
		reply.Send(nil, err)
		return
	}
	s.waitForTurn(a)
	s.attempt.asked.Add(reply)
}

// Resume goes on with a sign-in that a restart interrupted.
func (s *SignIn) Resume(now time.Time, rec persistence.Login) {
	stand := s.host.Standing()
	stand.StartLogin(now)
	if stand.State() != standing.SigningIn {
		return // it goes on when the account is resumed
	}
	a, err := login.Resume(s.config(), rec.State)
	if err != nil {
		stand.Quarantine(now, err.Error(), "end the other sign-in if there is one and resume the account, or remove it by force and add it again")
		return
	}
	if a.Keeps() {
		stand.SignInStep(now, "a session of another program is taken in", "", time.Time{})
	}
	s.waitForTurn(a)
}

func (s *SignIn) config() login.Config {
	cfg := s.host.Config()
	cfg.FutureTokens = s.tokens.For
	return cfg
}

// waitForTurn asks the governor for leave to sign in.
func (s *SignIn) waitForTurn(a *login.Attempt) {
	host, ticket := s.host, &governor.Ticket{Kind: governor.SignIn, DC: int(s.host.Standing().Home()), Route: s.host.Route(), Active: true}
	ticket.Granted = func() { host.Granted(ticket) }
	s.attempt = &attempt{Attempt: a, ticket: ticket}
	s.attempt.watch = s.watch()
	s.env.Governor.Send(governor.Want{Ticket: ticket})
}

// Granted says that the governor gave a permit, which is given back at once: it
// paces the beginnings.
func (s *SignIn) Granted(now time.Time, t *governor.Ticket) {
	s.env.Governor.Send(governor.Done{Ticket: t})
	if a := s.attempt; a != nil && a.ticket == t && !a.Over() {
		a.ticket = nil
		s.host.Standing().SignInGranted(now)
		a.Granted(now)
	}
}

// Answer hands on what the human said; the reply comes with the next step.
func (s *SignIn) Answer(now time.Time, answer login.Answer, reply runtime.Reply[*login.Step]) {
	a := s.attempt
	if a == nil || a.Over() {
		reply.Send(nil, &standing.StateError{State: s.host.Standing().State(), Why: "no sign-in is under way"})
		return
	}
	if err := a.Input(now, answer); err != nil {
		reply.Send(nil, err)
		return
	}
	a.asked.Add(reply)
	s.hurryCancel(now, a)
}

// NextStep answers who saw a step, named by its id, with what follows it.
func (s *SignIn) NextStep(after string, reply runtime.Reply[*login.Step]) {
	switch a, stand := s.attempt, s.host.Standing(); {
	case a == nil && stand.SignedIn():
		reply.Send(nil, nil)
	case a == nil:
		reply.Send(nil, s.stands())
	case a.Step() != nil && !a.asks && a.Step().ID != after:
		reply.Send(a.Step(), nil)
	default:
		a.asked.Add(reply)
	}
}

// stands says why there is no step.
func (s *SignIn) stands() error {
	stand := s.host.Standing()
	return &standing.StateError{State: stand.State(), Why: stand.Status().Why}
}

// Cancel ends the login for a removal.
func (s *SignIn) Cancel(now time.Time) {
	if a := s.attempt; a != nil && !a.Over() && a.Cancel(now) == nil {
		s.hurryCancel(now, a)
	}
}

// KeyGone says that the perm key at home is proved gone. It reports whether that
// ends a sign-in which was to take the key's session in.
func (s *SignIn) KeyGone(now time.Time) bool {
	if !s.Keeps() {
		return false
	}
	s.attempt.KeyGone()
	s.conclude(now, s.attempt)
	return true
}

// hurryCancel ends a sign-in that is over by what it was told. It takes back the
// call that a cancelled one waits for, if the DC cannot be reached: who cancels
// does not want to wait for it.
func (s *SignIn) hurryCancel(now time.Time, a *attempt) {
	switch {
	case a.Over():
		s.conclude(now, a)
	case a.Canceled() && a.call != 0:
		s.host.Withdraw(a.call)
	}
}

// conclude tells standing how it ended.
func (s *SignIn) conclude(now time.Time, a *attempt) {
	stand := s.host.Standing()
	auth, place, err := a.Outcome()
	switch {
	case err != nil && a.Keeps():
		s.env.Logger.Warn(string(s.id)+": the session was not taken in, and nothing of it is kept", "account", s.id, "err", err)
		stand.ImportFailed(now)
		return
	case err != nil:
		stand.SignInFailed(now, err)
		return
	}
	s.host.Authorized(!a.Keeps(), place)
	if s.tokens.SignedIn(auth) {
		s.storeTokens()
	}
	stand.SignedInAs(now, auth.UserID, auth.IsBot, stand.Home())
}

// End tells who waits for a sign-in that it is over: the account's status says so
// already. It gives back what a sign-in holds of what all share.
func (s *SignIn) End(err error) {
	a, stand := s.attempt, s.host.Standing()
	if a == nil {
		return
	}
	s.attempt = nil
	a.Release()
	if a.ticket != nil {
		s.env.Governor.Send(governor.Done{Ticket: a.ticket})
	}
	a.watchEnded(err)
	auth, _, failed := a.Outcome()
	switch {
	case failed != nil:
		err = failed
	case err != nil:
	case auth == nil:
		err = s.stands()
	default:
		s.env.Logger.Info(string(s.id)+" is signed in", "account", s.id, "dc", int(stand.Home()), "bot", auth.IsBot)
	}
	a.asked.Send(nil, err)
}

// LoggedOut takes the answer to auth.logOut, which may bring a token.
func (s *SignIn) LoggedOut(body []byte) {
	if s.tokens.LoggedOut(body) {
		s.storeTokens()
	}
}

// storeTokens keeps the future auth tokens. What is lost of them costs a code.
func (s *SignIn) storeTokens() { s.host.Keep(futuresRecord(s.id, s.tokens)) }
