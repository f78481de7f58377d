package runtime

import (
	"context"
	"slices"
)

// A Reply takes the answer to one question put to an actor by ordinary Go
// code. The first answer counts; Send never blocks. The zero Reply discards.
type Reply[R any] struct{ ch chan answer[R] }

type answer[R any] struct {
	value R
	err   error
}

// Send answers the question.
func (r Reply[R]) Send(value R, err error) {
	select {
	case r.ch <- answer[R]{value, err}:
	default: // answered already, or nobody asked
	}
}

// over reports whether the answer is there, or who asked has left.
func (r Reply[R]) over() bool { return len(r.ch) > 0 }

// Replies are questions that an actor keeps until it knows more. The zero value
// is none.
type Replies[R any] struct{ all []Reply[R] }

// Add keeps a question, and forgets those of askers who have left.
func (q *Replies[R]) Add(r Reply[R]) { q.all = append(slices.DeleteFunc(q.all, Reply[R].over), r) }

// Send answers all of them.
func (q *Replies[R]) Send(value R, err error) {
	for _, r := range q.all {
		r.Send(value, err)
	}
	q.all = nil
}

// Numbered are questions that an actor keeps until each is answered, by the number
// it got. The zero value is none.
type Numbered[N ~uint64, R any] struct {
	last N
	all  []numbered[N, R] // the oldest first
}

type numbered[N ~uint64, R any] struct {
	number N
	reply  Reply[R]
}

// Add keeps a question and returns its number, from 1.
func (q *Numbered[N, R]) Add(r Reply[R]) N {
	q.last++
	q.all = append(q.all, numbered[N, R]{q.last, r})
	return q.last
}

// Send answers one, unless it was.
func (q *Numbered[N, R]) Send(number N, value R, err error) {
	if i := slices.IndexFunc(q.all, func(n numbered[N, R]) bool { return n.number == number }); i >= 0 {
		q.all[i].reply.Send(value, err)
		q.all = slices.Delete(q.all, i, i+1)
	}
}

// SendAll answers all of them.
func (q *Numbered[N, R]) SendAll(value R, err error) {
	for _, n := range q.all {
		n.reply.Send(value, err)
	}
	q.all = nil
}

// Ask sends the message that question makes and waits for its answer, for ctx,
// or for the end of the actor ([ErrStopped]: it may or may not have acted). An
// actor must not call it: it would wait. Under a [Sim] it waits in virtual
// time, see there; the error may then be [ErrCrashed] or [ErrStuck] too.
func Ask[M, R any](ctx context.Context, to Ref[M], question func(Reply[R]) M) (R, error) {
	return AskUntil(ctx, to, nil, question)
}

// AskUntil is Ask that also ends, with [ErrStopped], when end is closed: for an
// actor that may never answer.
func AskUntil[M, R any](ctx context.Context, to Ref[M], end <-chan struct{}, question func(Reply[R]) M) (R, error) {
	var none R
	if to.IsZero() {
		return none, ErrStopped
	}
	r := Reply[R]{make(chan answer[R], 1)}
	to.Send(question(r))
	if to.c.sys.opts.Sim != nil {
		return simAsk(ctx, &to.c.core, end, r)
	}
	select {
	case a := <-r.ch:
		return a.value, a.err
	case <-to.Done():
	case <-end:
	case <-ctx.Done():
		r.Send(none, ctx.Err())
		return none, ctx.Err()
	}
	select {
	case a := <-r.ch:
		return a.value, a.err
	default:
		return none, ErrStopped
	}
}

// simAsk waits for the answer by the steps of the actor's simulation.
func simAsk[R any](ctx context.Context, to *core, end <-chan struct{}, r Reply[R]) (R, error) {
	var none R
	over := func() bool {
		select {
		case <-end:
			return true
		default:
			return to.ended()
		}
	}
	ok := to.sys.opts.Sim.Wait(func() bool { return len(r.ch) > 0 || ctx.Err() != nil || over() })
	switch {
	case len(r.ch) > 0:
		a := <-r.ch
		return a.value, a.err
	case to.sys.crashed:
		return none, ErrCrashed
	case !ok:
		return none, ErrStuck
	case over():
		return none, ErrStopped
	}
	r.Send(none, ctx.Err())
	return none, ctx.Err()
}
