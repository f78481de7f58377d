package updates

// This file names what is not delivered. The place may move past updates that
// nobody got, and what was kept may have to be given up; neither happens
// without an OutHole.

// hole says that what lies between two places will not come.
func (m *Machine) hole(from, to State) {
	if from != to {
		m.told(1, 0)
		m.emit(Output{Kind: OutHole, Mark: m.mark, Box: Box{Kind: BoxCommon}, From: from, To: to})
	}
}

// forgetLost forgets how far what was dropped went, of sequences that have got
// there: a difference brought it, or a hole named it.
func (m *Machine) forgetLost() {
	for _, s := range m.sequences() {
		if s.box.lost <= int64(*s.pos) {
			s.box.lost = 0
		}
	}
}

// tellLost names what was dropped and what the server, asked again and again,
// has not brought. The place stays where it is: should the server get there
// yet, it is delivered like anything else.
func (m *Machine) tellLost() {
	to := m.state
	to.Pts = max(to.Pts, int32(m.pts.lost))
	to.Qts = max(to.Qts, int32(m.qts.lost))
	to.Seq = max(to.Seq, int32(m.seq.lost))
	m.pts.lost, m.qts.lost, m.seq.lost = 0, 0, 0
	m.hole(m.state, to)
}

// lostAny reports whether something was dropped that may not have come since.
func (m *Machine) lostAny() bool { return m.pts.lost > 0 || m.qts.lost > 0 || m.seq.lost > 0 }
