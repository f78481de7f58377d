package account

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/actors/dcconn"
	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/login"
	"github.com/mtfleet/mtfleet/persistence"
)

// signIn is a login under way. Its machine decides; this file does for it what
// waits: calls, moves to another home DC, commits, and the human.
type signIn struct {
	machine *login.Machine
	method  string // "phone" or "bot", for metrics and the record
	phone   string // reserved for this account; empty for bots
	ticket  *governor.Ticket
	call    *Call         // the last one
	fresh   bool          // nothing was sent yet, not even by an earlier process
	saving  bool          // a commit is under way; outputs wait for it
	moving  bool          // the machine waits for Migrated
	asked   []*stepWaiter // who waits for the next step
}

// stepWaiter is somebody to be told the next step, or the end: a nil step.
type stepWaiter struct{ reply runtime.Reply[*login.Step] }

// answer tells everybody who waits.
func (s *signIn) answer(step *login.Step, err error) {
	for _, w := range s.asked {
		w.reply.Send(step, err)
	}
	s.asked = nil
}

// signInGranted is the governor's leave to begin.
type signInGranted struct{ ticket *governor.Ticket }

func (signInGranted) accountMessage() {}

func (a *account) loginConfig() login.Config {
	return login.Config{
		APIID: int32(a.env.App.APIID), APIHash: a.env.App.APIHash,
		// Accounts are made on test DCs only, never under a key of Telegram's
		// production DCs.
		AllowSignUp: !a.env.production(),
		HasDC:       func(id dc.ID) bool { return a.env.dcs.Table().Has(id) },
	}
}

// production reports whether a perm key may be made under one of Telegram's
// own production RSA keys.
func (e *Env) production() bool {
	for _, key := range e.keys {
		if dc.IsProductionFingerprint(key.Fingerprint()) {
			return true
		}
	}
	return false
}

// onSignIn starts a login.
func (a *account) onSignIn(c *ctx, m SignIn) {
	refuse := func(err error) { m.Reply.Send(nil, err) }
	switch {
	case a.login != nil:
		refuse(&StateError{State: SigningIn, Why: "a sign-in is under way: answer its step, or cancel it"})
		return
	case a.rec.SignedIn:
		refuse(&StateError{State: a.status.State, Why: "the account is signed in"})
		return
	case a.rec.ID == "" || a.leaving != nil:
		refuse(&StateError{State: a.status.State, Why: a.status.Why})
		return
	}
	s, err := a.newSignIn(m)
	if err != nil {
		refuse(err)
		return
	}
	if s.phone != "" {
		if holder, ok := a.env.ClaimPhone(s.phone, a.id); !ok {
			refuse(&PhoneBusyError{Holder: holder})
			return
		}
	}
	s.asked = append(s.asked, &stepWaiter{m.Reply})
	s.fresh = true
	a.login = s
	a.rec.Bot = s.method == "bot"
	a.become(c, SigningIn, "starting", "")
	a.waitForTurn(c)
}

func (a *account) newSignIn(m SignIn) (*signIn, error) {
	if m.BotToken != "" {
		machine, err := login.NewBot(a.loginConfig(), m.BotToken)
		return &signIn{machine: machine, method: "bot"}, err
	}
	machine, err := login.NewPhone(a.loginConfig(), m.Phone)
	if err != nil {
		return nil, err
	}
	return &signIn{machine: machine, method: "phone", phone: pendingPhone(machine.Snapshot())}, nil
}

// pendingPhone is the number a code is asked for.
func pendingPhone(s login.Snapshot) string {
	if s.NextPhone != "" {
		return s.NextPhone
	}
	return s.Phone
}

// PhoneBusyError refuses a sign-in because another account has a code pending
// for the same phone number.
type PhoneBusyError struct{ Holder persistence.AccountID }

func (e *PhoneBusyError) Error() string {
	return "account: a code for this phone number is already pending for account " + string(e.Holder) +
		": finish or cancel that sign-in first"
}

// waitForTurn asks the governor for leave to sign in.
func (a *account) waitForTurn(c *ctx) {
	self, s := c.Self(), a.login
	home := a.homeDC()
	s.ticket = &governor.Ticket{Kind: governor.SignIn, DC: int(home), Active: true}
	ticket := s.ticket
	ticket.Granted = func() { self.Send(signInGranted{ticket}) }
	a.env.Governor.Send(governor.Want{Ticket: ticket})
}

// homeDC is where the account lives, or where a sign-in begins.
func (a *account) homeDC() dc.ID {
	if a.rec.HomeDC != 0 {
		return dc.ID(a.rec.HomeDC)
	}
	return a.env.DefaultDC
}

func (a *account) onSignInGranted(c *ctx, m signInGranted) {
	a.env.Governor.Send(governor.Done{Ticket: m.ticket})
	if a.login == nil || a.login.ticket != m.ticket {
		return
	}
	a.login.ticket, a.login.fresh = nil, false
	if a.home == nil {
		a.openHome(c, a.homeDC())
	}
	a.login.machine.Start(c.Now())
	a.pumpLogin(c)
}

// resumeLogin goes on with a sign-in that a restart interrupted.
func (a *account) resumeLogin(c *ctx, rec persistence.Login) {
	snap, err := login.DecodeSnapshot(rec.State)
	if err == nil {
		var machine *login.Machine
		if machine, err = login.Restore(a.loginConfig(), snap); err == nil {
			a.login = &signIn{machine: machine, method: rec.Flow, phone: pendingPhone(snap)}
		}
	}
	if err != nil {
		a.become(c, Quarantined, err.Error(), "remove the account and add it again")
		return
	}
	if a.login.phone != "" {
		if holder, ok := a.env.ClaimPhone(a.login.phone, a.id); !ok {
			a.login = nil
			a.become(c, Quarantined, (&PhoneBusyError{holder}).Error(), "remove one of the two accounts")
			return
		}
	}
	a.become(c, SigningIn, "going on after a restart", "")
	a.waitForTurn(c)
}

// onAnswer hands what the human said to the machine; the reply comes with the
// next step.
func (a *account) onAnswer(c *ctx, m Answer) {
	if a.login == nil {
		m.Reply.Send(nil, &StateError{State: a.status.State, Why: "no sign-in is under way"})
		return
	}
	if m.Answer.Kind == login.AnswerSignUp && a.home != nil && dc.IsProductionFingerprint(a.home.fingerprint) {
		m.Reply.Send(nil, ErrSignUpRefused)
		return
	}
	if a.login.fresh && m.Answer.Kind == login.AnswerCancel {
		// Its turn may be far away, for as long as a DC is down.
		a.login.asked = append(a.login.asked, &stepWaiter{m.Reply})
		a.onLoginFailed(c, &login.Error{Reason: login.ReasonCanceled, Retry: true, Message: "the sign-in was cancelled before it began"})
		return
	}
	if err := a.input(c, m.Answer); err != nil {
		m.Reply.Send(nil, err)
		return
	}
	a.login.asked = append(a.login.asked, &stepWaiter{m.Reply})
	a.pumpLogin(c)
	if m.Answer.Kind == login.AnswerCancel {
		a.withdraw(a.login)
	}
}

// withdraw takes back the call that a cancelled sign-in waits for, if the DC
// cannot be reached: who cancels does not want to wait for it.
func (a *account) withdraw(s *signIn) {
	if s == nil || s.call == nil || a.home == nil {
		return
	}
	l, call := a.home, s.call
	if i := slices.Index(l.held, call); i >= 0 {
		l.held = slices.Delete(l.held, i, i+1)
		call.then(nil, joinNotSent(ErrStopped))
		return
	}
	if l.conn != nil && !l.conn.up {
		l.conn.ref.Send(dcconn.Cancel{ID: call.id})
	}
}

// input gives the machine an answer. Another phone number is reserved first.
func (a *account) input(c *ctx, answer login.Answer) error {
	s, before := a.login, a.login.phone
	if answer.Kind == login.AnswerPhone {
		// Whether the number is one the machine will say.
		if other, err := login.NewPhone(a.loginConfig(), answer.Phone); err == nil {
			s.phone = other.Snapshot().Phone
		}
		if holder, ok := a.env.ClaimPhone(s.phone, a.id); !ok {
			s.phone = before
			return &PhoneBusyError{Holder: holder}
		}
	}
	unused := before
	err := s.machine.Input(c.Now(), answer)
	if err != nil {
		unused, s.phone = s.phone, before
	}
	if unused != s.phone {
		a.env.ReleasePhone(unused, a.id)
	}
	return err
}

// ErrSignUpRefused refuses to make an account on Telegram's production DCs.
var ErrSignUpRefused = errors.New("account: new accounts are made in an official app; here only on test DCs")

// pumpLogin does what the login machine decided, up to the next commit.
func (a *account) pumpLogin(c *ctx) {
	for a.login != nil && !a.login.saving {
		out, ok := a.login.machine.Next()
		if !ok {
			break
		}
		switch out.Kind {
		case login.OutCall:
			a.loginCall(c, out)
		case login.OutMigrate:
			a.migrateHome(c, out.DC)
		case login.OutAsk:
			step := out.Step
			a.becomeStep(c, step)
			a.login.answer(&step, nil)
		case login.OutSave:
			a.saveLogin(c, out.Snapshot)
		case login.OutDone:
			a.onSignedIn(c, out.Authorization)
		case login.OutFailed:
			a.onLoginFailed(c, out.Err)
		}
	}
	a.armLogin(c)
}

func (a *account) armLogin(c *ctx) {
	if a.login == nil {
		c.Cancel(timerLogin)
		return
	}
	if d := a.login.machine.Deadline(); !d.IsZero() {
		c.After(timerLogin, d.Sub(c.Now()), loginDue{})
	}
}

func (a *account) advanceLogin(c *ctx) {
	if a.login != nil {
		a.login.machine.Advance(c.Now())
		a.pumpLogin(c)
	}
}

// loginCall runs one query of the sign-in on the home DC.
func (a *account) loginCall(c *ctx, out login.Output) {
	policy := Repeatable
	if out.Once {
		policy = Once
	}
	s, id := a.login, out.Call
	call := NewCall(out.Query.TypeName(), out.Query.Append(nil), policy, 0)
	call.anonymous = true
	s.call = call
	call.then = func(body []byte, err error) {
		if a.login != s {
			return
		}
		now := c.Now()
		switch {
		case err == nil:
			s.machine.Result(now, id, body)
		case errors.Is(err, ErrMayHaveRun):
			s.machine.Lost(now, id)
		default:
			s.machine.Failed(now, id, err)
		}
		a.pumpLogin(c)
	}
	a.submit(a.home, call)
}

// migrateHome moves the sign-in to another DC: the pair of actors here ends,
// one there begins. Keys made here stay in the store as keys of a guest DC.
func (a *account) migrateHome(c *ctx, to dc.ID) {
	for _, call := range a.closeLink(a.home) {
		call.end(nil, joinNotSent(ErrStopped))
	}
	a.home = nil
	a.rec.HomeDC = int(to)
	a.login.moving = true
	a.openHome(c, to)
	a.commit(c, persistence.Commit{Put: []persistence.Record{a.rec.Record()}}, nil)
	a.publish(c)
	// The machine may go on: its next call is held until the keys are there.
	a.login.moving = false
	a.login.machine.Migrated(c.Now())
}

// saveLogin writes the machine's snapshot; nothing it decided after goes out
// before it is on disk.
func (a *account) saveLogin(c *ctx, snap login.Snapshot) {
	state, err := snap.Encode()
	if err != nil {
		a.onLoginFailed(c, &login.Error{Reason: login.ReasonServer, Message: "the sign-in cannot be stored", Err: err})
		return
	}
	rec := persistence.Login{Flow: a.login.method, State: state, Updated: round(c.Now())}
	a.loginCommit(c, persistence.Commit{Put: []persistence.Record{rec.Record(a.id), a.rec.Record()}}, nil)
}

// loginCommit writes something of a sign-in, again and again if need be: a
// sign-in that is not on disk may not go on.
func (a *account) loginCommit(c *ctx, commit persistence.Commit, then func(c *ctx)) {
	s := a.login
	s.saving = true
	a.commit(c, commit, func(c *ctx, err error) {
		if a.login != s {
			return
		}
		if err != nil {
			a.storeFailed(err)
			c.After(timerLoginSave, storeRetry, again{func(c *ctx) {
				if a.login == s {
					a.loginCommit(c, commit, then)
				}
			}})
			return
		}
		s.saving = false
		if then != nil {
			then(c)
		}
		a.pumpLogin(c)
	})
}

// storeRetry is how long a refused commit waits for its next try.
const storeRetry = 5 * time.Second

// again runs a function in the actor later.
type again struct{ do func(c *ctx) }

func (again) accountMessage() {}

// onSignedIn stores the authorization, then the account is like one that was
// signed in all along.
func (a *account) onSignedIn(c *ctx, auth *login.Authorization) {
	a.rec.SignedIn, a.rec.UserID, a.rec.Bot = true, auth.UserID, auth.IsBot
	a.rec.HomeDC = int(a.home.dc)
	a.rec.State, a.rec.StateSince, a.rec.StateWhy = "", round(c.Now()), ""
	put := []persistence.Record{a.rec.Record()}
	if len(auth.FutureAuthToken) > 0 {
		put = append(put, futureTokenRecord(a.id, auth.FutureAuthToken))
	}
	// What an earlier login left is another's: where its updates stood, and
	// which other DCs it was carried to.
	gone := []persistence.Key{persistence.LoginKey(a.id), persistence.UpdatesKey(a.id)}
	for _, id := range slices.Sorted(maps.Keys(a.guests)) { // the order of a map would not replay
		gone = append(gone, persistence.GuestKey(a.id, int(id)))
	}
	clear(a.guests)
	a.loginCommit(c, persistence.Commit{Put: put, Delete: gone}, func(c *ctx) {
		s := a.login
		a.env.Observe.SignedIn(s.method)
		a.env.Logger.Info("account signed in", "account", a.id, "home_dc", a.rec.HomeDC, "bot", a.rec.Bot)
		a.login = nil
		a.restoreUpdates(nil)
		a.become(c, Connecting, "signed in; asking for the state of updates", "")
		a.endLogin(s, nil)
		a.sync(c)
	})
}

// onLoginFailed ends a sign-in without an authorization.
func (a *account) onLoginFailed(c *ctx, failed *login.Error) {
	why := failed.Error()
	a.rec.State, a.rec.StateSince, a.rec.StateWhy = New.String(), round(c.Now()), why
	commit := persistence.Commit{
		Put:    []persistence.Record{a.rec.Record()},
		Delete: []persistence.Key{persistence.LoginKey(a.id)},
	}
	a.loginCommit(c, commit, func(c *ctx) {
		s := a.login
		a.login = nil
		a.closeAll(&StateError{State: New, Why: why})
		a.become(c, New, why, "sign it in again, or remove it")
		a.endLogin(s, failed)
	})
}

// endLogin tells who waits for a sign-in that it is over. The account's status
// is to say so already.
func (a *account) endLogin(s *signIn, err error) {
	a.releaseLogin(s)
	s.answer(nil, err)
}

// releaseLogin gives back what a sign-in holds of what all accounts share.
func (a *account) releaseLogin(s *signIn) {
	if s.phone != "" {
		a.env.ReleasePhone(s.phone, a.id)
	}
	if s.ticket != nil {
		a.env.Governor.Send(governor.Done{Ticket: s.ticket})
		s.ticket = nil
	}
}
