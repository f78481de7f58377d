//go:build unix

package pgstore

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/google/go-cmp/cmp"

	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/backup"
)

// What backs Badger up backs this up, and what it holds comes back out of the file.
func testBackup(t *testing.T, p place) {
	s := p.open(t)
	owner := join(t, s, "a")
	var want []persistence.Record
	for i := range 20 {
		id := persistence.AccountID(fmt.Sprintf("acc-%02d", i))
		recs := []persistence.Record{persistence.Account{ID: id}.Record(), persistence.PermKey{DC: 2}.Record(id)}
		mustPut(t, s, owner, recs...)
		want = append(want, recs...)
	}
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	report, err := backup.Write(t.Context(), &file, s, backup.Options{Recipients: []age.Recipient{id.Recipient()}, Now: time.Now(), Program: "test"})
	if err != nil || report.Holds.Records != len(want) {
		t.Fatalf("%+v, %v", report, err)
	}
	from, err := backup.Open(&file, []age.Identity{id})
	if err != nil {
		t.Fatal(err)
	}
	var got []persistence.Record
	if err := from.Each(t.Context(), func(r persistence.Record) error { got = append(got, r); return nil }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
