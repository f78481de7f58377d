package actors

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mtfleet/mtfleet/actors/account"
)

// rooms are the names by which packages sign their errors. They tell a
// developer where a text comes from, and an operator nothing.
var rooms = []string{
	"actors: ", "account: ", "binding: ", "dcconn: ", "governor: ", "wire: ", "runtime: ", "control: ", "config: ",
	"persistence: ", "mtproto: ", "standing: ", "login: ", "guest: ", "updates: ", "pfs: ", "handshake: ", "crypt: ",
	"transport: ", "tgerr: ", "dc: ", "tl: ",
}

// Words is what an error says, for people: one line, without the names of the
// packages it came through. It is empty for nil.
func Words(err error) string {
	if err == nil {
		return ""
	}
	return Plain(err.Error())
}

// Plain does with a text what Words does with an error's.
func Plain(text string) string {
	if text == "" {
		return "" // as of most accounts, which are listed by the ten thousand
	}
	var parts []string
	for line := range strings.SplitSeq(text, "\n") {
		if line = plainLine(line); line != "" && !slices.Contains(parts, line) {
			parts = append(parts, line)
		}
	}
	return strings.Join(parts, "; ")
}

func plainLine(s string) string {
	s = strings.TrimSpace(s)
	for again := true; again; {
		again = false
		for _, room := range rooms {
			if rest, ok := strings.CutPrefix(s, room); ok {
				s, again = rest, true
			}
			s = strings.ReplaceAll(s, ": "+room, ": ")
		}
	}
	return s
}

// localError is an error of this process, not of the server: one line for
// people, and in its tree everything a program may ask for.
type localError struct {
	text string
	tree []error
}

func (e *localError) Error() string   { return e.text }
func (e *localError) Unwrap() []error { return e.tree }

// notSent ends a call that the server did not execute.
func notSent(cause error) error {
	return &localError{with(cause, "not sent"), []error{cause, ErrNotSent}}
}

// mayHaveRun ends a call that the server may have executed.
func mayHaveRun(cause error) error {
	return &localError{with(cause, "it may have run"), []error{cause, ErrMayHaveRun}}
}

// ended puts the end of a call, as the account tells it, on one line. The
// server's own error stays as it is.
func ended(err error) error {
	if err == nil {
		return nil
	}
	return endedBy(err)
}

// endedBy is apart from ended so that a call that is answered allocates nothing.
func endedBy(err error) error {
	err = own(err)
	var fate interface{ NotSent() bool }
	var ran *account.RanError
	switch {
	case errors.As(err, &ran):
		return &localError{with(ran.Err, "it may have run"), []error{ran, ErrMayHaveRun}}
	case !errors.Is(err, ErrNotSent) && errors.As(err, &fate) && fate.NotSent():
		return notSent(err) // by its nature: an account that waits, or is paused
	case errors.Is(err, ErrNotSent):
		return &localError{with(err, "not sent"), []error{err}}
	case errors.Is(err, ErrMayHaveRun):
		return &localError{with(err, "it may have run"), []error{err}}
	}
	return err
}

// with is "the cause; what became of the call".
func with(cause error, fate string) string {
	var state *StateError
	var lines []string
	if errors.As(own(cause), &state) {
		lines = append(lines, "the account "+stands(state))
	} else {
		for line := range strings.SplitSeq(cause.Error(), "\n") {
			if line != ErrNotSent.Error() && line != ErrMayHaveRun.Error() {
				lines = append(lines, line)
			}
		}
	}
	return Plain(strings.Join(append(lines, fate), "\n"))
}

// stands says where an account stands: "is paused (by its owner)".
func stands(e *StateError) string {
	if e.Why == "" {
		return fmt.Sprintf("is %s", e.State)
	}
	return fmt.Sprintf("is %s (%s)", e.State, Plain(e.Why))
}

// failed says which account a wish failed for.
func (a *Account) failed(err error) error {
	err = own(err)
	var state *StateError
	text := "account " + string(a.id)
	switch {
	case errors.As(err, &state) && errors.Is(err, ErrStopped):
		text += " stopped: it " + stands(state)
	case errors.As(err, &state):
		text += " " + stands(state)
	default:
		text += ": " + Words(err)
	}
	return &localError{text, []error{err}}
}

// oneLine joins errors as errors.Join does, on one line; nil when there are
// none.
func oneLine(errs []error) error {
	switch len(errs) {
	case 0:
		return nil
	case 1:
		return errs[0]
	}
	return &localError{Words(errors.Join(errs...)), errs}
}
