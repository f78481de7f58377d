package updates

import (
	"time"
)

// Bounds of what is delivered to a durable consumer and not acknowledged: 512
// updates and holes, or 256 KiB of them with their users and chats. A thousand accounts
// whose consumer is away hold 256 MiB at the very worst. At the bound nothing more
// is taken, and when half of it is acknowledged the difference is asked for from
// where we stand: the server is the log. What is under way then is still
// delivered: an answer of updates.getDifference, and four of channels.
const (
	unackedMost      = 512
	unackedBytesMost = 256 << 10
)

// durable is what a machine keeps for a consumer that acknowledges.
type durable struct {
	acked   uint64 // the highest mark acknowledged
	unacked []delivery
	updates int // in unacked, and holes
	bytes   int
	places  []reached // by mark
	held    bool      // see Hold
}

// delivery is one that is not acknowledged; the first is acked+1.
type delivery struct{ updates, bytes int }

// reached is a place that may be stored when a mark is acknowledged.
type reached struct {
	mark    uint64
	channel int64 // 0: the common state
	state   State // of a channel: its pts
}

// Durable says whether somebody acknowledges what is delivered from now on. While
// so, OutSave tells of no place that was not acknowledged: what a process that is
// killed had delivered and nobody acknowledged is delivered again by the next.
func (m *Machine) Durable(now time.Time, on bool) {
	switch {
	case on && m.durable == nil:
		m.durable = &durable{acked: m.mark}
	case !on && m.durable != nil:
		m.durable.held = false
		m.Acked(now, m.mark)
		m.durable = nil
	}
}

// Acked says that a durable consumer is done with every delivery and hole up to a
// mark.
func (m *Machine) Acked(now time.Time, mark uint64) {
	d := m.durable
	if d == nil || mark <= d.acked {
		return
	}
	for ; d.acked < min(mark, m.mark); d.acked++ {
		d.updates -= d.unacked[0].updates
		d.bytes -= d.unacked[0].bytes
		d.unacked = d.unacked[1:]
	}
	n := 0
	for ; n < len(d.places) && d.places[n].mark <= d.acked; n++ {
		m.store(now, d.places[n])
	}
	if d.places = d.places[n:]; len(d.places) == 0 {
		d.places = nil
	}
	if len(d.unacked) == 0 {
		d.unacked = nil
	}
	m.resume(now)
}

// Hold says that a durable consumer takes nothing more for now, however little it
// owes: it does as if the bound were reached.
func (m *Machine) Hold(now time.Time, on bool) {
	if m.durable != nil && m.durable.held != on {
		m.durable.held = on
		m.resume(now)
	}
}

// resume goes on when there is room again.
func (m *Machine) resume(now time.Time) {
	d := m.durable
	if m.phase == PhaseStalled && !d.held && d.updates <= unackedMost/2 && d.bytes <= unackedBytesMost/2 {
		m.ask()
	}
	m.turn(now)
}

// store lets a place be saved.
func (m *Machine) store(now time.Time, r reached) {
	if r.channel == 0 {
		m.safe = r.state
		m.placed = true
		m.unsaved(now)
	} else if c := m.channelAt(r.channel); c != nil {
		c.safe = r.state.Pts
		m.touch(now, c)
	}
}

// full reports whether nothing more may be delivered.
func (m *Machine) full() bool {
	d := m.durable
	return d != nil && (d.held || d.updates >= unackedMost || d.bytes >= unackedBytesMost)
}

// behind reports whether nothing more is to be delivered for now.
func (m *Machine) behind() bool { return m.phase == PhaseStalled || m.full() }

// told counts what is delivered next, and gives it its mark. A hole counts as an
// update.
func (m *Machine) told(updates, bytes int) {
	m.mark++
	if d := m.durable; d != nil {
		d.unacked = append(d.unacked, delivery{updates, bytes})
		d.updates += updates
		d.bytes += bytes
	}
}

// reach has a place stored when what led there is acknowledged: at once where
// nobody does that.
func (m *Machine) reach(now time.Time, channel int64, state State) {
	r := reached{m.mark, channel, state}
	d := m.durable
	if d == nil || d.acked == m.mark {
		m.store(now, r)
		return
	}
	// A place that the same delivery led to is overtaken.
	for i := len(d.places) - 1; i >= 0 && d.places[i].mark == r.mark; i-- {
		if d.places[i].channel == channel {
			d.places[i] = r
			return
		}
	}
	d.places = append(d.places, r)
}

// moved is reach for a channel.
func (m *Machine) moved(now time.Time, c *channel) { m.reach(now, c.ID, State{Pts: c.Pts}) }
