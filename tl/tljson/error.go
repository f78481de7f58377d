package tljson

import (
	"fmt"
	"strconv"
	"strings"
)

// Error says what of a JSON text is not a value of the schema, and where.
type Error struct {
	// Path leads to the place, "peer.user_id" or "users[3].id"; it is empty for the value as a whole and where the
	// text is no JSON.
	Path string
	// Offset is the position in the text, in bytes, where the trouble was noticed.
	Offset int
	// Problem says what is wrong, in words that hold no value: "missing".
	Problem string
}

// Error implements error.
func (e *Error) Error() string {
	if e.Path == "" {
		return fmt.Sprintf("byte %d: %s", e.Offset, e.Problem)
	}
	return e.Path + ": " + e.Problem
}

// within says that the trouble is inside the field with a name.
func (e *Error) within(name string) *Error {
	switch {
	case e.Path == "":
		e.Path = name
	case e.Path[0] == '[':
		e.Path = name + e.Path
	default:
		e.Path = name + "." + e.Path
	}
	return e
}

// element says that the trouble is inside the n-th element of an array.
func (e *Error) element(n int) *Error { return e.within("[" + strconv.Itoa(n) + "]") }

// UnknownMethodError is a name that is not a function of the schema.
type UnknownMethodError struct {
	// Method is the name, cut to 64 bytes.
	Method string
	// Nearest are the methods whose names are most like it, best first; often there is none.
	Nearest []string
}

// Error implements error.
func (e *UnknownMethodError) Error() string {
	text := "there is no method " + strconv.Quote(e.Method)
	if len(e.Nearest) > 0 {
		text += "; did you mean " + strings.Join(e.Nearest, " or ") + "?"
	}
	return text
}

// maxQuote is how much of a name that somebody made up goes into an error.
const maxQuote = 64

// quotable cuts a name for an error.
func quotable(name string) string {
	return strings.ToValidUTF8(name[:min(len(name), maxQuote)], "\ufffd")
}
