package persistence

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Cluster is a Store that several nodes write at once, each the accounts it owns.
// A node has a lease, which the store ends by its own clock; an account has one
// owner, which is a node and its epoch. What is sent to the server with the keys
// of an account cannot be fenced, so time is: a node is silent a margin before its
// lease ends, and its accounts are free a grace after that.
//
// The shared ids belong to every node that has joined: of two commits of one
// record the later wins, and Commit.Absent is for what must have one writer.
// Commit itself refuses what concerns an account that the owner does not own, were it
// by Commit.Absent alone. An account without any record has no owner: it is that of
// the node which commits its first one, and is forgotten with its last one. Who commits
// the first has to say so, by a key of the account in Commit.Absent: else it is
// refused, as what a node writes late that does not know yet that the account was
// removed.
//
// Claim still makes one owner of all, for a program that works on the store while
// no node runs: it is refused with *NodesRunError while a lease lasts. It is until the
// Store is closed, or joins itself, and meanwhile nobody else claims or joins: that is
// a *ClaimedError, for the keys of all accounts may be in use. A store of a process
// that died is closed. A store that was moved, or is half a copy, refuses both with
// *MovedError.
//
// Methods may be called from any goroutine, and block until the store has
// answered or ctx ends. Beside the errors named, they return ErrClosed,
// *UnreachableError when the store does not answer, and its own.
type Cluster interface {
	Store

	// Join makes the node one of the store's, with a lease of the given term, and
	// an epoch that no node had before. A name whose lease has not ended, with
	// the grace, is refused with *NodeTakenError, even to who had it: the process
	// that holds it may still be running. It owns nothing yet.
	Join(ctx context.Context, n NodeInfo) (Owner, error)

	// Renew makes the owner's lease last for a term from when the store saw it:
	// the caller counts from before it asked. One that has ended is renewed too,
	// unless its name was taken since, or it ended NodeKept ago and was forgotten;
	// what was taken of its accounts, Owned tells. *StaleOwnerError says that the owner is none any more and must be
	// silent at once.
	Renew(ctx context.Context, o Owner) error

	// Depart says that the node is about to leave: Nodes tells, until it joins again,
	// so that others take what it releases.
	Depart(ctx context.Context, o Owner) error

	// CutOff says whether the node reaches no DC: Nodes tells, until it says otherwise
	// or joins again, so that others give it nothing.
	CutOff(ctx context.Context, o Owner, cut bool) error

	// Leave ends the owner's lease and frees all its accounts, at once: the owner
	// is silent already.
	Leave(ctx context.Context, o Owner) error

	// Take makes the owner that of those accounts which are free, and returns
	// them: what another was quicker to take, and what is not there, is left out.
	Take(ctx context.Context, o Owner, ids []AccountID) ([]AccountID, error)

	// Release frees those of the accounts that are the owner's, at once: it sends
	// nothing under their keys any more.
	Release(ctx context.Context, o Owner, ids []AccountID) error

	// Free returns what Take would give now, the longest free first, most at most:
	// accounts that were released, those of nodes whose lease ended a grace ago,
	// and those without an owner.
	Free(ctx context.Context, most int) ([]FreeAccount, error)

	// Owned returns the accounts of an owner, sorted.
	Owned(ctx context.Context, o Owner) ([]AccountID, error)

	// OwnerOf returns who owns the account, the zero Owner for nobody: its lease
	// may have ended.
	OwnerOf(ctx context.Context, id AccountID) (Owner, error)

	// Nodes returns the nodes that have a lease, and those whose lease ended that own
	// an account yet; sorted by name. How many accounts each owns it says only where
	// counted is set: that looks at every account.
	Nodes(ctx context.Context, counted bool) ([]Node, error)

	// Wish says what an operator wants of a node. It lasts when the node joins
	// again. There need be no such node yet.
	Wish(ctx context.Context, node string, w Wish) error

	// Nudge has the Hints of every node have a value, as a change has.
	Nudge(ctx context.Context) error

	// Hints has a value, soon, after an account became free or a node changed, by
	// whoever. One may be missing, or come for nothing: they make things quicker,
	// and nothing depends on them. It is closed by Close.
	Hints() <-chan struct{}
}

// MissesBeginning reports whether the commit writes records of an account without
// saying that it begins it: what a Cluster refuses where the account has none.
func (c Commit) MissesBeginning(id AccountID) bool {
	return slices.ContainsFunc(c.Put, func(r Record) bool { return r.Account == id }) &&
		!slices.ContainsFunc(c.Absent, func(k Key) bool { return k.Account == id })
}

// NodeInfo is what a node says of itself when it joins.
type NodeInfo struct {
	Name     string // see CheckNode
	Address  string // where the other nodes reach its API; empty: nowhere
	Capacity int    // its weight among the nodes, 1 to 1,000,000; the accounts it wants to have when all have the same measure
	Version  string // of the program, for people
	// Term is how long its lease lasts from each renewal: MinTerm to MaxTerm. Grace
	// is how long after its end nobody may have its accounts.
	Term, Grace time.Duration
}

// Limits of a node's lease. A shorter one is lost to a pause of the garbage
// collector or of a disk; with a longer one accounts stand still for minutes
// when a machine dies.
const (
	MinTerm = time.Second
	MaxTerm = 10 * time.Minute
	// MaxGrace is as much as would double the longest absence.
	MaxGrace    = MaxTerm
	MaxCapacity = 1_000_000
)

// NodeKept is how long after its lease a node is remembered that owns nothing and of
// which nobody wishes anything: when another joins, it is forgotten. Names of
// containers come once.
const NodeKept = 24 * time.Hour

// Check tells whether a node may join so. The error is an *InvalidError.
func (n NodeInfo) Check() error {
	if err := CheckNode(n.Name); err != nil {
		return err
	}
	switch {
	case n.Capacity < 1 || n.Capacity > MaxCapacity:
		return &InvalidError{Reason: fmt.Sprintf("a node has a capacity of 1 to %d, not %d", MaxCapacity, n.Capacity)}
	case n.Term < MinTerm || n.Term > MaxTerm:
		return &InvalidError{Reason: fmt.Sprintf("a lease lasts %v to %v, not %v", MinTerm, MaxTerm, n.Term)}
	case n.Grace < 0 || n.Grace > MaxGrace:
		return &InvalidError{Reason: fmt.Sprintf("the grace after a lease is 0 to %v, not %v", MaxGrace, n.Grace)}
	case len(n.Address) > 256 || len(n.Version) > 256:
		return &InvalidError{Reason: "a node's address and version have 256 bytes at most"}
	}
	return nil
}

// Wish is what an operator wants of a node.
type Wish uint8

// The wishes. Their numbers are stored.
const (
	// WishServe: it takes its share of the accounts.
	WishServe Wish = 0
	// WishCordon: it keeps what it has and takes nothing.
	WishCordon Wish = 1
	// WishDrain: it gives away what it has and takes nothing.
	WishDrain Wish = 2
)

// String returns the wish as commands spell it.
func (w Wish) String() string {
	switch w {
	case WishServe:
		return "serve"
	case WishCordon:
		return "cordon"
	case WishDrain:
		return "drain"
	}
	return fmt.Sprintf("wish %d", uint8(w))
}

// Node is one node of a cluster as the store knows it.
type Node struct {
	NodeInfo
	Epoch    uint64
	Wish     Wish
	Departs  bool          // it said so
	CutOff   bool          // it said that it reaches no DC
	Joined   time.Time     // by the store's clock
	Left     time.Duration // of its lease, by the store's clock; negative: since when it is over
	Accounts int           // it owns, where they were counted
}

// Owner is the node as commits name it.
func (n Node) Owner() Owner { return Owner{Node: n.Name, Epoch: n.Epoch} }

// Live reports whether the node's lease lasts.
func (n Node) Live() bool { return n.Left > 0 }

// FreeAccount is an account that nobody owns.
type FreeAccount struct {
	ID  AccountID
	For time.Duration // how long it has been free, by the store's clock
}

// NodeTakenError says that a node of that name has a lease. It may be the process
// that was here before and died: then the lease ends by itself.
type NodeTakenError struct {
	Name    string
	Address string        // of the one that has it
	Left    time.Duration // until the name can be had, if it is not renewed
}

// Error says what to do.
func (e *NodeTakenError) Error() string {
	return fmt.Sprintf("persistence: a node named %q has a lease for another %v: if that is a process that was killed, wait for the end of it; if it runs, give this node another name",
		e.Name, e.Left.Round(100*time.Millisecond))
}

// NodesRunError refuses to claim the whole store while nodes run.
type NodesRunError struct{ Nodes []string }

// Error names the nodes.
func (e *NodesRunError) Error() string {
	return fmt.Sprintf("persistence: the store is in use by the nodes %q: have one of them do it, on its machine, or stop them first", e.Nodes)
}

// ClaimedError refuses to claim the whole store, or to join it, while somebody has
// claimed it.
type ClaimedError struct {
	Place string // where the store is; empty where that is not known
	By    string // who it is, for people; empty where that is not known
}

// Error says what to do.
func (e *ClaimedError) Error() string {
	place, by := "the store", "another program"
	if e.Place != "" {
		place += " in " + e.Place
	}
	if e.By != "" {
		by = e.By
	}
	return fmt.Sprintf("persistence: %s is in use by %s: wait until that has ended, or end it", place, by)
}

// UnreachableError says that the store did not answer, and that what was asked of
// it was not done, or not for sure.
type UnreachableError struct{ Err error }

// Error gives the cause.
func (e *UnreachableError) Error() string {
	return fmt.Sprintf("persistence: the store does not answer: %v", e.Err)
}

// Unwrap returns the cause.
func (e *UnreachableError) Unwrap() error { return e.Err }

// PresentError says that a record is there which a commit must be the first to
// write. Nothing was changed.
type PresentError struct{ Key Key }

// Error names the record.
func (e *PresentError) Error() string {
	return fmt.Sprintf("persistence: %v: the record is there already", e.Key)
}
