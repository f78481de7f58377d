package pfs

import "time"

// Rotate asks for another temp key now, before its time. It is answered by one
// OutRotated, and those who ask before that share it. What it leads to is the
// stage's:
//
//   - StageNew: Start looks at it.
//   - StageResting: a rotation begins, as if it were due. While the connection of
//     the rotation before still listens it begins when that has stopped, so that
//     two temp keys live at most. Without PFS it is refused with ErrNoPFS.
//   - StageAsking, StageMaking, StageHolding, StageBinding, StagePausing and
//     StageProving lead to a new key by themselves: it is joined. What a backoff
//     waits for is not hurried; whoever asks again and again gets no more attempts.
//   - StageGone, StageForeign: refused with the reason. There is no key to replace.
//
// A wait that the server imposed on binds refuses it in every stage with a
// *BindWaitError, also one that comes on the way, and one on drops with a
// *DropWaitError while an old key is to be dropped first. Other failures are not told:
// the attempts go on, under the old key.
func (m *Machine) Rotate(now time.Time) {
	m.asked = true
	switch {
	case m.stage == StageNew:
	case m.stage == StageGone:
		m.rotated(ErrGone)
	case m.stage == StageForeign:
		m.rotated(m.foreignKey())
	case !m.cfg.PFS:
		m.rotated(ErrNoPFS)
	case now.Before(m.bindAfter):
		m.rotated(&BindWaitError{Until: m.bindAfter})
	default:
		m.rotateAsked(now)
	}
}

// rotateAsked begins the rotation that was asked for, once nothing is in its way:
// neither the connection under the key before, nor that key where the server was
// not told yet to drop it.
func (m *Machine) rotateAsked(now time.Time) {
	switch {
	case !m.asked || m.stage != StageResting || m.retired != nil:
	case m.owes(now):
		m.refuseRotation(now)
		m.dropOnce(now) // see Dropped
	default:
		m.want(now, taskTemp)
	}
}

// rotated answers Rotate: a new key serves, or why there will be none.
func (m *Machine) rotated(err error) {
	if m.asked {
		m.asked = false
		m.emit(Output{Kind: OutRotated, Err: err})
	}
}
