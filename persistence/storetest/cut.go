package storetest

import (
	"context"
	"sync"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
)

// Cut is a node's way to a cluster's store, which the test may cut: then nothing is
// answered, and every method fails when its caller or the store's own patience ends.
type Cut struct {
	persistence.Cluster
	// Patience is how long a commit waits for the store. Zero fails it at once.
	Patience time.Duration

	mu  sync.Mutex
	way Way // guarded by mu
}

// Way is what becomes of a question to the store.
type Way int

// The ways.
const (
	// Whole: it is asked and answers.
	Whole Way = iota
	// Unasked: it is not reached.
	Unasked
	// Unanswered: it does what it is asked, and the answer is lost.
	Unanswered
)

// Set cuts the way, or opens it.
func (c *Cut) Set(w Way) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.way = w
}

// ask does f as the way allows.
func (c *Cut) ask(ctx context.Context, f func() error) error {
	c.mu.Lock()
	way := c.way
	c.mu.Unlock()
	switch way {
	case Whole:
		return f()
	case Unanswered:
		_ = f()
	}
	<-ctx.Done()
	return &persistence.UnreachableError{Err: ctx.Err()}
}

// alone does f without a ctx.
func (c *Cut) alone(f func() error) error {
	ctx, cancel := context.WithTimeout(context.Background(), c.Patience)
	defer cancel()
	return c.ask(ctx, f)
}

// Accounts implements Store.
func (c *Cut) Accounts() (ids []persistence.AccountID, err error) {
	err = c.alone(func() (err error) { ids, err = c.Cluster.Accounts(); return err })
	return ids, err
}

// Load implements Store.
func (c *Cut) Load(id persistence.AccountID) (list []persistence.Record, err error) {
	err = c.alone(func() (err error) { list, err = c.Cluster.Load(id); return err })
	return list, err
}

// Commit implements Store.
func (c *Cut) Commit(commit persistence.Commit) error {
	return c.alone(func() error { return c.Cluster.Commit(commit) })
}

// Join implements Cluster.
func (c *Cut) Join(ctx context.Context, n persistence.NodeInfo) (o persistence.Owner, err error) {
	err = c.ask(ctx, func() (err error) { o, err = c.Cluster.Join(ctx, n); return err })
	return o, err
}

// Renew implements Cluster.
func (c *Cut) Renew(ctx context.Context, o persistence.Owner) error {
	return c.ask(ctx, func() error { return c.Cluster.Renew(ctx, o) })
}

// CutOff implements Cluster.
func (c *Cut) CutOff(ctx context.Context, o persistence.Owner, cut bool) error {
	return c.ask(ctx, func() error { return c.Cluster.CutOff(ctx, o, cut) })
}

// Nudge implements Cluster.
func (c *Cut) Nudge(ctx context.Context) error {
	return c.ask(ctx, func() error { return c.Cluster.Nudge(ctx) })
}

// Depart implements Cluster.
func (c *Cut) Depart(ctx context.Context, o persistence.Owner) error {
	return c.ask(ctx, func() error { return c.Cluster.Depart(ctx, o) })
}

// Leave implements Cluster.
func (c *Cut) Leave(ctx context.Context, o persistence.Owner) error {
	return c.ask(ctx, func() error { return c.Cluster.Leave(ctx, o) })
}

// Take implements Cluster.
func (c *Cut) Take(ctx context.Context, o persistence.Owner, ids []persistence.AccountID) (taken []persistence.AccountID, err error) {
	err = c.ask(ctx, func() (err error) { taken, err = c.Cluster.Take(ctx, o, ids); return err })
	if err != nil {
		taken = nil
	}
	return taken, err
}

// Release implements Cluster.
func (c *Cut) Release(ctx context.Context, o persistence.Owner, ids []persistence.AccountID) error {
	return c.ask(ctx, func() error { return c.Cluster.Release(ctx, o, ids) })
}

// Free implements Cluster.
func (c *Cut) Free(ctx context.Context, most int) (list []persistence.FreeAccount, err error) {
	err = c.ask(ctx, func() (err error) { list, err = c.Cluster.Free(ctx, most); return err })
	return list, err
}

// Owned implements Cluster.
func (c *Cut) Owned(ctx context.Context, o persistence.Owner) (ids []persistence.AccountID, err error) {
	err = c.ask(ctx, func() (err error) { ids, err = c.Cluster.Owned(ctx, o); return err })
	return ids, err
}

// OwnerOf implements Cluster.
func (c *Cut) OwnerOf(ctx context.Context, id persistence.AccountID) (o persistence.Owner, err error) {
	err = c.ask(ctx, func() (err error) { o, err = c.Cluster.OwnerOf(ctx, id); return err })
	return o, err
}

// Nodes implements Cluster.
func (c *Cut) Nodes(ctx context.Context, counted bool) (list []persistence.Node, err error) {
	err = c.ask(ctx, func() (err error) { list, err = c.Cluster.Nodes(ctx, counted); return err })
	return list, err
}

// Wish implements Cluster.
func (c *Cut) Wish(ctx context.Context, node string, w persistence.Wish) error {
	return c.ask(ctx, func() error { return c.Cluster.Wish(ctx, node, w) })
}
