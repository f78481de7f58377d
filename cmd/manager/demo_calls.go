package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mtfleet/mtfleet/cmd/manager/control"
)

// caller makes calls through the manager and compares every answer with what was
// sent, byte for byte.
type caller struct {
	d      *demo
	nextID atomic.Int64

	mu       sync.Mutex // guards the following fields
	answered []int64    // ids of calls with the right answer
	failures []string   // of calls without one, with the reason
	repeated int        // calls cut off by the kill and made again

	begin  context.Context    // until it ends, background calls begin
	cancel context.CancelFunc // ends begin
	abort  context.CancelFunc // ends calls under way too
	wg     sync.WaitGroup
}

func newCaller(d *demo) *caller { return &caller{d: d} }

// callTimeout bounds one call, outages included.
const callTimeout = 60 * time.Second

// payload makes the bytes of a call: a few, or some kilobytes.
func payload(id int64) []byte {
	r := rand.New(rand.NewPCG(uint64(id), 1))
	b := make([]byte, r.IntN(256))
	if r.IntN(10) == 0 {
		b = make([]byte, 4096+r.IntN(4096))
	}
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// call makes one call of an account, which the test DC holds back for delay, and
// returns its id. A call that the kill of the manager cut off has no answer, so it is made again under the same id, which
// testdc.echo allows.
func (c *caller) call(ctx context.Context, p person, delay time.Duration) int64 {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	id := c.nextID.Add(1)
	sent := control.EchoRequest{ID: p.account, EchoID: id, DelayMs: int32(delay.Milliseconds()), Payload: payload(id)}
	for {
		service, err := c.d.child.use(ctx)
		var got control.EchoResult
		if err == nil {
			got, err = control.Echo.Call(ctx, service, sent)
		}
		switch {
		case err == nil:
			c.judge(p, sent, got)
			return id
		case control.KindOf(err) == control.KindStopped && ctx.Err() == nil:
			c.again()
			time.Sleep(10 * time.Millisecond) // the kill is not known here yet
		default:
			c.fail(p, fmt.Sprintf("%v", err))
			return id
		}
	}
}

func (c *caller) again() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.repeated++
}

func (c *caller) fail(p person, why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failures = append(c.failures, p.account+": "+why)
}

// judge compares an answer with what must come back.
func (c *caller) judge(p person, sent control.EchoRequest, got control.EchoResult) {
	switch {
	case got.EchoID != sent.EchoID:
		c.fail(p, fmt.Sprintf("call %d got the answer of call %d", sent.EchoID, got.EchoID))
	case !bytes.Equal(got.Payload, sent.Payload):
		c.fail(p, fmt.Sprintf("call %d came back with other bytes", sent.EchoID))
	case got.UserID != p.userID:
		c.fail(p, fmt.Sprintf("call %d ran as user %d instead of %d", sent.EchoID, got.UserID, p.userID))
	case int(got.DC) != p.dc:
		c.fail(p, fmt.Sprintf("call %d ran on DC %d instead of %d", sent.EchoID, got.DC, p.dc))
	default:
		c.mu.Lock()
		defer c.mu.Unlock()
		c.answered = append(c.answered, sent.EchoID)
	}
}

// round makes n calls of every account, many at a time, and returns their ids.
func (c *caller) round(ctx context.Context, n int, done func()) []int64 {
	ids := make([][]int64, len(c.d.people))
	each(len(c.d.people), 64, func(i int) {
		for range n {
			if ctx.Err() != nil {
				return
			}
			ids[i] = append(ids[i], c.call(ctx, c.d.people[i], 0))
		}
		done()
	})
	var all []int64
	for _, list := range ids {
		all = append(all, list...)
	}
	return all
}

// keepCalling makes calls of every account in the background until stop: 300 a
// second in all, or ten a second and account.
func (c *caller) keepCalling(ctx context.Context) {
	const perSecond = 300
	ctx, c.abort = context.WithCancel(ctx)
	c.begin, c.cancel = context.WithCancel(ctx)
	pause := max(time.Duration(len(c.d.people))*time.Second/perSecond, 100*time.Millisecond)
	for _, p := range c.d.people {
		c.wg.Go(func() {
			for wait := rand.N(pause); ; wait = pause {
				select {
				case <-time.After(wait):
				case <-c.begin.Done():
					return
				}
				// The test DC takes its time, so that calls are under way
				// whenever something happens.
				c.call(ctx, p, rand.N(pause))
			}
		})
	}
}

// stop ends the background calls. Those under way are waited for, or, when the
// demonstration is over, given up.
func (c *caller) stop(over bool) {
	if c.cancel == nil {
		return
	}
	c.cancel()
	if over {
		c.abort()
	}
	c.wg.Wait()
}

// totals judges the calls by the ledger: an answer that the test DC never gave is
// a failure.
func (c *caller) totals(executed map[int64]bool) (ok int, failures []string, repeated int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	failures = c.failures
	for _, id := range c.answered {
		if executed[id] {
			ok++
		} else {
			failures = append(failures, fmt.Sprintf("call %d was answered, and the test DC did not execute it", id))
		}
	}
	return ok, failures, c.repeated
}

// each runs f(0) to f(n-1), at most limit at a time.
func each(n, limit int, f func(i int)) {
	var wg sync.WaitGroup
	next := atomic.Int64{}
	for range min(n, limit) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	wg.Wait()
}
