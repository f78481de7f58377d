//go:build unix

package pgstore

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/seal"
)

func testRekey(t *testing.T, p place) {
	const accounts = 1500 // more than one step
	s, node := p.open(t), p.open(t)
	owner, err := s.Claim("tool")
	if err != nil {
		t.Fatal(err)
	}
	b := persistence.Batch{Store: s, Owner: owner}
	temp := persistence.TempKey{DC: 2, KeyID: 5, PermKeyID: 3}
	for i := range accounts {
		id := persistence.AccountID(fmt.Sprintf("a%04d", i))
		for _, rec := range []persistence.Record{persistence.Account{ID: id, HomeDC: 2}.Record(), persistence.PermKey{DC: 2, KeyID: int64(i)}.Record(id)} {
			if err := b.Put(rec); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, rec := range []persistence.Record{temp.Record("a0000"), meta(persistence.FleetID, "f", "1")} {
		if err := b.Put(rec); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	spoil := func(where string) {
		p.server.SQL(fmt.Sprintf(`update %s.records set data = set_byte(data, 20, 255 - get_byte(data, 20)) where account = 'a0000' and %s`, p.schema, where))
	}
	next := seal.MasterKey{9, 9, 9}
	opened := func(key seal.MasterKey) (*Store, error) {
		o := p.options()
		o.Key = key
		return Open(t.Context(), o)
	}

	// What cannot be read and cannot be made anew is named, and nothing is done.
	spoil(fmt.Sprint("kind = ", int(persistence.KindPermKey)))
	if _, _, err := s.Rekey(t.Context(), owner, next); len(persistence.BadKeys(err)) != 1 || persistence.BadKeys(err)[0].Kind != persistence.KindPermKey {
		t.Fatalf("with a perm key that cannot be read: %v", err)
	}
	spoil(fmt.Sprint("kind = ", int(persistence.KindPermKey)))
	stale := persistence.Owner{Node: "tool", Epoch: owner.Epoch - 1}
	if _, _, err := s.Rekey(t.Context(), stale, next); !errors.As(err, new(*persistence.StaleOwnerError)) {
		t.Fatalf("by one who has lost the store: %v", err)
	}
	if _, err := opened(next); !errors.As(err, new(*persistence.MasterKeyError)) {
		t.Fatalf("after nothing was done it opens with the next key: %v", err)
	}

	spoil(fmt.Sprint("kind = ", int(persistence.KindTempKey)))
	holds, dropped, err := s.Rekey(t.Context(), owner, next)
	if want := (persistence.Tally{Accounts: accounts, PermKeys: accounts, Records: 2*accounts + 1}); err != nil || holds != want || dropped != 1 {
		t.Fatalf("%v, %d dropped, %v", holds, dropped, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// One that was opened before has a key that seals nothing any more.
	_, claimErr := node.Claim("late")
	_, joinErr := node.Join(t.Context(), info("n", time.Minute, time.Second))
	for _, err := range []error{claimErr, joinErr} {
		if !errors.As(err, new(*persistence.MasterKeyError)) {
			t.Errorf("with the key of before: %v", err)
		}
	}
	if _, err := opened(testKey); !errors.As(err, new(*persistence.MasterKeyError)) {
		t.Errorf("it opens with the key of before: %v", err)
	}
	again, err := opened(next)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	n := 0
	err = again.Snapshot(t.Context(), func(persistence.Moment) error { return nil }, func(_ persistence.Record, err error) error {
		n++
		return err
	})
	if err != nil || n != holds.Records {
		t.Errorf("%d records open, %v", n, err)
	}
	if _, err := again.Join(t.Context(), info("n", time.Minute, time.Second)); err != nil {
		t.Error(err)
	}
}
