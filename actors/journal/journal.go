package journal

import (
	"errors"
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
)

const (
	// FlushAfter is how long changes are gathered. After a kill so much of salts
	// and of the place of updates is missing: a round trip, and updates that
	// come again.
	FlushAfter = 2 * time.Second
	// Retry is how long a refused commit waits for its next try: a full or
	// failing disk is not helped by hurry.
	Retry = 5 * time.Second
)

// A Journal is the one way between an account and the store. W is what its owner
// needs to know of a job when it is over: who waits for it.
//
// What changes often and is cheap to lose (salts, the clock's offset, the place
// of updates) is gathered, by key, and written with the next commit or after
// FlushAfter. What the store refused is gathered too: it is owed.
//
// What it holds is bounded by who asks: the account has one job of each of its
// engines, a binding one for its keys and one for its guest, and a key is
// gathered once.
type Journal[W any] struct {
	queue []Job[W]
	busy  bool      // the first of queue is being done
	again time.Time // the first of queue was refused and is not tried before

	dirty []Change  // what is gathered, oldest first, one for each key
	due   time.Time // when it is written; zero while there is nothing
	taken []Change  // of dirty, gone along with what is being done
}

// A Job is work for the store, and who waits for it.
type Job[W any] struct {
	Work
	From *Fence // of who asked, nil for none
	For  W      // what goes on when it is over
}

// A Change is a record to be written, or a key to be deleted, some time.
type Change struct {
	Key persistence.Key
	Put *persistence.Record // nil: delete
}

// A Fence divides the work of one part from that of its successor: what a part
// asks for after it was closed must not bring back what was deleted.
type Fence struct{ Closed bool }

// Add queues a job. It reports whether the job's fence let it pass; if not, the
// store is not asked, and who asked is not heard of again.
func (j *Journal[W]) Add(q Job[W]) bool {
	if q.From != nil && q.From.Closed {
		return false
	}
	// What is gathered is older: where both are about one record, it is void,
	// unless the job comes to nothing.
	j.dirty = slices.DeleteFunc(j.dirty, func(c Change) bool {
		if !q.Covers(c.Key) {
			return false
		}
		if q.Urgency == Once {
			q.void = append(q.void, c)
		}
		return true
	})
	j.queue = append(j.queue, q)
	return true
}

// Soon gathers a record to be written within FlushAfter.
func (j *Journal[W]) Soon(now time.Time, r persistence.Record) {
	j.gather(Change{Key: r.Key, Put: &r}, now.Add(FlushAfter))
}

func (j *Journal[W]) gather(c Change, due time.Time) {
	if i := j.dirtyAt(c.Key); i >= 0 {
		j.dirty[i] = c
	} else {
		j.dirty = append(j.dirty, c)
	}
	if j.due.IsZero() || due.Before(j.due) {
		j.due = due
	}
}

func (j *Journal[W]) dirtyAt(key persistence.Key) int {
	return slices.IndexFunc(j.dirty, func(d Change) bool { return d.Key == key })
}

// Hurry has what is gathered written now.
func (j *Journal[W]) Hurry(now time.Time) {
	if len(j.dirty) > 0 {
		j.due = now
	}
}

// Next hands out what is to be done now, if there is anything. What is gathered
// goes along with a commit.
func (j *Journal[W]) Next(now time.Time) (Job[W], bool) {
	if j.busy {
		return Job[W]{}, false
	}
	if len(j.queue) == 0 {
		if len(j.dirty) == 0 || now.Before(j.due) {
			return Job[W]{}, false
		}
		j.queue = append(j.queue, Job[W]{})
	}
	if now.Before(j.again) {
		return Job[W]{}, false
	}
	j.busy, j.again = true, time.Time{}
	q := j.queue[0]
	if q.Kind == Commit {
		j.takeDirty(&q.Work)
		q.Commit = join(q.Commit, j.taken)
	}
	return q, true
}

// takeDirty takes what goes along with a commit: what is gathered and fits; what
// the commit is about itself waits for the next one.
func (j *Journal[W]) takeDirty(q *Work) {
	var left []Change
	room := persistence.MaxCommitItems - len(q.Commit.Put) - len(q.Commit.Delete)
	for _, c := range j.dirty {
		if q.Covers(c.Key) || len(j.taken) >= room {
			left = append(left, c)
		} else {
			j.taken = append(j.taken, c)
		}
	}
	if j.dirty = left; len(left) == 0 {
		j.due = time.Time{}
	}
}

// Ended says how the job of Next went. It returns the job if it is over, with
// the records of a Load: as the store has them, and what is owed over that.
func (j *Journal[W]) Ended(now time.Time, d Done) (q Job[W], records []persistence.Record, over bool) {
	q, taken := j.queue[0], j.taken
	j.busy, j.taken = false, nil
	for _, c := range d.Left {
		j.owe(now, c)
	}
	if d.Err != nil {
		for _, c := range taken {
			j.owe(now, c)
		}
		// A store that does not answer has not said that there is nothing: who waits
		// for records waits on.
		if q.Urgency == Must || q.Kind == Load && errors.As(d.Err, new(*persistence.UnreachableError)) {
			j.again = now.Add(Retry)
			return q, nil, false
		}
		for _, c := range q.owed() {
			j.owe(now, c)
		}
	}
	if j.queue = j.queue[1:]; len(j.queue) == 0 {
		j.queue = nil
	}
	if q.Kind == Load {
		records = j.over(q.Account, d.Records)
	}
	return q, records, true
}

// owe gathers again what was refused, unless something newer is known of it.
func (j *Journal[W]) owe(now time.Time, c Change) {
	newer := j.dirtyAt(c.Key) >= 0
	for i := 1; i < len(j.queue) && !newer; i++ {
		q := &j.queue[i]
		if newer = q.Covers(c.Key); newer && q.Urgency == Once {
			q.void = append(q.void, c) // it may come to nothing; what it has is newer
		}
	}
	if !newer {
		j.gather(c, now.Add(Retry))
	}
	if j.due.Before(now.Add(Retry)) {
		j.due = now.Add(Retry)
	}
}

// over lays what is gathered over what the store has of an account: who begins
// with what was read begins with what was decided, written or not.
func (j *Journal[W]) over(id persistence.AccountID, records []persistence.Record) []persistence.Record {
	for _, c := range j.dirty {
		if c.Key.Account != id {
			continue
		}
		records = slices.DeleteFunc(records, func(r persistence.Record) bool { return r.Key == c.Key })
		if c.Put != nil {
			records = append(records, *c.Put)
		}
	}
	return records
}

// Deadline is when Next may have something that it has not now, zero for not
// before the next input.
func (j *Journal[W]) Deadline() time.Time {
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

// Rest returns what has not been done when the account stops, in order, as a
// function to be called where waiting is allowed; nil for nothing. Each job is
// tried once and told is called for who waited; what is owed is left with the
// disk for the next journal of the account. The job under way, whose outcome
// nobody will hear, is done again if it was refused.
func (j *Journal[W]) Rest() func(t Turn, told func(W, error)) {
	all, busy := slices.Clone(j.queue), j.busy
	if busy {
		all[0].Commit = join(all[0].Commit, j.taken)
		if all[0].Urgency == Once { // what went along is owed all the same
			all[0].void = append(slices.Clip(all[0].void), j.taken...)
		}
	}
	if len(j.dirty) > 0 {
		all = append(all, Job[W]{Work: Work{Commit: join(persistence.Commit{}, j.dirty)}})
	}
	j.queue, j.dirty, j.taken, j.busy = nil, nil, nil, false
	if len(all) == 0 {
		return nil
	}
	return func(t Turn, told func(W, error)) {
		works := make([]Work, len(all))
		for i := range all {
			works[i] = all[i].Work
		}
		t.leave(works, busy, func(i int, err error) { told(all[i].For, err) })
	}
}
