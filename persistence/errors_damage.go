package persistence

import (
	"fmt"
	"strconv"
)

// Tally is what a store holds, by number.
type Tally struct {
	Accounts int // account records
	PermKeys int // perm keys, revoked ones too
	Records  int // all records
}

// Add counts the record of a key.
func (t *Tally) Add(k Key) {
	t.Records++
	switch k.Kind {
	case KindAccount:
		t.Accounts++
	case KindPermKey:
		t.PermKeys++
	}
}

// String says it in words: "20 accounts, 23 perm keys and 91 records in all".
func (t Tally) String() string {
	return fmt.Sprintf("%s, %s and %s in all", plural(t.Accounts, "account"), plural(t.PermKeys, "perm key"), plural(t.Records, "record"))
}

func plural(n int, word string) string {
	if n != 1 {
		word += "s"
	}
	return strconv.Itoa(n) + " " + word
}

// DamagedError says that a store does not hold what it held when it was last
// written, or that its files cannot be read. Nothing was changed.
type DamagedError struct {
	Dir string
	Why string // what is wrong, in one clause
	// Commit is the number of the commit that the store should be at, and Should
	// what it held then; zero when that is not known.
	Commit uint64
	Should Tally
	// FoundCommit and Found are what can be read.
	FoundCommit uint64
	Found       Tally
	// Copy is what can be had from the sealed copy beside the store, which is of
	// commit CopyCommit; zero when there is none.
	CopyCommit uint64
	Copy       Tally
}

// Error names the damage, what is there and should be there, and what to do.
func (e *DamagedError) Error() string {
	s := fmt.Sprintf("persistence: the store in %s is damaged: %s", e.Dir, e.Why)
	if e.Commit != 0 {
		s += fmt.Sprintf("; it should be at commit %d with %v, and at commit %d %v can be read", e.Commit, e.Should, e.FoundCommit, e.Found)
	}
	if e.CopyCommit != 0 {
		s += fmt.Sprintf("; its sealed copy of commit %d has %s and %s", e.CopyCommit, plural(e.Copy.Accounts, "account"), plural(e.Copy.PermKeys, "perm key"))
	}
	return s + ": nothing was changed; run `manager store salvage`, which keeps the damaged files and says what it could save"
}

// CopiedError says that a store lies in another directory than the one it was
// used in: it is a copy, or it was moved or restored. Two processes that use the
// same perm keys get them revoked, so it is not opened before somebody said that
// there is no other.
type CopiedError struct {
	Dir string
	ID  string // the store's id
}

// Error says what to do.
func (e *CopiedError) Error() string {
	return fmt.Sprintf("persistence: the store in %s (id %s) is a copy, or was moved or restored: two managers with the same keys lose their accounts, so nothing was started; if no other one uses it, run `manager store adopt`", e.Dir, e.ID)
}

// ExistsError says that a store cannot be restored where there is one, or anything
// else.
type ExistsError struct{ Dir string }

// Error says what to do.
func (e *ExistsError) Error() string {
	return fmt.Sprintf("persistence: there is %s already: nothing was restored; move it away, or name another data directory", e.Dir)
}
