package actors

import (
	"slices"
	"sync"
)

// callBytesMost bounds the queries of one account under way, in bytes: 128 file
// parts of 512 KiB, or 64 KiB for each of 1,024 calls. They are held while a DC
// is down and a rotation lasts, and again until the server has answered. A query
// is 1 MB at most, so that one always fits.
const callBytesMost = 64 << 20

// admission lets calls in while there are not too many of them, nor too large
// ones; the others come in their order. Every place below that holds calls is
// bounded by it, for each account: its mailbox, what waits for a route, what
// waits for the socket and for an answer.
type admission struct {
	mu        sync.Mutex // guards the following fields
	callsMost int
	bytesMost int
	calls     int
	bytes     int
	waiting   []*turn
}

// turn is a place among those who wait.
type turn struct {
	n    int
	come chan struct{} // closed when the call is let in
}

func newAdmission(calls int) *admission {
	return &admission{callsMost: calls, bytesMost: callBytesMost}
}

// try lets a call of n bytes in, or reports that it would have to wait.
func (a *admission) try(n int) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.waiting) == 0 && a.enter(n)
}

// enter is try without the order. The caller has the lock.
func (a *admission) enter(n int) bool {
	if a.calls >= a.callsMost || a.bytes+n > a.bytesMost && a.calls > 0 {
		return false
	}
	a.calls++
	a.bytes += n
	return true
}

// queue lets a call in, or gives it a turn to wait for.
func (a *admission) queue(n int) (t *turn) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.waiting) == 0 && a.enter(n) {
		return nil
	}
	t = &turn{n, make(chan struct{})}
	a.waiting = append(a.waiting, t)
	return t
}

// giveUp ends a wait. A turn that has come meanwhile is passed on.
func (a *admission) giveUp(t *turn) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if i := slices.Index(a.waiting, t); i >= 0 {
		a.waiting = slices.Delete(a.waiting, i, i+1)
		a.next() // it may have been in the way of smaller ones
		return
	}
	a.leave(t.n)
}

// release says that a call of n bytes has ended.
func (a *admission) release(n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.leave(n)
}

func (a *admission) leave(n int) {
	a.calls--
	a.bytes -= n
	a.next()
}

// next lets in who is first, for as long as there is room.
func (a *admission) next() {
	for len(a.waiting) > 0 && a.enter(a.waiting[0].n) {
		close(a.waiting[0].come)
		a.waiting = slices.Delete(a.waiting, 0, 1)
	}
	if len(a.waiting) == 0 {
		a.waiting = nil
	}
}

// busy says what is in the way of a call.
func (a *admission) busy() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.calls >= a.callsMost {
		return &BusyError{Limit: a.callsMost}
	}
	return &BusyError{Limit: a.calls, Bytes: a.bytesMost}
}
