package pfs

import "time"

// want asks for leave to make a key. A temp key that may not be bound yet is
// not made yet: it would age for nothing.
func (m *Machine) want(now time.Time, t task) {
	if t == taskTemp && now.Before(m.bindAfter) {
		m.wantAt(now, t, m.bindAfter)
		return
	}
	m.become(StageAsking)
	m.task = t
	m.emit(Output{Kind: OutPermit, Key: t.key()})
}

// wantAt does t at the given time, which may be now.
func (m *Machine) wantAt(now time.Time, t task, at time.Time) {
	m.become(StagePausing)
	m.task, m.until = t, at
	if !now.Before(at) {
		m.perform(now)
	}
}

// perform ends a pause.
func (m *Machine) perform(now time.Time) {
	switch t := m.task; t {
	case taskPerm, taskTemp:
		m.want(now, t)
	case taskBind:
		m.bind(now)
	case taskProve:
		m.prove()
	case taskServe:
		m.usePerm()
	}
}

func (t task) key() KeyKind {
	if t == taskPerm {
		return Perm
	}
	return Temp
}

// Permitted says that a key of the kind may be made now. A permit that no
// OutMake follows was not needed any more and goes back to the governor.
func (m *Machine) Permitted(now time.Time, kind KeyKind) {
	if m.stage != StageAsking || m.task.key() != kind {
		return
	}
	t := m.task
	m.become(StageMaking)
	m.task = t
	out := Output{Kind: OutMake, Key: kind}
	if kind == Temp {
		out.ExpiresIn = m.expiresIn()
	}
	m.emit(out)
}

// MakeFailed says that the handshake for a key came to nothing. A key that
// serves goes on serving.
func (m *Machine) MakeFailed(now time.Time, kind KeyKind, _ error) {
	if m.stage != StageMaking || m.task.key() != kind {
		return
	}
	p := &m.tempPace
	if kind == Perm {
		p = &m.permPace
	}
	m.wantAt(now, m.task, p.after(now, false))
}

// Made says that a handshake ended with a key.
func (m *Machine) Made(now time.Time, kind KeyKind, k NewKey) {
	if m.stage != StageMaking || m.task.key() != kind {
		return
	}
	dead := kind == Temp && !now.Add(k.TimeOffset).Before(k.ExpiresAt)
	if k.Key == nil || dead {
		m.MakeFailed(now, kind, nil)
		return
	}
	// The handshake carries the server's time, under the server's signature.
	m.offset, m.synced = k.TimeOffset, true
	m.verifyWait(now)
	if kind == Perm {
		m.madePerm(now, k)
	} else {
		m.madeTemp(now, k)
	}
}

// madePerm saves the key before anything can be sent under it: a crash after
// a login under a key that is on no disk would orphan the login.
func (m *Machine) madePerm(now time.Time, k NewKey) {
	m.permPace = pace{}
	m.perm = &PermKey{Key: k.Key, Created: m.server(now), Fingerprint: k.Fingerprint, Salt: k.Salt}
	m.save(Changes{PutPerm: m.perm})
	if m.cfg.PFS {
		m.want(now, taskTemp)
	} else {
		m.usePerm()
	}
}

func (m *Machine) madeTemp(now time.Time, k NewKey) {
	m.rebinds, m.tried, m.denied = 0, false, false
	made := m.server(now)
	if m.serving != nil && !made.After(m.serving.Made) {
		// Handshakes tell the time in whole seconds: it may seem to have gone back.
		made = m.serving.Made.Add(time.Millisecond)
	}
	m.successor = &TempKey{Key: k.Key, PermID: m.perm.ID(), Made: made, ExpiresAt: k.ExpiresAt, Salt: k.Salt}
	m.save(Changes{PutTemps: []TempKey{*m.successor}})
	m.bind(now)
}
