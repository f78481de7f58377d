package account

import (
	"slices"

	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/mtproto/login"
	"github.com/mtfleet/mtfleet/mtproto/standing"
	"github.com/mtfleet/mtfleet/persistence"
)

// This file does what the machine of a sign-in asks for.

// pumpLogin does what the login machine decided, up to the next commit. It
// reports whether there was anything.
func (a *account) pumpLogin(c *ctx) (did bool) {
	for a.login != nil && a.login.phase == signInRuns {
		out, ok := a.login.machine.Next()
		if !ok {
			break
		}
		did = true
		if t := a.env.Trace; t != nil {
			t.Decided(a.id, out)
		}
		s := a.login
		switch out.Kind {
		case login.OutCall:
			a.loginCall(c, s, out)
		case login.OutWork:
			work := out.Work
			c.Go(func() Message { return loginWorked{s, work.ID, work.Do()} })
		case login.OutMigrate:
			s.phase = signInMoves
			a.stand.SignInHome(c.Now(), out.DC)
		case login.OutAsk:
			step := out.Step
			s.step, s.asks = &step, true
			a.stand.SignInStep(c.Now(), step.LastError, step.Message, step.Until)
		case login.OutSave:
			a.storeLogin(c, s, out.Snapshot)
		case login.OutDone:
			s.auth, s.phase = out.Authorization, signInPlaces
			a.askPlace(c, s)
		case login.OutFailed:
			a.failSignIn(c, out.Err)
		}
	}
	return did
}

// loginWorked is what a sign-in had computed.
type loginWorked struct {
	login  *signIn
	id     login.CallID
	result login.WorkResult
}

func (loginWorked) accountMessage() {}

func (a *account) onLoginWorked(c *ctx, m loginWorked) {
	if a.login == m.login {
		m.login.machine.Worked(c.Now(), m.id, m.result)
	}
}

// tellStep answers who waits for a step when the account's status shows it.
func (a *account) tellStep(c *ctx) {
	s := a.login
	if s == nil || !s.asks || a.saving {
		return
	}
	if s.asks = false; s.step != nil && a.stand.State() == SigningIn {
		a.status.Step = s.step // which may be all that is new
		a.publish(c)
		s.answer(s.step, nil)
	}
}

// loginCall runs one query of the sign-in on the home DC. What the store has of
// waits about its subject is looked up before the first.
func (a *account) loginCall(c *ctx, s *signIn, out login.Output) {
	about := s.machine.Subject()
	if s.about != about && about != "" {
		s.about, s.next, s.phase = about, out, signInLooks
		a.store(c, job{kind: jobLoad, account: persistence.FleetID, waits: subjectWaits})
		return
	}
	policy := Repeatable
	if out.Once {
		policy = Once
	}
	s.step = nil
	s.call = a.ask(c, standing.ForSignIn, out.Query, policy, 0, a.subject(about), ownCall{login: s, step: out.Call})
	if s.machine.Snapshot().Canceled {
		a.hurryCancel(c, s)
	}
}

// subject is how a phone number or token is called where waits are kept.
// It is empty for a sign-in that names nobody.
func (a *account) subject(about string) string {
	if about == "" {
		return ""
	}
	return standing.SubjectID(a.env.SubjectSalt, about)
}

// onSubjectRead takes over the waits about the number or token of a sign-in.
// What cannot be read is the server's to repeat.
func (a *account) onSubjectRead(c *ctx, records []persistence.Record) {
	s := a.login
	if s == nil || s.phase != signInLooks {
		return
	}
	state, _ := persistence.DecodeState(records)
	subject := a.subject(s.about)
	waits := slices.DeleteFunc(waitsOf(state.Waits), func(w standing.Wait) bool { return w.Subject != subject })
	a.stand.RestoreWaits(c.Now(), waits)
	s.phase = signInRuns
	a.loginCall(c, s, s.next)
}

// onLoginAnswered gives the machine its answer.
func (a *account) onLoginAnswered(c *ctx, own *ownCall, body []byte, err error) {
	s := own.login
	if a.login != s || s.phase == signInOver {
		return
	}
	switch {
	case s.phase == signInPlaces:
		a.signedIn(c, body)
	case err == nil:
		s.machine.Result(c.Now(), own.step, body)
	default:
		s.machine.Failed(c.Now(), own.step, err)
	}
}

// storeLogin writes the machine's snapshot; nothing it decided after goes out
// before it is on disk.
func (a *account) storeLogin(c *ctx, s *signIn, snap login.Snapshot) {
	state, err := snap.Encode()
	if err != nil {
		a.failSignIn(c, &login.Error{Reason: login.ReasonServer, Message: "the sign-in cannot be stored", Err: err})
		return
	}
	rec := persistence.Login{Flow: s.method, State: state, Updated: round(c.Now())}
	s.phase = signInStores
	a.store(c, job{commit: persistence.Commit{Put: []persistence.Record{rec.Record(a.id)}}, urgency: must, waits: loginWaits})
}

func (a *account) onLoginStored(*ctx) {
	if a.login != nil && a.login.phase == signInStores {
		a.login.phase = signInRuns
	}
}

// signedIn hands the authorization to standing, with the answer of askPlace.
func (a *account) signedIn(c *ctx, body []byte) {
	s := a.login
	a.place, s.phase = placeIn(body), signInOver
	if len(s.auth.FutureAuthToken) > 0 {
		a.addToken(c, s.auth.FutureAuthToken)
	}
	a.stand.SignedInAs(c.Now(), s.auth.UserID, s.auth.IsBot, a.stand.Home())
}

// failSignIn tells standing that it came to nothing.
func (a *account) failSignIn(c *ctx, err error) {
	a.login.failed, a.login.phase = err, signInOver
	a.stand.SignInFailed(c.Now(), err)
}

// endLogin tells who waits for a sign-in that it is over: the account's status
// says so already. It gives back what a sign-in holds of what all share.
func (a *account) endLogin(c *ctx, err error) {
	s := a.login
	a.login = nil
	if s.phone != "" {
		a.env.ReleasePhone(s.phone, a.id)
	}
	if s.ticket != nil {
		a.env.Governor.Send(governor.Done{Ticket: s.ticket})
	}
	switch {
	case err != nil:
	case s.auth == nil:
		err = &StateError{State: a.stand.State(), Why: a.stand.Status().Why}
	default:
		a.env.Observe.SignedIn(s.method)
		a.env.Logger.Info("account signed in", "account", a.id, "home_dc", int(a.stand.Home()), "bot", s.method == "bot")
	}
	s.answer(nil, err)
}
