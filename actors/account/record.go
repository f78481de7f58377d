package account

import (
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/mtproto"
	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/updates"
	"github.com/mtfleet/mtfleet/persistence"
)

// This file copies what engines know into records and back; nothing else in
// this package knows both forms. The keys' records belong to actors/binding.

// decodeKeys decodes what a binding needs of an account: keys and time offset
// of one DC. A corrupt perm key is an error, anything else is left out.
func decodeKeys(records []persistence.Record, dc int) (persistence.State, error) {
	state, err := persistence.DecodeState(records)
	for _, key := range persistence.BadKeys(err) {
		if key == persistence.PermKeyKey(key.Account, dc) {
			return persistence.State{}, err
		}
	}
	return persistence.State{PermKeys: state.PermKeys, TempKeys: state.TempKeys, Sessions: state.Sessions}, nil
}

// sessionRecord keeps what the next session under the same key begins with.
func sessionRecord(dc int, key crypt.KeyID, s mtproto.Snapshot) persistence.Session {
	rec := persistence.Session{DC: dc, KeyID: int64(key), TimeOffset: s.TimeOffset}
	for _, salt := range s.Salts {
		rec.Salts = append(rec.Salts, persistence.Salt{
			Value: salt.Value, Since: unixTime(salt.Since), Until: unixTime(salt.Until),
		})
	}
	return rec
}

// sessionConfig is the reverse of sessionRecord. The salts of another key are
// of no use under this one.
func sessionConfig(cfg *mtproto.Config, rec *persistence.Session, key crypt.KeyID) {
	if rec == nil {
		return
	}
	cfg.TimeOffset, cfg.OffsetKnown = rec.TimeOffset, true
	if rec.KeyID != int64(key) {
		return
	}
	for _, salt := range rec.Salts {
		cfg.Salts = append(cfg.Salts, mtproto.Salt{
			Value: salt.Value, Since: unixSeconds(salt.Since), Until: unixSeconds(salt.Until),
		})
	}
}

func unixTime(s uint32) time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.Unix(int64(s), 0).UTC()
}

func unixSeconds(t time.Time) uint32 {
	if t.IsZero() {
		return 0
	}
	return uint32(t.Unix())
}

func updatesRecord(s updates.State) persistence.Updates {
	return persistence.Updates{Pts: s.Pts, Qts: s.Qts, Date: s.Date, Seq: s.Seq}
}

func updatesState(rec persistence.Updates) updates.State {
	return updates.State{Pts: rec.Pts, Qts: rec.Qts, Date: rec.Date, Seq: rec.Seq}
}

func place(s updates.State) Place { return Place{Pts: s.Pts, Qts: s.Qts, Seq: s.Seq, Date: s.Date} }

// dirty is what is worth writing but not worth a commit of its own: it is
// gathered and written every few seconds.
type dirty struct {
	updates  *persistence.Updates
	sessions []persistence.Session // one per DC
	armed    bool
}

// flushAfter is how long changes are gathered. After a kill so much of salts
// and update state is missing: a round trip, and updates that come again.
const flushAfter = 2 * time.Second

func (a *account) saveSession(c *ctx, rec persistence.Session) {
	i := slices.IndexFunc(a.dirty.sessions, func(s persistence.Session) bool { return s.DC == rec.DC })
	if i < 0 {
		a.dirty.sessions = append(a.dirty.sessions, rec)
	} else {
		a.dirty.sessions[i] = rec
	}
	a.armFlush(c)
}

func (a *account) saveUpdates(c *ctx, rec persistence.Updates) {
	a.dirty.updates = &rec
	a.armFlush(c)
}

func (a *account) armFlush(c *ctx) {
	if !a.dirty.armed {
		a.dirty.armed = true
		c.After(timerFlush, flushAfter, flushDue{})
	}
}

// takeDirty returns what is to be written, nil when there is nothing.
func (a *account) takeDirty() []persistence.Record {
	var put []persistence.Record
	if a.dirty.updates != nil {
		put = append(put, a.dirty.updates.Record(a.id))
	}
	for _, s := range a.dirty.sessions {
		put = append(put, s.Record(a.id))
	}
	a.dirty = dirty{}
	return put
}

func (a *account) flush(c *ctx) {
	if put := a.takeDirty(); put != nil {
		a.commit(c, persistence.Commit{Put: put}, nil)
	}
}

// commit writes records; then is called in the actor when they are on disk or
// refused. A nil then only reports a refusal. Commits of an account happen in
// the order they were asked for.
func (a *account) commit(c *ctx, commit persistence.Commit, then func(c *ctx, err error)) {
	if then == nil {
		then = func(_ *ctx, err error) {
			if err != nil {
				a.storeFailed(err)
			}
		}
	}
	commit.Owner = a.env.Owner
	a.storeJob(c, func(store persistence.Store) error { return store.Commit(commit) }, then)
}

// storeJob is something done with the store, in its turn.
type storeJob struct {
	do   func(persistence.Store) error
	then func(c *ctx, err error)
}

// storeJob queues a job; then is called in the actor when it is done. One runs
// at a time. The queue is bounded by who asks: an engine waits for its commit.
func (a *account) storeJob(c *ctx, do func(persistence.Store) error, then func(c *ctx, err error)) {
	a.jobs = append(a.jobs, storeJob{do, then})
	if len(a.jobs) == 1 {
		a.nextJob(c)
	}
}

func (a *account) nextJob(c *ctx) {
	job, store := a.jobs[0], a.store
	c.GoIO(func() Message { return committed{store.do(job.do)} })
}

// onCommitted ends the job under way and begins the next.
func (a *account) onCommitted(c *ctx, err error) {
	job := a.jobs[0]
	a.jobs = a.jobs[1:]
	if len(a.jobs) > 0 {
		a.nextJob(c)
	} else {
		a.jobs = nil
	}
	job.then(c, err)
}

// flushOnStop writes what is left, after the jobs that still wait. The store
// outlives the actor; nobody waits for the result, and what is lost by it costs
// a round trip.
func (a *account) flushOnStop(c *ctx) {
	jobs, store := a.jobs, a.store
	if len(jobs) > 0 {
		jobs = jobs[1:] // the first is under way
	}
	put := a.takeDirty()
	if len(jobs) == 0 && put == nil {
		return
	}
	commit := persistence.Commit{Owner: a.env.Owner, Put: put}
	c.GoIO(func() Message {
		for _, job := range jobs {
			_ = store.do(job.do)
		}
		if put != nil {
			_ = store.do(func(s persistence.Store) error { return s.Commit(commit) })
		}
		return committed{}
	})
}

func (a *account) storeFailed(err error) { a.env.StoreFailed(a.id, err) }
