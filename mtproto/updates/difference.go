package updates

import (
	"time"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// Constructors that wrap what a difference lists bare.
const (
	updateNewMessageID          = 0x1f2b0afd
	updateNewEncryptedMessageID = 0x12bcbd9a
)

// wrapMessage makes an update of a message that a difference lists bare.
func wrapMessage(id uint32, message tl.Raw) tl.Raw {
	u := tl.AppendUint32(make([]byte, 0, len(message)+12), id)
	u = append(u, message...)
	return tl.AppendInt32(tl.AppendInt32(u, 0), 0)
}

// onState takes the answer of getState.
func (m *Machine) onState(now time.Time, s tg.UpdatesState) {
	first, next := !m.known, stateOf(s)
	switch {
	case !first:
		// Our place was void: what lies between is out of reach, even if only
		// the date tells that something does.
		m.hole(m.state, next)
	case m.missed || m.lostAny():
		m.hole(State{}, next)
	}
	if first {
		// What was pushed before the first state is known was never delivered,
		// and the state counts it as seen.
		for i, end := range [...]int32{s.Pts, s.Qts, s.Seq} {
			m.deliverKept(m.sequences()[i], end)
		}
	}
	since := m.since
	m.known, m.missed, m.reloads = true, false, false
	m.arrive(now, next, first)
	if !first && m.chans != nil {
		// A state names no channels that have moved; a difference does.
		m.since = since
		m.Gap(now)
	}
}

// deliverKept delivers what is kept between the place and end, missing
// neighbours or not: the server counts it as seen and will not bring it.
func (m *Machine) deliverKept(s sequence, end int32) {
	for !s.box.empty() && s.box.items[0].end <= int64(end) {
		if i := s.box.pop(&m.kept); i.start >= int64(*s.pos) {
			m.deliver(i.updates, i.env)
		}
	}
}

// onDifference takes the answer of getDifference.
func (m *Machine) onDifference(now time.Time, body tl.Raw) {
	c, ok := cutUp(body)
	if !ok {
		m.onUnreadable(now)
		return
	}
	switch body.ID() {
	case tg.UpdatesDifferenceEmptyID:
		ok = m.onEmpty(now, c.int(fieldEmptyDate), c.int(fieldEmptySeq))
	case tg.UpdatesDifferenceID:
		ok = m.onAll(now, &c)
	case tg.UpdatesDifferenceSliceID:
		ok = m.onSlice(now, &c)
	case tg.UpdatesDifferenceTooLongID:
		ok = m.onTooLong(now, c.int(fieldTooLong))
	default:
		ok = false
	}
	if ok {
		m.unreadable, m.failures = 0, 0
	} else {
		m.onUnreadable(now)
	}
}

// onEmpty takes over seq and date from a server that has nothing for us. Like
// its siblings it reports false for an answer that makes no sense.
func (m *Machine) onEmpty(now time.Time, date, seq int32) bool {
	if date < 0 || seq < 0 {
		return false
	}
	next := m.state
	next.Date, next.Seq = max(date, next.Date), seq
	// Envelopes up to the new seq come no more: what we hold of them is all
	// there is, and what we dropped or could not read is gone.
	if seq > m.state.Seq && (m.garbled || m.seq.lost > int64(m.state.Seq)) {
		m.hole(m.state, next)
	}
	m.deliverKept(m.sequences()[2], seq)
	m.arrive(now, next, false)
	return true
}

// onAll takes a difference that leads to where the server is.
func (m *Machine) onAll(now time.Time, c *cut) bool {
	s, ok := c.state(fieldState)
	if !ok {
		return false
	}
	m.deliverDifference(now, c, s)
	m.arrive(now, s, false)
	return true
}

// onSlice takes a part of the difference and asks for the next.
func (m *Machine) onSlice(now time.Time, c *cut) bool {
	s, ok := c.state(fieldState)
	switch {
	case !ok, s == m.state, s.Pts < m.state.Pts, s.Qts < m.state.Qts:
		return false // leads nowhere, or back: it would be asked for for ever
	case s.Pts > m.state.Pts, s.Qts > m.state.Qts:
		m.barren = 0
	default:
		if m.barren++; m.barren > barrenMost {
			return false
		}
	}
	m.deliverDifference(now, c, s)
	m.move(now, s)
	m.ask()
	return true
}

// onTooLong goes on from a pts before which the server has nothing any more.
func (m *Machine) onTooLong(now time.Time, pts int32) bool {
	if m.barren++; pts <= m.state.Pts || m.barren > barrenMost {
		return false
	}
	next := m.state
	next.Pts = pts
	m.hole(m.state, next)
	m.move(now, next)
	m.ask()
	return true
}

// onUnreadable asks for the same difference again, in case another form of it
// comes. In the end it is better to miss updates by name than to stand still.
func (m *Machine) onUnreadable(now time.Time) {
	if m.unreadable++; m.unreadable >= unreadableMost {
		m.unreadable = 0
		m.reloads = true
	}
	m.retry(now, 0)
}

// deliverDifference hands on what a difference up to a state holds, in the
// order of its lists, and skips updates that were delivered before it was asked
// for. Updates past its end are kept like pushes.
func (m *Machine) deliverDifference(now time.Time, c *cut, to State) {
	var updates []tl.Raw
	for _, msg := range c.list(fieldMessages) {
		updates = append(updates, wrapMessage(updateNewMessageID, msg))
	}
	for _, msg := range c.list(fieldEncrypted) {
		u := tl.AppendUint32(make([]byte, 0, len(msg)+8), updateNewEncryptedMessageID)
		u = append(u, msg...)
		updates = append(updates, tl.AppendInt32(u, 0))
	}
	env := newEnvelope(0, c.list(fieldDiffUsers), c.list(fieldDiffChats))
	for _, u := range c.list(fieldOthers) {
		var (
			b         *box
			i         = item{updates: []tl.Raw{u}, env: env}
			pos, last int64 // where we are, and where the difference leads
		)
		if pts, count, ok := tg.UpdatePts(u); ok && count >= 0 && count <= pts {
			b, i.start, i.end = &m.pts, int64(pts)-int64(count), int64(pts)
			pos, last = int64(m.state.Pts), int64(to.Pts)
		} else if qts, ok := updateQts(u); ok && qts > 0 {
			b, i.start, i.end = &m.qts, int64(qts)-1, int64(qts)
			pos, last = int64(m.state.Qts), int64(to.Qts)
		}
		switch {
		case b == nil && m.takeChannel(now, u, env):
		case b == nil:
			updates = append(updates, u)
		case i.end <= pos && i.start < i.end:
		case i.end > last:
			if !b.add(&m.kept, i) {
				m.dropKept()
				m.again = true
			}
		default:
			updates = append(updates, u)
		}
	}
	m.begin(now)
	m.deliver(updates, env)
}

// move takes over a state from the server. What lies between was delivered,
// or named by a hole, before.
func (m *Machine) move(now time.Time, s State) {
	if s != m.state {
		m.state = s
		m.changed(now)
	}
	m.forgetLost()
}

// arrive ends the asking: we are where the server says we are. The first place
// of all is saved at once.
func (m *Machine) arrive(now time.Time, s State, first bool) {
	before := m.state
	m.arrived, m.since = true, s.Date
	m.move(now, s)
	m.barren, m.garbled = 0, false
	again := m.again || m.reloads
	m.current(now)
	m.settle(now)
	switch after := m.state; {
	case m.phase != PhaseGap, after.Pts != before.Pts, after.Qts != before.Qts, after.Seq != before.Seq:
		m.fruitless = 0
	default:
		if m.fruitless++; m.fruitless >= fruitlessMost {
			m.fruitless = 0
			m.dropKept()
			m.tellLost()
			m.current(now)
		}
	}
	if first {
		if m.changed(now); m.placed {
			m.save(true)
		}
	}
	if again {
		m.ask()
	}
}
