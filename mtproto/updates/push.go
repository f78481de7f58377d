package updates

import (
	"time"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// updatePtsChanged says that the server has renumbered the sequence.
const updatePtsChangedID = 0x3354678f

// Push takes an Updates value as the server pushed it. What cannot be read counts
// as missed: the difference will bring it in a form we know.
//
// Before Start it is kept like what comes while the server is asked: of an
// account without a place nobody else has it.
func (m *Machine) Push(now time.Time, raw tl.Raw) {
	m.push(now, raw, nil)
	m.turn(now)
}

// push takes an Updates value, and the query it is the result of, if it is one.
func (m *Machine) push(now time.Time, raw, query tl.Raw) {
	c, ok := cutUp(raw)
	if !ok {
		m.miss(now)
		return
	}
	switch raw.ID() {
	case tg.UpdateShortMessageID, tg.UpdateShortChatMessageID, tg.UpdateShortSentMessageID:
		m.pushShort(now, raw, query, &c)
	case tg.UpdateShortID:
		m.pushAll(now, []tl.Raw{c.one(fieldShortUpdate)}, 0, 0, newEnvelope(c.int(fieldShortDate), nil, nil))
	case tg.UpdatesCombinedID:
		m.pushAll(now, c.list(fieldUpdates), c.int(fieldSeq), c.int(fieldSeqEnd), c.envelope())
	case tg.UpdatesID:
		m.pushAll(now, c.list(fieldUpdates), c.int(fieldSeq), c.int(fieldSeq), c.envelope())
	default: // updatesTooLong, or no Updates value at all
		m.Gap(now)
	}
}

// miss asks for the difference in place of a push that cannot be used.
func (m *Machine) miss(now time.Time) {
	m.garbled = true
	m.Gap(now)
}

// pushAll takes the updates of an envelope: those with a pts or a qts by that,
// the others by the envelope's seq, or at once when it has none.
func (m *Machine) pushAll(now time.Time, updates []tl.Raw, seqStart, seq int32, env *envelope) {
	var rest []tl.Raw
	for _, u := range updates {
		if !m.take(now, u, env) {
			rest = append(rest, u)
		}
	}
	m.begin(now)
	switch {
	case m.behind(): // what counts by nothing is gone
		if seq > 0 {
			m.Gap(now)
		}
	case seqStart < 0 || seq < seqStart:
		m.miss(now)
	case seq == 0:
		m.deliver(rest, env)
	default:
		m.keep(now, &m.seq, item{start: int64(seqStart) - 1, end: int64(seq), updates: rest, env: env})
	}
	m.settle(now)
}

// take files an update by the sequence it counts in. It reports false for one that
// counts by nothing.
func (m *Machine) take(now time.Time, u tl.Raw, env *envelope) bool {
	if pts, count, ok := tg.UpdatePts(u); ok {
		m.keepPts(now, []tl.Raw{u}, pts, count, env)
		return true
	}
	if u.ID() == updatePtsChangedID {
		m.reloads = true
		m.Gap(now)
		return true
	}
	if qts, ok := updateQts(u); ok {
		m.keepQts(now, u, qts, env)
		return true
	}
	return m.takeChannel(now, u, env)
}

// keepPts files updates by their place in the sequence.
func (m *Machine) keepPts(now time.Time, list []tl.Raw, pts, count int32, env *envelope) {
	if pts < 0 || count < 0 || count > pts {
		m.miss(now) // no such place
		return
	}
	m.keep(now, &m.pts, item{start: int64(pts) - int64(count), end: int64(pts), updates: list, env: env})
}

// keepQts is keepPts for the other sequence.
func (m *Machine) keepQts(now time.Time, u tl.Raw, qts int32, env *envelope) {
	if qts <= 0 {
		m.miss(now)
		return
	}
	m.keep(now, &m.qts, item{start: int64(qts) - 1, end: int64(qts), updates: []tl.Raw{u}, env: env})
}

// keep puts an item into a box. Past the bound everything kept is dropped, and
// the difference, which holds it all, is asked for.
func (m *Machine) keep(now time.Time, b *box, i item) {
	if m.phase == PhaseStalled {
		return // it is asked for when there is room
	}
	if !b.add(&m.kept, i) {
		m.dropKept()
		m.Gap(now)
	}
}

// settle delivers everything that continues the sequences and says whether
// something is missing. It does nothing while the server is being asked.
func (m *Machine) settle(now time.Time) {
	if m.phase != PhaseCurrent && m.phase != PhaseGap {
		return
	}
	m.applyKept(now)
	// Each sequence has its own patience: one that flows must not keep the
	// others from asking.
	var since time.Time
	for _, s := range m.sequences() {
		if !s.box.empty() && (since.IsZero() || s.box.since.Before(since)) {
			since = s.box.since
		}
	}
	switch {
	case !since.IsZero():
		m.become(PhaseGap)
		m.until = since.Add(gapWait)
	case !m.lostAny():
		m.current(now)
	case m.phase != PhaseGap: // nothing is kept, but something was and did not come
		m.become(PhaseGap)
		m.until = now.Add(gapWait)
	}
}

// dropKept forgets what is kept. The boxes remember how far it went.
func (m *Machine) dropKept() {
	for _, s := range m.sequences() {
		s.box.drop(&m.kept)
	}
}

// sequence is a box and the place in the state that it waits for.
type sequence struct {
	box *box
	pos *int32
}

func (m *Machine) sequences() [3]sequence {
	return [...]sequence{{&m.pts, &m.state.Pts}, {&m.qts, &m.state.Qts}, {&m.seq, &m.state.Seq}}
}

// applyKept delivers what continues the sequences, and notes since when what
// is left has been waiting. Neighbours out of one envelope go together.
func (m *Machine) applyKept(now time.Time) {
	var (
		batch []tl.Raw
		env   *envelope
	)
	before := m.state
	for _, s := range m.sequences() {
		moved := false
		for i, ok := s.box.take(&m.kept, int64(*s.pos)); ok; i, ok = s.box.take(&m.kept, int64(*s.pos)) {
			*s.pos = int32(i.end)
			moved = true
			if env != i.env {
				m.deliver(batch, env)
				batch, env = nil, i.env
			}
			batch = append(batch, i.updates...)
			m.state.Date = max(m.state.Date, env.date)
		}
		s.box.wait(now, moved)
	}
	m.deliver(batch, env)
	if m.state != before {
		m.changed(now)
	}
}
