package account

import (
	"errors"
	"time"

	"github.com/mtfleet/mtfleet/actors/binding"
	"github.com/mtfleet/mtfleet/actors/dcconn"
	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/login"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/mtproto/updates"
	"github.com/mtfleet/mtfleet/persistence"
)

// Message is what an account's actor receives; the types of this package only.
type Message interface{ accountMessage() }

// ctx is the account's view of itself while it runs.
type ctx = runtime.Context[Message]

// What others send.
type (
	// CancelCall says that nobody waits for the call any more.
	CancelCall struct{ Call *Call }
	// SignIn starts a login; the reply is its first step that needs somebody,
	// or the last one.
	SignIn struct {
		// Phone or BotToken; exactly one.
		Phone, BotToken string
		Reply           runtime.Reply[*login.Step]
	}
	// Answer answers the step a sign-in waits for.
	Answer struct {
		Answer login.Answer
		Reply  runtime.Reply[*login.Step]
	}
	// LogOut ends the authorization and forgets the keys.
	LogOut struct{ Reply runtime.Reply[struct{}] }
	// Pause closes the account's connections and keeps its keys.
	Pause struct{ Reply runtime.Reply[struct{}] }
	// Resume ends a pause, and gives a quarantined account another try.
	Resume struct{ Reply runtime.Reply[struct{}] }
	// Remove deletes every record of the account and ends the actor. An account
	// that is signed in is refused unless Force is set.
	Remove struct {
		Force bool
		Reply runtime.Reply[struct{}]
	}
)

// What the actor's own parts post to it.
type (
	bindingEvent struct {
		link *link
		ev   binding.Event
	}
	connEvent struct {
		conn *conn
		ev   dcconn.Event
	}
	// callReturned brings back a call whose error needs the account's policy,
	// or any answer to a query of the account's own.
	callReturned struct {
		call *Call
		conn *conn
		body []byte
		err  error
	}
	committed   struct{ err error }
	flushDue    struct{}
	retryDue    struct{}
	loginDue    struct{}
	updatesDue  struct{}
	guestsDue   struct{}
	linkRespawn struct{ link *link }
	waitOver    struct{}
	syncAgain   struct{}
)

func (*Call) accountMessage()        {}
func (CancelCall) accountMessage()   {}
func (SignIn) accountMessage()       {}
func (Answer) accountMessage()       {}
func (LogOut) accountMessage()       {}
func (Pause) accountMessage()        {}
func (Resume) accountMessage()       {}
func (Remove) accountMessage()       {}
func (bindingEvent) accountMessage() {}
func (connEvent) accountMessage()    {}
func (callReturned) accountMessage() {}
func (committed) accountMessage()    {}
func (flushDue) accountMessage()     {}
func (retryDue) accountMessage()     {}
func (loginDue) accountMessage()     {}
func (updatesDue) accountMessage()   {}
func (guestsDue) accountMessage()    {}
func (linkRespawn) accountMessage()  {}
func (waitOver) accountMessage()     {}
func (syncAgain) accountMessage()    {}

// Timers: one of each kind at a time.
const (
	timerFlush = iota + 1
	timerRetry
	timerLogin
	timerUpdates
	timerGuests
	timerWait
	timerSync
	timerConfirm
	timerLoginSave

	// One for each DC: the number of the DC is added. A prover and a confirmer
	// of the same DC have a timer each: timerAsk is shifted by the role.
	timerRespawn = 1 << 16
	timerAsk     = 1 << 17
)

// account is the actor: one Telegram user or bot.
type account struct {
	env    *Env
	id     persistence.AccountID
	header []byte // invokeWithLayer and initConnection, shared by all accounts

	loaded bool      // the store was read
	early  []Message // what came before that

	rec    persistence.Account
	status Status
	told   Status                      // what was published last
	waits  map[string]persistence.Wait // nil until the first
	dirty  dirty
	store  *accountStore
	jobs   []storeJob // the first is under way

	self     runtime.Ref[Message]
	links    []*link
	home     *link
	conns    map[runtime.ActorID]*conn
	sessions map[dc.ID]*persistence.Session // what the next session of a DC begins with
	guests   map[dc.ID]bool                 // where the authorization was carried to

	retries []retry

	login   *signIn          // nil when none is under way
	updates *updates.Machine // nil until signed in
	synced  bool             // the server answered an authorized query on this connection
	doubt   *doubt           // a 401 is being confirmed
	leaving *leaving         // a logout is under way

	removing bool // the records are being deleted; nothing new is begun
}

// Spawn starts the account's actor below parent. It restores itself from the
// store and goes on where it was.
func Spawn[P any](parent *runtime.Context[P], env *Env, id persistence.AccountID) runtime.Ref[Message] {
	return runtime.Spawn[Message](parent, &account{
		env: env, id: id, header: env.header, store: &accountStore{store: env.Store},
		conns: map[runtime.ActorID]*conn{}, sessions: map[dc.ID]*persistence.Session{},
		guests: map[dc.ID]bool{},
	})
}

func (a *account) Started(c *ctx) {
	a.self = c.Self()
	a.load(c)
}

// load reads the account from the store and goes on from there. What comes
// meanwhile waits.
func (a *account) load(c *ctx) {
	a.loaded = false
	var records []persistence.Record
	a.storeJob(c, func(store persistence.Store) (err error) {
		records, err = store.Load(a.id)
		return err
	}, func(c *ctx, err error) {
		a.loaded = true
		a.onRestored(c, records, err)
		early := a.early
		a.early = nil
		for _, m := range early {
			a.Receive(c, m)
		}
	})
}

// Receive handles one message. What comes before the account is read from the
// store waits for it: at most what admission lets through.
func (a *account) Receive(c *ctx, m Message) {
	_, ok := m.(committed)
	switch {
	case ok:
		a.handle(c, m)
	case a.removing:
		a.Undelivered(m)
	case !a.loaded:
		a.early = append(a.early, m)
	default:
		a.handle(c, m)
	}
}

func (a *account) handle(c *ctx, m Message) {
	switch m := m.(type) {
	case *Call:
		a.onCall(c, m)
	case CancelCall:
		a.onCancel(m.Call)
	case callReturned:
		a.onReturned(c, m)
	case retryDue:
		a.onRetryDue(c)
	case bindingEvent:
		a.onBinding(c, m.link, m.ev)
	case connEvent:
		a.onConn(c, m.conn, m.ev)
	case linkRespawn:
		a.onLinkRespawn(c, m.link)
	case guestsDue:
		a.advanceGuests(c)
	case updatesDue:
		a.advanceUpdates(c)
	case syncAgain:
		a.sync(c)
	case SignIn:
		a.onSignIn(c, m)
	case Answer:
		a.onAnswer(c, m)
	case loginDue:
		a.advanceLogin(c)
	case waitOver:
		a.onWaitOver(c)
	case LogOut:
		a.onLogOut(c, m)
	case Pause:
		a.onPause(c, m)
	case Resume:
		a.onResume(c, m)
	case Remove:
		a.onRemove(c, m)
	case flushDue:
		a.flush(c)
	case committed:
		a.onCommitted(c, m.err)
	case keysLoaded:
		a.onKeysLoaded(c, m)
	case signInGranted:
		a.onSignInGranted(c, m)
	case again:
		m.do(c)
	case askOver:
		m.conn.asks.answer(answerNone, ErrStopped)
	}
}

// onRestored converges on what the store says: a signed-in account connects, a
// sign-in under way goes on, anything else stands where it stood.
func (a *account) onRestored(c *ctx, records []persistence.Record, err error) {
	state, decodeErr := persistence.DecodeState(records)
	err = errors.Join(err, decodeErr)
	if state.Account == nil {
		why := "its record is not in the store"
		if err != nil {
			why = err.Error()
		}
		a.become(c, Quarantined, why, adviceRestore)
		return
	}
	a.rec = *state.Account
	for i := range state.Sessions {
		a.sessions[dc.ID(state.Sessions[i].DC)] = &state.Sessions[i]
	}
	for _, g := range state.Guests {
		a.guests[dc.ID(g.DC)] = g.Authorized
	}
	a.restoreWaits(c.Now(), state.Waits)
	a.purgeRevoked(c, state.PermKeys)
	if fatal := fatalCorruption(err); fatal != nil {
		a.become(c, Quarantined, fatal.Error(), adviceRestore)
		return
	}
	switch {
	case a.rec.Paused:
		a.become(c, Paused, a.rec.StateWhy, "resume it when it should connect again")
	case a.rec.State == stateLoggingOut:
		a.restoreUpdates(state.Updates, false) // for the case that it comes to nothing
		a.resumeLogOut(c)
	case state.Login != nil:
		a.resumeLogin(c, *state.Login)
	case a.rec.SignedIn:
		a.restoreUpdates(state.Updates, false)
		a.goOnline(c, "starting")
	default:
		a.becomeStored(c)
	}
}

// fatalCorruption picks the bad records an account cannot live without: its own
// and its perm keys. A lost temp key, salt or update state costs a round trip.
func fatalCorruption(err error) error {
	for _, key := range persistence.BadKeys(err) {
		switch key.Kind {
		case persistence.KindAccount, persistence.KindPermKey, persistence.KindLogin:
			return err
		}
	}
	return nil
}

// goOnline opens the home link; the account is online when the server has
// answered on it.
func (a *account) goOnline(c *ctx, why string) {
	a.become(c, Connecting, why, "")
	if a.home == nil {
		a.openHome(c, dc.ID(a.rec.HomeDC))
	}
}

// openHome makes the home link.
func (a *account) openHome(c *ctx, id dc.ID) { a.home = a.openLink(c, id, true) }

// Stopping answers everything owed: held calls were never sent, calls under
// way come back from their connections and end in Undelivered.
func (a *account) Stopping(c *ctx) {
	for _, m := range a.early {
		a.Undelivered(m)
	}
	for _, l := range a.links {
		for _, call := range l.held {
			call.finish(nil, joinNotSent(ErrStopped))
		}
	}
	for _, r := range a.retries {
		r.call.finish(nil, r.err)
	}
	if a.updates != nil {
		a.updates.Flush(c.Now())
		a.pumpUpdates(c)
	}
	a.flushOnStop(c)
	if a.login != nil {
		a.releaseLogin(a.login)
		a.login.answer(nil, ErrStopped)
	}
}

// Undelivered ends calls that reached a stopped account.
func (a *account) Undelivered(m Message) {
	switch m := m.(type) {
	case *Call:
		m.finish(nil, joinNotSent(ErrStopped))
	case callReturned:
		if m.err != nil || m.call.then == nil {
			m.call.finish(m.body, m.err)
		}
	case signInGranted:
		a.env.Governor.Send(governor.Done{Ticket: m.ticket})
	case SignIn:
		m.Reply.Send(nil, ErrStopped)
	case Answer:
		m.Reply.Send(nil, ErrStopped)
	case LogOut:
		m.Reply.Send(struct{}{}, ErrStopped)
	case Pause:
		m.Reply.Send(struct{}{}, ErrStopped)
	case Resume:
		m.Reply.Send(struct{}{}, ErrStopped)
	case Remove:
		m.Reply.Send(struct{}{}, ErrStopped)
	}
}

// serverWords is what an error says to an operator: the server's words if it
// was the server.
func serverWords(err error) string {
	if e, ok := tgerr.As(err); ok {
		return "the server said " + e.Error()
	}
	return err.Error()
}

// round brings a time to the resolution of records.
func round(t time.Time) time.Time { return t.Round(time.Microsecond) }
