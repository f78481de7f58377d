package storetest

import (
	"errors"
	"sync"

	"github.com/mtfleet/mtfleet/persistence"
)

// ErrInjected is what a Failing store's commits fail with by default.
var ErrInjected = errors.New("storetest: the disk failed, as asked")

// Failing is a store whose commits fail when the test says so. The other methods
// are the inner store's.
type Failing struct {
	persistence.Store

	mu   sync.Mutex
	n    int
	fail func(n int, c persistence.Commit) error // guarded by mu
}

// NewFailing wraps a store. fail is asked before each commit, which is the n-th,
// counted from 1; an error is returned to the caller and nothing is written. A
// nil fail lets everything through. Calls of fail do not overlap.
func NewFailing(inner persistence.Store, fail func(n int, c persistence.Commit) error) *Failing {
	return &Failing{Store: inner, fail: fail}
}

// FailNth is a fail function: the n-th commit fails with ErrInjected.
func FailNth(n int) func(int, persistence.Commit) error {
	return func(i int, _ persistence.Commit) error {
		if i == n {
			return ErrInjected
		}
		return nil
	}
}

// FailFrom is a fail function: the n-th commit and all later ones fail.
func FailFrom(n int) func(int, persistence.Commit) error {
	return func(i int, _ persistence.Commit) error {
		if i >= n {
			return ErrInjected
		}
		return nil
	}
}

// SetFail replaces the fail function; nil heals the store.
func (f *Failing) SetFail(fail func(n int, c persistence.Commit) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail = fail
}

// Commits returns how many commits were tried.
func (f *Failing) Commits() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.n
}

// Commit implements persistence.Store.
func (f *Failing) Commit(c persistence.Commit) error {
	f.mu.Lock()
	f.n++
	var err error
	if f.fail != nil {
		err = f.fail(f.n, c)
	}
	f.mu.Unlock()
	if err != nil {
		return err
	}
	return f.Store.Commit(c)
}

// ErrCrashed is what a Crashing store answers once its process is dead. A real
// process would not see it; tests use it to stop what runs above the store.
var ErrCrashed = errors.New("storetest: the process has crashed")

// Crashing is a store in memory whose process can die. A commit that returned is
// durable; the commit at which it dies may have reached the disk or not, and its
// caller never learns which.
type Crashing struct {
	mu      sync.Mutex
	disk    *persistence.Memory
	n       int
	at      int  // die at this commit; 0 for never
	durable bool // whether that commit reaches the disk
	dead    bool
}

// NewCrashing returns an empty store.
func NewCrashing() *Crashing { return &Crashing{disk: persistence.NewMemory()} }

// CrashAt makes the n-th commit from now, counted from 1, the one at which the
// process dies. durable says whether that commit is on the disk afterwards.
func (c *Crashing) CrashAt(n int, durable bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at, c.durable = c.n+n, durable
}

// Crash lets the process die now, between commits.
func (c *Crashing) Crash() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dead = true
}

// Crashed tells whether the process has died.
func (c *Crashing) Crashed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dead
}

// Restart returns the store that the next process finds. The old one is dead.
func (c *Crashing) Restart() *Crashing {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dead = true
	return &Crashing{disk: c.disk.Reopen()}
}

func (c *Crashing) alive() (*persistence.Memory, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead {
		return nil, ErrCrashed
	}
	return c.disk, nil
}

// Commit implements persistence.Store.
func (c *Crashing) Commit(commit persistence.Commit) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead {
		return ErrCrashed
	}
	if c.n++; c.n != c.at {
		return c.disk.Commit(commit)
	}
	c.dead = true
	if c.durable {
		_ = c.disk.Commit(commit) // nobody is left to hear of it
	}
	return ErrCrashed
}

// Accounts implements persistence.Store.
func (c *Crashing) Accounts() ([]persistence.AccountID, error) {
	disk, err := c.alive()
	if err != nil {
		return nil, err
	}
	return disk.Accounts()
}

// Load implements persistence.Store.
func (c *Crashing) Load(id persistence.AccountID) ([]persistence.Record, error) {
	disk, err := c.alive()
	if err != nil {
		return nil, err
	}
	return disk.Load(id)
}

// Claim implements persistence.Store.
func (c *Crashing) Claim(node string) (persistence.Owner, error) {
	disk, err := c.alive()
	if err != nil {
		return persistence.Owner{}, err
	}
	return disk.Claim(node)
}

// Close implements persistence.Store.
func (c *Crashing) Close() error {
	disk, err := c.alive()
	if err != nil {
		return nil // the dead hold nothing
	}
	return disk.Close()
}
