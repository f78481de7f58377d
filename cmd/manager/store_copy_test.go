//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/badgerstore"
	"github.com/mtfleet/mtfleet/persistence/pgstore"
	"github.com/mtfleet/mtfleet/persistence/pgstore/pgtest"
	"github.com/mtfleet/mtfleet/persistence/seal"
	"github.com/mtfleet/mtfleet/persistence/storecopy"
)

// copies are two places of a fleet.
type copies struct {
	t        *testing.T
	dir, dsn string
}

// key is one for every directory and the database, each another one.
func (c copies) key(place string) (key seal.MasterKey) {
	copy(key[:], place+strings.Repeat(".", len(key)))
	return key
}

// config writes the configuration of a place: a directory, or a schema of the database.
func (c copies) config(place string) string {
	c.t.Helper()
	keyFile := filepath.Join(c.dir, place+".key")
	text := fmt.Sprintf("store:\n  dir: %s\n  key_file: %s\n", filepath.Join(c.dir, place), keyFile)
	if c.schema(place) {
		text += fmt.Sprintf("  postgres: {url: %q, schema: %s}\n", c.dsn, place)
	}
	file, key := filepath.Join(c.dir, place+".yaml"), c.key(place)
	for path, b := range map[string]string{file: text, keyFile: fmt.Sprintf("%x\n", key[:])} {
		if err := os.WriteFile(path, []byte(b), 0o600); err != nil {
			c.t.Fatal(err)
		}
	}
	return file
}

func (c copies) schema(place string) bool { return strings.HasPrefix(place, "db_") }

// open opens the store of a place as a manager does that has it alone.
func (c copies) open(place string) (persistence.Store, error) {
	if !c.schema(place) {
		s, err := badgerstore.Open(badgerstore.Options{Dir: filepath.Join(c.dir, place, "badger"), Key: c.key(place)})
		if err != nil {
			return nil, err
		}
		return s, nil
	}
	s, err := pgstore.Open(c.t.Context(), pgstore.Options{URL: persistence.SecretText(c.dsn), Schema: place, Key: c.key(place)})
	if err != nil {
		return nil, err
	}
	if _, err := s.Claim("test"); err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

// usable returns the records of a place where something may start that has accounts; nil where nothing may.
func (c copies) usable(place string) map[persistence.Key]string {
	c.t.Helper()
	if _, err := os.Stat(filepath.Join(c.dir, place, "badger")); !c.schema(place) && err != nil {
		return nil
	}
	s, err := c.open(place)
	if err != nil {
		return nil
	}
	defer func() {
		if err := s.Close(); err != nil {
			c.t.Error(err)
		}
	}()
	records := map[persistence.Key]string{}
	err = s.(persistence.Snapshotter).Snapshot(c.t.Context(), func(persistence.Moment) error { return nil }, func(rec persistence.Record, err error) error {
		if rec.Account != persistence.AuditID { // which has an entry of each copy
			records[rec.Key] = fmt.Sprintf("%d %x", rec.Version, rec.Data)
		}
		return err
	})
	if err != nil {
		c.t.Error(err)
	}
	if len(records) == 0 {
		return nil
	}
	return records
}

// killed runs a copy and kills it after a while; done tells whether it was quicker.
func (c copies) killed(from, to string, after time.Duration) (done bool) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), after)
	defer cancel()
	cmd := exec.CommandContext(ctx, "manager", "--config", c.config(from), "store", "copy", "--to", c.config(to), "--yes")
	out, err := cmd.CombinedOutput()
	if err != nil && ctx.Err() == nil {
		c.t.Fatalf("after %v: %v\n%s", after, err, out)
	}
	return err == nil
}

// unfinish has a copy in the database, of a directory, say that it is not whole.
func (c copies) unfinish(place, from string) {
	c.t.Helper()
	source, err := badgerstore.Open(badgerstore.Options{Dir: filepath.Join(c.dir, from, "badger"), Key: c.key(from), Moved: true})
	if err != nil {
		c.t.Fatal(err)
	}
	m, err := storecopy.MomentOf(c.t.Context(), source)
	if err = errors.Join(err, source.Close()); err != nil {
		c.t.Fatal(err)
	}
	s, err := c.open(place)
	if err != nil {
		c.t.Fatal(err)
	}
	defer s.Close()
	owner, err := s.Claim("test")
	if err == nil {
		err = s.(*pgstore.Store).SetMove(c.t.Context(), owner, &persistence.Move{Partial: true, Other: filepath.Join(c.dir, from, "badger"), Store: m.Store, At: time.Now()})
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

func same(a, b map[persistence.Key]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if b[k] != v {
			return false
		}
	}
	return true
}

// TestACopyIsKilledAtEveryMoment: wherever it is killed, never can both be started, and what can be started is whole; the same
// command goes on.
func TestACopyIsKilledAtEveryMoment(t *testing.T) {
	const accounts = 1500 // several commits
	c := copies{t: t, dir: t.TempDir(), dsn: pgtest.Start(t).DSN()}
	c.config("one")
	if err := os.MkdirAll(filepath.Join(c.dir, "one"), 0o700); err != nil {
		t.Fatal(err)
	}
	s, err := c.open("one")
	if err != nil {
		t.Fatal(err)
	}
	b := persistence.Batch{Store: s}
	if b.Owner, err = s.Claim("test"); err != nil {
		t.Fatal(err)
	}
	put := func(recs ...persistence.Record) {
		for _, rec := range recs {
			if err := b.Put(rec); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i := range accounts {
		id := persistence.AccountID(fmt.Sprintf("a%d", i))
		put(persistence.Account{ID: id, SignedIn: true, HomeDC: 2, State: "online"}.Record(), persistence.PermKey{DC: 2, KeyID: int64(i)}.Record(id),
			persistence.TempKey{DC: 2, KeyID: int64(i), PermKeyID: 3}.Record(id), persistence.Session{DC: 2, KeyID: int64(i)}.Record(id),
			persistence.Updates{Pts: int32(i)}.Record(id), persistence.Wait{Method: "x", Why: "slow"}.Record(id))
	}
	put(persistence.Wait{Method: "auth.sendCode", Subject: "0a0b", Why: "slow"}.Record(persistence.FleetID))
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	want := c.usable("one")
	if len(want) != accounts*6+1 {
		t.Fatalf("there are %d records", len(want))
	}
	for _, way := range []struct {
		from, to string
		between  func() // what a kill leaves that hits between the two marks
	}{
		{"one", "db_there", func() { c.unfinish("db_there", "one") }},
		{"db_there", "back", func() {
			dir := filepath.Join(c.dir, "back", "badger")
			if err := os.Rename(dir, dir+".restoring"); err != nil {
				t.Fatal(err)
			}
		}},
		{"back", "db_again", func() { c.unfinish("db_again", "back") }},
	} {
		kills, sides := 0, map[string]int{}
		after := 50 * time.Millisecond
		for !c.killed(way.from, way.to, after) {
			kills++
			after = after * 5 / 4
			from, to := c.usable(way.from), c.usable(way.to)
			switch {
			case from != nil && to != nil:
				t.Fatalf("%s to %s, killed after %v: both can be started", way.from, way.to, after)
			case from != nil && !same(from, want), to != nil && !same(to, want):
				t.Fatalf("%s to %s, killed after %v: what can be started lacks records", way.from, way.to, after)
			case from != nil:
				sides["from"]++
			case to != nil:
				sides["to"]++
			default:
				sides["neither"]++
			}
			if kills > 40 {
				t.Fatal("it never came to an end")
			}
		}
		if kills < 3 || sides["from"] == 0 {
			t.Errorf("%s to %s: %d kills left %v", way.from, way.to, kills, sides)
		}
		t.Logf("%s to %s: %d kills left %v", way.from, way.to, kills, sides)
		way.between()
		if from, to := c.usable(way.from), c.usable(way.to); from != nil || to != nil {
			t.Fatalf("%s to %s: between the marks %d and %d records can be started", way.from, way.to, len(from), len(to))
		}
		if !c.killed(way.from, way.to, time.Minute) {
			t.Fatal("between the marks it does not go on")
		}
		if from, to := c.usable(way.from), c.usable(way.to); from != nil || !same(to, want) {
			t.Fatalf("%s to %s: %d records can be started where they came from, and %d of %d where they went", way.from, way.to, len(from), len(to), len(want))
		}
	}
}
