// Package storecopy copies the records of a store that nobody writes into another
// one, and proves that they are there. It knows no kind of store: who may have
// either of them is the caller's business.
package storecopy

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/mtfleet/mtfleet/persistence"
)

var errSeen = errors.New("the moment is known")

// MomentOf returns what a store is now.
func MomentOf(ctx context.Context, s persistence.Snapshotter) (m persistence.Moment, err error) {
	err = s.Snapshot(ctx, func(now persistence.Moment) error {
		m = now
		return errSeen
	}, func(persistence.Record, error) error { return nil })
	if errors.Is(err, errSeen) {
		err = nil
	}
	return m, err
}

// Records returns what calls put for each record of a store. Records that cannot be
// read end it when all were looked at: the error names them, see
// persistence.BadKeys.
func Records(ctx context.Context, s persistence.Snapshotter) func(put func(persistence.Record) error) error {
	return func(put func(persistence.Record) error) error {
		var bad []error
		should, seen := 0, 0
		err := s.Snapshot(ctx, func(m persistence.Moment) error {
			should = m.Holds.Records
			return nil
		}, func(rec persistence.Record, err error) error {
			seen++
			switch {
			case err != nil:
				bad = append(bad, err)
			case len(bad) == 0:
				return put(rec)
			}
			return nil
		})
		if err == nil {
			err = persistence.JoinRecords(bad...)
		}
		if err == nil && seen != should {
			err = &DifferenceError{Why: fmt.Sprintf("the store has %d records and showed %d", should, seen)}
		}
		return err
	}
}

// Ledger knows what was put into a copy: 150 bytes for each record.
type Ledger struct {
	records map[persistence.Key][sha256.Size]byte
}

// Noting has the ledger take note of each record that is put.
func (l *Ledger) Noting(records func(put func(persistence.Record) error) error) func(put func(persistence.Record) error) error {
	l.records = map[persistence.Key][sha256.Size]byte{}
	return func(put func(persistence.Record) error) error {
		return records(func(rec persistence.Record) error {
			l.records[rec.Key] = sum(rec)
			return put(rec)
		})
	}
}

// sum is that of a record's version and data.
func sum(rec persistence.Record) [sha256.Size]byte {
	b := binary.LittleEndian.AppendUint16(make([]byte, 0, 2+len(rec.Data)), rec.Version)
	return sha256.Sum256(append(b, rec.Data...))
}

// Check reads every record of the copy and compares it with what was put. The error
// is a *DifferenceError where it is not that and nothing else.
func (l *Ledger) Check(ctx context.Context, s persistence.Snapshotter) (t persistence.Tally, err error) {
	left := len(l.records)
	err = s.Snapshot(ctx, func(m persistence.Moment) error {
		t = m.Holds
		return nil
	}, func(rec persistence.Record, err error) error {
		if err != nil {
			return err
		}
		switch want, there := l.records[rec.Key]; {
		case !there:
			return &DifferenceError{Key: rec.Key, Why: "the copy has it, and it was not put there"}
		case want != sum(rec):
			return &DifferenceError{Key: rec.Key, Why: "the copy has it otherwise than it was put there"}
		}
		left--
		return nil
	})
	if err == nil && (left != 0 || t.Records != len(l.records)) {
		err = &DifferenceError{Why: fmt.Sprintf("%d records were put into the copy, which has %d; %d are missing", len(l.records), t.Records, left)}
	}
	return t, err
}

// DifferenceError says that a copy is not what was put into it.
type DifferenceError struct {
	Key persistence.Key // zero where it is about no single record
	Why string
}

// Error says what to do.
func (e *DifferenceError) Error() string {
	const do = ": something else wrote there, or the disk is not to be trusted; the store that was copied is as it was"
	if e.Key == (persistence.Key{}) {
		return "persistence: " + e.Why + do
	}
	return fmt.Sprintf("persistence: %v: %s%s", e.Key, e.Why, do)
}
