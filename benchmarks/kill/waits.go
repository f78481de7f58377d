package main

import (
	"context"
	"encoding/json"
	"strconv"
	"sync"
	"time"

	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
)

// waits are the flood waits that the test DCs order: each second call of
// account.updateStatus is answered with one of a few seconds, so that a manager is
// killed within most of them.
type waits struct {
	mu      sync.Mutex
	due     map[int64]time.Time // by user: not before
	told    map[int64]bool      // the caller was told: the manager knows, and has it on disk
	count   map[int64]int
	asking  map[int64]bool // one call of a user at a time: of two, one may be on its way when the other is answered
	ordered int
	early   []earlyCall
}

// earlyCall is a call that came before a wait was over of which the caller had heard.
type earlyCall struct {
	user int64
	by   time.Duration
}

// waitTime is what a call has to wait for.
const waitTime = 4 * time.Second

func (x *waits) serve(c *serve.Cluster) (err error) {
	x.due, x.told, x.count, x.asking = map[int64]time.Time{}, map[int64]bool{}, map[int64]int{}, map[int64]bool{}
	gone := c.API(func(b *api.Backend, _ time.Time) {
		err = b.Register(api.Method{Name: "account.updateStatus", ID: updateStatusID, Answer: x.answer})
	})
	if gone != nil {
		return gone
	}
	return err
}

// answer answers one call.
func (x *waits) answer(c *api.MethodCall) ([]byte, *api.Error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	left := x.due[c.UserID].Sub(c.Now)
	switch {
	case left > 0 && x.told[c.UserID]:
		x.early = append(x.early, earlyCall{c.UserID, left})
	case left > 0:
		// Who gave the order does not know whether it arrived.
	default:
		if x.count[c.UserID]++; x.count[c.UserID]%2 == 1 {
			return boolTrue, nil
		}
		x.ordered++
		left = waitTime
		x.due[c.UserID], x.told[c.UserID] = c.Now.Add(left), false
	}
	return nil, &api.Error{Code: 420, Text: "FLOOD_WAIT_" + strconv.Itoa(int((left+time.Second-1)/time.Second))}
}

// updateStatusID is the constructor id of account.updateStatus.
const updateStatusID = 0x6628562c

// boolTrue is boxed.
var boolTrue = []byte{0xb5, 0x75, 0x72, 0x99}

// ask makes a call that may have to wait.
func (x *waits) ask(ctx context.Context, w *world, p *person) {
	m := w.current()
	if !m.answers() || m.isGone() {
		return
	}
	if !x.turn(p.user, true) {
		return
	}
	defer x.turn(p.user, false)
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	_, err := control.Call.Call(ctx, m.service, control.CallRequest{ID: p.name, Method: "account.updateStatus", Params: json.RawMessage(`{"offline":false}`)})
	if err != nil && control.KindOf(err) == control.KindWait {
		x.mu.Lock()
		x.told[p.user] = true
		x.mu.Unlock()
	}
}

// turn begins or ends a user's asking; ok is false for one who asks already.
func (x *waits) turn(user int64, begins bool) (ok bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if begins && x.asking[user] {
		return false
	}
	x.asking[user] = begins
	return true
}
