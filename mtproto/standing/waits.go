package standing

import (
	"slices"
	"time"
)

const (
	// maxWaits bounds the waits that are remembered: there are some 800
	// methods, a manager uses a few dozen. At the bound the one that ends first
	// is forgotten; the server will repeat it.
	maxWaits = 128
	// lengthMost is the longest wait believed. The server's longest is a
	// number of 31 bits in seconds, 68 years; this leaves room in a Duration.
	lengthMost = 100 * 365 * 24 * time.Hour
	// floodStop is how long a phone number is left alone after a flood error
	// without a number: nothing says when it ends.
	floodStop = 24 * time.Hour
)

// A heldWait is a wait as this process counts it. Within a process the end is
// an instant of the monotonic clock, so that setting the clock changes nothing.
type heldWait struct {
	Wait
	until time.Time
	// restored: read from the store, and the time is not verified yet. Until
	// then until is what the record and the local clock say together: believed
	// while it holds, and not when it is over.
	restored bool
}

// concerns reports whether a wait holds a call.
func (w *heldWait) concerns(c *Call) bool {
	switch w.Scope {
	case ScopeMethod:
		return w.Method == c.Method
	case ScopeAccount:
		return c.Purpose.asAccount()
	case ScopeSubject:
		return w.Method == c.Method && w.Subject == c.Subject
	}
	return false
}

// left is how much of a wait remains at the time t: never less than nothing,
// never more than its length.
func (w *Wait) left(t time.Time) time.Duration {
	left := max(w.Start.Add(w.Length).Sub(t), 0)
	if w.Length > 0 {
		left = min(left, w.Length)
	}
	return left
}

// waits are those in force, and what is known of the time.
type waits struct {
	list   []heldWait    // nil when there are none
	known  bool          // the time was verified in this process
	offset time.Duration // server minus local
	parked []Call        // until the time is known
}

// holds returns the end of the wait that holds a call, zero for none. The wait
// of a record that is over by an unverified clock holds it too: parked.
func (w *waits) holds(now time.Time, c *Call) (until time.Time, parked bool) {
	for i := range w.list {
		held := &w.list[i]
		switch {
		case !held.concerns(c):
		case now.Before(held.until):
			if held.until.After(until) {
				until = held.until
			}
		case held.restored:
			parked = true
		}
	}
	return until, parked && until.IsZero()
}

// find returns the wait that a later one of the same kind replaces.
func (w *waits) find(o *Wait) *heldWait {
	for i := range w.list {
		if w.list[i].same(o) {
			return &w.list[i]
		}
	}
	return nil
}

// account returns the wait of the whole account while it is in force.
func (w *waits) account(now time.Time) *heldWait {
	if held := w.find(&Wait{Scope: ScopeAccount}); held != nil && now.Before(held.until) {
		return held
	}
	return nil
}

// add keeps a wait and returns the one that had to go for it. That of the
// whole account never does.
func (w *waits) add(held heldWait) (gone []Wait) {
	if old := w.find(&held.Wait); old != nil {
		*old = held
		return nil
	}
	if len(w.list) >= maxWaits {
		first := -1
		for i := range w.list {
			if w.list[i].Scope != ScopeAccount && (first < 0 || w.list[i].until.Before(w.list[first].until)) {
				first = i
			}
		}
		gone = []Wait{w.list[first].Wait}
		w.list = slices.Delete(w.list, first, first+1)
	}
	w.list = append(w.list, held)
	return gone
}

// restore takes over waits from records. What is known already counts more.
func (w *waits) restore(now time.Time, list []Wait) {
	for _, wait := range list {
		if w.find(&wait) != nil {
			continue
		}
		t := now
		if w.known {
			t = now.Add(w.offset)
		}
		w.add(heldWait{Wait: wait, until: now.Add(wait.left(t)), restored: !w.known})
	}
}

// verify counts anew when the time is known: what was restored by the
// server's time, and what began here gets a start in it. Those are returned.
func (w *waits) verify(now time.Time, offset time.Duration) (again []Wait) {
	w.offset, w.known = offset, true
	for i := range w.list {
		held := &w.list[i]
		switch {
		case held.restored:
			held.restored = false
			held.until = now.Add(held.left(now.Add(offset)))
		case !held.Server:
			held.Start, held.Server = held.Start.Add(offset), true
			again = append(again, held.Wait)
		}
	}
	return again
}

// sweep forgets the waits that are over and returns those whose record nobody
// needs. A wait about a subject is not this account's alone: another may have
// renewed its record.
func (w *waits) sweep(now time.Time) (over []Wait) {
	w.list = slices.DeleteFunc(w.list, func(held heldWait) bool {
		if held.restored || now.Before(held.until) {
			return false
		}
		if held.Scope != ScopeSubject {
			over = append(over, held.Wait)
		}
		return true
	})
	if len(w.list) == 0 {
		w.list = nil
	}
	return over
}

// impose writes a wait down and returns its end. What it holds and was not sent
// comes back at once, for it must not go while the disk is slow; that it waits is
// told nobody before it is on disk.
func (m *Machine) impose(now time.Time, scope Scope, c *Call, length time.Duration, why string) time.Time {
	w := Wait{Scope: scope, Length: min(max(length, time.Second), lengthMost), Why: why}
	if scope != ScopeAccount {
		w.Method = c.Method
	}
	if scope == ScopeSubject {
		w.Subject = c.Subject
	}
	until := now.Add(w.Length)
	if old := m.waits.find(&w); old != nil && !old.restored && !old.until.Before(until) {
		return old.until // other calls were under way when it came
	}
	w.Start, w.Server = now, m.waits.known
	if w.Server {
		w.Start = now.Add(m.waits.offset)
	}
	w.Start = w.Start.Round(time.Microsecond).UTC() // the resolution of records
	forgotten := slices.DeleteFunc(m.waits.add(heldWait{Wait: w, until: until}), func(w Wait) bool { return w.Scope == ScopeSubject })
	if scope != ScopeSubject {
		m.emit(Output{Kind: OutRecall, Method: w.Method})
	}
	m.save(now, Changes{Put: []Wait{w}, Delete: forgotten}, false)
	if scope == ScopeAccount && liveStates.has(m.state) {
		m.live(now, "")
	}
	return until
}

// InForce is a wait as [Machine.AppendWaits] tells it.
type InForce struct {
	Scope Scope
	Until time.Time
}

// Waits reports whether any wait is remembered, and AppendWaits adds all of them
// to a list: at most 128, some of which may be over.
func (m *Machine) Waits() bool { return len(m.waits.list) > 0 }
func (m *Machine) AppendWaits(list []InForce) []InForce {
	for i := range m.waits.list {
		list = append(list, InForce{m.waits.list[i].Scope, m.waits.list[i].until})
	}
	return list
}

// RestoreWaits takes over waits about subjects, which are kept for the whole
// store: when a sign-in begins, and when it changes its phone number.
func (m *Machine) RestoreWaits(now time.Time, list []Wait) { m.waits.restore(now, list) }

// Until returns when a query that is not admitted one by one (the binding of
// temp keys) may be sent; zero for at once.
func (m *Machine) Until(now time.Time, c *Call) time.Time {
	until, _ := m.waits.holds(now, c)
	return until
}

// Clock says what the server's time is, verified in this process: offset is
// server minus local. The first time, waits from the store are counted anew.
func (m *Machine) Clock(now time.Time, offset time.Duration) {
	first := !m.waits.known
	again := m.waits.verify(now, offset)
	if again != nil {
		m.save(now, Changes{Put: again}, false)
	}
	if !first {
		return
	}
	if liveStates.has(m.state) && (m.state == Waiting || m.waits.account(now) != nil) {
		m.live(now, "the wait is over")
	}
	m.release(now)
}

// release lets parked calls go, or ends them with the wait that holds them.
func (m *Machine) release(now time.Time) {
	parked := m.waits.parked
	m.waits.parked = nil
	for i := range parked {
		c := &parked[i]
		if until, _ := m.waits.holds(now, c); !until.IsZero() {
			m.end(c, &WaitError{Method: c.Method, Until: until})
		} else {
			m.again(c)
		}
	}
	m.confirm(now)
	m.askLogOut(now)
}

// ClearWaits forgets the waits of a method, or all when method is empty, for
// an owner who knows better than the record.
func (m *Machine) ClearWaits(now time.Time, r Request, method string) {
	var gone []Wait
	m.waits.list = slices.DeleteFunc(m.waits.list, func(held heldWait) bool {
		if method != "" && held.Method != method {
			return false
		}
		gone = append(gone, held.Wait)
		return true
	})
	if gone == nil {
		m.reply(r, nil)
		return
	}
	m.save(now, Changes{Delete: gone}, false)
	m.saved(r)
	if m.state == Waiting && m.waits.account(now) == nil {
		m.live(now, "the wait was cleared by its owner")
	}
	// What nothing else holds need not wait for the time.
	m.waits.parked = m.stillParked(now)
	m.confirm(now)
	m.askLogOut(now)
}

// stillParked lets go which parked calls no wait holds, and returns the rest.
func (m *Machine) stillParked(now time.Time) (rest []Call) {
	for i := range m.waits.parked {
		c := m.waits.parked[i]
		if until, parked := m.waits.holds(now, &c); parked || !until.IsZero() {
			rest = append(rest, c)
		} else {
			m.again(&c)
		}
	}
	return rest
}
