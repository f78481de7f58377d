package login

import (
	"slices"
	"strconv"
	"time"
)

// A Machine is one sign-in. It has one owner and no lock.
type Machine struct {
	cfg      Config
	s        Snapshot
	secret   secrets
	clock    time.Duration // the server's time minus ours, as far as it is known
	id       CallID        // of the call or the work under way
	answered [32]byte      // a digest of the last answer
	started  bool
	last     *Error // how it ended
	auth     *Authorization
	out      []Output
}

// NewPhone returns the sign-in of a person by phone number, as people write and
// copy it: with or without plus, spaces, dashes, brackets, in the digits of any
// script. It fails with an *Error that says what is wrong with it.
func NewPhone(cfg Config, phone string) (*Machine, error) {
	digits, problem := normalPhone(phone)
	if problem != "" {
		return nil, orConfig(cfg, badPhone(problem))
	}
	return newMachine(cfg, Snapshot{Flow: FlowPhone, Phone: PhonePart{Number: digits}})
}

// NewBot returns the sign-in of a bot by its token, or by an address of the Bot
// API with the token in it. It fails with an *Error.
func NewBot(cfg Config, token string) (*Machine, error) {
	token, problem := normalToken(token)
	if problem != "" {
		return nil, orConfig(cfg, badToken(problem))
	}
	id, _ := botID(token)
	m, err := newMachine(cfg, Snapshot{Flow: FlowBot, Bot: BotPart{ID: id}})
	if err == nil {
		m.secret.token = token
	}
	return m, err
}

// NewQR returns the sign-in by a QR code, which somebody scans with an app that
// is signed in.
func NewQR(cfg Config) (*Machine, error) { return newMachine(cfg, Snapshot{Flow: FlowQR}) }

// NewPasskey returns the sign-in by a passkey. Telegram binds passkeys to its
// own domain, so that against its DCs only what is bound to that too can answer.
func NewPasskey(cfg Config) (*Machine, error) {
	return newMachine(cfg, Snapshot{Flow: FlowPasskey})
}

// NewWebToken returns the sign-in by the address that a signed-in client made
// for a web client: the text with #tgWebAuthToken=… in it. It lives about a
// minute. It fails with an *Error.
func NewWebToken(cfg Config, link string) (*Machine, error) {
	web, token, problem := readWebLink(link)
	if problem != "" {
		return nil, orConfig(cfg, badWebToken(problem))
	}
	m, err := newMachine(cfg, Snapshot{Flow: FlowWeb, Web: web})
	if err == nil {
		m.secret.web = token
	}
	return m, err
}

// NewPNV returns the sign-in by a number that its carrier vouches for.
// The one that is expected may be empty; it is not sent. Experimental: what its
// methods mean is a guess from their names. It fails with an *Error.
func NewPNV(cfg Config, phone string) (*Machine, error) {
	s := Snapshot{Flow: FlowPNV}
	if phone != "" {
		digits, problem := normalPhone(phone)
		if problem != "" {
			return nil, orConfig(cfg, badPhone(problem))
		}
		s.Phone.Number = digits
	}
	return newMachine(cfg, s)
}

func orConfig(cfg Config, e *Error) error {
	if err := cfg.check(); err != nil {
		return err
	}
	return e
}

func newMachine(cfg Config, s Snapshot) (*Machine, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	s.DC = cfg.DC
	return named(&Machine{cfg: cfg, s: s})
}

// Restore returns the sign-in of a snapshot. It fails with an *Error when the
// snapshot is of no sign-in.
func Restore(cfg Config, s Snapshot) (*Machine, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if !s.sensible() {
		return nil, senseless()
	}
	m := &Machine{cfg: cfg, s: s}
	m.secret.token, m.secret.code = s.old.Token, s.old.Code
	m.s.old = oldSecrets{}
	if cfg.DC != 0 {
		m.s.DC = cfg.DC
	}
	return named(m)
}

// named gives a sign-in its id, unless it was stored with one.
func named(m *Machine) (*Machine, error) {
	if m.s.Attempt != "" {
		return m, nil
	}
	id, err := newAttempt(m.cfg.Rand)
	if err != nil {
		return nil, err
	}
	m.s.Attempt = id
	return m, nil
}

func senseless() *Error {
	return &Error{Reason: ReasonServer, Retry: true, Message: "the stored sign-in makes no sense; begin it anew"}
}

// State returns where the sign-in stands.
func (m *Machine) State() State { return m.s.State }

// Snapshot returns what Restore needs to go on from here.
func (m *Machine) Snapshot() Snapshot { return m.s }

// Subject is the phone number or the bot token that the server's waits are
// about; empty for flows that name nobody, and while the token is not known.
// It is a secret.
func (m *Machine) Subject() string {
	if m.s.Flow == FlowPhone {
		return m.s.Phone.Number
	}
	return m.secret.token
}

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
	switch {
	case !m.started:
		return time.Time{}
	case m.s.State == StateWaiting:
		return m.s.Until
	case m.s.State == StateWaitScan:
		return m.s.QR.RefreshAt
	}
	return time.Time{}
}

// Clock says how far the server's clock is ahead of ours. Without it they are
// taken to agree; what depends on it is bounded.
func (m *Machine) Clock(offset time.Duration) { m.clock = offset }

// Start begins the sign-in, or goes on with a restored one. Only the first
// call counts. A query that was under way when the process died counts as
// lost.
func (m *Machine) Start(now time.Time) {
	if m.started {
		return
	}
	m.started = true
	m.s.QR.Since = time.Time{} // somebody is there again
	switch s := m.s.State; {
	case s == StateNew && m.s.Flow == FlowWeb && m.s.Web.DC.Valid() && m.s.Web.DC != m.s.DC:
		m.moveFirst()
	case s == StateNew:
		m.begin()
	case s.over():
	case s == StateWaiting:
		m.showStep()
		m.Advance(now)
	case s == StateMigrating:
		m.emit(Output{Kind: OutMigrate, DC: m.s.Target})
	case m.underWay(m.id):
		if what := m.pending(); what.repeatable && !what.signsIn && !what.matters {
			m.call(call(m.s.Pending)) // it only asks
		} else {
			m.lost(now)
		}
	case s == StateWaitScan, s == StateWaitPasskey, s == StateWaitPNV:
		m.begin() // what was shown is not stored
	case s == StateWaitNewPassword:
		m.s.LastError = restarted // the code that led here is not stored
		m.wait(StateWaitRecovery)
	default:
		m.showStep()
	}
}

// Advance does what the passing of time demands.
func (m *Machine) Advance(now time.Time) {
	if at := m.Deadline(); at.IsZero() || now.Before(at) {
		return
	}
	if m.s.State == StateWaitScan {
		m.qrRefresh(now)
		return
	}
	m.call(call(m.s.Pending))
}

// Migrated says that the driver has moved to the DC it was told to, and can
// send there.
func (m *Machine) Migrated(_ time.Time) {
	if !m.started || m.s.State != StateMigrating {
		return
	}
	m.s.DC, m.s.Target = m.s.Target, 0
	m.call(call(m.s.Pending))
}

// become is the only way to another state.
func (m *Machine) become(s State) {
	m.s.State = s
	switch s {
	case StateWaiting, StateMigrating:
	default:
		if c, ok := m.method(call(m.s.Pending)); !ok || c.state != s {
			m.s.Pending, m.s.Retries, m.s.Troubles = "", 0, 0
		}
	}
}

// wait shows the step of a state that waits for a human.
func (m *Machine) wait(s State) {
	m.become(s)
	m.s.Asked++
	m.save()
	m.showStep()
}

// waitUntil repeats the pending call at a time; imposed says that the server
// named it. Whoever signs in is told of those.
func (m *Machine) waitUntil(_, until time.Time, imposed bool) {
	m.become(StateWaiting)
	m.s.Until, m.s.Imposed = until, imposed
	if imposed {
		m.s.Asked++
	}
	m.save()
	if imposed {
		m.showStep()
	}
}

// again repeats the pending call after a backoff.
func (m *Machine) again(now time.Time) { m.waitUntil(now, now.Add(m.backoff()), false) }

// backoff is the next pause before the pending call is repeated: 1, 2, 4 … 60 s.
func (m *Machine) backoff() time.Duration {
	delay := min(time.Second<<min(m.s.Retries, 6), time.Minute)
	m.s.Retries++
	return delay
}

// over leaves nothing of the attempt but how it ended.
func (m *Machine) over(s State) {
	m.become(s)
	m.s = Snapshot{Flow: m.s.Flow, State: s, Attempt: m.s.Attempt, Asked: m.s.Asked + 1}
	m.secret = secrets{}
}

// done ends the sign-in well.
func (m *Machine) done(a *Authorization) {
	m.over(StateDone)
	m.auth = a
	step, _ := m.Step()
	m.emit(Output{Kind: OutDone, Authorization: a, Step: step})
}

// fail ends the sign-in. What is authorized by half is taken back first.
func (m *Machine) fail(e *Error) {
	if m.s.Half {
		m.undo(e)
		return
	}
	m.over(StateFailed)
	m.last = e
	step, _ := m.Step()
	m.emit(Output{Kind: OutFailed, Err: e, Step: step})
}

func (m *Machine) save() { m.emit(Output{Kind: OutSave, Snapshot: m.s}) }

func (m *Machine) showStep() {
	if step, ok := m.Step(); ok {
		m.emit(Output{Kind: OutAsk, Step: step})
	}
}

func (m *Machine) emit(o Output) { m.out = append(m.out, o) }

// stepID is the id of the step that is shown now.
func (m *Machine) stepID() string { return m.s.Attempt + "." + strconv.Itoa(m.s.Asked) }
