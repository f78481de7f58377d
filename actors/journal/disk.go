package journal

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/mtfleet/mtfleet/persistence"
)

// Done is how one piece of work went.
type Done struct {
	Records []persistence.Record // of a Load; beside an error those that can be read
	// Left is what an earlier journal of the account could not write; it is told
	// once, by the first Load.
	Left []Change
	Err  error
}

// A Disk is the store as one account uses it. Its turns keep what a stopping account
// leaves behind before what its successor asks for, or who gives the account away;
// whoever calls it may wait for a commit, so no actor does, but for Turn.
type Disk struct {
	turns turns // guard the following fields, and the order of commits
	store persistence.Store
	owner persistence.Owner
	wait  func(<-chan struct{}) // until it is closed
	bad   bool                  // the last work was refused
	left  []Change              // by leave, one for each key

	dropped atomic.Bool             // see Disks.Drop
	rider   atomic.Pointer[carried] // nil for none; who carries one does not wait for a commit
}

type carried struct{ Rider }

// Disks are the disks of all accounts of a store, each made when it is first
// asked for: the actors of an account that follow each other share one. It is
// safe for concurrent use.
type Disks struct {
	store persistence.Store
	owner persistence.Owner
	wait  func(<-chan struct{})
	all   sync.Map // persistence.AccountID -> *Disk
}

// NewDisks returns the disks of a store; each commit carries the owner. wait waits
// until a channel is closed, as a simulation has it; nil for just that.
func NewDisks(store persistence.Store, owner persistence.Owner, wait func(<-chan struct{})) *Disks {
	if wait == nil {
		wait = func(done <-chan struct{}) { <-done }
	}
	return &Disks{store: store, owner: owner, wait: wait}
}

// Of returns the disk of an account.
func (d *Disks) Of(id persistence.AccountID) *Disk {
	if disk, there := d.all.Load(id); there {
		return disk.(*Disk)
	}
	disk, _ := d.all.LoadOrStore(id, &Disk{store: d.store, owner: d.owner, wait: d.wait})
	return disk.(*Disk)
}

// A Rider is what goes along with commits that are made anyway, and is worth none
// of its own but the last, when the account stops. Its record is no other's. Its
// methods do not block, and are called one at a time.
type Rider interface {
	// Loaded is told what was read of the account, with the error of that.
	Loaded(records []persistence.Record, err error)
	// Ride returns the record to write, if there is anything new. Rode follows, with
	// how that went.
	Ride() (persistence.Record, bool)
	Rode(err error)
}

// Carry has a rider go along with the account's commits, until the account is
// removed. It does not block.
func (d *Disk) Carry(r Rider) { d.rider.Store(&carried{r}) }

// Forget forgets an account that was removed.
func (d *Disks) Forget(id persistence.AccountID) { d.all.Delete(id) }

// Drop forgets an account that another owner has taken: what it has to write here, or
// owes, is nobody's any more, whatever becomes of the account later.
func (d *Disks) Drop(id persistence.AccountID) {
	if disk, there := d.all.LoadAndDelete(id); there {
		disk.(*Disk).dropped.Store(true)
	}
}

// ErrDropped refuses what an account had to write that was taken by another owner.
var ErrDropped = errors.New("journal: the account is another owner's")

// turns is a lock that is given in the order in which it was asked for. To ask does
// not block.
type turns struct {
	mu   sync.Mutex
	last chan struct{} // closed when who asked last is done; nil: nobody did
}

// A Turn is a place in the order of what is done with a disk. It has to be used.
type Turn struct {
	disk         *Disk
	before, done chan struct{}
}

// Turn returns the next place. What takes a later one comes after it, however late it
// is begun. It does not block.
func (d *Disk) Turn() Turn {
	d.turns.mu.Lock()
	defer d.turns.mu.Unlock()
	t := Turn{d, d.turns.last, make(chan struct{})}
	d.turns.last = t.done
	return t
}

// begin waits until it is this turn.
func (t Turn) begin() {
	if t.before != nil {
		t.disk.wait(t.before)
	}
}

func (t Turn) end() { close(t.done) }

// Do does one piece of work, in the next turn. It blocks.
func (d *Disk) Do(w Work) Done { return d.Turn().Do(w) }

// Do does one piece of work. It blocks.
func (t Turn) Do(w Work) Done {
	t.begin()
	defer t.end()
	d := t.disk
	done := d.do(&w)
	if w.Kind == Load && !w.Shared() {
		done.Left, d.left = d.left, nil
	}
	return done
}

func (d *Disk) do(w *Work) (done Done) {
	defer func() {
		// What is written since is newer than what was left.
		if d.bad = done.Err != nil; !d.bad && d.left != nil {
			d.left = slices.DeleteFunc(d.left, func(c Change) bool { return w.Covers(c.Key) })
		}
	}()
	switch w.Kind {
	case Commit:
		return Done{Err: d.commit(w.Commit)}
	case Load:
		records, err := d.store.Load(w.Account)
		if rider := d.rider.Load(); rider != nil && !w.Shared() {
			rider.Loaded(records, err)
		}
		return Done{Records: records, Err: err}
	}
	records, err := d.store.Load(w.Account)
	bad := persistence.BadKeys(err)
	if err != nil && len(bad) == 0 {
		return Done{Err: err} // not about a record: the store itself
	}
	if w.Kind == Restore {
		c, refused := restoreKey(w, records)
		if refused != nil {
			return Done{Err: refused}
		}
		return Done{Err: d.commit(c)}
	}
	if w.Kind == Retire {
		return Done{Err: d.commit(retireKeys(w.Account, w.DC, w.At, records))}
	}
	gone := without(erasedKeys(w.All, records, bad), w.Commit.Put)
	if w.All {
		rider := d.rider.Swap(nil)
		defer func() {
			if done.Err != nil {
				d.rider.CompareAndSwap(nil, rider) // it was not removed
			}
		}()
	}
	return Done{Err: d.commit(persistence.Commit{Put: w.Commit.Put, Delete: gone})}
}

func (d *Disk) commit(c persistence.Commit) error {
	if len(c.Put)+len(c.Delete) == 0 {
		return nil
	}
	if d.dropped.Load() {
		return ErrDropped
	}
	c.Owner = d.owner
	if rider, rec := d.ride(len(c.Put) + len(c.Delete)); rider != nil {
		c.Put = append(slices.Clip(c.Put), rec)
		err := d.store.Commit(c)
		rider.Rode(err)
		return err
	}
	return d.store.Commit(c)
}

// ride returns who goes along with a commit of so many items, and with what; nil for
// nobody.
func (d *Disk) ride(items int) (Rider, persistence.Record) {
	if rider := d.rider.Load(); rider != nil && items < persistence.MaxCommitItems {
		if rec, rides := rider.Ride(); rides {
			return rider, rec
		}
	}
	return nil, persistence.Record{}
}

// alight writes what the rider has to say, for no commit will come.
func (d *Disk) alight() {
	if d.dropped.Load() {
		return
	}
	if rider, rec := d.ride(0); rider != nil {
		rider.Rode(d.store.Commit(persistence.Commit{Owner: d.owner, Put: []persistence.Record{rec}}))
	}
}

// Settle writes what an account that stopped could not: it is not owed any more then.
// It blocks. With an error it is.
func (d *Disk) Settle() error {
	t := d.Turn()
	t.begin()
	defer t.end()
	if len(d.left) == 0 {
		return nil
	}
	err := d.commit(join(persistence.Commit{}, d.left))
	if d.bad = err != nil; !d.bad {
		d.left = nil
	}
	return err
}

// Leave is for an account that stops and has nothing else to write. It blocks.
func (t Turn) Leave() { t.leave(nil, false, nil) }

// leave does what a stopping account has not done, and writes what the rider has. Each piece is tried once, and
// told is called with its place in rest and how it went; what was refused and is
// owed is kept for the next Load. The first of rest was under way if busy is
// set: it is done again if it was refused. It blocks.
func (t Turn) leave(rest []Work, busy bool, told func(i int, err error)) {
	t.begin()
	defer t.end()
	d := t.disk
	for i := range rest {
		w := &rest[i]
		if i == 0 && busy && !d.bad || w.Kind == Load { // who asked for records has stopped too
			continue
		}
		err := d.do(w).Err
		if err != nil {
			for _, c := range w.owed() {
				d.left = append(slices.DeleteFunc(d.left, func(o Change) bool { return o.Key == c.Key }), c)
			}
		}
		told(i, err)
	}
	d.alight()
}
