package updates

import (
	"time"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// updatePtsChanged says that the server has renumbered the sequence.
const updatePtsChangedID = 0x3354678f

// Push takes an Updates value as the server pushed it, or as the result of a
// query that returns one. What cannot be read counts as missed: the
// difference will bring it in a form we know.
func (m *Machine) Push(now time.Time, raw tl.Raw) {
	if m.phase == PhaseNew {
		return // Start begins with the difference
	}
	r := tl.NewReader(raw)
	v := tg.ParseAnyUpdates(r)
	if r.End() != nil {
		m.Gap(now)
		return
	}
	switch v := v.(type) {
	case *tg.UpdatesTooLong:
		m.Gap(now)
	case *tg.UpdateShortMessage:
		m.pushCounted(now, raw, v.Pts, v.PtsCount, &envelope{date: v.Date})
	case *tg.UpdateShortChatMessage:
		m.pushCounted(now, raw, v.Pts, v.PtsCount, &envelope{date: v.Date})
	case *tg.UpdateShortSentMessage:
		m.pushCounted(now, raw, v.Pts, v.PtsCount, &envelope{date: v.Date})
	case *tg.UpdateShort:
		m.pushAll(now, []tl.Raw{v.Update}, 0, 0, &envelope{date: v.Date})
	case *tg.UpdatesCombined:
		m.pushAll(now, v.Updates, v.SeqStart, v.Seq, &envelope{users: v.Users, chats: v.Chats, date: v.Date})
	case *tg.Updates:
		m.pushAll(now, v.Updates, v.Seq, v.Seq, &envelope{users: v.Users, chats: v.Chats, date: v.Date})
	}
}

// pushCounted takes an update that is its own envelope.
func (m *Machine) pushCounted(now time.Time, raw tl.Raw, pts, count int32, env *envelope) {
	// The driver may reuse its buffer.
	own := append(tl.Raw(nil), raw...)
	m.keepPts(now, own, pts, count, env)
	m.settle(now)
}

// pushAll takes the updates of an envelope: those with a pts or a qts by that,
// the others by the envelope's seq, or at once when it has none.
func (m *Machine) pushAll(now time.Time, updates []tl.Raw, seqStart, seq int32, env *envelope) {
	var rest []tl.Raw
	for _, u := range updates {
		switch pts, count, ok := tg.UpdatePts(u); {
		case ok:
			m.keepPts(now, u, pts, count, env)
		case u.ID() == updatePtsChangedID:
			m.reloads = true
			m.Gap(now)
		default:
			if qts, ok := updateQts(u); ok {
				m.keepQts(now, u, qts, env)
			} else {
				rest = append(rest, u)
			}
		}
	}
	switch {
	case seqStart < 0 || seq < seqStart:
		m.Gap(now)
	case seq == 0:
		m.deliver(rest, env.users, env.chats)
	default:
		if !m.seq.add(item{start: int64(seqStart) - 1, end: int64(seq), updates: rest, env: env}) {
			m.overflow(now)
		}
	}
	m.settle(now)
}

// keepPts files an update by its place in the sequence.
func (m *Machine) keepPts(now time.Time, u tl.Raw, pts, count int32, env *envelope) {
	if pts < 0 || count < 0 || count > pts {
		m.Gap(now) // no such place
		return
	}
	i := item{start: int64(pts) - int64(count), end: int64(pts), updates: []tl.Raw{u}, env: env}
	if !m.pts.add(i) {
		m.overflow(now)
	}
}

// keepQts is keepPts for the other sequence.
func (m *Machine) keepQts(now time.Time, u tl.Raw, qts int32, env *envelope) {
	if qts <= 0 {
		m.Gap(now)
		return
	}
	if !m.qts.add(item{start: int64(qts) - 1, end: int64(qts), updates: []tl.Raw{u}, env: env}) {
		m.overflow(now)
	}
}

// overflow drops what is kept; the difference holds it all.
func (m *Machine) overflow(now time.Time) {
	m.dropKept()
	m.Gap(now)
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
	for _, b := range []*box{&m.pts, &m.qts, &m.seq} {
		if !b.empty() && (since.IsZero() || b.since.Before(since)) {
			since = b.since
		}
	}
	if since.IsZero() {
		m.become(PhaseCurrent)
		return
	}
	m.become(PhaseGap)
	m.until = since.Add(gapWait)
}

// dropKept forgets what is kept.
func (m *Machine) dropKept() {
	m.pts.clear()
	m.qts.clear()
	m.seq.clear()
}

// applyKept delivers what continues the sequences, and notes since when what
// is left has been waiting.
func (m *Machine) applyKept(now time.Time) {
	var (
		batch Output
		env   *envelope
	)
	flush := func() {
		m.deliver(batch.Updates, batch.Users, batch.Chats)
		batch = Output{}
	}
	add := func(i item) {
		if env != i.env {
			flush()
			env = i.env
			batch.Users, batch.Chats = env.users, env.chats
		}
		batch.Updates = append(batch.Updates, i.updates...)
		m.state.Date = max(m.state.Date, env.date)
	}
	before := m.state
	for _, s := range []struct {
		box *box
		pos *int32
	}{{&m.pts, &m.state.Pts}, {&m.qts, &m.state.Qts}, {&m.seq, &m.state.Seq}} {
		moved := false
		for i, ok := s.box.take(int64(*s.pos)); ok; i, ok = s.box.take(int64(*s.pos)) {
			*s.pos = int32(i.end)
			moved = true
			add(i)
		}
		s.box.wait(now, moved)
	}
	flush()
	if m.state != before {
		m.changed(now)
	}
}
