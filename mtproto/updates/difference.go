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

// onState takes the answer of getState.
func (m *Machine) onState(now time.Time, s tg.UpdatesState) {
	switch {
	case m.known && s.Pts != m.state.Pts:
		// Our place was void: what lies between is out of reach.
		m.emit(Output{Kind: OutHole, From: m.state.Pts, To: s.Pts})
	case !m.known:
		// What was pushed before the first state is known was never delivered,
		// and the state counts it as seen.
		m.deliverUpTo(s)
	}
	m.known, m.reloads = true, false
	m.arrive(now, s)
}

// deliverUpTo delivers what is kept up to a state, missing or not.
func (m *Machine) deliverUpTo(s tg.UpdatesState) {
	for _, b := range []struct {
		box *box
		end int32
	}{{&m.pts, s.Pts}, {&m.qts, s.Qts}, {&m.seq, s.Seq}} {
		for len(b.box.items) > 0 && b.box.items[0].end <= int64(b.end) {
			i, ok := b.box.take(b.box.items[0].start)
			if ok {
				m.deliver(i.updates, i.env.users, i.env.chats)
			}
		}
	}
}

// onDifference takes the answer of getDifference.
func (m *Machine) onDifference(now time.Time, d tg.AnyUpdatesDifference) {
	switch d := d.(type) {
	case *tg.UpdatesDifferenceEmpty:
		s := tg.UpdatesState{Pts: m.state.Pts, Qts: m.state.Qts, Date: max(d.Date, m.state.Date), Seq: d.Seq}
		if !valid(s) {
			m.onUnreadable(now)
			return
		}
		m.unreadable, m.failures = 0, 0
		m.arrive(now, s)
	case *tg.UpdatesDifference:
		if !valid(d.State) {
			m.onUnreadable(now)
			return
		}
		m.unreadable, m.failures = 0, 0
		m.deliverDifference(d.NewMessages, d.NewEncryptedMessages, d.OtherUpdates, d.Users, d.Chats, d.State.Pts)
		m.arrive(now, d.State)
	case *tg.UpdatesDifferenceSlice:
		s := d.IntermediateState
		stuck := s.Pts <= m.state.Pts && s.Qts <= m.state.Qts
		if !valid(s) || stuck {
			// A slice that leads nowhere would be asked for for ever.
			m.onUnreadable(now)
			return
		}
		m.unreadable, m.failures = 0, 0
		m.deliverDifference(d.NewMessages, d.NewEncryptedMessages, d.OtherUpdates, d.Users, d.Chats, s.Pts)
		m.move(now, s)
		m.ask()
	case *tg.UpdatesDifferenceTooLong:
		if d.Pts <= m.state.Pts {
			m.onUnreadable(now)
			return
		}
		m.emit(Output{Kind: OutHole, From: m.state.Pts, To: d.Pts})
		m.state.Pts = d.Pts
		m.changed(now)
		m.ask()
	default:
		m.onUnreadable(now)
	}
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

// deliverDifference hands on what a difference to pts holds, in the order of
// its lists, and skips updates that were delivered before it was asked for.
// Updates past its end are kept like pushes.
func (m *Machine) deliverDifference(messages, encrypted, others []tl.Raw, users []tg.AnyUser, chats []tl.Raw, to int32) {
	updates := make([]tl.Raw, 0, len(messages)+len(encrypted)+len(others))
	for _, msg := range messages {
		u := tl.AppendUint32(make([]byte, 0, len(msg)+12), updateNewMessageID)
		u = append(u, msg...)
		u = tl.AppendInt32(u, 0)
		updates = append(updates, tl.AppendInt32(u, 0))
	}
	for _, msg := range encrypted {
		u := tl.AppendUint32(make([]byte, 0, len(msg)+8), updateNewEncryptedMessageID)
		u = append(u, msg...)
		updates = append(updates, tl.AppendInt32(u, 0))
	}
	env := &envelope{users: users, chats: chats}
	for _, u := range others {
		pts, count, ok := tg.UpdatePts(u)
		switch {
		case ok && count > 0 && pts <= m.state.Pts:
			continue
		case ok && pts > to && count >= 0 && count <= pts:
			if !m.pts.add(item{start: int64(pts) - int64(count), end: int64(pts), updates: []tl.Raw{u}, env: env}) {
				m.dropKept()
				m.again = true
			}
			continue
		}
		if qts, ok := updateQts(u); ok && qts > 0 && qts <= m.state.Qts {
			continue
		}
		updates = append(updates, u)
	}
	m.deliver(updates, users, chats)
}

// move takes over a state from the server.
func (m *Machine) move(now time.Time, s tg.UpdatesState) {
	next := State{Pts: s.Pts, Qts: s.Qts, Date: s.Date, Seq: s.Seq}
	if next != m.state {
		m.state = next
		m.changed(now)
	}
}

// arrive ends the asking: we are where the server says we are.
func (m *Machine) arrive(now time.Time, s tg.UpdatesState) {
	before := m.state
	m.move(now, s)
	again := m.again || m.reloads
	m.become(PhaseCurrent)
	m.settle(now)
	switch after := m.state; {
	case m.phase != PhaseGap, after.Pts != before.Pts, after.Qts != before.Qts, after.Seq != before.Seq:
		m.fruitless = 0
	default:
		if m.fruitless++; m.fruitless >= fruitlessMost {
			m.fruitless = 0
			m.dropKept()
			m.become(PhaseCurrent)
		}
	}
	if again {
		m.ask()
	}
}
