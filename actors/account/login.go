package account

import (
	"slices"

	"github.com/mtfleet/mtfleet/actors/journal"
	"github.com/mtfleet/mtfleet/mtproto/login"
	"github.com/mtfleet/mtfleet/mtproto/standing"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// This file does what a sign-in asks for.

// pumpLogin does what the login decided, up to the next commit. It reports
// whether there was anything.
func (a *account) pumpLogin(c *ctx) (did bool) {
	for a.login != nil {
		s := a.login
		out, ok := s.Next()
		if !ok {
			break
		}
		did = true
		a.decided(out)
		switch out.Kind {
		case login.OutCall:
			if s.Looks() {
				a.store(c, journal.Work{Kind: journal.Load, Account: persistence.FleetID}, subjectWaits)
			} else {
				a.loginCall(c, s, out)
			}
		case login.OutWork:
			work := out.Work
			c.Go(func() Message { return loginWorked{s, work.ID, work.Do()} })
		case login.OutMigrate:
			a.stand.SignInHome(c.Now(), out.DC)
		case login.OutAsk:
			s.asks = true
			a.stand.SignInStep(c.Now(), out.Step.LastError, out.Step.Message, out.Step.Until)
		case login.OutSave:
			a.storeLogin(c, s, out.Snapshot)
		case login.OutDone:
			// The place goes to disk with the authorization, so that whatever is
			// pushed from then on comes after a place that is known, also to a
			// process that is killed at once.
			s.call = a.ask(c, standing.Call{Purpose: standing.ForSignIn, Repeatable: true}, &tg.UpdatesGetStateRequest{}, ownCall{login: s})
		case login.OutFailed:
			a.conclude(c, s)
		}
	}
	return did
}

// onLoginWorked hands on what a sign-in had computed.
func (a *account) onLoginWorked(c *ctx, m loginWorked) {
	if a.login == m.login {
		m.login.Worked(c.Now(), m.id, m.result)
	}
}

// tellStep answers who waits for a step when the account's status shows it.
func (a *account) tellStep(c *ctx) {
	s := a.login
	if s == nil || !s.asks || a.saving {
		return
	}
	if s.asks = false; s.Step() != nil && a.stand.State() == SigningIn {
		a.status.Step = s.Step() // which may be all that is new
		a.publish(c)
		s.asked.Send(s.Step(), nil)
	}
}

// loginCall runs one query of the sign-in on the home DC.
func (a *account) loginCall(c *ctx, s *signIn, out login.Output) {
	q := standing.Call{Purpose: standing.ForSignIn, Subject: a.subject(s), Repeatable: !out.Once}
	s.call = a.ask(c, q, out.Query, ownCall{login: s, step: out.Call})
	a.hurryCancel(c, s)
}

// subject is how a phone number or token is called where waits are kept. It is
// empty for a sign-in that names nobody.
func (a *account) subject(s *signIn) string {
	if s.About() == "" {
		return ""
	}
	return standing.SubjectID(a.env.SubjectSalt, s.About())
}

// onSubjectRead takes over the waits about the number or token of a sign-in.
// What cannot be read is the server's to repeat.
func (a *account) onSubjectRead(c *ctx, records []persistence.Record) {
	s := a.login
	if s == nil {
		return
	}
	if out, waited := s.Known(); waited {
		state, _ := persistence.DecodeState(records)
		subject := a.subject(s)
		waits := slices.DeleteFunc(waitsOf(state.Waits), func(w standing.Wait) bool { return w.Subject != subject })
		a.stand.RestoreWaits(c.Now(), waits)
		a.loginCall(c, s, out)
	}
}

// onLoginAnswered gives the login its answer.
func (a *account) onLoginAnswered(c *ctx, own *ownCall, body []byte, err error) {
	s := own.login
	if a.login != s || s.Over() {
		return
	}
	if s.Answered(c.Now(), own.step, body, err); s.Over() {
		a.conclude(c, s)
	}
}

// storeLogin writes the snapshot; nothing that was decided after goes out before
// it is on disk.
func (a *account) storeLogin(c *ctx, s *signIn, snap login.Snapshot) {
	state, err := snap.Encode()
	if err != nil {
		s.Fail(&login.Error{Reason: login.ReasonServer, Message: "the sign-in cannot be stored", Err: err})
		a.conclude(c, s)
		return
	}
	rec := persistence.Login{Flow: string(s.Flow()), State: state, Updated: round(c.Now())}
	a.store(c, journal.Work{Commit: persistence.Commit{Put: []persistence.Record{rec.Record(a.id)}}, Urgency: journal.Must}, loginWaits)
}
