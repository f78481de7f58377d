package storecopy_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/storecopy"
)

func meta(id persistence.AccountID, sub, data string) persistence.Record {
	return persistence.Record{Key: persistence.Key{Account: id, Kind: persistence.KindMeta, Sub: sub}, Version: 1, Data: persistence.Secret(data)}
}

func put(t *testing.T, s persistence.Store, records ...persistence.Record) persistence.Batch {
	t.Helper()
	owner, err := s.Claim("test")
	if err != nil {
		t.Fatal(err)
	}
	b := persistence.Batch{Store: s, Owner: owner}
	for _, rec := range records {
		if err := b.Put(rec); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestACopyIsWhatWasPutIntoItAndNothingElse(t *testing.T) {
	all := []persistence.Record{
		persistence.Account{ID: "alice"}.Record(), meta("alice", "a", "1"), persistence.Account{ID: "bob"}.Record(),
		meta(persistence.FleetID, "f", "2"), meta(persistence.AuditID, "l", ""),
	}
	version2 := meta("alice", "a", "1")
	version2.Version = 2
	for _, c := range []struct {
		name string
		do   persistence.Commit // to the copy, before it is looked at
		why  string
	}{
		{"it is whole", persistence.Commit{}, ""},
		{"a record is missing", persistence.Commit{Delete: []persistence.Key{all[3].Key}}, "5 records were put into the copy, which has 4; 1 are missing"},
		{"a record has other data", persistence.Commit{Put: []persistence.Record{meta("alice", "a", "2")}}, `account "alice", meta "a": the copy has it otherwise`},
		{"a record has another version", persistence.Commit{Put: []persistence.Record{version2}}, `account "alice", meta "a": the copy has it otherwise`},
		{"there is one too many", persistence.Commit{Put: []persistence.Record{meta("carol", "a", "2")}}, `account "carol", meta "a": the copy has it, and it was not put there`},
		{"one is exchanged for another", persistence.Commit{Put: []persistence.Record{meta("bob", "b", "2")}, Delete: []persistence.Key{all[1].Key}}, `account "bob", meta "b"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			from, to := persistence.NewMemory(), persistence.NewMemory()
			put(t, from, all...)
			b := put(t, to)
			var ledger storecopy.Ledger
			if err := ledger.Noting(storecopy.Records(t.Context(), from))(b.Put); err != nil {
				t.Fatal(err)
			}
			if err := b.Flush(); err != nil {
				t.Fatal(err)
			}
			c.do.Owner = b.Owner
			if err := to.Commit(c.do); err != nil {
				t.Fatal(err)
			}
			tally, err := ledger.Check(t.Context(), to)
			var different *storecopy.DifferenceError
			switch {
			case c.why == "":
				if err != nil || tally.Records != 5 || tally.Accounts != 2 {
					t.Errorf("%v, %v", tally, err)
				}
			case !errors.As(err, &different) || !strings.Contains(err.Error(), c.why):
				t.Errorf("got %v, want %q", err, c.why)
			}
		})
	}
}

func TestAMomentIsToldWithoutTheRecords(t *testing.T) {
	s := persistence.NewMemory()
	put(t, s, persistence.Account{ID: "alice"}.Record())
	if m, err := storecopy.MomentOf(t.Context(), s); err != nil || m.Holds.Accounts != 1 || m.Epoch != 1 {
		t.Errorf("%+v, %v", m, err)
	}
}

// unreadable is a store whose records, but for the first, cannot be read.
type unreadable struct{ persistence.Snapshotter }

func (u unreadable) Snapshot(ctx context.Context, begin func(persistence.Moment) error, each func(persistence.Record, error) error) error {
	n := 0
	return u.Snapshotter.Snapshot(ctx, begin, func(rec persistence.Record, err error) error {
		if n++; n > 1 {
			rec.Data, err = nil, &persistence.CorruptError{Key: rec.Key, Why: "torn"}
		}
		return each(rec, err)
	})
}

func TestRecordsThatCannotBeReadAreAllNamed(t *testing.T) {
	s := persistence.NewMemory()
	put(t, s, meta("alice", "a", "1"), meta("bob", "a", "1"), meta("carol", "a", "1"))
	var seen []persistence.AccountID
	err := storecopy.Records(t.Context(), unreadable{s})(func(rec persistence.Record) error {
		seen = append(seen, rec.Account)
		return nil
	})
	if keys := persistence.BadKeys(err); len(keys) != 2 || keys[0].Account != "bob" || keys[1].Account != "carol" || len(seen) != 1 {
		t.Errorf("%v; put were %v", err, seen)
	}
	stop := errors.New("no room")
	if err := storecopy.Records(t.Context(), s)(func(persistence.Record) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("%v", err)
	}
}
