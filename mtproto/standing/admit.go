package standing

import (
	"slices"
	"time"
)

// Admit decides whether a query may be sent now. Nil: send it. A *WaitError,
// *StateError or *NoDCError ends it: nothing was sent. With ErrParked the
// machine keeps it: OutSend or OutEnd follows. It allocates nothing unless it
// refuses.
//
// How many calls are parked at most is bounded by how many the driver lets in.
func (m *Machine) Admit(now time.Time, c *Call) error {
	if m.removal.erasing || !admitted[c.Purpose].has(m.state) {
		return m.refusal()
	}
	if c.DC != 0 && c.DC != m.home && m.cfg.HasDC != nil && !m.cfg.HasDC(c.DC) {
		return &NoDCError{DC: c.DC}
	}
	if len(m.waits.list) == 0 {
		return nil
	}
	until, parked := m.waits.holds(now, c)
	switch {
	case !until.IsZero():
		return &WaitError{Method: c.Method, Until: until}
	case parked:
		m.waits.parked = append(m.waits.parked, *c)
		return ErrParked
	}
	return nil
}

// refusal says that the account's state does not take something.
func (m *Machine) refusal() *StateError {
	if m.removal.erasing {
		return &StateError{State: m.state, Why: "it is being removed"}
	}
	return &StateError{State: m.state, Why: m.why}
}

// Canceled says that nobody waits for a call any more: what the machine keeps
// of it is forgotten, without an end.
func (m *Machine) Canceled(now time.Time, id CallID) {
	m.waits.parked = slices.DeleteFunc(m.waits.parked, func(c Call) bool { return c.ID == id })
	m.retries = slices.DeleteFunc(m.retries, func(r retry) bool { return r.call.ID == id })
}

// Proves reports whether Answered is to be told of the result of a call. It is
// cheap, and false while the account is online.
func (m *Machine) Proves(c *Call) bool {
	switch m.state {
	case Connecting, Frozen:
		return c.proves()
	}
	return false
}

// A Fate is what becomes of a call that came back.
type Fate uint8

const (
	FateOver   Fate = iota // who asked is told how it ended
	FateJudged             // OutEnd or OutSend follows
	FateOwn                // it was the machine's own: nothing follows
)

// Returned says how a call ended, whoever asked it: with a result, which is body, or with
// an error. It is Answered or Ended, where the end says something of the account.
func (m *Machine) Returned(now time.Time, c *Call, at Where, body []byte, err error) Fate {
	switch c.Purpose {
	case ForConfirm, ForLogOut, ForProof, ForFreeze:
		m.Ended(now, c, at, err)
		if c.Purpose == ForFreeze && err == nil {
			m.readFreeze(now, c, body)
		}
		return FateOwn
	}
	if err == nil {
		m.Answered(now, c, at)
		return FateOver
	}
	if c.Purpose == ForCaller && !NeedsPolicy(err) {
		return FateOver
	}
	m.Ended(now, c, at, err)
	return FateJudged
}

// Answered says that a query was answered with a result. An authorized one
// answered at home proves that the account is online, whoever asked it.
func (m *Machine) Answered(now time.Time, c *Call, at Where) {
	if !m.atHome(at) || !m.routed || !c.proves() {
		return
	}
	switch m.state {
	case Connecting:
		m.alive()
		m.become(now, Online, "", "", time.Time{})
	case Frozen:
		m.alive()
		if c.Method == m.frozen.method || !c.Repeatable {
			m.thaw()
			m.become(now, Online, "", "", time.Time{})
			m.save(now, Changes{Account: true}, false)
			return
		}
		m.become(now, Frozen, m.frozen.why, adviceOf[Frozen], time.Time{})
	}
}
