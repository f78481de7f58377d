package pfs

import (
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
)

// rebindsMost is how often the same temp key is bound again after failures
// that say nothing about the key (connection lost, the server's own trouble).
// Then it is replaced: perhaps it is the key after all.
const rebindsMost = 3

// bind has the candidate bound; in a rotation, after the calls under the old
// key have finished.
func (m *Machine) bind(now time.Time) {
	switch {
	case m.candidate == nil:
		m.want(taskTemp)
	case m.expired(now, m.candidate):
		m.discard(now)
		m.want(taskTemp)
	case m.serving != nil:
		m.become(StageHolding)
		m.held = true
		m.emit(Output{Kind: OutHold, Temp: m.candidate.clone()})
	default:
		m.become(StageBinding)
		m.emit(Output{Kind: OutBind, Perm: m.perm.clone(), Temp: m.candidate.clone()})
	}
}

// Held says that nothing is sent under the serving key any more: its calls
// have finished or the drain limit has passed.
func (m *Machine) Held(now time.Time) {
	if m.stage != StageHolding {
		return
	}
	m.become(StageBinding)
	m.emit(Output{Kind: OutBind, Perm: m.perm.clone(), Temp: m.candidate.clone()})
}

// Bound says that the server confirmed the binding of a temp key.
func (m *Machine) Bound(now time.Time, id crypt.KeyID) {
	if m.stage != StageBinding || m.candidate.ID() != id {
		return
	}
	m.candidate.Bound = true
	m.perm.LastBound = m.server(now)
	if m.expired(now, m.candidate) {
		// The answer took longer than the key lives.
		m.save(Changes{PutPerm: m.perm})
		m.replace(now, now)
		return
	}
	c := Changes{PutPerm: m.perm, PutTemps: []TempKey{*m.candidate}}
	forgotten := m.retired != nil
	if forgotten {
		// The rotation before this one never heard that its old connection
		// stopped; by now it listens to nothing.
		c.DeleteTemps = append(c.DeleteTemps, m.retired.ID())
	}
	m.retired, m.serving, m.candidate = m.serving, m.candidate, nil
	m.rebinds, m.unknowns = 0, 0
	m.save(c)
	m.use(now)
	if forgotten {
		m.drop()
	}
}

// Retired says that the connection under a replaced temp key has stopped. The
// key is deleted here and dropped at the server.
func (m *Machine) Retired(now time.Time, id crypt.KeyID) {
	if m.retired == nil || m.retired.ID() != id {
		return
	}
	m.retired = nil
	m.save(Changes{DeleteTemps: []crypt.KeyID{id}})
	m.drop()
}

// drop has the server forget every temp key but the living ones.
func (m *Machine) drop() {
	if m.serving == nil {
		return // nobody could send it
	}
	var except []crypt.KeyID
	for _, t := range []*TempKey{m.serving, m.candidate, m.retired} {
		if t != nil {
			except = append(except, t.ID())
		}
	}
	m.emit(Output{Kind: OutDrop, Except: except})
}

// BindFailed says that a bind came to nothing. err is the server's refusal
// (*tgerr.Error) or what else went wrong.
func (m *Machine) BindFailed(now time.Time, id crypt.KeyID, err error) {
	if m.stage != StageBinding || m.candidate.ID() != id {
		return
	}
	e, refused := tgerr.As(err)
	switch {
	case !refused || e.Class() == tgerr.ClassRetry || e.Class() == tgerr.ClassWait || e.Class() == tgerr.ClassInit:
		m.bindAgain(now, e)
	case tgerr.Is(err, "TEMP_AUTH_KEY_EMPTY", "TEMP_AUTH_KEY_ALREADY_BOUND", "EXPIRES_AT_INVALID", "CDN_METHOD_INVALID"):
		// Of the temp key alone.
		m.replace(now, m.tempPace.after(now, false))
	case m.excused(now):
		m.replace(now, m.tempPace.after(now, false))
	default:
		m.discard(now)
		m.unknowns = 0
		m.prove()
	}
}

// bindAgain repeats the bind of the same temp key after a pause, and no
// earlier than the server asked for.
func (m *Machine) bindAgain(now time.Time, e *tgerr.Error) {
	if m.rebinds++; m.rebinds > rebindsMost {
		m.replace(now, m.tempPace.after(now, false))
		return
	}
	at := m.tempPace.after(now, false)
	if wait, ok := e.Wait(); ok && now.Add(wait).After(at) {
		at = now.Add(wait)
	}
	m.resume(now)
	m.wantAt(now, taskBind, at)
}

// excused reports whether a refused bind says nothing about the perm key.
//
// The server may not have copied a key younger than a minute; a bind with the
// wrong time is refused for the time; and a key that has worked for a day and
// was bound within the last one has earned another try.
func (m *Machine) excused(now time.Time) bool {
	const young, day = time.Minute, 24 * time.Hour
	age := m.server(now).Sub(m.perm.Created)
	switch {
	case age < young, !m.synced:
		return true
	case age > day && !m.perm.LastBound.IsZero() && m.server(now).Sub(m.perm.LastBound) < day:
		return true
	}
	return false
}

// replace discards the candidate and makes another at the given time.
func (m *Machine) replace(now, at time.Time) {
	m.discard(now)
	m.wantAt(now, taskTemp, at)
}

// discard forgets the candidate.
func (m *Machine) discard(now time.Time) {
	if m.candidate != nil {
		id := m.candidate.ID()
		m.candidate = nil
		m.save(Changes{DeleteTemps: []crypt.KeyID{id}})
	}
	m.resume(now)
}

// resume lets held calls go under the key that serves, unless it has just
// expired and the next Advance will say so.
func (m *Machine) resume(now time.Time) {
	if m.held && m.serving != nil && !m.expired(now, m.serving) {
		m.held = false
		m.emit(Output{Kind: OutUse, Temp: m.serving.clone()})
	}
}

// use routes calls under the serving temp key, which has just become it.
func (m *Machine) use(now time.Time) {
	m.become(StageResting)
	m.held = false
	m.planRotation(now)
	m.emit(Output{Kind: OutUse, Temp: m.serving.clone()})
}

// usePerm routes calls under the perm key.
func (m *Machine) usePerm() {
	m.become(StageResting)
	m.permServes = true
	m.emit(Output{Kind: OutUse, Perm: m.perm.clone()})
}

// Unknown says that a packet under a key was answered with the transport
// error -404: the server does not know the key. For a temp key this is an
// ordinary event.
func (m *Machine) Unknown(now time.Time, id crypt.KeyID) {
	switch {
	case m.stage == StageNew || m.stage == StageGone:
	case m.serving != nil && m.serving.ID() == id:
		m.tempLost(now)
	case m.candidate != nil && m.candidate.ID() == id:
		m.candidateLost(now)
	case m.retired != nil && m.retired.ID() == id:
		m.Retired(now, id)
	case m.permServes && m.perm.ID() == id:
		m.permDoubted(now)
	}
}

// Unbound says that a call under a temp key was answered AUTH_KEY_PERM_EMPTY:
// the server knows the key but not its binding. It is replaced like a lost
// one; binding it a second time would leave us with a key the server has
// already been wrong about.
func (m *Machine) Unbound(now time.Time, id crypt.KeyID) {
	if m.stage != StageNew && m.stage != StageGone && m.serving != nil && m.serving.ID() == id {
		m.tempLost(now)
	}
}

// tempLost reacts to the loss of the serving temp key before its time.
func (m *Machine) tempLost(now time.Time) {
	m.loseServing(now, m.tempPace.after(now, true))
}

// loseServing takes the serving key out of use. What is under way goes on,
// because all of it leads to another key; otherwise one is made at the given
// time.
func (m *Machine) loseServing(now, at time.Time) {
	id := m.serving.ID()
	m.stopServing()
	m.serving = nil
	m.save(Changes{DeleteTemps: []crypt.KeyID{id}})
	switch m.stage {
	case StageResting:
		m.wantAt(now, taskTemp, at)
	case StageHolding:
		m.bind(now)
	}
}

func (m *Machine) stopServing() {
	if id, ok := m.Serving(); ok {
		m.permServes, m.held = false, false
		m.emit(Output{Kind: OutStop, ID: id})
	}
}

// candidateLost reacts to a server that forgot a key before it was bound.
func (m *Machine) candidateLost(now time.Time) {
	busy := m.stage == StageHolding || m.stage == StageBinding || m.stage == StagePausing && m.task == taskBind
	if busy {
		m.replace(now, m.tempPace.after(now, true))
	} else {
		m.discard(now)
	}
}
