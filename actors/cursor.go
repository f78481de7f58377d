package actors

import (
	"fmt"
	"strconv"
	"strings"
)

// A Cursor is the place of an event in the journal of a Manager. Cursors of one
// Run are in order by N; those of two runs say nothing of each other. The zero
// Cursor is before everything.
type Cursor struct {
	// Run is the epoch at which the Manager claimed its store: another one for
	// each Manager of a store.
	Run uint64
	// N numbers the events of all accounts from 1.
	N uint64
}

// IsZero reports whether c is the zero Cursor.
func (c Cursor) IsZero() bool { return c == Cursor{} }

// String returns "RUN-N".
func (c Cursor) String() string {
	return strconv.FormatUint(c.Run, 10) + "-" + strconv.FormatUint(c.N, 10)
}

// MarshalText writes what String returns.
func (c Cursor) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads what String writes; "" and "0" are the zero Cursor.
func (c *Cursor) UnmarshalText(b []byte) error {
	s := string(b)
	if s == "" || s == "0" {
		*c = Cursor{}
		return nil
	}
	run, n, ok := strings.Cut(s, "-")
	var got Cursor
	var errRun, errN error
	got.Run, errRun = strconv.ParseUint(run, 10, 64)
	got.N, errN = strconv.ParseUint(n, 10, 64)
	if !ok || errRun != nil || errN != nil || got.String() != s {
		return fmt.Errorf("%q is no cursor: take one from an event, as 7-1234", s)
	}
	*c = got
	return nil
}
