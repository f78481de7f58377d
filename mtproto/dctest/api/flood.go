package api

import (
	"slices"
	"time"
)

// floodScope is what a limit counts: a method and whom it is counted for (a number, an address, an account).
type floodScope struct {
	method string
	whom   string
}

// floods keeps the times of recent calls per scope.
//
// Bound: a scope keeps at most RateLimit.Calls times (24 bytes each) and goes some time after its last call has left the
// period; at maxFloodScopes new scopes have to wait.
type floods struct {
	calls map[floodScope]*floodWindow
}

type floodWindow struct {
	per   time.Duration
	times []time.Time
}

const (
	maxFloodScopes  = 1 << 20
	floodsFullDelay = time.Minute
)

// take counts one call, or says how long to wait until the next is allowed. A refused call is not counted, so the wait
// counts down.
func (f *floods) take(now time.Time, scope floodScope, limit RateLimit) (wait time.Duration) {
	if limit.Calls < 0 {
		return 0
	}
	w := f.calls[scope]
	if w == nil {
		if len(f.calls) >= maxFloodScopes {
			if f.sweep(now); len(f.calls) >= maxFloodScopes {
				return floodsFullDelay
			}
		}
		w = &floodWindow{per: limit.Per}
		if f.calls == nil {
			f.calls = map[floodScope]*floodWindow{}
		}
		f.calls[scope] = w
	}
	w.drop(now)
	if len(w.times) >= limit.Calls {
		return max(time.Second, w.times[0].Add(w.per).Sub(now))
	}
	w.times = append(w.times, now)
	return 0
}

// drop forgets the calls that have left the period.
func (w *floodWindow) drop(now time.Time) {
	i := slices.IndexFunc(w.times, func(t time.Time) bool { return t.Add(w.per).After(now) })
	if i < 0 {
		i = len(w.times)
	}
	w.times = w.times[i:]
}

// sweep removes the scopes without recent calls.
func (f *floods) sweep(now time.Time) {
	for scope, w := range f.calls {
		if w.drop(now); len(w.times) == 0 {
			delete(f.calls, scope)
		}
	}
}

// flood applies a limit to the current call.
func (c *call) flood(limit RateLimit, whom string) *Error {
	if wait := c.b.floods.take(c.req.Now, floodScope{c.m.name, whom}, limit); wait > 0 {
		return errWait(wait)
	}
	return nil
}
