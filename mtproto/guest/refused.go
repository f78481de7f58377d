package guest

import "time"

// This file is about a server that says no: who is told, when it is asked
// again, and what it may cost.

const (
	// refusedFirst and refusedMost bound the pause after a round of refusals:
	// 1, 2, 4 … 60 minutes, so at most 1,440 / 60 + 6 = 30 rounds a day and
	// importsMost exports in each.
	refusedFirst = time.Minute
	refusedMost  = time.Hour
	// refusalsMost is where counting the rounds ends; the pause has long
	// reached its most.
	refusalsMost = 16
	// keyEvery separates two keys that are given up because the server refused
	// what was sent under them. A key costs four modular exponentiations, and a
	// server that refuses the second will refuse the third.
	keyEvery = 24 * time.Hour
)

// imposed obeys a wait. Callers are held over a short one and told of any
// other.
func (m *Machine) imposed(now, until time.Time, err error) {
	if until.Sub(now) <= shortWait && m.failures < shortTries {
		m.least = until
		m.again(now)
		return
	}
	m.wait = &WaitError{DC: m.cfg.DC, Until: until, Err: err}
	m.bar(m.waiting())
}

// importRefused exports anew, a few times under the same key. Then callers are
// told; a key that is refused in the next round too is replaced, if that was
// not done within a day.
func (m *Machine) importRefused(now time.Time, err error) {
	if m.imports++; m.imports < importsMost {
		m.pause(now.Add(time.Second << (m.imports - 1)))
		return
	}
	m.imports = 0
	if m.snap.Refusals > 0 {
		m.giveUpKey(now, err)
		return
	}
	m.refuse(now, err)
}

// giveUpKey begins anew with another key, once a day.
func (m *Machine) giveUpKey(now time.Time, err error) {
	if last := m.snap.KeyDropped; !last.IsZero() && now.Sub(last) < keyEvery {
		m.refuse(now, err)
		return
	}
	m.imports, m.revoked = 0, 0
	m.snap.KeyDropped, m.snap.Authorized = now, false
	m.save()
	m.become(StateKeying)
	m.emit(Output{Kind: OutDropKey})
}

// refuse ends a round of attempts: callers are told the server's last word.
func (m *Machine) refuse(now time.Time, err error) {
	until := now.Add(min(refusedFirst<<min(m.snap.Refusals, 6), refusedMost))
	m.snap.Refusals = min(m.snap.Refusals+1, refusalsMost)
	m.snap.Refused = refusal(until, err)
	m.save()
	m.bar(m.refused())
}

// bar ends the calls that wait, and what was counted while they did.
func (m *Machine) bar(o Output) {
	m.wanted = false
	m.imports, m.failures, m.troubles = 0, 0, 0
	if o.Kind == OutWaiting {
		m.become(StateWaiting)
	} else {
		m.become(StateRefused)
	}
	m.emit(o)
}

// barred returns what a call that comes now is told, if it may not wait.
func (m *Machine) barred(now time.Time) (Output, bool) {
	switch {
	case m.wait != nil && now.Before(m.wait.Until):
		return m.waiting(), true
	case now.Before(m.snap.Refused.Until):
		return m.refused(), true
	}
	return Output{}, false
}

func (m *Machine) waiting() Output {
	return Output{Kind: OutWaiting, Until: m.wait.Until, Err: m.wait}
}

func (m *Machine) refused() Output {
	r := m.snap.Refused
	return Output{Kind: OutRefused, Until: r.Until, Err: &RefusedError{DC: m.cfg.DC, Until: r.Until, Err: r.err()}}
}
