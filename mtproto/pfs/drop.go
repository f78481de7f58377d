package pfs

import (
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
)

// This file is about temp keys that nothing uses any more and that the server may
// still have bound: they were replaced, answered with a -404 which may have been of a
// moment, lost their binding, or were given up because nobody heard whether they were
// bound. They are named to auth.dropTempAuthKeys (by what it excepts) as soon as a
// connection under a serving key stands, again with a pace until it was answered, and
// once more by the next process.
//
// Until then no other key is bound beside the one that serves: two live at most. Two
// things come first. When no key serves, one is bound at once: to be online matters
// more, and the order can be given under it alone. The key that was lost is tried
// first, and the others on record before a third is bound, see recall.go. And half the
// margin before the end of the serving key its successor is bound whatever is owed.

// dropping is what is known of the order, an OutDrop.
type dropping struct {
	until   time.Time   // that on its way counts as over; zero: none is
	spares  crypt.KeyID // the successor that it names, zero for none
	parting int         // so many, the first, it does not name

	again time.Time // when the next is due; zero: when something is owed, or with the connection
	wait  time.Time // end of a wait that the server imposed
	pace  pace
}

// giveUp keeps the key that served, and is no good any more, until it was dropped.
func (m *Machine) giveUp(now time.Time, lost *TempKey, why Loss) {
	if why == LossUnbound && m.rebound == lost.ID() {
		m.notAgain(lost.ID()) // granted and refused twice
	}
	var c Changes
	switch {
	case why == LossUnbound && m.retired == nil:
		m.retired = lost // the server still has it, and answers what is under way
	case m.expired(now, lost):
		c.DeleteTemps = []crypt.KeyID{lost.ID()}
	default:
		m.part(lost)
	}
	m.saveUnused(now, c)
}

// bindsAgain reports whether a key that served is bound again, once, in place of
// another: it may live, another may too that nobody can have dropped now, and a new
// one would be the third.
func (m *Machine) bindsAgain(now time.Time, lost *TempKey) bool {
	idle := m.stage == StageResting || m.stage == StageAsking || m.stage == StagePausing && m.task == taskTemp
	return (m.retired != nil || m.owes(now)) && idle && m.successor == nil && m.rebound != lost.ID() && !m.expired(now, lost)
}

// bindAgainLost makes a key that served the successor once more.
func (m *Machine) bindAgainLost(now, at time.Time, lost *TempKey) {
	m.successor, m.rebound, m.tried, m.rebinds = lost, lost.ID(), true, 0
	m.saveUnused(now, Changes{})
	m.wantAt(now, taskBind, at)
}

// saveUnused leaves no key on disk as bound, none of which serves: the next process
// would use it.
func (m *Machine) saveUnused(now time.Time, c Changes) {
	unused := []*TempKey{m.successor, m.retired}
	for i := range m.parting {
		unused = append(unused, &m.parting[i])
	}
	for _, t := range unused {
		if t != nil && t.Bound && !m.expired(now, t) {
			t.Bound = false
			c.PutTemps = append(c.PutTemps, *t)
		}
	}
	m.save(c)
}

// part puts a key among those that nothing uses.
func (m *Machine) part(t *TempKey) {
	if t != nil {
		m.parting = append(m.parting, *t)
	}
	if n := len(m.parting) - partingMost; n > 0 { // the order names none of them: they are dropped all the same
		m.save(Changes{DeleteTemps: m.parted(n)})
		m.dropping.parting = max(m.dropping.parting-n, 0)
	}
}

// parted takes the first keys off the list of those that nothing uses, and returns
// their ids.
func (m *Machine) parted(n int) (ids []crypt.KeyID) {
	for i := range m.parting[:n] {
		ids = append(ids, m.parting[i].ID())
	}
	if m.parting = m.parting[n:]; len(m.parting) == 0 {
		m.parting = nil
	}
	return ids
}

// owes reports whether the server may have keys bound that it is to drop.
func (m *Machine) owes(now time.Time) bool {
	return m.strangers || slices.ContainsFunc(m.parting, func(t TempKey) bool { return !m.expired(now, &t) })
}

// crowded reports whether a successor would be the third key that lives.
func (m *Machine) crowded(now time.Time) bool {
	return m.serving != nil && (m.retired != nil || m.owes(now)) && now.Before(m.lastCall())
}

// lastCall is when the successor of the serving key is bound whatever is owed.
func (m *Machine) lastCall() time.Time {
	return m.local(m.serving.ExpiresAt).Add(-margin(m.cfg.TempLife) / 2)
}

// waitForRoom has the successor wait until no other key than the serving one lives.
func (m *Machine) waitForRoom(now time.Time) {
	if m.retired == nil {
		m.dropOnce(now)
	}
	m.roomAt = m.lastCall()
	m.wantAt(now, taskBind, m.roomAt)
}

// waitsForRoom reports whether a successor waits for others to be dropped.
func (m *Machine) waitsForRoom() bool {
	return m.stage == StagePausing && m.task == taskBind && (m.until.Equal(m.roomAt) || m.until.Equal(m.dropping.until))
}

// dropOnce gives the order unless it is on its way, or will be given.
func (m *Machine) dropOnce(now time.Time) {
	if !now.Before(m.dropping.until) && m.dropping.again.IsZero() {
		m.drop(now)
	}
}

// drop has the server forget every temp key but the living ones. While an order is
// on its way there is no second: the end of one would be taken for that of both, and
// the other would drop what is bound then. What has come on top has its turn when it
// has ended.
func (m *Machine) drop(now time.Time) {
	d := &m.dropping
	switch {
	case m.serving == nil:
		return // when another serves
	case now.Before(d.until):
		return // see Dropped
	case now.Before(d.wait):
		d.again = d.wait
		return
	}
	d.until, d.again, d.parting, d.spares = now.Add(DropLimit), time.Time{}, len(m.parting), m.successorID()
	m.emit(Output{Kind: OutDrop, Except: m.Live()})
}

func (m *Machine) successorID() crypt.KeyID {
	if m.successor == nil {
		return 0
	}
	return m.successor.ID()
}

// DropEnded says how an OutDrop that was sent has ended: with nil, the server's
// refusal (*tgerr.Error) or what else went wrong. It is Dropped, NotDropped or
// DropLater. Keys that the server will not drop end by themselves.
func (m *Machine) DropEnded(now time.Time, err error) {
	e, refused := tgerr.As(err)
	until, wait := tgerr.Until(err, now)
	switch {
	case wait:
		m.DropLater(now, until)
	case err != nil && !refused, refused && notOfDrops(e):
		m.NotDropped(now)
	default:
		m.Dropped(now)
	}
}

// notOfDrops reports whether a refusal says nothing about dropping keys: the server
// has trouble, or the connection or the key that the order came under lacks something.
// What a 401 says is missing, a guest gets back, and a sign-in the password that it
// waits for: the keys are dropped then.
func notOfDrops(e *tgerr.Error) bool {
	switch e.Class() {
	case tgerr.ClassRetry, tgerr.ClassInit, tgerr.ClassUnbound, tgerr.ClassPassword:
		return true
	}
	return e.IsUnauthorized()
}

// Dropped says that an OutDrop has ended, whatever the server said: nothing of it
// can reach the server any more.
func (m *Machine) Dropped(now time.Time) {
	if m.dropping.until.IsZero() {
		return // nobody asked
	}
	m.strangers = false
	m.save(Changes{DeleteTemps: m.parted(min(m.dropping.parting, len(m.parting)))})
	waited := m.waitsForRoom()
	m.dropping = dropping{wait: m.dropping.wait}
	if m.owes(now) {
		m.drop(now) // of what has come on top
	}
	if waited {
		m.bind(now)
	} else {
		m.rotateAsked(now)
	}
}

// NotDropped ends an OutDrop that cannot be sent now, or of which nobody knows
// whether it arrived: it is given again after a while.
func (m *Machine) NotDropped(now time.Time) {
	if !m.dropping.until.IsZero() {
		m.dropLater(now, m.dropping.pace.after(now, false))
	}
}

// DropLater ends an OutDrop that the server put off: it is given again then.
func (m *Machine) DropLater(now, until time.Time) {
	if m.dropping.until.IsZero() {
		return
	}
	m.dropping.wait = until
	m.dropLater(now, until)
	m.refuseRotation(now)
}

func (m *Machine) dropLater(now, at time.Time) {
	waited := m.waitsForRoom()
	d := &m.dropping
	d.until, d.again, d.parting, d.spares = time.Time{}, time.Time{}, 0, 0
	if m.owes(now) {
		d.again = at
	}
	if waited {
		m.bind(now)
	}
}

// Sweep has the server forget every temp key of the perm key that no slot names. A
// slot whose keys are on no disk is about to begin, and what a process before this
// one left of it, killed perhaps more than once, is to be gone before a key of its
// own is bound. Swept tells when that is so.
func (m *Machine) Sweep(now time.Time) {
	m.strangers = true
	if m.working() {
		m.dropOnce(now)
	}
}

// Swept reports whether the server knows no temp key of the perm key, as far as
// that is known here, that no slot names and nothing is to be dropped for.
func (m *Machine) Swept() bool { return !m.strangers }

// Connected says that what is owed to the server can be sent now under the serving
// key: keys that nothing uses are dropped, such as those of a process that was
// killed. An OutDrop that is not answered comes again: a driver that has it on its
// way sends no other.
func (m *Machine) Connected(now time.Time) {
	switch {
	case !m.working() || !m.owes(now):
	case m.serving != nil && now.Before(m.dropping.until):
		m.emit(Output{Kind: OutDrop, Except: m.Live()}) // perhaps it could not be sent
	default:
		m.drop(now)
	}
}
