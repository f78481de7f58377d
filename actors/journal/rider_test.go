package journal_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/mtfleet/mtfleet/actors/journal"
	"github.com/mtfleet/mtfleet/persistence"
)

// rider has something to say once, and again when it was not written.
type rider struct {
	loads int
	says  bool
	errs  []error
}

var riderKey = persistence.Key{Account: "alice", Kind: persistence.KindMeta, Sub: "rider"}

func (r *rider) Loaded([]persistence.Record, error) { r.loads++ }

func (r *rider) Ride() (persistence.Record, bool) {
	says := r.says
	r.says = false
	return persistence.Record{Key: riderKey, Version: 1}, says
}

func (r *rider) Rode(err error) {
	r.errs = append(r.errs, err)
	r.says = err != nil
}

// refusing is a store that refuses as many commits.
type refusing struct {
	*persistence.Memory
	left    int
	commits []persistence.Commit
}

func (s *refusing) Commit(c persistence.Commit) error {
	if s.left > 0 {
		s.left--
		return errors.New("no")
	}
	s.commits = append(s.commits, c)
	return s.Memory.Commit(c)
}

// rides tells of each commit whether the rider's record was in it.
func (s *refusing) rides() (list []bool) {
	for _, c := range s.commits {
		list = append(list, slices.ContainsFunc(c.Put, func(r persistence.Record) bool { return r.Key == riderKey }))
	}
	return list
}

func TestARiderGoesAlongWithCommitsAndHasOneOfItsOwnAtTheEnd(t *testing.T) {
	store := &refusing{Memory: persistence.NewMemory()}
	owner, err := store.Claim("test")
	if err != nil {
		t.Fatal(err)
	}
	disks := journal.NewDisks(store, owner, nil)
	disk, r := disks.Of("alice"), &rider{says: true}
	disk.Carry(r)
	put := journal.Work{Commit: persistence.Commit{Put: []persistence.Record{persistence.Account{ID: "alice"}.Record()}}}

	disk.Do(journal.Work{Kind: journal.Load, Account: "alice"})
	disk.Do(journal.Work{Kind: journal.Load, Account: persistence.FleetID}) // not the account's
	if r.loads != 1 || len(store.commits) != 0 {
		t.Fatalf("%d loads told, %d commits for nothing but it", r.loads, len(store.commits))
	}
	store.left = 1
	if done := disk.Do(put); done.Err == nil {
		t.Fatal("the store did not refuse")
	}
	disk.Do(put)        // it goes again
	disk.Do(put)        // it has nothing to say
	disk.Turn().Leave() // nor now
	r.says = true
	disk.Turn().Leave()
	if got := store.rides(); !slices.Equal(got, []bool{true, false, true}) {
		t.Errorf("of the commits it was in %v", got)
	}
	if len(put.Commit.Put) != 1 {
		t.Error("the commit of who asked was changed")
	}

	r.says = true
	erase := journal.Work{Kind: journal.Erase, Account: "alice", All: true}
	store.left = 1
	disk.Do(erase)
	disk.Do(put)
	if got := store.rides(); !got[len(got)-1] {
		t.Error("an account that was not removed goes on without it")
	}
	r.says = true
	disk.Do(erase)
	disk.Turn().Leave()
	if records, err := store.Load("alice"); err != nil || len(records) > 0 {
		t.Errorf("after a removal %v is left (%v)", records, err)
	}
}
