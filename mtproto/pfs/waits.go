package pfs

import "time"

// Waits are the ends of what the server has ordered to wait for with the queries
// about an account's keys, in local time; zero for none. They hold on every DC of the
// account and in every slot, wherever they were ordered.
type Waits struct {
	// Bind is that of auth.bindTempAuthKey, Drop that of auth.dropTempAuthKeys.
	Bind, Drop time.Time
	// InDoubt: there is a wait on binds that may be over, see Config.BindDoubt.
	InDoubt bool
}

// Ordered says what the server has ordered, perhaps elsewhere. It makes no wait
// shorter. An OutBind that was not sent yet is to be taken back: Blocked.
func (m *Machine) Ordered(now time.Time, w Waits) {
	if w.Bind.After(m.bindAfter) && w.Bind.After(now) {
		m.bindAfter = w.Bind
		m.tried = m.tried || m.stage == StageBinding // perhaps it was sent
		m.rotated(&BindWaitError{Until: w.Bind})
		if m.stage == StagePausing && (m.task == taskBind || m.task == taskTemp) && m.until.Before(w.Bind) {
			m.wantAt(now, m.task, w.Bind)
		}
	}
	if d := &m.dropping; w.Drop.After(d.wait) && w.Drop.After(now) {
		d.wait = w.Drop
		if !d.again.IsZero() && d.again.Before(w.Drop) {
			d.again = w.Drop
		}
		m.refuseRotation(now)
	}
}

// WaitCleared says that the account's owner has cleared waits that the server
// imposed, and which are left. What waited for the end of one goes on.
func (m *Machine) WaitCleared(now time.Time, left Waits) {
	waited := m.stage == StagePausing && !m.bindAfter.IsZero() && m.until.Equal(m.bindAfter)
	m.bindAfter = left.Bind
	if !left.InDoubt {
		m.cfg.BindDoubt = Doubt{}
	}
	put := m.dropping.wait
	m.dropping.wait = left.Drop
	if !put.IsZero() && m.dropping.again.Equal(put) {
		m.drop(now)
	}
	if waited {
		m.wantAt(now, m.task, left.Bind)
	}
}

// refuseRotation answers Rotate while a wait keeps old keys from being dropped.
func (m *Machine) refuseRotation(now time.Time) {
	if m.stage == StageResting && now.Before(m.dropping.wait) && m.owes(now) {
		m.rotated(&DropWaitError{Until: m.dropping.wait})
	}
}
