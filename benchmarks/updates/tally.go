package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
)

// box names a sequence of messages: an account's private chat or a channel of it.
type box struct {
	account string
	name    string
}

// tally holds what was sent against what the consumer was told. Every message is
// "NAME NUMBER", numbered from 1 in each box.
type tally struct {
	mu    sync.Mutex
	sent  map[box]int
	told  map[box]map[int]int // how often each
	last  map[box]int         // in the present stream
	whole map[box]int         // all up to this number were told

	disorder, again, holes int
}

func newTally() *tally {
	return &tally{sent: map[box]int{}, told: map[box]map[int]int{}, last: map[box]int{}, whole: map[box]int{}}
}

// next is the number of the next message of a box.
func (t *tally) next(b box) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sent[b]++
	return t.sent[b]
}

// unsend takes a message back that the test DC did not take.
func (t *tally) unsend(b box) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sent[b]--
}

// attach begins a stream: it may go back to what was acknowledged.
func (t *tally) attach() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.last)
}

// note takes what the consumer was told.
func (t *tally) note(ev *control.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch ev.Kind {
	case actors.EventHole, actors.EventMissed:
		t.holes++
		return
	case actors.EventUpdate:
	default:
		return
	}
	var u struct{ Message struct{ Message string } }
	var name, number string
	if json.Unmarshal(ev.Update, &u) == nil {
		name, number, _ = strings.Cut(u.Message.Message, " ")
	}
	var n int
	if _, err := fmt.Sscan(number, &n); err != nil || n < 1 {
		return // not one of ours
	}
	b := box{ev.Account, name}
	// An engine that begins anew goes back to what was acknowledged, never past what
	// was told.
	if last := t.last[b]; last > 0 && n > last+1 || last == 0 && n > t.whole[b]+1 {
		t.disorder++
	}
	t.last[b] = n
	if t.told[b] == nil {
		t.told[b] = map[int]int{}
	}
	if t.told[b][n]++; t.told[b][n] > 1 {
		t.again++
	}
	for t.told[b][t.whole[b]+1] > 0 {
		t.whole[b]++
	}
}

// missing counts the messages that were not told.
func (t *tally) missing() (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for b, sent := range t.sent {
		for i := t.whole[b] + 1; i <= sent; i++ {
			if t.told[b][i] == 0 {
				n++
			}
		}
	}
	return n
}

// unknown counts those of which nobody knows that they were sent.
func (t *tally) unknown() (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for b, all := range t.told {
		for i := range all {
			if i > t.sent[b] {
				n++
			}
		}
	}
	return n
}

func (t *tally) total() (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, sent := range t.sent {
		n += sent
	}
	return n
}
