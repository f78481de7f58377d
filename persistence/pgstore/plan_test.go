package pgstore

import (
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/seal"
)

func record1(id persistence.AccountID, sub string, version uint16) persistence.Record {
	return persistence.Record{Key: persistence.Key{Account: id, Kind: persistence.KindMeta, Sub: sub}, Version: version, Data: persistence.Secret(sub)}
}

func TestWhatIsDecidedOfABatch(t *testing.T) {
	s, err := seal.New(seal.MasterKey{1})
	if err != nil {
		t.Fatal(err)
	}
	sealed := func(r persistence.Record) record {
		b, err := s.Seal(r)
		if err != nil {
			t.Fatal(err)
		}
		return record{there: true, version: r.Version, value: b}
	}
	broken := sealed(record1("a", "1", 9))
	broken.value[len(broken.value)-1] ^= 1
	future := sealed(record1("a", "1", 1))
	future.value[0] = seal.Format + 1
	me, other := persistence.Owner{Node: "me", Epoch: 2}, persistence.Owner{Node: "other", Epoch: 3}
	key := func(id persistence.AccountID, sub string) persistence.Key { return record1(id, sub, 1).Key }
	put := func(recs ...persistence.Record) persistence.Commit { return persistence.Commit{Put: recs} }
	first := func(r persistence.Record) persistence.Commit {
		return persistence.Commit{Put: []persistence.Record{r}, Absent: []persistence.Key{r.Key}}
	}
	del := func(keys ...persistence.Key) persistence.Commit { return persistence.Commit{Delete: keys} }
	mine := map[persistence.AccountID]persistence.Owner{"a": me, "b": me}
	for _, c := range []struct {
		name    string
		commits []persistence.Commit
		current persistence.Owner
		all     bool
		owners  map[persistence.AccountID]persistence.Owner
		added   []persistence.AccountID
		stored  map[persistence.Key]record
		want    string // the verdicts
		writes  string // puts, deletions and accounts that may have become empty
	}{
		{name: "everything is its own", commits: []persistence.Commit{put(record1("a", "1", 1)), put(record1("b", "1", 1), record1("b", "2", 1))}, current: me, owners: mine,
			want: "ok ok", writes: "3 0 0"},
		{name: "the owner is none any more", commits: []persistence.Commit{put(record1("a", "1", 1)), {}}, current: other, owners: mine, want: "stale stale"},
		{name: "one account is another's", commits: []persistence.Commit{put(record1("a", "1", 1)), put(record1("b", "1", 1), record1("c", "1", 1)), put(record1("b", "2", 1))}, current: me,
			owners: map[persistence.AccountID]persistence.Owner{"a": me, "b": me, "c": other}, want: "ok stale:c ok", writes: "2 0 0"},
		{name: "one account is nobody's", commits: []persistence.Commit{put(record1("c", "1", 1))}, current: me,
			owners: map[persistence.AccountID]persistence.Owner{"c": {}}, want: "stale:c"},
		{name: "who has claimed everything writes everything", commits: []persistence.Commit{put(record1("c", "1", 1))}, current: me, all: true,
			owners: map[persistence.AccountID]persistence.Owner{"c": {}}, want: "ok", writes: "1 0 0"},
		{name: "the second first of a batch", commits: []persistence.Commit{first(record1("a", "1", 1)), first(record1("a", "1", 1)), del(key("a", "1")), first(record1("a", "1", 1))}, current: me, owners: mine,
			want: "ok present ok ok", writes: "1 0 0"},
		{name: "a first that is there", commits: []persistence.Commit{first(record1("a", "1", 1)), put(record1("a", "2", 1))}, current: me, owners: mine,
			stored: map[persistence.Key]record{key("a", "1"): sealed(record1("a", "1", 1))}, want: "present ok", writes: "1 0 0"},
		{name: "a newer record is not written over, and deleted", commits: []persistence.Commit{put(record1("a", "1", 1)), put(record1("a", "1", 9)), del(key("a", "1")), put(record1("a", "1", 1))}, current: me, owners: mine,
			stored: map[persistence.Key]record{key("a", "1"): sealed(record1("a", "1", 9))}, want: "version ok ok ok", writes: "1 0 0"},
		{name: "a newer one of the same batch", commits: []persistence.Commit{put(record1("a", "1", 9)), put(record1("a", "1", 8))}, current: me, owners: mine, want: "ok version", writes: "1 0 0"},
		{name: "a corrupt record that claims to be newer is written over", commits: []persistence.Commit{put(record1("a", "1", 1))}, current: me, owners: mine,
			stored: map[persistence.Key]record{key("a", "1"): broken}, want: "ok", writes: "1 0 0"},
		{name: "a seal of a newer program", commits: []persistence.Commit{put(record1("a", "1", 1))}, current: me, owners: mine,
			stored: map[persistence.Key]record{key("a", "1"): future}, want: "version"},
		{name: "what is deleted of an account that is not there is left alone", commits: []persistence.Commit{del(key("c", "1")), del(key("a", "1"), key(persistence.FleetID, "1"))}, current: me, owners: mine,
			want: "ok ok", writes: "0 2 1"},
		{name: "an account that was begun and refused goes", commits: []persistence.Commit{first(record1("a", "1", 1)), first(record1("b", "1", 1))}, current: me, owners: mine, added: []persistence.AccountID{"a", "b"},
			stored: map[persistence.Key]record{key("b", "1"): {there: true}}, want: "ok present", writes: "1 0 1"},
		{name: "an account that is not there is begun by who says so", commits: []persistence.Commit{put(record1("a", "2", 1)), first(record1("a", "1", 1)), put(record1("a", "2", 1))}, current: me, owners: mine, added: []persistence.AccountID{"a"},
			want: "stale:a ok ok", writes: "2 0 0"},
		{name: "who has claimed everything begins accounts without a word", commits: []persistence.Commit{put(record1("a", "1", 1))}, current: me, all: true, owners: mine, added: []persistence.AccountID{"a"},
			want: "ok", writes: "1 0 0"},
		{name: "nothing", commits: []persistence.Commit{{}}, current: me, want: "ok", writes: "0 0 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var batch []*request
			for _, commit := range c.commits {
				commit.Owner = me
				r, err := newRequest(commit, s)
				if err != nil {
					t.Fatal(err)
				}
				batch = append(batch, r)
			}
			p := newPlan(batch)
			p.current, p.all, p.owners, p.added, p.stored = c.current, c.all, c.owners, c.added, c.stored
			p.decide(s)
			got := ""
			for _, r := range batch {
				got += " " + verdictName(r.verdict)
			}
			if got != " "+c.want {
				t.Errorf("the verdicts are%s, want %s", got, c.want)
			}
			if p.accepted != (c.writes != "") {
				t.Fatalf("anything is accepted: %v", p.accepted)
			}
			if c.writes == "" {
				return
			}
			var b pgx.Batch
			p.queueWrite(&b)
			if got := counts(&b); got != c.writes {
				t.Errorf("it writes %s, want %s", got, c.writes)
			}
		})
	}
}

func verdictName(err error) string {
	var stale *persistence.StaleOwnerError
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &stale) && stale.Account != "":
		return "stale:" + string(stale.Account)
	case stale != nil:
		return "stale"
	case errors.As(err, new(*persistence.PresentError)):
		return "present"
	case errors.As(err, new(*persistence.VersionError)):
		return "version"
	}
	return err.Error()
}

// counts is how many records are put and deleted, and how many accounts looked at.
func counts(b *pgx.Batch) string {
	var put, gone, emptied int
	for _, q := range b.QueuedQueries {
		n := len(q.Arguments[0].([]persistence.AccountID))
		switch len(q.Arguments) {
		case 5:
			put = n
		case 3:
			gone = n
		case 1:
			emptied = n
		}
	}
	return fmt.Sprint(put, " ", gone, " ", emptied)
}
