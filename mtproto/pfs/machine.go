package pfs

import (
	"encoding/binary"
	"io"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
)

// Config is what a machine needs to know besides its keys.
type Config struct {
	// PFS says whether calls travel under a temp key. When false, the perm
	// key itself serves.
	PFS bool
	// Slot is what its temp keys are for. In another slot than the main one the perm
	// key is lent: it is in the snapshot, and is not made, saved, doubted or given up
	// here. Temp keys are kept in memory only.
	Slot Slot
	// TempInMemory keeps temp keys out of OutSave: a restart then costs a new
	// one.
	TempInMemory bool
	// Rand is where jitter comes from. Nil, or one that fails, means none.
	Rand io.Reader
	// TempLife is how long a temp key is asked to live; 0 means 24 h. Jitter
	// is subtracted, see policy.go.
	TempLife time.Duration
	// Known reports whether the DC table has the RSA key of a fingerprint. A
	// perm key made under another one belongs to another environment and is not
	// used. Nil: every key is known. A perm key with fingerprint 0 was imported
	// and is accepted.
	Known func(fingerprint int64) bool
	// Reading is what other accounts have found the DC to make of a replaced
	// temp key.
	Reading Reading
	// Trial says that no login depends on the perm key yet, for a session is being
	// brought in: until a temp key was bound to it, a single -404 under it is
	// proof enough. The session's source keeps what it has.
	Trial bool
	// BindAfter is the end of a wait that the server imposed on binds, perhaps
	// before a restart: none is asked for earlier. Zero: there is none.
	BindAfter time.Time
	// BindDoubt is such a wait that is over by a clock which nothing has verified
	// in this process; zero for none. Until a handshake or a session has told the
	// server's time, nothing is bound.
	BindDoubt Doubt
}

// A Doubt is a wait whose end is not known for certain: the server's time when
// it ends, and its length, more than which is never left of it.
type Doubt struct {
	Ends   time.Time
	Length time.Duration
}

// A Machine keeps the keys of one account on one DC. It has one owner and no
// lock.
type Machine struct {
	cfg   Config
	stage Stage

	perm       *PermKey
	permServes bool // PFS is off and calls go under perm

	serving   *TempKey      // carries the calls
	successor *TempKey      // saved, not bound yet
	retired   *TempKey      // replaced; its connection still listens
	fresh     *TempKey      // made, and set aside while those on record are bound again, see recall.go
	recalled  []crypt.KeyID // were bound again to no avail, and are not for a second time
	denied    bool          // a temp key that may be bound was answered -404 since the last was made
	tried     bool          // the successor may be bound: a bind was sent, and not refused
	rebound   crypt.KeyID   // the last key that served and was bound again, see bindsAgain
	parting   []TempKey     // nothing uses them; on disk until the server was told to drop them
	dropping  dropping      // the order to do so
	roomAt    time.Time     // until when the successor waits for others to be dropped
	blocked   time.Time     // until when an order of another slot keeps the successor unbound
	strangers bool          // the server may know temp keys of this slot that we do not
	held      bool          // OutHold was given and no OutUse or OutStop since
	kept      bool          // and it left calls pending over the bind

	reading Reading
	probing bool // OutProbe was given for retired and no answer came yet
	asked   bool // Rotate is owed its OutRotated

	offset time.Duration // server time minus local time
	synced bool          // offset is trusted

	task     task      // what StagePausing leads to, what is asked or made
	until    time.Time // end of StagePausing
	rotateAt time.Time // when serving is due for replacement

	permPace, tempPace, proofPace pace
	bindAfter                     time.Time // end of a wait on binds
	rebinds                       int       // failures to bind the successor that say nothing about it
	unknowns                      int       // -404 under the perm key that count, each on its own TCP connection
	unknownAt                     time.Time // the last of them

	out []Output
}

// New returns a machine with the keys of a snapshot. Nothing happens before
// Start.
func New(cfg Config, s Snapshot) *Machine {
	cfg.TempLife = lifeOf(cfg.TempLife)
	m := &Machine{cfg: cfg, offset: s.TimeOffset, reading: cfg.Reading, bindAfter: cfg.BindAfter}
	if s.Perm != nil && s.Perm.Key != nil {
		m.perm = s.Perm.clone()
	}
	m.restoreTemps(s.Temps)
	// A process before this one took its keys with it.
	m.strangers = m.unsaved() && len(s.Temps) == 0 && m.perm != nil && (m.lent() || !m.perm.LastBound.IsZero())
	return m
}

// restoreTemps keeps every temp key with a secret in one of the three places, or
// among those that nothing uses; Start decides which of them live on.
func (m *Machine) restoreTemps(temps []TempKey) {
	for i := range temps {
		t := temps[i].clone()
		switch {
		case t.Key == nil:
		case !t.Bound:
			if m.successor != nil && !t.follows(m.successor) {
				m.part(t)
			} else {
				m.part(m.successor)
				m.successor, m.tried = t, true // for all that is known
			}
		case m.serving == nil:
			m.serving = t
		case t.follows(m.serving):
			m.part(m.retired)
			m.retired, m.serving = m.serving, t
		default:
			m.part(m.retired)
			m.retired = t
		}
	}
}

// Snapshot returns what a new machine needs to go on from here.
func (m *Machine) Snapshot() Snapshot {
	s := Snapshot{Perm: m.perm.clone(), TimeOffset: m.offset}
	for _, t := range []*TempKey{m.serving, m.successor, m.retired} {
		if t != nil {
			s.Temps = append(s.Temps, *t)
		}
	}
	s.Temps = append(s.Temps, m.parting...)
	return s
}

// unsaved reports whether temp keys are on no disk, lent whether the perm key is
// another machine's.
func (m *Machine) unsaved() bool { return m.cfg.TempInMemory || m.lent() }
func (m *Machine) lent() bool    { return m.cfg.Slot != MainSlot }

// Live returns the ids of the temp keys that the server must not drop.
func (m *Machine) Live() (ids []crypt.KeyID) {
	for _, t := range []*TempKey{m.serving, m.successor, m.retired} {
		if t != nil {
			ids = append(ids, t.ID())
		}
	}
	return ids
}

// Stage returns what the machine is working on.
func (m *Machine) Stage() Stage { return m.stage }

// Serving returns the id of the key that calls travel under, if there is one.
func (m *Machine) Serving() (crypt.KeyID, bool) {
	switch {
	case m.permServes:
		return m.perm.ID(), true
	case m.serving != nil && m.working():
		return m.serving.ID(), true
	}
	return 0, false
}

// Perm returns a copy of the perm key's record, nil when there is none.
func (m *Machine) Perm() *PermKey { return m.perm.clone() }

// BindAfter returns the end of a wait that the server imposed on binds, zero or
// past for none.
func (m *Machine) BindAfter() time.Time { return m.bindAfter }

// PermID returns the perm key's id, zero for none.
func (m *Machine) PermID() crypt.KeyID {
	if m.perm == nil {
		return 0
	}
	return m.perm.Key.ID()
}

// Next returns the next output. The driver calls it after every input until
// it reports false.
func (m *Machine) Next() (Output, bool) {
	if len(m.out) == 0 {
		return Output{}, false
	}
	o := m.out[0]
	m.out[0] = Output{}
	m.out = m.out[1:]
	if len(m.out) == 0 {
		m.out = nil // a machine is idle for hours: keep no buffer
	}
	return o, true
}

// Deadline returns when Advance wants to be called, zero for never.
func (m *Machine) Deadline() time.Time {
	var d time.Time
	earliest := func(t time.Time) {
		if d.IsZero() || t.Before(d) {
			d = t
		}
	}
	switch m.stage {
	case StageNew, StageGone, StageForeign:
		return d
	case StagePausing:
		earliest(m.until)
	case StageResting:
		if m.serving != nil {
			earliest(m.rotateAt)
		}
	}
	if m.serving != nil {
		earliest(m.local(m.serving.ExpiresAt))
		if !m.dropping.again.IsZero() {
			earliest(m.dropping.again)
		}
	}
	return d
}

// Start begins the work: with a usable key it serves at once, otherwise one
// is made. Only the first call counts.
func (m *Machine) Start(now time.Time) {
	if m.stage != StageNew {
		return
	}
	m.begin(now)
	if m.asked {
		m.Rotate(now)
	}
}

func (m *Machine) begin(now time.Time) {
	if p := m.perm; p != nil && p.Fingerprint != 0 && m.cfg.Known != nil && !m.cfg.Known(p.Fingerprint) {
		m.foreign()
		return
	}
	stale := m.dropUnusable(now)
	m.part(m.retired)
	m.retired = nil
	m.save(Changes{DeleteTemps: stale})
	switch {
	case m.perm == nil && m.lent():
		m.become(StageGone)
		m.emit(Output{Kind: OutGone, Err: ErrGone})
	case m.perm == nil:
		m.want(now, taskPerm)
	case !m.cfg.PFS:
		m.usePerm()
	case m.serving != nil:
		m.use(now, false)
		if m.owes(now) {
			m.drop(now)
		}
		if m.successor != nil {
			m.bind(now)
		}
	case m.successor != nil:
		m.bind(now)
	default:
		m.want(now, taskTemp)
	}
}

// foreign refuses to work with a perm key of another environment.
func (m *Machine) foreign() {
	m.become(StageForeign)
	m.emit(Output{Kind: OutForeign, Err: m.foreignKey()})
}

func (m *Machine) foreignKey() error { return &ForeignKeyError{Fingerprint: m.perm.Fingerprint} }

// dropUnusable forgets temp keys that expired or belong to another perm key, and
// returns their ids. A successor that is older than the one that serves was given
// up, and may be bound.
func (m *Machine) dropUnusable(now time.Time) []crypt.KeyID {
	var ids []crypt.KeyID
	for _, place := range []**TempKey{&m.serving, &m.successor, &m.retired} {
		t := *place
		if t == nil {
			continue
		}
		usable := m.cfg.PFS && m.perm != nil && t.PermID == m.perm.ID() && !m.expired(now, t)
		switch {
		case !usable:
			ids = append(ids, t.ID())
			*place = nil
		case place == &m.successor && m.serving != nil && m.serving.follows(t):
			m.part(t)
			*place = nil
		}
	}
	kept := m.parting[:0:0]
	for i := range m.parting {
		if t := &m.parting[i]; !m.cfg.PFS || m.perm == nil || t.PermID != m.perm.ID() || m.expired(now, t) {
			ids = append(ids, t.ID())
		} else {
			kept = append(kept, *t)
		}
	}
	m.parting = kept
	return ids
}

// Forget throws away every key and begins anew: for a guest DC whose perm key
// is gone or refused, and for a login that starts over. The old perm key's
// authorization, if any, is the caller's to end first.
func (m *Machine) Forget(now time.Time) {
	if m.stage == StageNew {
		return
	}
	m.stopServing(LossForgotten)
	var c Changes
	for _, place := range []**TempKey{&m.serving, &m.successor, &m.retired} {
		if *place != nil {
			c.DeleteTemps = append(c.DeleteTemps, (*place).ID())
			*place = nil
		}
	}
	c.DeleteTemps = append(c.DeleteTemps, m.parted(len(m.parting))...)
	c.DeletePerm = m.perm != nil
	m.perm, m.probing, m.rebinds, m.fresh = nil, false, 0, nil
	m.strangers, m.dropping = false, dropping{wait: m.dropping.wait}
	m.trust()
	m.save(c)
	m.wantAt(now, taskPerm, m.permPace.after(now, true))
}

// Clock tells the machine what the session learnt about time: offset is
// server time minus local time, and synced says whether it can be trusted. A
// refused bind counts for nothing while it cannot.
func (m *Machine) Clock(now time.Time, offset time.Duration, synced bool) {
	m.synced = synced
	if synced && offset != m.offset {
		m.offset = offset
		if m.serving != nil {
			m.planRotation(now)
		}
	}
	m.verifyWait(now)
}

// verifyWait counts a doubtful wait anew when the server's time is known.
func (m *Machine) verifyWait(now time.Time) {
	d := m.cfg.BindDoubt
	if d.Length <= 0 || !m.synced {
		return
	}
	m.cfg.BindDoubt = Doubt{}
	end := now.Add(min(d.Ends.Sub(m.server(now)), d.Length))
	if end.After(now) && end.After(m.bindAfter) {
		m.bindAfter = end
	}
}

// Advance does what the passing of time demands.
func (m *Machine) Advance(now time.Time) {
	if !m.working() {
		return
	}
	if m.serving != nil && m.expired(now, m.serving) {
		m.loseServing(now, now, LossExpired) // the key did what it promised: nothing failed
	}
	if m.serving != nil && !m.dropping.again.IsZero() && !now.Before(m.dropping.again) {
		m.drop(now)
	}
	switch {
	case m.stage == StagePausing && !now.Before(m.until):
		m.perform(now)
	case m.stage == StageResting && m.needsRotation(now):
		m.want(now, taskTemp)
	default:
		m.rotateAsked(now)
	}
}

// working reports whether the machine is in a stage in which keys are used.
func (m *Machine) working() bool {
	return m.stage != StageNew && m.stage != StageGone && m.stage != StageForeign
}

// become is the only way to another stage.
func (m *Machine) become(s Stage) {
	m.stage = s
	if s != StagePausing && s != StageAsking && s != StageMaking {
		m.task = taskNone
	}
	if s != StagePausing {
		m.until = time.Time{}
	}
}

func (m *Machine) emit(o Output) { m.out = append(m.out, o) }

// save emits an OutSave for the changes, if there are any. Records are copied:
// the driver may still be writing them when the machine goes on.
func (m *Machine) save(c Changes) {
	if m.unsaved() {
		c.PutTemps = nil
	}
	if c.empty() || m.lent() {
		return
	}
	c.PutPerm = c.PutPerm.clone()
	m.emit(Output{Kind: OutSave, Changes: c})
}

func (m *Machine) server(now time.Time) time.Time { return now.Add(m.offset) }

func (m *Machine) local(server time.Time) time.Time { return server.Add(-m.offset) }

func (m *Machine) expired(now time.Time, t *TempKey) bool {
	return !m.server(now).Before(t.ExpiresAt)
}

// jitter returns a duration from [0, most).
func (m *Machine) jitter(most time.Duration) time.Duration {
	if m.cfg.Rand == nil || most <= 0 {
		return 0
	}
	var b [8]byte
	if _, err := io.ReadFull(m.cfg.Rand, b[:]); err != nil {
		return 0
	}
	return time.Duration(binary.LittleEndian.Uint64(b[:]) % uint64(most))
}
