package badgerstore

import (
	"fmt"

	"github.com/mtfleet/mtfleet/persistence"
)

// evidence is what is known of a store before Badger opens it.
type evidence struct {
	slots headSlots
	// What Badger's files hold.
	damage    error // the first thing in them that cannot be read
	stored    head  // their head
	hasStored bool
	storedErr error // the head is there and cannot be read
	found     sums
	hasCheck  bool // the record that checks the master key is there
	broken    int  // records whose seal does not open
	tables    int  // table files in the directory, named by the manifest or not
	empty     bool // no file of Badger's with anything in it
	// The copy's end; a copy without one counts as none.
	copied  copyTail
	hasCopy bool
}

// verdict is what a store is taken for.
type verdict int

const (
	// isNew: there is no store yet, or it was not finished making.
	isNew verdict = iota
	// isOlder: a store of a program that knew no heads. It is believed as it is,
	// once, and gets its head.
	isOlder
	// isWhole: it holds what it should.
	isWhole
	// isHeadless: it holds what Badger's own head says, and the HEAD file is
	// gone, unreadable or behind. It is written anew.
	isHeadless
	// isDamaged: it holds less, or other things, than it should.
	isDamaged
)

// finding is a verdict with what the operator is told.
type finding struct {
	verdict
	why    string // of a damage, or of what was mended; one clause
	should head   // of a damage: what it should be, if that is known
}

// judge compares what the store holds with what it should hold.
func (e evidence) judge() finding {
	top, hasTop := e.slots.top()
	should := top
	if !hasTop && e.hasCopy {
		should = head{id: e.copied.id, commit: e.copied.commit, after: e.copied.sums}
	}
	damaged := func(format string, args ...any) finding {
		return finding{verdict: isDamaged, why: fmt.Sprintf(format, args...), should: should}
	}
	known := hasTop || e.hasCopy || e.slots.exists
	switch {
	case e.empty && !known:
		return finding{verdict: isNew}
	case e.damage != nil:
		return damaged("%v", e.damage)
	case e.storedErr != nil:
		return damaged("the record of what it holds cannot be read")
	case !e.hasStored && (hasTop || e.hasCopy):
		return damaged("the record of what it holds is missing")
	case !e.hasStored:
		return e.judgeOlder(damaged)
	case hasTop && top.id != e.stored.id:
		return damaged("its files and its HEAD are of two stores")
	case e.hasCopy && e.copied.id == e.stored.id && e.copied.commit > e.stored.commit:
		if e.copied.commit > should.commit {
			should = head{id: e.copied.id, commit: e.copied.commit, after: e.copied.sums}
		}
		return damaged("its latest commits are missing")
	case e.found != e.stored.after && !(e.broken > 0 && e.found.sameNames(e.stored.after)):
		should = e.stored
		return damaged("records are missing, or are older than they were")
	case !hasTop && e.slots.exists:
		return finding{verdict: isHeadless, why: "its HEAD could not be read"}
	case !hasTop:
		return finding{verdict: isHeadless, why: "its HEAD was missing"}
	}
	return e.judgeOrder(top, damaged)
}

// judgeOrder compares the two heads; the records are what Badger's head says.
func (e evidence) judgeOrder(top head, damaged func(string, ...any) finding) finding {
	b := e.stored
	switch {
	case b.commit == top.commit && b.after == top.after:
		if e.slots.bad > 0 {
			return finding{verdict: isHeadless, why: "a half of its HEAD could not be read"}
		}
		return finding{verdict: isWhole}
	case top.state == headIntent && b.commit+1 == top.commit && b.after == top.before:
		return finding{verdict: isWhole} // the commit under way is not there, and nobody was answered
	case b.commit == top.commit+1 && b.before == top.after:
		if e.slots.bad > 0 {
			return finding{verdict: isHeadless, why: "a half of its HEAD could not be read"}
		}
		return finding{verdict: isWhole} // it is there, and the power went before the HEAD's sync
	case b.commit > top.commit:
		return finding{verdict: isHeadless, why: "its HEAD was older than the store"}
	case b.commit < top.commit:
		return damaged("its latest commits are missing")
	}
	return damaged("its latest commit is another than the one that was answered")
}

// judgeOlder is for files without any head.
func (e evidence) judgeOlder(damaged func(string, ...any) finding) finding {
	switch {
	case e.hasCheck:
		return finding{verdict: isOlder}
	case e.found.records > 0:
		return damaged("it has records but no check record")
	case e.tables > 0:
		return damaged("its tables hold no check record")
	case e.slots.exists:
		return damaged("its HEAD cannot be read and there is nothing else")
	}
	return finding{verdict: isNew}
}

// describe makes the error of a damage; c is the sealed copy.
func (f finding) describe(dir string, e evidence, c sealedCopy) *persistence.DamagedError {
	d := &persistence.DamagedError{Dir: dir, Why: f.why, Commit: f.should.commit, Should: f.should.after.tally()}
	d.FoundCommit, d.Found = e.stored.commit, e.found.tally()
	d.CopyCommit, d.Copy = c.tail.commit, c.tally()
	return d
}
