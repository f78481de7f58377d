package pfs

import (
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
)

// rebindsMost is how often the same temp key is bound again after failures
// that say nothing about the key (connection lost, the server's own trouble).
// Then it is replaced: perhaps it is the key after all. While another key may be
// bound at the server, and none serves under which it could be dropped, a new one
// might be the third: then it is bound again up to rebindsCrowded times, which takes
// ten minutes of answers lost in a row (1 + 2 + 4 + ... + 32 + 9 x 60 s).
const (
	rebindsMost    = 3
	rebindsCrowded = 15
)

// bind has the successor bound; in a rotation, after the calls under the old
// key have finished.
func (m *Machine) bind(now time.Time) {
	switch {
	case m.successor == nil:
		m.want(now, taskTemp)
	case m.expired(now, m.successor) && m.fresh != nil:
		m.recallFailed(now)
	case m.expired(now, m.successor):
		m.discard(now)
		m.want(now, taskTemp)
	case m.cfg.BindDoubt.Length > 0:
		// Only a handshake says what the time is before anything is bound.
		m.discard(now)
		m.want(now, taskTemp)
	case now.Before(m.bindAfter):
		m.resume(now)
		m.wantAt(now, taskBind, m.bindAfter)
	case m.serving != nil && now.Before(m.dropping.until) && m.dropping.spares != m.successor.ID():
		m.resume(now)
		m.wantAt(now, taskBind, m.dropping.until)
	case m.crowded(now):
		m.resume(now)
		m.waitForRoom(now)
	case m.mayBeThird(now):
		m.recall(now)
	case m.serving != nil:
		m.become(StageHolding)
		m.hold()
	default:
		m.become(StageBinding)
		m.emit(Output{Kind: OutBind, Perm: m.perm.clone(), Temp: m.successor.clone()})
	}
}

// Held says that nothing is sent under the serving key any more: its calls
// have finished, or were kept or ended as OutHold said.
func (m *Machine) Held(now time.Time) {
	switch {
	case m.stage != StageHolding:
		return
	case now.Before(m.bindAfter): // ordered meanwhile, of another DC
		m.resume(now)
		m.wantAt(now, taskBind, m.bindAfter)
		return
	}
	m.become(StageBinding)
	m.emit(Output{Kind: OutBind, Perm: m.perm.clone(), Temp: m.successor.clone()})
}

// Bound says that the server confirmed the binding of a temp key.
func (m *Machine) Bound(now time.Time, id crypt.KeyID) {
	if m.stage != StageBinding || m.successor.ID() != id {
		return
	}
	m.successor.Bound = true
	m.perm.LastBound = m.server(now)
	if m.expired(now, m.successor) {
		// The answer took longer than the key lives.
		m.save(Changes{PutPerm: m.perm})
		m.replace(now, now)
		return
	}
	c := Changes{PutPerm: m.perm, PutTemps: []TempKey{*m.successor}}
	forgotten, replaced := m.retired, m.serving
	if forgotten != nil && replaced != nil {
		// The rotation before this one never heard that its old connection
		// stopped; by now it listens to nothing.
		m.part(forgotten)
	}
	if replaced != nil {
		m.retired, m.recalled = replaced, nil
	}
	recalled := m.fresh != nil
	if recalled {
		m.notAgain(id)
	}
	m.serving, m.successor, m.fresh = m.successor, nil, nil
	m.rebinds = 0
	m.trust()
	m.save(c)
	m.switchOver(now, replaced != nil)
	switch {
	case forgotten != nil && replaced != nil:
		m.emit(Output{Kind: OutEnd, ID: forgotten.ID()})
		m.drop(now)
	case replaced == nil && m.owes(now):
		m.drop(now) // there was no key to say it under
	}
	if recalled {
		m.rotateAsked(now)
		return
	}
	m.rotated(nil)
}

// switchOver routes calls under the key that was just bound, and settles what
// becomes of those that are pending under the one it replaced, if there is one.
func (m *Machine) switchOver(now time.Time, replaced bool) {
	kept := m.kept
	m.probing = replaced && m.reading == ReadingUnknown
	if m.probing {
		// Before the first query under the new key: after it, a packet under the
		// old one would be out of order.
		m.emit(Output{Kind: OutProbe, ID: m.retired.ID()})
	}
	m.use(now, replaced)
	if replaced && m.reading == ReadingCut && kept {
		m.emit(Output{Kind: OutEnd, ID: m.retired.ID()}) // learnt too late to let them finish
	}
}

// Retired says that the connection under a replaced temp key has stopped. The
// key is dropped at the server, and deleted here once that has ended: a process
// that is killed before leaves it to the next one to drop.
func (m *Machine) Retired(now time.Time, id crypt.KeyID) {
	if m.retired == nil || m.retired.ID() != id {
		return
	}
	m.part(m.retired)
	m.retired, m.probing = nil, false
	m.drop(now)
	m.rotateAsked(now)
}

// Blocked answers an OutBind that was not sent: an order to drop temp keys is on its
// way, of another slot and until then at most, which does not name the key. See
// [Slots].
func (m *Machine) Blocked(now time.Time, id crypt.KeyID, until time.Time) {
	if m.stage != StageBinding || m.successor.ID() != id {
		return
	}
	m.resume(now)
	m.blocked = until
	m.wantAt(now, taskBind, until)
}

// Unblocked says that an order of another slot has ended.
func (m *Machine) Unblocked(now time.Time) {
	waits := m.stage == StagePausing && m.task == taskBind && !m.blocked.IsZero() && m.until.Equal(m.blocked)
	m.blocked = time.Time{}
	if waits {
		m.perform(now)
	}
}

// BindFailed says that a bind came to nothing. err is the server's refusal
// (*tgerr.Error) or what else went wrong.
func (m *Machine) BindFailed(now time.Time, id crypt.KeyID, err error) {
	if m.stage != StageBinding || m.successor.ID() != id {
		return
	}
	e, refused := tgerr.As(err)
	until, wait := tgerr.Until(err, now)
	switch {
	case wait:
		m.bindLater(now, until)
	case !refused || e.Class() == tgerr.ClassRetry || e.Class() == tgerr.ClassInit:
		m.tried = true
		m.bindAgain(now)
	case m.fresh != nil: // what is wrong with more than this key, the new one finds out
		m.recallFailed(now)
	case tgerr.Is(err, "TEMP_AUTH_KEY_EMPTY", "TEMP_AUTH_KEY_ALREADY_BOUND", "EXPIRES_AT_INVALID", "CDN_METHOD_INVALID"):
		// Of the temp key alone.
		m.replace(now, m.tempPace.after(now, false))
	case m.unproven(now):
		m.replace(now, m.tempPace.after(now, false))
	case m.earned(now):
		m.replace(now, m.tempPace.within(now, false, paceExcused))
	default:
		m.discard(now)
		m.trust()
		m.prove()
	}
}

// bindAgain repeats the bind of the same temp key after a pause.
func (m *Machine) bindAgain(now time.Time) {
	at := m.tempPace.after(now, false)
	most := rebindsMost
	if m.serving == nil && m.owes(now) && (m.fresh == nil || m.reading != ReadingCut) {
		most = rebindsCrowded
	}
	m.rebinds++
	switch {
	case m.rebinds <= most:
	case m.fresh != nil:
		m.recallFailed(now)
		return
	default:
		m.replace(now, at)
		return
	}
	m.resume(now)
	m.wantAt(now, taskBind, at)
}

// bindLater obeys a wait. It says nothing about the key, and holds for every
// key that may take its place.
func (m *Machine) bindLater(now time.Time, until time.Time) {
	if until.After(m.bindAfter) {
		m.bindAfter = until
	}
	m.rotated(&BindWaitError{Until: m.bindAfter})
	at := m.tempPace.after(now, false)
	if at.Before(m.bindAfter) {
		at = m.bindAfter
	}
	m.resume(now)
	m.wantAt(now, taskBind, at)
}

// unproven reports whether a refused bind says nothing about the perm key: the
// server may not have copied a key younger than a minute, and a bind with the
// wrong time is refused for the time. What is wrong with a key that is lent, the
// main slot finds out.
func (m *Machine) unproven(now time.Time) bool {
	return m.lent() || m.server(now).Sub(m.perm.Created) < time.Minute || !m.synced
}

// earned reports whether the perm key has earned another try at a refused bind:
// it has worked for a day and was bound within the last one.
func (m *Machine) earned(now time.Time) bool {
	const day = 24 * time.Hour
	return m.server(now).Sub(m.perm.Created) > day && !m.perm.LastBound.IsZero() && m.server(now).Sub(m.perm.LastBound) < day
}

// replace discards the successor and makes another at the given time.
func (m *Machine) replace(now, at time.Time) {
	m.discard(now)
	m.wantAt(now, taskTemp, at)
}

// discard gives the successor up. One that may be bound at the server stays on
// record until it was dropped there.
func (m *Machine) discard(now time.Time) {
	t := m.successor
	m.successor, m.fresh = nil, nil
	bound := t != nil && m.tried && !m.expired(now, t)
	if bound {
		m.part(t)
	} else if t != nil {
		m.save(Changes{DeleteTemps: []crypt.KeyID{t.ID()}})
	}
	m.resume(now)
	if bound {
		m.drop(now)
	}
}

// resume lets held calls go under the key that serves, unless it has just
// expired and the next Advance will say so.
func (m *Machine) resume(now time.Time) {
	if m.held && m.serving != nil && !m.expired(now, m.serving) {
		m.held, m.kept = false, false
		m.emit(Output{Kind: OutUse, Temp: m.serving.clone()})
	}
}

// use routes calls under the serving temp key, which has just become it.
func (m *Machine) use(now time.Time, replaced bool) {
	m.become(StageResting)
	m.held, m.kept = false, false
	m.planRotation(now)
	out := Output{Kind: OutUse, Temp: m.serving.clone()}
	if replaced {
		out.Listen = m.listen()
	}
	m.emit(out)
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
	case !m.working():
	case m.serving != nil && m.serving.ID() == id:
		m.denied = true
		m.loseServing(now, m.tempPace.after(now, true), LossUnknown)
	case m.successor != nil && m.successor.ID() == id:
		m.successorLost(now)
	case m.retired != nil && m.retired.ID() == id:
		m.retiredLost(now)
	case m.permServes && m.perm.ID() == id:
		m.permDoubted(now)
	}
}

// retiredLost ends what is pending under a replaced key. While it is probed,
// the -404 is the answer.
func (m *Machine) retiredLost(now time.Time) {
	if m.probing {
		m.Probed(now, m.retired.ID(), false)
		return
	}
	m.emit(Output{Kind: OutEnd, ID: m.retired.ID()})
}

// Unbound says that a call under a temp key was answered AUTH_KEY_PERM_EMPTY:
// the server knows the key but not its binding. It is replaced like a lost
// one; binding it a second time would leave us with a key the server has
// already been wrong about. Every call under the key gets that answer, so the
// first counts, and only of the key that serves.
func (m *Machine) Unbound(now time.Time, id crypt.KeyID) {
	if m.working() && m.serving != nil && m.serving.ID() == id {
		m.loseServing(now, m.tempPace.within(now, true, paceUnbound), LossUnbound)
	}
}

// loseServing takes the serving key out of use. What is under way goes on,
// because all of it leads to another key; otherwise one is made at the given
// time, or this one bound again. Of a key that is unbound the calls under it are still
// answered.
func (m *Machine) loseServing(now, at time.Time, why Loss) {
	lost, again := m.serving, m.bindsAgain(now, m.serving)
	m.stopServing(why)
	m.serving = nil
	if again {
		m.bindAgainLost(now, at, lost)
		return
	}
	m.giveUp(now, lost, why)
	switch {
	case m.stage == StageResting:
		m.wantAt(now, taskTemp, at)
	case m.stage == StageHolding, m.waitsForRoom():
		m.bind(now)
	}
}

func (m *Machine) stopServing(why Loss) {
	id, ok := m.Serving()
	if !ok {
		return
	}
	m.permServes, m.held, m.kept = false, false, false
	out := Output{Kind: OutStop, ID: id, Loss: why, Drain: why == LossUnbound}
	if out.Drain {
		out.Listen = m.listen()
	}
	m.emit(out)
}

// successorLost reacts to a server that forgot a key before it was bound.
func (m *Machine) successorLost(now time.Time) {
	if m.fresh != nil {
		m.recallFailed(now)
		return
	}
	m.denied = m.denied || m.tried
	m.tried = m.tried || m.stage == StageBinding
	busy := m.stage == StageHolding || m.stage == StageBinding || m.stage == StagePausing && m.task == taskBind
	if busy {
		m.replace(now, m.tempPace.after(now, true))
	} else {
		m.discard(now)
	}
}
