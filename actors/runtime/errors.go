package runtime

import (
	"errors"
	"fmt"
	"reflect"
	"runtime/debug"
	"strings"
)

// ErrStopped is returned by [Ask] when the actor stopped without answering.
var ErrStopped = errors.New("runtime: actor stopped")

// ErrClosed is the reason of an actor that could not start because its parent
// or the whole system was already stopping.
var ErrClosed = errors.New("runtime: parent is stopping")

// ErrCrashed is returned by what waited for a system under a [Sim] that
// crashed.
var ErrCrashed = errors.New("runtime: the simulated system crashed")

// ErrStuck is returned by what waits for something that cannot come: under a
// [Sim] nothing is left to do.
var ErrStuck = errors.New("runtime: the simulation has nothing left to do")

// A PanicError is a panic in a method of an actor or in work it gave to a
// pool. It names what panicked and keeps the stack, and of the panic value
// only what cannot hold a secret.
type PanicError struct {
	Actor  string // Go type of the actor
	During string // "Started", "Receive", "Stopping", "ChildStopped", "Undelivered" or "work"
	Value  string // type of the panic value; the text too if it is one of Go's own run-time errors
	Stack  []byte // stack of the goroutine that panicked
}

// Error names the actor, the method and the kind of panic, without the stack.
func (e *PanicError) Error() string {
	return fmt.Sprintf("runtime: panic in %s of %s: %s", e.During, e.Actor, e.Value)
}

func newPanicError(actor, during string, value any) *PanicError {
	return &PanicError{Actor: actor, During: during, Value: describePanic(value), Stack: debug.Stack()}
}

// describePanic keeps a panic value's type, and its text only for errors made
// by Go's run-time (index out of range, nil dereference): those name numbers
// and types, never contents.
func describePanic(v any) string {
	if v == nil {
		return "runtime.Goexit"
	}
	t := reflect.TypeOf(v)
	elem := t
	if elem.Kind() == reflect.Pointer {
		elem = elem.Elem()
	}
	if err, ok := v.(error); ok && (elem.PkgPath() == "runtime" || strings.HasPrefix(elem.PkgPath(), "internal/runtime")) {
		return t.String() + ": " + err.Error()
	}
	return t.String()
}
