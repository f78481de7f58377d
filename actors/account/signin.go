package account

import (
	"errors"

	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto/login"
	"github.com/mtfleet/mtfleet/persistence"
)

// signInPhase says what a sign-in waits for that is not its machine's business.
type signInPhase uint8

const (
	// signInWaits for its turn: the governor paces sign-ins. Nothing was sent.
	// Left for signInRuns.
	signInWaits signInPhase = iota
	// signInRuns: what the machine says is done as it is said.
	signInRuns
	// signInStores: what it said last is on its way to the disk. Left for
	// signInRuns when it is there, however long that takes.
	signInStores
	// signInLooks: the store is read for waits about the phone number or the
	// token, before the first query about it. Left for signInRuns.
	signInLooks
	// signInMoves: it goes on at another DC, whose binding is being opened. Left
	// for signInRuns.
	signInMoves
	// signInPlaces: the server has signed us in and is asked where the updates
	// stand. Left for signInOver by any answer.
	signInPlaces
	// signInOver: standing has been told how it ended, or has closed everything.
	// Who waits is told when the account's status says so.
	signInOver
)

// signIn is a login under way. Its machine decides; this file does for it what
// waits: calls, moves to another home DC, commits, and the human.
type signIn struct {
	machine *login.Machine
	phase   signInPhase
	method  string // "phone" or "bot", for metrics and the record
	phone   string // reserved for this account; empty for bots
	ticket  *governor.Ticket
	fresh   bool         // nothing was sent yet, not even by an earlier process
	about   string       // the number or token whose waits are known
	next    login.Output // the call that waits for signInLooks
	call    *Call        // the last one
	step    *login.Step  // what it waits for
	asks    bool         // step is new: nobody was told of it
	failed  error        // how it ended; nil for well
	auth    *login.Authorization
	asked   []runtime.Reply[*login.Step] // who waits for the next step, or the end: a nil step
}

// answer tells everybody who waits.
func (s *signIn) answer(step *login.Step, err error) {
	for _, r := range s.asked {
		r.Send(step, err)
	}
	s.asked = nil
}

// ErrSignUpRefused refuses to make an account on Telegram's production DCs.
var ErrSignUpRefused = errors.New("new accounts are made in an official app; here only on test DCs")

// PhoneBusyError refuses a sign-in because another account has a code pending
// for the same phone number.
type PhoneBusyError struct{ Holder persistence.AccountID }

func (e *PhoneBusyError) Error() string {
	return "a code for this phone number is already pending for account " + string(e.Holder) +
		": finish or cancel that sign-in first"
}

func (a *account) loginConfig() login.Config {
	return login.Config{
		APIID: int32(a.env.App.APIID), APIHash: a.env.App.APIHash, FutureTokens: a.tokens,
		// Accounts are made on test DCs only, never under a key of Telegram's
		// production DCs.
		AllowSignUp: !a.env.production(),
		HasDC:       a.hasDC, DC: a.stand.Home(), Rand: a.env.Rand, Group: a.env.binding.Group(),
	}
}

// newSignIn makes the machine of a wish, or of a stored login.
func (a *account) newSignIn(m SignIn, stored *persistence.Login) (*signIn, error) {
	s := &signIn{method: "phone", fresh: stored == nil}
	var err error
	switch {
	case stored != nil:
		var snap login.Snapshot
		if snap, err = login.DecodeSnapshot(stored.State); err == nil {
			s.machine, err = login.Restore(a.loginConfig(), snap)
		}
		s.method = stored.Flow
	case m.BotToken != "":
		s.machine, err = login.NewBot(a.loginConfig(), m.BotToken)
		s.method = "bot"
	default:
		s.machine, err = login.NewPhone(a.loginConfig(), m.Phone)
	}
	if err != nil {
		return nil, err
	}
	snap := s.machine.Snapshot()
	s.phone = snap.Phone.Number
	if snap.Phone.Next != "" { // the number a code is asked for next
		s.phone = snap.Phone.Next
	}
	if s.phone != "" {
		if holder, ok := a.env.ClaimPhone(s.phone, a.id); !ok {
			return nil, &PhoneBusyError{Holder: holder}
		}
	}
	return s, nil
}

// onSignIn starts a login.
func (a *account) onSignIn(c *ctx, m SignIn) {
	if a.login != nil {
		m.Reply.Send(nil, &StateError{State: SigningIn, Why: "a sign-in is under way: answer its step, or cancel it"})
		return
	}
	s, err := a.newSignIn(m, nil)
	if err == nil {
		if err = a.stand.BeginSignIn(c.Now(), s.method == "bot"); err != nil && s.phone != "" {
			a.env.ReleasePhone(s.phone, a.id)
		}
	}
	if err != nil {
		m.Reply.Send(nil, err)
		return
	}
	s.asked = append(s.asked, m.Reply)
	a.login = s
	a.waitForTurn(c)
}

// resumeLogin goes on with a sign-in that a restart interrupted.
func (a *account) resumeLogin(c *ctx, rec persistence.Login) {
	a.stand.StartLogin(c.Now())
	if a.stand.State() != SigningIn {
		return // it goes on when the account is resumed
	}
	s, err := a.newSignIn(SignIn{}, &rec)
	if err != nil {
		a.stand.Quarantine(c.Now(), err.Error(), "end the other sign-in if there is one and resume the account, or remove it by force and add it again")
		return
	}
	a.login = s
	a.waitForTurn(c)
}

// waitForTurn asks the governor for leave to sign in.
func (a *account) waitForTurn(c *ctx) {
	self, ticket := c.Self(), &governor.Ticket{Kind: governor.SignIn, DC: int(a.stand.Home()), Active: true}
	ticket.Granted = func() { self.Send(signInGranted{ticket}) }
	a.login.ticket = ticket
	a.env.Governor.Send(governor.Want{Ticket: ticket})
}

func (a *account) onSignInGranted(c *ctx, m signInGranted) {
	a.env.Governor.Send(governor.Done{Ticket: m.ticket})
	s := a.login
	if s == nil || s.ticket != m.ticket || s.phase != signInWaits {
		return
	}
	s.ticket, s.fresh, s.phase = nil, false, signInRuns
	a.stand.SignInGranted(c.Now())
	s.machine.Start(c.Now())
}

// onAnswer hands what the human said to the machine; the reply comes with the
// next step.
func (a *account) onAnswer(c *ctx, m Answer) {
	s := a.login
	switch {
	case s == nil || s.phase == signInOver:
		m.Reply.Send(nil, &StateError{State: a.stand.State(), Why: "no sign-in is under way"})
		return
	case m.Answer.Kind == login.AnswerSignUp && a.env.production():
		m.Reply.Send(nil, ErrSignUpRefused)
		return
	}
	if m.Answer.Kind == login.AnswerCancel && s.fresh {
		s.asked = append(s.asked, m.Reply)
		a.cancelSignIn(c)
		return
	}
	if err := a.input(c, s, m.Answer); err != nil {
		m.Reply.Send(nil, err)
		return
	}
	s.asked = append(s.asked, m.Reply)
	if m.Answer.Kind == login.AnswerCancel {
		a.hurryCancel(c, s)
	}
}

// input gives the machine an answer. Another phone number is reserved first.
func (a *account) input(c *ctx, s *signIn, answer login.Answer) error {
	before := s.phone
	if answer.Kind == login.AnswerPhone {
		// Whether the number is one the machine will say.
		if other, err := login.NewPhone(a.loginConfig(), answer.Phone); err == nil {
			s.phone = other.Snapshot().Phone.Number
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

// cancelSignIn ends the login for a removal, or before its turn, which may be
// far away for as long as a DC is down. A login that the server has granted
// already is kept: the removal is refused by that.
func (a *account) cancelSignIn(c *ctx) {
	s := a.login
	switch {
	case s == nil || s.phase == signInOver:
	case s.fresh:
		a.failSignIn(c, &login.Error{Reason: login.ReasonCanceled, Retry: true, Message: "the sign-in was cancelled before it began"})
	case s.phase == signInPlaces:
		a.signedIn(c, nil)
	default:
		if s.machine.Input(c.Now(), login.Answer{Kind: login.AnswerCancel}) == nil {
			a.hurryCancel(c, s)
		}
	}
}

// hurryCancel takes back the call that a cancelled sign-in waits for, if the DC
// cannot be reached: who cancels does not want to wait for it.
func (a *account) hurryCancel(c *ctx, s *signIn) {
	if s.call != nil && a.home != nil && a.home.route.IsZero() {
		a.withdraw(c, s.call)
	}
}
