package account

import (
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
)

// A journal is the one way between an account and the store: what is written
// and read of it, by the account and by its bindings, happens in the order it
// was asked for, one at a time. It is an engine: the account gives it jobs, does
// what next hands out on the pool for waiting, and tells by ended how that went.
//
// What changes often and is cheap to lose (salts, the clock's offset, the place
// of updates) is gathered, by key, and written with the next commit or after
// flushAfter.
type journal struct {
	queue []job
	busy  bool      // the first of queue is being done
	again time.Time // the first of queue was refused and is not tried before

	dirty []change  // what is gathered, oldest first, one for each key
	due   time.Time // when it is written; zero while there is nothing
	taken []change  // of dirty, gone along with what is being done
}

const (
	// flushAfter is how long changes are gathered. After a kill so much of salts
	// and of the place of updates is missing: a round trip, and updates that
	// come again.
	flushAfter = 2 * time.Second
	// storeRetry is how long a refused commit waits for its next try.
	storeRetry = 5 * time.Second
)

// urgency says what becomes of a job that the store refuses.
type urgency uint8

const (
	// once: who asked is told, and decides.
	once urgency = iota
	// should: who asked is told and goes on; it is written as soon as it can be.
	should
	// must: it is tried until it is on disk. Nothing passes it, and who asked
	// waits.
	must
)

// change is a record to be written, or a key to be deleted, some time.
type change struct {
	key persistence.Key
	put *persistence.Record // nil: delete
}

// fence divides the writes of one binding: what comes after it was closed must
// not bring back what was deleted.
type fence struct{ closed bool }

// add queues a job; it reports whether its fence let it pass.
func (j *journal) add(q job) bool {
	if q.from != nil && q.from.closed {
		return false
	}
	// What is gathered is older: where both are about one record, it is void.
	j.dirty = slices.DeleteFunc(j.dirty, func(c change) bool { return q.covers(c.key) })
	j.queue = append(j.queue, q)
	return true
}

// soon gathers a record to be written.
func (j *journal) soon(now time.Time, r persistence.Record) {
	j.gather(change{key: r.Key, put: &r}, now.Add(flushAfter))
}

func (j *journal) gather(c change, due time.Time) {
	if i := slices.IndexFunc(j.dirty, func(d change) bool { return d.key == c.key }); i >= 0 {
		j.dirty[i] = c
	} else {
		j.dirty = append(j.dirty, c)
	}
	if j.due.IsZero() || due.Before(j.due) {
		j.due = due
	}
}

// hurry has what is gathered written now.
func (j *journal) hurry(now time.Time) {
	if len(j.dirty) > 0 {
		j.due = now
	}
}

// next hands out what is to be done now, if there is anything. What is gathered
// goes along with a commit.
func (j *journal) next(now time.Time) (job, bool) {
	if j.busy {
		return job{}, false
	}
	if len(j.queue) == 0 {
		if len(j.dirty) == 0 || now.Before(j.due) {
			return job{}, false
		}
		j.queue = append(j.queue, job{urgency: should})
	}
	if now.Before(j.again) {
		return job{}, false
	}
	j.busy, j.again = true, time.Time{}
	q := j.queue[0]
	if q.kind == jobCommit {
		q.commit = j.withDirty(q)
	}
	return q, true
}

// withDirty adds what is gathered to a commit; what the commit is about itself
// waits for the next one.
func (j *journal) withDirty(q job) persistence.Commit {
	put, gone := slices.Clone(q.commit.Put), slices.Clone(q.commit.Delete)
	var left []change
	for _, c := range j.dirty {
		switch {
		case q.covers(c.key):
			left = append(left, c)
			continue
		case c.put != nil:
			put = append(put, *c.put)
		default:
			gone = append(gone, c.key)
		}
		j.taken = append(j.taken, c)
	}
	if j.dirty = left; len(left) == 0 {
		j.due = time.Time{}
	}
	return persistence.Commit{Put: put, Delete: gone}
}

// ended says how the job of next went. It returns the job if it is over.
func (j *journal) ended(now time.Time, err error) (job, bool) {
	q, taken := j.queue[0], j.taken
	j.busy, j.taken = false, nil
	if err != nil {
		for _, c := range taken {
			j.owe(now, c)
		}
		switch q.urgency {
		case must:
			j.again = now.Add(storeRetry)
			return q, false
		case should:
			for _, r := range q.commit.Put {
				j.owe(now, change{key: r.Key, put: &r})
			}
			for _, key := range q.commit.Delete {
				j.owe(now, change{key: key})
			}
		}
	}
	if j.queue = j.queue[1:]; len(j.queue) == 0 {
		j.queue = nil
	}
	return q, true
}

// owe gathers again what was refused, unless something newer is known of it.
func (j *journal) owe(now time.Time, c change) {
	newer := slices.ContainsFunc(j.dirty, func(d change) bool { return d.key == c.key })
	for i := range j.queue {
		newer = newer || i > 0 && j.queue[i].covers(c.key)
	}
	if !newer {
		j.gather(c, now.Add(storeRetry))
	}
	if j.due.Before(now.Add(storeRetry)) {
		j.due = now.Add(storeRetry)
	}
}

// deadline is when next may have something that it has not now.
func (j *journal) deadline() time.Time {
	switch {
	case j.busy:
		return time.Time{}
	case len(j.queue) > 0:
		return j.again
	}
	if len(j.dirty) == 0 {
		return time.Time{}
	}
	return j.due
}

// rest is what has not been done when the account stops.
func (j *journal) rest() []job {
	all := slices.Clone(j.queue)
	if j.busy {
		all = all[1:] // its outcome is on its way
	}
	if len(j.dirty) > 0 {
		last := job{}
		last.commit = j.withDirty(last)
		all = append(all, last)
	}
	return all
}
