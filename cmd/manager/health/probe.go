package health

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Limit is how long a check may take. A slow disk under load takes a second for
// what waits there, so less would end managers that are only busy.
const Limit = 5 * time.Second

// Check is a question whose answer says that something works.
type Check struct {
	Name string // what works
	// Ask returns nil when it does. It may return later than its context ends: it is
	// not called again before.
	Ask func(context.Context) error
}

// Answer is what a check came to; Err is nil when all is well.
type Answer struct {
	Name string
	Err  error
}

// LateError says that a check has not answered.
type LateError struct{ For time.Duration }

func (e *LateError) Error() string {
	return fmt.Sprintf("no answer for %v", e.For.Round(100*time.Millisecond))
}

// A Probe asks checks, each at most once at a time.
type Probe struct{ flights []*flight }

// NewProbe makes a probe of the checks.
func NewProbe(checks ...Check) *Probe {
	p := &Probe{}
	for _, c := range checks {
		p.flights = append(p.flights, &flight{Check: c})
	}
	return p
}

// Look asks all checks side by side, and returns what each answered, in their
// order. It blocks for Limit at most, or until ctx ends; a check that has not
// answered by then has a *LateError.
func (p *Probe) Look(ctx context.Context) []Answer {
	ctx, cancel := context.WithTimeout(ctx, Limit)
	defer cancel()
	asked := make([]*asking, len(p.flights))
	for i, f := range p.flights {
		asked[i] = f.join()
	}
	answers := make([]Answer, len(p.flights))
	for i, a := range asked {
		answers[i] = Answer{p.flights[i].Name, a.wait(ctx)}
	}
	return answers
}

// flight is a check and its asking under way.
type flight struct {
	Check
	mu    sync.Mutex // guards under
	under *asking
}

type asking struct {
	since time.Time
	done  chan struct{} // closed when err is there
	err   error
}

// join asks, or waits with who has asked already.
func (f *flight) join() *asking {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.under == nil {
		f.under = &asking{since: time.Now(), done: make(chan struct{})}
		go f.ask(f.under)
	}
	return f.under
}

func (f *flight) ask(a *asking) {
	ctx, cancel := context.WithTimeout(context.Background(), Limit)
	defer cancel()
	a.err = f.Ask(ctx)
	if ctx.Err() != nil && a.err != nil {
		a.err = &LateError{time.Since(a.since)}
	}
	f.mu.Lock()
	f.under = nil
	f.mu.Unlock()
	close(a.done)
}

func (a *asking) wait(ctx context.Context) error {
	select {
	case <-a.done:
		return a.err
	default:
	}
	select {
	case <-a.done:
		return a.err
	case <-ctx.Done():
		return &LateError{time.Since(a.since)}
	}
}
