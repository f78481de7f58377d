package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"filippo.io/age"

	"github.com/mtfleet/mtfleet/persistence"
)

// Reader reads a backup.
type Reader struct {
	in     *reader
	report Report
}

// Open decrypts a backup as far as its header. The error is a *DamagedError, an
// *IdentityError or a *VersionError.
func Open(from io.Reader, identities []age.Identity) (*Reader, error) {
	plain, err := age.Decrypt(from, identities...)
	if errors.As(err, new(*age.NoIdentityMatchError)) {
		return nil, &IdentityError{err}
	}
	if err != nil {
		return nil, damaged(err, "it is no file of age's, or its beginning is damaged")
	}
	return open(plain)
}

// open reads what age has decrypted.
func open(plain io.Reader) (*Reader, error) {
	in, err := newReader(plain)
	if err != nil {
		return nil, err
	}
	r := &Reader{in: in}
	r.report.Header, err = readHeader(in)
	return r, err
}

// Report says what the backup is of, and what was read of it so far.
func (r *Reader) Report() Report { return r.report }

// Each calls f with every record, in order. Only when it returns without an error
// is it known that these were all, as they were written: who stores them drops them
// otherwise. It blocks until everything is read, or ctx ends. The error is a
// *DamagedError, f's own, or that of ctx.
func (r *Reader) Each(ctx context.Context, f func(persistence.Record) error) error {
	var n persistence.Tally
	last := ""
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		kind, b, before, err := r.in.next()
		if err != nil {
			return err
		}
		switch kind {
		case frameRecord:
			rec, err := decodeRecord(b)
			if err != nil {
				return err
			}
			at := order(rec.Key)
			if at <= last {
				return damaged(nil, "its records are not in order")
			}
			last = at
			n.Add(rec.Key)
			r.report.Holds = n
			if err := f(rec); err != nil {
				return err
			}
		case frameUnreadable:
			var l Lost
			if err := json.Unmarshal(b, &l); err != nil || !printable(string(l.Account), l.Record, l.Why) {
				return damaged(nil, "the name of a record that it lacks cannot be read")
			}
			r.report.Lost = append(r.report.Lost, l)
		case frameEnd:
			if err := r.report.check(b, before); err != nil {
				return err
			}
			return r.in.atEnd()
		default:
			return damaged(nil, fmt.Sprintf("a part of it is of the unknown kind %d", kind))
		}
	}
}

func readHeader(in *reader) (h Header, err error) {
	kind, b, _, err := in.next()
	if err != nil {
		return h, err
	}
	if kind != frameHeader || json.Unmarshal(b, &h) != nil || h.Format < 1 || !printable(h.Program, h.Store) || !printable(h.LeftOut...) {
		return h, damaged(nil, "its header cannot be read")
	}
	if h.Format > format {
		return h, &VersionError{Format: h.Format, Known: format, Program: h.Program}
	}
	return h, nil
}

// printable tells whether texts can be shown: anybody who knows a recipient can
// write a backup, and none may move a terminal's cursor.
func printable(texts ...string) bool {
	return !slices.ContainsFunc(texts, func(s string) bool {
		return strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c > '~' })
	})
}

// check compares what was read with what the end says.
func (r *Report) check(b []byte, before string) error {
	var e end
	if err := json.Unmarshal(b, &e); err != nil {
		return damaged(nil, "its end cannot be read")
	}
	if should := (persistence.Tally{Accounts: e.Accounts, PermKeys: e.PermKeys, Records: e.Records}); should != r.Holds || e.Lost != len(r.Lost) {
		return damaged(nil, fmt.Sprintf("it should hold %v, and %v were read", should, r.Holds))
	}
	if e.SHA256 != before {
		return damaged(nil, "its digest is not the one at its end")
	}
	return nil
}
