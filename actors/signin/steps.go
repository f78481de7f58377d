package signin

import (
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/login"
	"github.com/mtfleet/mtfleet/mtproto/standing"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// This file does what a sign-in asks for, and brings it what came of that. While
// none is under way, nothing here does anything.

// Pump does what the login decided, up to the next commit. It reports whether
// there was anything.
func (s *SignIn) Pump(now time.Time) (did bool) {
	for s.attempt != nil {
		a := s.attempt
		out, ok := a.Next()
		if !ok {
			break
		}
		did = true
		s.host.Decided(out)
		s.carryOut(now, a, out)
	}
	return did
}

// carryOut does one thing. The cases stand in the order of the outputs.
func (s *SignIn) carryOut(now time.Time, a *attempt, out login.Output) {
	switch out.Kind {
	case login.OutCall:
		if a.Looks() {
			s.host.Look()
		} else {
			s.call(now, a, out)
		}
	case login.OutWork:
		s.host.Work(out.Work, Question{a, out.Work.ID})
	case login.OutMigrate:
		s.host.Standing().SignInHome(now, out.DC)
	case login.OutAsk:
		a.asks = true
		a.watch.Asked(out.Step.Kind, out.Step.LastError != "")
		s.host.Standing().SignInStep(now, out.Step.LastError, out.Step.Message, out.Step.Until)
	case login.OutSave:
		s.save(now, a, out.Snapshot)
	case login.OutDone:
		// The place goes to disk with the authorization, so that whatever is
		// pushed from then on comes after a place that is known, also to a
		// process that is killed at once.
		a.call = s.host.Ask(standing.Call{Purpose: standing.ForSignIn, Repeatable: true}, &tg.UpdatesGetStateRequest{}, Question{attempt: a})
	case login.OutFailed:
		s.conclude(now, a)
	}
}

// call runs one query of the sign-in on the home DC.
func (s *SignIn) call(now time.Time, a *attempt, out login.Output) {
	q := standing.Call{Purpose: standing.ForSignIn, Subject: s.subject(a), Repeatable: !out.Once}
	a.call = s.host.Ask(q, out.Query, Question{a, out.Call})
	s.hurryCancel(now, a)
}

// save writes the snapshot; nothing that was decided after goes out before it is
// on disk.
func (s *SignIn) save(now time.Time, a *attempt, snap login.Snapshot) {
	state, err := snap.Encode()
	if err != nil {
		a.Fail(&login.Error{Reason: login.ReasonServer, Message: "the sign-in cannot be stored", Err: err})
		s.conclude(now, a)
		return
	}
	s.host.Save(loginRecord(s.id, now, a.Flow(), state))
}

// subject is how a phone number or token is called where waits are kept. It is
// empty for a sign-in that names nobody.
func (s *SignIn) subject(a *attempt) string {
	if a.About() == "" {
		return ""
	}
	return standing.SubjectID(s.env.SubjectSalt, a.About())
}

// Looked takes over the waits about the number or token of a sign-in, out of those
// of the whole store.
func (s *SignIn) Looked(now time.Time, waits []standing.Wait) {
	a := s.attempt
	if a == nil {
		return
	}
	if out, waited := a.Known(); waited {
		subject := s.subject(a)
		waits = slices.DeleteFunc(waits, func(w standing.Wait) bool { return w.Subject != subject })
		s.host.Standing().RestoreWaits(now, waits)
		s.call(now, a, out)
	}
}

// Answered gives the login an answer. One of a sign-in that has ended counts for
// nothing.
func (s *SignIn) Answered(now time.Time, of Question, body []byte, err error) {
	a := of.attempt
	if s.attempt != a || a.Over() {
		return
	}
	if a.Answered(now, of.call, body, err); a.Over() {
		s.conclude(now, a)
	}
}

// Worked hands on what a sign-in had computed.
func (s *SignIn) Worked(now time.Time, of Question, result login.WorkResult) {
	if s.attempt == of.attempt {
		of.attempt.Worked(now, of.call, result)
	}
}

// Saved says that the login's record is on disk.
func (s *SignIn) Saved() {
	if s.attempt != nil {
		s.attempt.Saved()
	}
}

// Migrated says that the DC which the login moves to is home now: its next call
// waits for the keys there.
func (s *SignIn) Migrated(now time.Time) {
	if s.attempt != nil {
		s.attempt.Migrated(now)
	}
}

// Pushed takes an update that home pushed.
func (s *SignIn) Pushed(now time.Time, raw tl.Raw) {
	if s.attempt != nil {
		s.attempt.Pushed(now, raw)
	}
}

// Clock says how far the server's clock is from ours.
func (s *SignIn) Clock(offset time.Duration) {
	if s.attempt != nil {
		s.attempt.Clock(offset)
	}
}

// Drop ends the login without an outcome: the account is out of service.
func (s *SignIn) Drop() {
	if s.attempt != nil {
		s.attempt.Drop()
	}
}

// Tell answers who waits for a step when the account's status shows it.
func (s *SignIn) Tell() {
	a := s.attempt
	if a == nil || !a.asks {
		return
	}
	if a.asks = false; a.Step() != nil && s.host.Standing().State() == standing.SigningIn {
		s.host.Shown(a.Step()) // which may be all that is new
		a.asked.Send(a.Step(), nil)
	}
}

// Deadline is when Advance is wanted, zero for never.
func (s *SignIn) Deadline() time.Time {
	if s.attempt == nil {
		return time.Time{}
	}
	return s.attempt.Deadline()
}

// Advance does what the passing of time demands.
func (s *SignIn) Advance(now time.Time) {
	if s.attempt != nil {
		s.attempt.Advance(now)
	}
}
