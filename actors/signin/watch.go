package signin

import "github.com/mtfleet/mtfleet/mtproto/login"

// A Watch is told how one sign-in goes, for metrics and traces. It must not block.
type Watch interface {
	// Asked: a step waits for a human, again when the server refused what was
	// answered to it.
	Asked(kind login.StepKind, again bool)
	// Ended says how it ended, nothing after that.
	Ended(how End, err error)
}

// End is how a sign-in ended.
type End uint8

const (
	// SignedIn: there is an authorization.
	SignedIn End = iota
	// Failed: there is none; the error says why.
	Failed
	// Canceled: there is none, as somebody wanted.
	Canceled
	// Left: this process goes on with it no more, a later one may.
	Left
)

// unwatched is where nobody is told.
type unwatched struct{}

func (unwatched) Asked(login.StepKind, bool) {}
func (unwatched) Ended(End, error)           {}

// watch has somebody told of the sign-in under way.
func (s *SignIn) watch() Watch {
	if s.env.Began == nil {
		return unwatched{}
	}
	return s.env.Began(s.id, s.attempt.Flow())
}

// watchEnded tells how it ended: err is why it was given up, if it was.
func (a *attempt) watchEnded(err error) {
	auth, _, failed := a.Outcome()
	switch {
	case failed != nil && a.Canceled():
		a.watch.Ended(Canceled, failed)
	case failed != nil:
		a.watch.Ended(Failed, failed)
	case auth != nil && err == nil:
		a.watch.Ended(SignedIn, nil)
	default:
		a.watch.Ended(Left, err)
	}
}
