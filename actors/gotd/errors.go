package gotd

import (
	"errors"
	"fmt"
	"math"
	"time"

	gotderr "github.com/gotd/td/tgerr"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
)

// Error is an error of a call as both libraries know it: its text is
// mtfleet's, and in its tree are mtfleet's error and a *tgerr.Error of gotd's, so that
// tgerr.Is, tgerr.AsFloodWait, auth.IsUnauthorized and tg.IsXxx find what they
// look for.
//
//	what ended the call                            gotd's error
//	the server's refusal                           its code and text
//	a wait that the server ordered before          420 FLOOD_WAIT_n, n the seconds that are left, rounded up
//	nobody is signed in any more, or not yet       401 AUTH_KEY_UNREGISTERED
//	the account's key was used from two places     406 AUTH_KEY_DUPLICATED
//
// Whatever else ends a call (a context, a paused account, a closed manager) is
// mtfleet's error alone, and errors.Is says with actors.ErrNotSent or
// actors.ErrMayHaveRun whether the server may have executed the call.
type Error struct {
	Gotd *gotderr.Error
	Err  error
}

// Error is mtfleet's text. The server's is not in it where it is no name, for
// it may hold a challenge.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns both.
func (e *Error) Unwrap() []error { return []error{e.Gotd, e.Err} }

// mapped adds to an error of actors what gotd would have said.
func mapped(err error) error {
	var wait *actors.WaitError
	var state *actors.StateError
	if errors.As(err, &wait) {
		if said, ok := tgerr.As(wait.Err); ok {
			return &Error{gotderr.New(said.Code, said.Message), err}
		}
		return &Error{gotderr.New(420, fmt.Sprintf("%s_%d", gotderr.ErrFloodWait, secondsUntil(wait.Until))), err}
	}
	// What was not sent was not answered: the server's words in such an error are
	// about something else, why a guest DC cannot be used for example.
	server, answered := tgerr.As(err)
	switch {
	case answered && !errors.Is(err, actors.ErrNotSent):
		return &Error{gotderr.New(server.Code, server.Message), err}
	case errors.As(err, &state):
		switch state.State {
		case actors.New, actors.SigningIn, actors.SigningOut, actors.SignedOut, actors.Revoked:
			return &Error{gotderr.New(401, "AUTH_KEY_UNREGISTERED"), err}
		case actors.Duplicated:
			return &Error{gotderr.New(406, "AUTH_KEY_DUPLICATED"), err}
		}
	}
	return err
}

// secondsUntil rounds up, and a wait is never over: who sleeps so long does not
// come too early.
func secondsUntil(t time.Time) int {
	s := math.Ceil(time.Until(t).Seconds())
	return int(min(max(s, 1), math.MaxInt32))
}
