package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
)

// consumer is the name of the durable consumer.
const consumer = "kill"

// updates are what was pushed to the residents, and what the durable consumer was told.
type updates struct {
	mu   sync.Mutex
	sent map[int64][]int32        // by user
	told map[int64]map[int32]bool // by user
}

// consume reads as the durable consumer until ctx ends, in one stream after the
// other, and acknowledges a few times a second.
func (w *world) consume(ctx context.Context) {
	users := map[string]int64{}
	for _, p := range w.people {
		users[p.name] = p.user
	}
	filter := &actors.Filter{Kinds: []actors.EventKind{actors.EventUpdate}}
	for ctx.Err() == nil {
		s, err := w.service(ctx)
		if err != nil {
			return
		}
		events, err := control.Consume.Call(ctx, s, control.ConsumeRequest{Name: consumer, Filter: filter, Raw: true})
		if err != nil {
			_ = sleep(ctx, 20*time.Millisecond)
			continue
		}
		acked := time.Now()
		for ev, err := range events {
			if err != nil {
				break
			}
			if ev.Kind == actors.EventUpdate && ev.Box.Kind == actors.BoxCommon && ev.Pts != 0 {
				w.updates.tell(users[ev.Account], ev.Pts)
			}
			if time.Since(acked) > 200*time.Millisecond && !ev.Cursor.IsZero() {
				_, _ = control.Ack.Call(ctx, s, control.AckRequest{Name: consumer, Cursor: ev.Cursor})
				acked = time.Now()
			}
		}
	}
}

func (u *updates) tell(user int64, pts int32) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.told == nil {
		u.told = map[int64]map[int32]bool{}
	}
	if u.told[user] == nil {
		u.told[user] = map[int32]bool{}
	}
	u.told[user][pts] = true
}

// missing counts what was sent and not told.
func (u *updates) missing() (n int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for user, list := range u.sent {
		for _, pts := range list {
			if !u.told[user][pts] {
				n++
			}
		}
	}
	return n
}

// delivered is what was told, as the ledger judges it.
func (u *updates) delivered() (list []dctest.Delivered) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for user := range u.sent {
		d := dctest.Delivered{UserID: user}
		for pts := range u.told[user] {
			d.Pts = append(d.Pts, pts)
		}
		list = append(list, d)
	}
	return list
}

// pushTo has an update pushed to a resident.
func (w *world) pushTo(p *person) error {
	pts, err := w.cluster.PushUpdate(p.user)
	if err != nil {
		return err
	}
	w.updates.mu.Lock()
	defer w.updates.mu.Unlock()
	if w.updates.sent == nil {
		w.updates.sent = map[int64][]int32{}
	}
	w.updates.sent[p.user] = append(w.updates.sent[p.user], pts)
	return nil
}

// push has updates pushed until ctx ends.
func (w *world) push(ctx context.Context, r *rand.Rand) {
	for sleep(ctx, time.Duration(r.IntN(60))*time.Millisecond) == nil {
		if p := w.people[r.IntN(len(w.people))]; p.resident {
			_ = w.pushTo(p)
		}
	}
}

// greet has an update pushed to each resident before anything goes wrong, and waits
// until all were told and are on disk: updates have a beginning then.
func (w *world) greet(ctx context.Context) error {
	if err := sleep(ctx, time.Second); err != nil {
		return err
	}
	if n := w.pushAll(ctx); n > 0 {
		return fmt.Errorf("%d first updates were not told", n)
	}
	return sleep(ctx, 2*time.Second)
}

// farewell has a last one pushed to each, for a server never tells that a push was
// lost until it sends another, and waits for the rest.
func (w *world) farewell(ctx context.Context) { w.pushAll(ctx) }

// pushAll has one pushed to each resident, and returns how many were not told in time.
func (w *world) pushAll(ctx context.Context) (missing int) {
	for _, p := range w.people {
		if p.resident {
			_ = w.pushTo(p)
		}
	}
	for begun := time.Now(); ; {
		missing = w.updates.missing()
		if missing == 0 || time.Since(begun) > time.Minute || sleep(ctx, 50*time.Millisecond) != nil {
			return missing
		}
	}
}
