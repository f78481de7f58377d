package main

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
)

// collector keeps what the managers' event streams brought: which updates, for
// which user. The user is known from the directory, not from the manager.
type collector struct {
	users map[string]int64 // account -> user

	mu       sync.Mutex // guards the following fields
	pts      map[int64][]int32
	seen     map[int64]map[int32]bool
	repeated int
	missed   uint64
	news     chan struct{} // closed and replaced with every update
}

func newCollector(people []person) *collector {
	c := &collector{
		users: map[string]int64{}, pts: map[int64][]int32{}, seen: map[int64]map[int32]bool{}, news: make(chan struct{}),
	}
	for _, p := range people {
		c.users[p.account] = p.userID
		c.seen[p.userID] = map[int32]bool{}
	}
	return c
}

func (c *collector) add(ev control.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch ev.Kind {
	case actors.EventMissed:
		c.missed += ev.Missed
	case actors.EventUpdate:
		user, ok := c.users[ev.Account]
		if !ok || ev.Box.Kind != actors.BoxCommon || ev.Pts == 0 {
			return
		}
		if c.seen[user][ev.Pts] {
			c.repeated++
		}
		c.seen[user][ev.Pts] = true
		c.pts[user] = append(c.pts[user], ev.Pts)
		close(c.news)
		c.news = make(chan struct{})
	}
}

// delivered is everything so far, in the ledger's terms.
func (c *collector) delivered() (list []dctest.Delivered, repeated int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, user := range c.users {
		list = append(list, dctest.Delivered{UserID: user, Pts: slices.Clone(c.pts[user])})
	}
	return list, c.repeated
}

// has counts how many of the wanted updates came.
func (c *collector) has(wanted []pushed) (n int, news <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range wanted {
		if c.seen[w.userID][w.pts] {
			n++
		}
	}
	return n, c.news
}

// pushed is one update that the test DC has logged.
type pushed struct {
	userID int64
	pts    int32
}

// wait waits until all wanted updates came, at most for the time an account has.
// What is missing then is for the ledger to judge.
func (c *collector) wait(ctx context.Context, wanted []pushed, progress func(n int)) {
	ctx, cancel := context.WithTimeout(ctx, updatesTimeout)
	defer cancel()
	for {
		n, news := c.has(wanted)
		progress(n)
		if n == len(wanted) {
			return
		}
		// Counting is not free: many updates are one piece of news.
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return
		}
		select {
		case <-news:
		case <-ctx.Done():
			return
		}
	}
}

// push makes the test DC log and push n updates to each user.
func (d *demo) push(n int) ([]pushed, error) {
	var list []pushed
	for range n {
		for _, p := range d.people {
			pts, err := d.cluster.PushUpdate(p.userID)
			if err != nil {
				return nil, err
			}
			list = append(list, pushed{p.userID, pts})
		}
	}
	return list, nil
}
