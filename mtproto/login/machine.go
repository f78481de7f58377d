package login

import (
	"slices"
	"strings"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// Config is what a machine needs to know besides the attempt itself.
type Config struct {
	// APIID and APIHash are the operator's own; there is no default.
	APIID   int32
	APIHash string
	// Settings go with auth.sendCode; see FutureTokens for the logout tokens
	// among them.
	Settings tg.CodeSettings
	// FutureTokens are the future auth tokens of this account's owner, newest
	// first: Authorization.FutureAuthToken and auth.loggedOut's. One of them
	// that the server knows makes a code unnecessary. The first 20 are sent,
	// none for a bot. Never those of somebody else: a server learns from them
	// who shares a machine.
	// https://core.telegram.org/api/auth#future-auth-tokens
	FutureTokens [][]byte
	// AllowSignUp permits auth.signUp. It must be false when the perm key was
	// made under one of Telegram's own RSA keys.
	AllowSignUp bool
	// HasDC reports whether an account may live on a DC. Nil trusts the server.
	HasDC func(dc.ID) bool
}

const (
	// hopsMost bounds the migrations of one attempt.
	hopsMost = 3
	// restartsMost bounds repeats after AUTH_RESTART and its like, retriesMost
	// those after other troubles of the server.
	restartsMost = 3
	retriesMost  = 5
	// repeatsMost bounds the imports of a bot whose answers are lost.
	repeatsMost = 5
	// tokensMost is how many future auth tokens the server looks at.
	tokensMost = 20
	// patience is the longest imposed wait after which a query that concerns a
	// code is repeated by itself. A code lives about as long.
	patience = 5 * time.Minute
	// codeLife is how long a code is thought to live. The server does not say.
	codeLife = 5 * time.Minute
	// floodStop is how long a number is left alone after PHONE_NUMBER_FLOOD.
	floodStop = 24 * time.Hour
)

// A Machine is one sign-in. It has one owner and no lock.
type Machine struct {
	cfg     Config
	s       Snapshot
	id      CallID // of the call under way
	started bool
	out     []Output
}

// NewPhone returns the sign-in of a person by phone number, as people write and
// copy it: with or without plus, spaces, dashes, brackets, in the digits of any
// script. It fails with an *Error that says what is wrong with it.
func NewPhone(cfg Config, phone string) (*Machine, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	digits, problem := normalPhone(phone)
	if problem != "" {
		return nil, badPhone(problem)
	}
	return &Machine{cfg: cfg, s: Snapshot{Phone: digits}}, nil
}

// NewBot returns the sign-in of a bot by its token, or by an address of the Bot
// API with the token in it. It fails with an *Error.
func NewBot(cfg Config, token string) (*Machine, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	token, problem := normalToken(token)
	if problem != "" {
		return nil, badToken(problem)
	}
	return &Machine{cfg: cfg, s: Snapshot{Token: token}}, nil
}

// Restore returns the sign-in of a snapshot. It fails with an *Error when the
// snapshot is of no sign-in.
func Restore(cfg Config, s Snapshot) (*Machine, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	phone := storedPhone(s.Phone)
	_, bot := botID(s.Token)
	if phone == bot || int(s.State) >= len(stateNames) || s.State == StateMigrating && !s.Target.Valid() {
		return nil, &Error{Reason: ReasonServer, Retry: true, Message: "the stored sign-in makes no sense; begin it anew"}
	}
	return &Machine{cfg: cfg, s: s}, nil
}

func (cfg Config) check() error {
	if cfg.APIID <= 0 || cfg.APIHash == "" {
		return &Error{Reason: ReasonConfig, Message: "api_id and api_hash are missing; get your own at https://my.telegram.org and put them into the configuration"}
	}
	return nil
}

// State returns where the sign-in stands.
func (m *Machine) State() State { return m.s.State }

// Snapshot returns what Restore needs to go on from here.
func (m *Machine) Snapshot() Snapshot { return m.s }

// Next returns the next output. The driver calls it after every input until
// it reports false.
func (m *Machine) Next() (Output, bool) {
	if len(m.out) == 0 {
		return Output{}, false
	}
	o := m.out[0]
	m.out = slices.Delete(m.out, 0, 1)
	return o, true
}

// Deadline returns when Advance wants to be called, zero for never.
func (m *Machine) Deadline() time.Time {
	if m.started && m.s.State == StateWaiting {
		return m.s.Until
	}
	return time.Time{}
}

// Start begins the sign-in, or goes on with a restored one. Only the first
// call counts. A query that was under way when the process died counts as
// lost.
func (m *Machine) Start(now time.Time) {
	if m.started {
		return
	}
	m.started = true
	switch m.s.State {
	case StateNew:
		m.call(m.firstCall())
	case StateWaiting, StateDone, StateFailed:
	case StateMigrating:
		m.emit(Output{Kind: OutMigrate, DC: m.s.Target})
	case StateSending, StateSigningIn, StateSigningUp, StateImporting, StateProbing, StateCanceling, StateLoggingOut:
		m.lost(now)
	default:
		m.showStep()
		return
	}
	if m.s.State == StateWaiting {
		m.showStep()
		m.Advance(now)
	}
}

func (m *Machine) firstCall() call {
	if m.s.Token != "" {
		return callImportBot
	}
	return callSendCode
}

// Advance does what the passing of time demands.
func (m *Machine) Advance(now time.Time) {
	if !m.started || m.s.State != StateWaiting || now.Before(m.s.Until) {
		return
	}
	m.s.Until, m.s.Imposed = time.Time{}, false
	m.call(call(m.s.Pending))
}

// Migrated says that the driver has moved to the DC it was told to, and can
// send there.
func (m *Machine) Migrated(now time.Time) {
	if !m.started || m.s.State != StateMigrating {
		return
	}
	m.s.Target = 0
	m.call(call(m.s.Pending))
}

// become is the only way to another state.
func (m *Machine) become(s State) {
	m.s.State = s
	switch s {
	case StateWaiting, StateMigrating:
	default:
		if stateOf[call(m.s.Pending)] != s {
			m.s.Pending, m.s.Retries, m.s.Troubles = "", 0, 0
		}
	}
}

// wait shows the step of a state that waits for a human.
func (m *Machine) wait(s State) {
	m.become(s)
	m.save()
	m.showStep()
}

// waitUntil repeats the pending call at a time; imposed says that the server
// named it. Whoever signs in is told of those.
func (m *Machine) waitUntil(now, until time.Time, imposed bool) {
	m.become(StateWaiting)
	m.s.Until, m.s.Imposed = until, imposed
	m.save()
	if imposed {
		m.showStep()
	}
}

// again repeats the pending call after a backoff of 1, 2, 4 … 60 s.
func (m *Machine) again(now time.Time) {
	delay := min(time.Second<<min(m.s.Retries, 6), time.Minute)
	m.s.Retries++
	m.waitUntil(now, now.Add(delay), false)
}

// done ends the sign-in well.
func (m *Machine) done(a *Authorization) {
	m.become(StateDone)
	m.s = Snapshot{State: StateDone}
	m.emit(Output{Kind: OutDone, Authorization: a})
}

// fail ends the sign-in.
func (m *Machine) fail(e *Error) {
	m.become(StateFailed)
	m.s = Snapshot{State: StateFailed}
	m.emit(Output{Kind: OutFailed, Err: e})
}

func (m *Machine) save() { m.emit(Output{Kind: OutSave, Snapshot: m.s}) }

func (m *Machine) showStep() {
	if step, ok := m.Step(); ok {
		m.emit(Output{Kind: OutAsk, Step: step})
	}
}

func (m *Machine) emit(o Output) { m.out = append(m.out, o) }

// botID returns the user id in front of a bot token.
func botID(token string) (int64, bool) {
	digits, secret, ok := strings.Cut(token, ":")
	if !ok || secret == "" || len(digits) == 0 || len(digits) > 18 || len(token) > 256 {
		return 0, false
	}
	var id int64
	for _, c := range []byte(digits) {
		if c < '0' || c > '9' {
			return 0, false
		}
		id = id*10 + int64(c-'0')
	}
	return id, id > 0
}

func badPhone(problem string) *Error {
	return &Error{Reason: ReasonPhone, Message: "this is no phone number: " + problem}
}

func badToken(problem string) *Error { return &Error{Reason: ReasonToken, Message: problem} }
