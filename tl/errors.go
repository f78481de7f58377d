package tl

import (
	"errors"
	"fmt"
)

// Causes of a ParseError. Test for them with errors.Is.
var (
	// ErrShort means that the input ended inside a value.
	ErrShort = errors.New("input ends inside a value")
	// ErrPadding means that the zero bytes that round a string up to four are cut off, or, for a Reader told
	// to care, not zero.
	ErrPadding = errors.New("string padding is missing or not zero")
	// ErrConstructor means that a boxed value starts with the id of a constructor that may not stand there.
	// The error around it is a *ConstructorError or an *UnknownConstructorError.
	ErrConstructor = errors.New("unexpected constructor")
	// ErrLength means a length or a count that no input of this size can justify: negative, larger than what
	// is left, or the length byte 0xFF, which TL does not define.
	ErrLength = errors.New("impossible length")
	// ErrDepth means that values are nested deeper than MaxDepth.
	ErrDepth = errors.New("values nested too deep")
	// ErrTrailing means that bytes are left where the value should have ended.
	ErrTrailing = errors.New("bytes left after the value")
)

// ParseError says which value could not be read, where, and why.
type ParseError struct {
	// Type is the TL name of the innermost generated type being read, or "" outside of any.
	Type string
	// Offset is the position in the reader's input, in bytes, at which reading stopped.
	Offset int
	// Err is the cause: one of the Err variables of this package, or an error around one of them.
	Err error
}

// Error implements error. It never quotes the input, which may hold secrets.
func (e *ParseError) Error() string {
	if e.Type == "" {
		return fmt.Sprintf("tl: byte %d: %v", e.Offset, e.Err)
	}
	return fmt.Sprintf("tl: %s: byte %d: %v", e.Type, e.Offset, e.Err)
}

// Unwrap gives the cause.
func (e *ParseError) Unwrap() error { return e.Err }

// ConstructorError is a boxed value with the id of a constructor that does not belong there.
type ConstructorError struct {
	// Got is the id found.
	Got uint32
	// Want is the TL name of the constructor or type expected.
	Want string
}

// Error implements error.
func (e *ConstructorError) Error() string {
	return fmt.Sprintf("constructor %08x where %s is expected", e.Got, e.Want)
}

// Is makes errors.Is(err, ErrConstructor) true.
func (e *ConstructorError) Is(target error) bool { return target == ErrConstructor }

// UnknownConstructorError is a constructor id that the schema table does not hold: the peer speaks a newer
// layer, or nonsense. Where the value ends is unknowable.
type UnknownConstructorError struct {
	// ID is the id found.
	ID uint32
}

// Error implements error.
func (e *UnknownConstructorError) Error() string {
	return fmt.Sprintf("constructor %08x is not in the schema", e.ID)
}

// Is makes errors.Is(err, ErrConstructor) true.
func (e *UnknownConstructorError) Is(target error) bool { return target == ErrConstructor }

// LimitError is a value that TL cannot express. Append helpers panic with it; Marshal returns it.
type LimitError struct {
	// What is "string" or "vector".
	What string
	// Len is its length, Max the largest TL can carry: bytes of a string, elements of a vector.
	Len, Max int
}

// Error implements error.
func (e *LimitError) Error() string {
	return fmt.Sprintf("tl: a %s of length %d cannot be sent, the limit is %d", e.What, e.Len, e.Max)
}

// MissingError is a required field without a value. Append methods panic with it; Marshal returns it.
type MissingError struct {
	// Type and Field are the TL names of the value and of its empty field.
	Type, Field string
}

// Error implements error.
func (e *MissingError) Error() string {
	return fmt.Sprintf("tl: %s: required field %s is not set", e.Type, e.Field)
}
