package standing

import (
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dc"
)

// Config is what a machine needs to know.
type Config struct {
	// HasDC reports whether the DC table has a DC. Nil trusts who asks.
	HasDC func(dc.ID) bool
	// DefaultDC is where a sign-in begins.
	DefaultDC dc.ID
	// Rand gives jitter, uniform from [0, 1). Nil means none.
	Rand func() float64
}

// A Machine says where one account stands. It has one owner and no lock.
type Machine struct {
	cfg Config
	out []Output

	state       State
	back        State // of Quarantined and SigningOut
	since       time.Time
	why, advice string
	until       time.Time

	userID int64
	bot    bool
	home   dc.ID

	started    bool
	restoring  bool  // the retired key is being put back; what is read then goes on
	unreadable bool  // its record cannot be read and is not to be written over
	routed     bool  // calls can go home
	moving     dc.ID // of OutMove

	waits    waits
	retries  []retry
	doubt    doubt
	frozen   frozen
	signIn   signIn
	logOut   logOut
	removal  removal
	rotation rotation
}

// Restore returns the machine of a snapshot; the zero one is a new account.
// Nothing happens before Start.
func Restore(cfg Config, s Snapshot) *Machine {
	m := &Machine{
		cfg: cfg, state: s.State, back: s.Back, since: s.Since, why: s.Why,
		userID: s.UserID, bot: s.Bot, home: s.HomeDC,
	}
	if m.state >= states {
		m.state = New
	}
	for _, w := range s.Waits {
		m.waits.list = append(m.waits.list, heldWait{Wait: w, restored: true}) // the end is counted in Start
	}
	return m
}

// Start begins, or goes on with what the snapshot says. Only the first call
// counts.
func (m *Machine) Start(now time.Time) { m.start(now, false) }

// StartLogin is Start for an account whose store has a login under way. The
// driver goes on with it if State is SigningIn then, when it is its turn.
func (m *Machine) StartLogin(now time.Time) { m.start(now, true) }

func (m *Machine) start(now time.Time, login bool) {
	if m.started {
		return
	}
	m.started = true
	m.restoreWaits(now)
	switch s := m.state; {
	case login && (idleStates.has(s) || s == SigningIn):
		m.become(now, SigningIn, "going on after a restart", "", time.Time{})
	case s == SigningIn:
		m.become(now, New, "its sign-in is not in the store", adviceOf[New], time.Time{})
	case s == SigningOut:
		m.become(now, SigningOut, "going on after a restart", "", time.Time{})
		m.open()
		m.askLogOut(now)
	case s == Frozen && m.waits.account(now) == nil:
		m.frozen.why, m.frozen.at = m.why, now.Add(freezeSoon)
		m.become(now, Frozen, m.why, adviceOf[Frozen], time.Time{})
		m.open()
	case liveStates.has(s):
		m.live(now, "starting")
		m.open()
	default:
		m.become(now, s, m.why, adviceOf[s], time.Time{})
	}
	if !slices.ContainsFunc(m.out, func(o Output) bool { return o.Kind == OutStatus }) {
		m.tell() // also what is as it was
	}
}

// restoreWaits counts the ends of the waits that were stored.
func (m *Machine) restoreWaits(now time.Time) {
	list := m.waits.list
	m.waits.list = nil
	for i := range list {
		m.waits.restore(now, []Wait{list[i].Wait})
	}
	if m.since.IsZero() {
		m.since = now
	}
}

// Snapshot returns what Restore needs to go on from here.
func (m *Machine) Snapshot() Snapshot {
	s := Snapshot{
		State: m.state, Back: m.back, Since: m.since.Round(time.Microsecond).UTC(), Why: m.why,
		UserID: m.userID, Bot: m.bot, HomeDC: m.home,
	}
	if m.state == Frozen {
		s.Why = m.frozen.why
	}
	for i := range m.waits.list {
		s.Waits = append(s.Waits, m.waits.list[i].Wait)
	}
	return s
}

// Status is what is known of the account now.
func (m *Machine) Status() Status {
	return Status{State: m.state, Since: m.since, Why: m.why, Advice: m.advice, Until: m.until}
}

// State is where the account stands.
func (m *Machine) State() State { return m.state }

// SignedIn reports whether the account has an authorization, or may have: one
// that a sign-in under way may have got is the login's.
func (m *Machine) SignedIn() bool {
	if m.state == Quarantined {
		return signedInStates.has(m.back)
	}
	return signedInStates.has(m.state)
}

// Home is the home DC, or where a sign-in begins.
func (m *Machine) Home() dc.ID {
	if m.home == 0 {
		return m.cfg.DefaultDC
	}
	return m.home
}

// Next returns the next output. The driver calls it after every input until
// it reports false.
func (m *Machine) Next() (Output, bool) {
	if len(m.out) == 0 {
		return Output{}, false
	}
	o := m.out[0]
	m.out[0] = Output{}
	if m.out = m.out[1:]; len(m.out) == 0 {
		m.out = nil
	}
	return o, true
}

// Deadline returns when Advance wants to be called, zero for never.
func (m *Machine) Deadline() (first time.Time) {
	sooner := func(t time.Time) {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	for i := range m.retries {
		sooner(m.retries[i].at)
	}
	if m.state == Waiting {
		sooner(m.until)
	}
	if m.readsFreeze() {
		sooner(m.frozen.at)
	}
	if m.doubt.pausing() && m.routed && m.state != Waiting {
		sooner(m.doubt.at)
	}
	return first
}

// Advance does what the passing of time demands.
func (m *Machine) Advance(now time.Time) {
	m.repeatDue(now)
	if m.state == Waiting && m.waits.account(now) == nil {
		m.live(now, "the wait is over")
	}
	m.confirm(now)
	m.askFreeze(now)
}

// become is the only way to another state, and to other words about it.
func (m *Machine) become(now time.Time, s State, why, advice string, until time.Time) {
	if s == m.state && why == m.why && advice == m.advice && until.Equal(m.until) {
		return
	}
	if s != m.state {
		m.state, m.since = s, now
	}
	m.why, m.advice, m.until = why, advice, until
	if s != Quarantined && s != SigningOut {
		m.back = New
	}
	m.tell()
}

// live leads a signed-in account into service: Connecting, or Waiting while
// the server's wait for the whole account lasts.
func (m *Machine) live(now time.Time, why string) {
	if w := m.waits.account(now); w != nil {
		m.become(now, Waiting, w.Why, adviceOf[Waiting], w.until)
		return
	}
	m.become(now, Connecting, why, "", time.Time{})
	m.sync()
}

// note puts the newest words about a connection on the account, in states
// that want one.
func (m *Machine) note(now time.Time, why, advice string) {
	switch m.state {
	case Connecting:
		m.become(now, Connecting, why, advice, time.Time{})
	case Frozen:
		m.become(now, Frozen, why, or(advice, adviceOf[Frozen]), time.Time{})
	case SigningIn:
		m.become(now, SigningIn, or(why, m.signIn.why), or(advice, m.signIn.advice), m.signIn.until)
	case SigningOut:
		m.become(now, SigningOut, why, advice, time.Time{})
	}
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// close ends everything that needs connections: the account leaves service.
// Calls that wait here for another try end with why they wait.
func (m *Machine) close(err error) {
	m.routed, m.moving, m.signIn = false, 0, signIn{}
	m.thaw()
	m.doubt = doubt{round: m.doubt.round}
	m.emit(Output{Kind: OutClose, Err: err})
	m.endRotation(err)
	parked, retries := m.waits.parked, m.retries
	m.waits.parked, m.retries = nil, nil
	for i := range parked {
		m.end(&parked[i], err)
	}
	for i := range retries {
		m.end(&retries[i].call, retries[i].err)
	}
}

// save writes changes, and with them forgets the waits that are over. Nothing
// of an account that is being deleted is written, but for what outlives it.
func (m *Machine) save(now time.Time, c Changes, must bool) {
	if m.removal.erasing {
		c = Changes{Put: slices.DeleteFunc(c.Put, func(w Wait) bool { return w.Scope != ScopeSubject })}
		if len(c.Put) > 0 {
			m.emit(Output{Kind: OutSave, Changes: c})
		}
		return
	}
	for _, over := range m.waits.sweep(now) {
		put := false
		for i := range c.Put {
			put = put || c.Put[i].same(&over)
		}
		if !put {
			c.Delete = append(c.Delete, over)
		}
	}
	if c.Account = c.Account && !m.unreadable; !c.Account && !c.LoginOver && c.Put == nil && c.Delete == nil {
		return
	}
	m.emit(Output{Kind: OutSave, Changes: c, Must: must})
}

// sync asks for the place of the updates where that may be asked.
func (m *Machine) sync() {
	if m.routed && (m.state == Connecting || m.state == Online || m.state == Frozen) {
		m.emit(Output{Kind: OutSync})
	}
}

func (m *Machine) open()                      { m.emit(Output{Kind: OutOpen, DC: m.Home()}) }
func (m *Machine) tell()                      { m.emit(Output{Kind: OutStatus}) }
func (m *Machine) again(c *Call)              { m.emit(Output{Kind: OutSend, Call: *c}) }
func (m *Machine) end(c *Call, err error)     { m.emit(Output{Kind: OutEnd, Call: *c, Err: err}) }
func (m *Machine) reply(r Request, err error) { m.emit(Output{Kind: OutReply, Request: r, Err: err}) }
func (m *Machine) saved(r Request)            { m.emit(Output{Kind: OutReply, Request: r, Saved: true}) }
func (m *Machine) emit(o Output)              { m.out = append(m.out, o) }
