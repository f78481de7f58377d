package standing

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
)

// A world drives a machine as the account does: it carries out what the
// machine asks for, keeps a disk, and may be killed at any time. Beside it runs
// a dumb twin, which knows what the server said and derives from that alone
// what may not be.
type world struct {
	t      interface{ Fatalf(string, ...any) }
	m      *Machine
	disk   disk
	time   time.Time     // the true one, which is the server's
	skew   time.Duration // local minus true, of this process
	clock  bool          // the process knows
	open   dc.ID         // the home binding that is open
	routed bool
	erase  int // OutErase not answered yet
	login  bool
	reload bool

	next  CallID
	calls []*worldCall
	log   []string

	twin twin
}

// worldCall is a query and where it is.
type worldCall struct {
	call  Call
	query bool // of OutCall
	sent  bool // otherwise the machine keeps it
	ended bool
	at    Where
}

// twin is what the world knows of what the server said.
type twin struct {
	waits   map[string]time.Time // by what they hold, in true time
	revoked bool                 // the last step gave proof that the login is gone
	twice   bool                 // the last step gave proof of two owners
}

// leadsTo says which steps lead to a state; for states that are not here, any.
var leadsTo = map[State][]int{
	Online:     {6, 7},
	Frozen:     {8, 9, 10, 12, 21},
	SigningIn:  {12, 14, 21},
	SigningOut: {12, 13, 21},
	SignedOut:  {12, 21, 22},
	Revoked:    {8, 9, 10, 12, 18, 21},
	Duplicated: {8, 9, 10, 12, 21},
	New:        {12, 16, 21, 22},
}

var worldMethods = []string{"messages.sendMessage", "messages.getHistory", "help.getConfig"}

// worldStarts are the states a world begins in: most of them where things
// happen.
var worldStarts = []State{New, Online, Online, Online, SigningOut, Paused, Exported}

func newWorld(t interface{ Fatalf(string, ...any) }, s State) *world {
	w := &world{t: t, time: epoch, disk: disk{Snapshot{State: s}}}
	w.twin.waits = map[string]time.Time{}
	w.boot(0)
	return w
}

func (w *world) now() time.Time { return w.time.Add(w.skew) }

func (w *world) failf(format string, args ...any) {
	for _, line := range w.log {
		format += "\n" + line
	}
	w.t.Fatalf(format, args...)
}

func (w *world) note(format string, args ...any) {
	w.log = append(w.log, fmt.Sprintf("%v %v: ", w.time.Sub(epoch), w.m.State())+fmt.Sprintf(format, args...))
	if len(w.log) > 60 {
		w.log = w.log[1:]
	}
}

// boot starts a process with a clock of its own.
func (w *world) boot(skew time.Duration) {
	w.skew, w.clock, w.open, w.routed, w.erase, w.calls = skew, false, 0, false, 0, nil
	w.m = Restore(testConfig(), w.disk.Snapshot)
	login := w.login && !signedInStates.has(w.disk.State)
	if login {
		w.m.StartLogin(w.now())
	} else {
		w.m.Start(w.now())
	}
	w.note("booted with %v", w.disk.State)
	w.drain()
	if !sensible(w.disk.State, w.m.State(), login) {
		w.failf("%v is restored as %v", w.disk.State, w.m.State())
	}
}

// sensible says what a stored state may be after a start.
func sensible(stored, s State, login bool) bool {
	switch {
	case liveStates.has(stored):
		return s == Connecting || s == Waiting || s == stored && s == Frozen
	case stored == SigningIn && !login:
		return s == New
	case stored == SigningIn, idleStates.has(stored) && login:
		return s == SigningIn
	case stored == SigningOut: // a wait may forbid it
		return s == SigningOut || s == Waiting || s == Paused || s == Quarantined
	}
	return s == stored
}

// waitKey is what a wait holds, as the twin names it.
func waitKey(scope Scope, method string) string { return fmt.Sprint(scope, method) }

// held reports whether the server's order forbids a call now.
func (w *world) held(c *Call) bool {
	scope := ScopeMethod
	if c.Subject != "" {
		scope = ScopeSubject
	}
	end := w.twin.waits[waitKey(scope, c.Method)]
	if account := w.twin.waits[waitKey(ScopeAccount, "")]; c.Purpose.asAccount() && account.After(end) {
		end = account
	}
	return w.time.Before(end)
}

// admit asks for a call, as the account does before it sends one.
func (w *world) admit(c *worldCall) {
	err := w.m.Admit(w.now(), &c.call)
	w.note("admit %d %v %s: %v", c.call.ID, c.call.Purpose, c.call.Method, err)
	var wait *WaitError
	switch e := err.(type) {
	case nil:
		if w.held(&c.call) {
			w.failf("a wait is passed by call %d", c.call.ID)
		}
		c.sent = true
		c.at = Where{DC: c.call.DC, Key: 1, Temp: true}
		if c.call.DC == 0 || c.call.DC == w.m.Home() {
			c.at = Where{DC: w.m.Home(), Home: true, Key: 1, Temp: true}
		}
		return
	case *WaitError:
		wait = e
		if !w.held(&c.call) && w.clock {
			w.failf("call %d is refused for a wait that is over: %v", c.call.ID, err)
		}
	default:
		if err == ErrParked {
			if w.clock {
				w.failf("call %d is parked though the time is known", c.call.ID)
			}
			c.sent = false
			return
		}
	}
	if admitted[c.call.Purpose].has(w.m.State()) && wait == nil && w.m.waits.list != nil && !w.m.removal.erasing {
		w.failf("call %d is refused with %v", c.call.ID, err)
	}
	c.ended = true
}

func (w *world) find(id CallID) *worldCall {
	for _, c := range w.calls {
		if c.call.ID == id {
			return c
		}
	}
	w.failf("there is no call %d", id)
	return nil
}

// drain does what the machine asks for.
func (w *world) drain() {
	for out, ok := w.m.Next(); ok; out, ok = w.m.Next() {
		w.note("  %v", out)
		switch out.Kind {
		case OutSave:
			w.disk.commit(w.m, out)
			if out.Changes.LoginOver {
				w.login = false
			}
		case OutErase:
			w.disk.commit(w.m, out)
			w.login = false
			w.erase++
			if out.All {
				delete(w.twin.waits, waitKey(ScopeAccount, ""))
				for _, method := range append(worldMethods, "users.getUsers", "auth.logOut") {
					delete(w.twin.waits, waitKey(ScopeMethod, method))
				}
			}
		case OutOpen:
			if w.open != 0 && w.open != out.DC {
				w.failf("%v is opened as home beside %v", out.DC, w.open)
			}
			w.open = out.DC
		case OutMoved:
			w.open, w.routed = out.DC, false
		case OutClose:
			w.open, w.routed = 0, false
		case OutSend:
			c := w.find(out.Call.ID)
			if c.ended {
				w.failf("call %d goes again after its end", out.Call.ID)
			}
			c.call, c.sent = out.Call, false
			w.admit(c)
		case OutEnd:
			c := w.find(out.Call.ID)
			if c.ended {
				w.failf("call %d ends twice", out.Call.ID)
			}
			c.ended = true
		case OutCall:
			w.next++
			c := &worldCall{call: out.Call, query: true, sent: true, at: Where{DC: w.m.Home(), Home: true, Key: 1, Temp: true}}
			c.call.ID = w.next
			if w.held(&c.call) {
				w.failf("%s is asked in spite of a wait", c.call.Method)
			}
			w.calls = append(w.calls, c)
		case OutReload:
			w.reload = true
		case OutGone:
			w.reload = true
		}
	}
	w.calls = slices.DeleteFunc(w.calls, func(c *worldCall) bool { return c.ended })
	if w.reload {
		w.reload = false
		w.boot(w.skew)
	}
}

var worldErrors = []error{
	tgerr.New(500, "INTERNAL"), tgerr.New(420, "FLOOD_WAIT_7"), tgerr.New(420, "FLOOD_WAIT_3600"), tgerr.New(420, "SLOWMODE_WAIT_60"),
	tgerr.New(303, "FILE_MIGRATE_4"), tgerr.New(303, "USER_MIGRATE_3"), tgerr.New(303, "USER_MIGRATE_1"), tgerr.New(401, "AUTH_KEY_PERM_EMPTY"),
	tgerr.New(401, "AUTH_KEY_UNREGISTERED"), tgerr.New(401, "SESSION_REVOKED"), tgerr.New(401, "USER_DEACTIVATED"),
	tgerr.New(406, "AUTH_KEY_DUPLICATED"), tgerr.New(420, "FROZEN_METHOD_INVALID"), tgerr.New(400, "WRONG"),
	&localError{}, &localError{notSent: true}, &localError{givenBack: true}, &localError{givenBack: true, notSent: true},
}

// inFlight picks a call that is under way.
func (w *world) inFlight(n int) *worldCall {
	var sent []*worldCall
	for _, c := range w.calls {
		if c.sent && !c.ended {
			sent = append(sent, c)
		}
	}
	if len(sent) == 0 {
		return nil
	}
	return sent[n%len(sent)]
}

// step does one thing to the machine, and checks what must hold after it.
func (w *world) step(op, arg int) {
	m, now := w.m, w.now()
	before := m.State()
	switch op % worldOps {
	case 0:
		w.time = w.time.Add([]time.Duration{time.Millisecond, time.Second, 5 * time.Second, time.Minute, time.Hour, 30 * time.Hour}[arg%6])
		m.Advance(w.now())
	case 1:
		if d := m.Deadline(); !d.IsZero() && d.After(now) {
			w.time = w.time.Add(d.Sub(now))
			m.Advance(w.now())
		}
	case 2:
		if w.open != 0 {
			if !w.clock {
				w.clock = true
				m.Clock(now, -w.skew)
			}
			w.routed = true
			m.Routed(now)
		}
	case 3:
		if w.open != 0 {
			w.routed = false
			m.RouteLost(now, "the connection was closed")
		}
	case 4, 5:
		w.next++
		c := &worldCall{call: Call{ID: w.next, Method: worldMethods[arg%3], Repeatable: arg%3 == 1}}
		if arg%5 == 0 {
			c.call.DC = 4
		}
		if arg%7 == 0 {
			c.call = Call{ID: w.next, Purpose: ForUpdates, Method: "updates.getDifference", Repeatable: true}
		}
		if m.State() == SigningIn {
			c.call = Call{ID: w.next, Purpose: ForSignIn, Method: "auth.sendCode", Subject: "somebody"}
		}
		w.calls = append(w.calls, c)
		w.admit(c)
	case 6, 7:
		w.result(arg)
	case 8, 9, 10:
		w.refuse(arg)
	case 11:
		m.Pause(now, 1)
	case 12:
		m.Resume(now, 2, "")
	case 13:
		m.LogOut(now, 3)
	case 14:
		if m.BeginSignIn(now, false) == nil {
			w.login = true
			w.calls = slices.DeleteFunc(w.calls, func(c *worldCall) bool { return c.sent }) // of an earlier login
			m.SignInGranted(now)
		}
	case 15:
		if m.State() == SigningIn && w.open != 0 {
			m.SignedInAs(now, 7, false, m.Home())
		}
	case 16:
		if m.State() == SigningIn {
			m.SignInFailed(now, fmt.Errorf("it was cancelled"))
		}
	case 17:
		m.Quarantine(now, "it failed too often", "")
	case 18:
		w.twin.revoked = w.twin.revoked || w.open == m.Home()
		if w.open != 0 {
			m.KeyGone(now, w.open, true, fmt.Errorf("the server does not know the perm key"))
		}
	case 19:
		if m.moving != 0 && w.routed {
			m.Moved(now, m.moving)
		}
	case 20:
		m.MoveFailed(now, fmt.Errorf("the import was refused"))
	case 21:
		w.drain()
		w.boot([]time.Duration{0, 24 * time.Hour, -24 * time.Hour, time.Second}[arg%4])
		w.check(op%worldOps, before)
		return
	case 22:
		if w.erase > 0 {
			w.erase--
			m.Erased(now)
		}
	case 23:
		m.Remove(now, 4, arg%3 == 0)
	case 24:
		if arg%4 == 0 {
			clear(w.twin.waits)
			m.ClearWaits(now, 5, "")
		}
	case 25:
		if len(w.calls) > 0 {
			c := w.calls[arg%len(w.calls)]
			if !c.query {
				m.Canceled(now, c.call.ID)
				c.ended = true
			}
		}
	case 26:
		m.ConfigChanged(now)
	}
	w.note("op %d %d", op%worldOps, arg)
	w.drain()
	w.check(op%worldOps, before)
}

const worldOps = 27

// result answers a call.
func (w *world) result(n int) {
	c := w.inFlight(n)
	if c == nil || !w.routed || !w.clock {
		return
	}
	c.sent = false
	if c.query {
		c.ended = true
		w.m.Returned(w.now(), &c.call, c.at, appConfig([]string{"frozen", "free", "broken"}[n%3]), nil)
		return
	}
	c.ended = true
	if w.m.Proves(&c.call) {
		w.m.Answered(w.now(), &c.call, c.at)
	}
}

// refuse ends a call with an error.
func (w *world) refuse(n int) {
	c, err := w.inFlight(n), worldErrors[n%len(worldErrors)]
	e, server := tgerr.As(err)
	if c == nil || server && (!w.routed || !w.clock) {
		return
	}
	c.sent, c.ended = false, c.query
	if d, ok := e.Wait(); ok && !ofTarget(e) {
		key := waitKey(ScopeMethod, c.call.Method)
		switch c.call.Purpose {
		case ForUpdates:
			key = waitKey(ScopeAccount, "")
		case ForSignIn:
			key = waitKey(ScopeSubject, c.call.Method)
		}
		if end := w.time.Add(d); end.After(w.twin.waits[key]) {
			w.twin.waits[key] = end
		}
	}
	own := c.call.Purpose == ForSignIn
	switch e.Class() {
	case tgerr.ClassDuplicated:
		w.twin.twice = w.twin.twice || server && !own
	case tgerr.ClassDeactivated:
		w.twin.revoked = w.twin.revoked || server && !own
	case tgerr.ClassRevoked:
		// A confirmation that is answered so is the second proof.
		w.twin.revoked = w.twin.revoked || server && c.call.Purpose == ForConfirm && c.call.Round == w.m.doubt.round && w.m.doubt.err != nil
	}
	w.m.Ended(w.now(), &c.call, c.at, err)
}

// check compares the machine with what must be so.
func (w *world) check(op int, before State) {
	m, s := w.m, w.m.State()
	if by := leadsTo[s]; s != before && by != nil && !slices.Contains(by, op) {
		w.failf("step %d led from %v to %v", op, before, s)
	}
	if s == Revoked && before != Revoked && !w.twin.revoked && op != 12 && op != 21 {
		w.failf("revoked without proof")
	}
	if s == Duplicated && before != Duplicated && !w.twin.twice && op != 12 && op != 21 {
		w.failf("duplicated without proof")
	}
	w.twin.revoked, w.twin.twice = false, false
	if s == Online && (!w.routed || m.doubt.err != nil) {
		w.failf("online without a connection, or in doubt")
	}
	if account := w.twin.waits[waitKey(ScopeAccount, "")]; w.clock && liveStates.has(s) && !m.removal.erasing && w.time.Before(account) != (s == Waiting) {
		w.failf("the account is %v with a wait until %v", s, account.Sub(epoch))
	}
	if d := m.Deadline(); !d.IsZero() && !d.After(w.now()) && op0(m, w.now()) {
		w.failf("the deadline has passed and Advance changes nothing")
	}
	if w.open != 0 && w.open != m.Home() {
		w.failf("home is %v and %v is open", m.Home(), w.open)
	}
	if len(m.Snapshot().Waits) > maxWaits {
		w.failf("%d waits are remembered", len(m.Snapshot().Waits))
	}
}

// op0 advances, and reports whether the deadline is still past.
func op0(m *Machine, now time.Time) bool {
	m.Advance(now)
	d := m.Deadline()
	return !d.IsZero() && !d.After(now)
}

// TestWorld runs random worlds.
func TestWorld(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, rapid.SampledFrom(worldStarts).Draw(t, "state"))
		ops := make([]int, worldOps)
		for i := range ops {
			ops[i] = i
		}
		// Drawn one by one and evenly: what matters is far from the start.
		for range rapid.IntRange(50, 200).Draw(t, "steps") {
			w.step(rapid.SampledFrom(ops).Draw(t, "op"), rapid.IntRange(0, 419).Draw(t, "arg"))
		}
	})
}

// FuzzWorld lets the fuzzer choose: a byte is the state it begins in, each two
// after it are a step.
func FuzzWorld(f *testing.F) {
	f.Add([]byte{0, 14, 0, 2, 0, 15, 0, 4, 1, 6, 0, 4, 1, 8, 8, 6, 0})
	f.Add([]byte{0, 14, 0, 2, 0, 15, 0, 4, 7, 8, 1, 21, 1, 4, 7, 2, 0, 0, 3, 4, 7})
	f.Add([]byte{0, 14, 0, 2, 0, 15, 0, 13, 0, 8, 14, 21, 0, 2, 0, 6, 0, 22, 0, 23, 1, 22, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 0 {
			return
		}
		w := newWorld(t, worldStarts[int(b[0])%len(worldStarts)])
		b = b[1:]
		for ; len(b) >= 2; b = b[2:] {
			w.step(int(b[0]), int(b[1]))
		}
	})
}
