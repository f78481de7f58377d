package badgerstore

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/dgraph-io/badger/v4"

	"github.com/mtfleet/mtfleet/persistence"
)

// script feeds the committer requests in one go, as if they had been waiting.
func script(t *testing.T, s *Store, requests ...*request) []error {
	t.Helper()
	queue := make(chan *request, len(requests))
	for _, r := range requests {
		r.done = make(chan error, 1)
		for _, rec := range r.commit.Put {
			value, err := s.sealer.Seal(rec)
			if err != nil {
				t.Fatal(err)
			}
			r.entries = append(r.entries, badger.NewEntry(recordName(rec.Key), value))
		}
		queue <- r
	}
	close(queue)
	c := &committer{db: s.db, sealer: s.sealer, room: s.space.room, owner: ownerOnDisk(t, s)}
	c.run(queue)
	errs := make([]error, len(requests))
	for i, r := range requests {
		errs[i] = <-r.done
	}
	return errs
}

func ownerOnDisk(t *testing.T, s *Store) (owner persistence.Owner) {
	t.Helper()
	err := s.db.View(func(txn *badger.Txn) error {
		rec, err := readOwn(txn, s.sealer, ownerKey)
		if errors.Is(err, badger.ErrKeyNotFound) {
			return nil
		}
		if err == nil {
			owner, err = decodeOwner(rec)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return owner
}

func note(id persistence.AccountID, sub string, size int) persistence.Record {
	return persistence.Record{
		Key:     persistence.Key{Account: id, Kind: persistence.KindMeta, Sub: sub},
		Version: 1, Data: []byte(strings.Repeat("x", size)),
	}
}

func commitOf(owner persistence.Owner, records ...persistence.Record) *request {
	return &request{commit: persistence.Commit{Owner: owner, Put: records}}
}

func TestOneTransactionServesManyRequests(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	owner := claim(t, s)
	before := s.db.MaxVersion()
	var requests []*request
	for i := range 500 {
		requests = append(requests, commitOf(owner, note("alice", fmt.Sprint(i), 10)))
	}
	for i, err := range script(t, s, requests...) {
		if err != nil {
			t.Fatalf("commit %d: %v", i, err)
		}
	}
	if got := s.db.MaxVersion() - before; got != 1 {
		t.Errorf("500 commits took %d transactions", got)
	}
}

func TestTransactionsEndBetweenCommits(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	owner := claim(t, s)
	before := s.db.MaxVersion()
	var requests []*request
	for i := range 20 {
		id := persistence.AccountID(fmt.Sprintf("a%d", i))
		requests = append(requests, commitOf(owner, note(id, "1", 200_000), note(id, "2", 200_000)))
	}
	for i, err := range script(t, s, requests...) {
		if err != nil {
			t.Fatalf("commit %d: %v", i, err)
		}
	}
	if got := s.db.MaxVersion() - before; got != 7 { // 3 of 400 kB in each 1.26 MB
		t.Errorf("20 commits of 400 kB took %d transactions", got)
	}
	for i := range 20 {
		if records, err := s.Load(persistence.AccountID(fmt.Sprintf("a%d", i))); err != nil || len(records) != 2 {
			t.Errorf("account %d has %d records, %v", i, len(records), err)
		}
	}
}

func TestRefusedRequestsDoNotHurtTheirNeighbours(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	owner := claim(t, s)
	future := note("alice", "f", 1)
	future.Version = 3
	huge := commitOf(owner, note("huge", "1", 700_000), note("huge", "2", 700_000))
	newOwner := persistence.Owner{Node: "next", Epoch: owner.Epoch + 1}
	errs := script(t, s,
		commitOf(owner, future),
		commitOf(owner, note("alice", "1", 1), note("alice", "f", 1)), // over a newer record, in the same transaction
		huge,
		commitOf(newOwner, note("bob", "early", 1)),
		&request{claim: "next"},
		commitOf(owner, note("bob", "late", 1)),
		commitOf(newOwner, note("bob", "1", 1)),
	)
	var ve *persistence.VersionError
	var tl *persistence.TooLargeError
	var so *persistence.StaleOwnerError
	for i, want := range []any{nil, &ve, &tl, &so, nil, &so, nil} {
		if want == nil && errs[i] != nil || want != nil && !errors.As(errs[i], want) {
			t.Errorf("request %d: %v, want %T", i, errs[i], want)
		}
	}
	if got := ownerOnDisk(t, s); got != newOwner {
		t.Errorf("the owner on disk is %v", got)
	}
	for id, want := range map[persistence.AccountID]int{"alice": 1, "bob": 1, "huge": 0} {
		if records, err := s.Load(id); err != nil || len(records) != want {
			t.Errorf("%s has %v, %v", id, records, err)
		}
	}
}

func TestTransactionIsRebuiltWithoutARequestThatDidNotFit(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	owner := claim(t, s)
	broken := commitOf(owner, note("broken", "1", 1), note("broken", "2", 1))
	first, last := commitOf(owner, note("alice", "1", 1)), commitOf(owner, note("alice", "2", 1))
	// Badger refuses an empty name: the second entry of the broken request
	// fails when the first one is already in the transaction.
	broken.entries = []*badger.Entry{badger.NewEntry([]byte("r/broken/\x091"), []byte("x")), badger.NewEntry(nil, nil)}
	broken.commit.Put = nil
	errs := script(t, s, first, broken, last)
	if errs[0] != nil || errs[1] == nil || errs[2] != nil {
		t.Fatalf("errors are %v", errs)
	}
	if records, err := s.Load("alice"); err != nil || len(records) != 2 {
		t.Errorf("neighbours have %v, %v", records, err)
	}
	if ids, err := s.Accounts(); err != nil || len(ids) != 1 {
		t.Errorf("accounts are %v, %v", ids, err)
	}
}

func TestAFailingDiskIsReportedToEverybodyInTheTransaction(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	owner := claim(t, s)
	if err := s.db.Close(); err != nil {
		t.Fatal(err)
	}
	c := &committer{db: s.db, sealer: s.sealer, room: func(_, _ int64) error { return nil }, owner: owner}
	requests := []*request{{claim: "a", done: make(chan error, 1)}, {claim: "b", done: make(chan error, 1)}}
	for _, r := range requests {
		c.add(r)
	}
	c.flush()
	for _, r := range requests {
		var we *persistence.WriteError
		if err := <-r.done; !errors.As(err, &we) {
			t.Errorf("the disk failed, and a request was told %v", err)
		}
	}
	if c.owner != owner {
		t.Errorf("the owner changed to %v", c.owner)
	}
}
