package runtime

import "context"

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

// Ask sends the message that question makes and waits for its answer, for ctx,
// or for the end of the actor ([ErrStopped]: it may or may not have acted). An
// actor must not call it: it would wait.
func Ask[M, R any](ctx context.Context, to Ref[M], question func(Reply[R]) M) (R, error) {
	var none R
	if to.IsZero() {
		return none, ErrStopped
	}
	r := Reply[R]{make(chan answer[R], 1)}
	to.Send(question(r))
	select {
	case a := <-r.ch:
		return a.value, a.err
	case <-to.Done():
		select {
		case a := <-r.ch:
			return a.value, a.err
		default:
			return none, ErrStopped
		}
	case <-ctx.Done():
		return none, ctx.Err()
	}
}
