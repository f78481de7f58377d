package control

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/backup"
	"github.com/mtfleet/mtfleet/persistence/badgerstore"
	"github.com/mtfleet/mtfleet/persistence/seal"
)

// A store on a disk is backed up while its manager works; the backup has the audit log, and the manager knows when it was made.
func TestABackupIsMadeWhileTheManagerRuns(t *testing.T) {
	dir := t.TempDir()
	store, err := badgerstore.Open(badgerstore.Options{Dir: filepath.Join(dir, "badger"), Key: seal.MasterKey{1}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	m, r := manage(t, store)
	if _, err := Add.Call(t.Context(), r, AddRequest{ID: "alice"}); err != nil {
		t.Fatal(err)
	}
	before, err := Space.Call(t.Context(), r, Empty{})
	if err != nil || !before.BackupAt.IsZero() || before.Used <= 0 || before.Needed <= 0 {
		t.Errorf("before the first backup: %+v, %v", before, err)
	}
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "fleet.age")
	got, err := Backup.Call(t.Context(), r, BackupRequest{Path: path, Recipients: []string{id.Recipient().String()}})
	if err != nil || got.File != path || got.Accounts != 1 || got.Bytes == 0 || !got.Whole() || !slices.Equal(got.LeftOut, []string{"temp key", "session"}) {
		t.Fatalf("%+v, %v", got, err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	in, err := backup.Open(f, []age.Identity{id})
	if err != nil {
		t.Fatal(err)
	}
	audited := false
	err = in.Each(t.Context(), func(rec persistence.Record) error {
		audited = audited || rec.Account == persistence.AuditID
		return nil
	})
	if err != nil || !audited || in.Report().Holds.Records != got.Records {
		t.Errorf("the audit log is there: %v; %+v, %v", audited, in.Report(), err)
	}
	after, err := Space.Call(t.Context(), r, Empty{})
	if err != nil || !after.BackupAt.Equal(got.Created) || after.BackupFile != path || after.BackupBytes != got.Bytes || time.Since(after.BackupAt) > time.Minute {
		t.Errorf("after it: %+v, %v", after, err)
	}
	if last, err := m.LastBackup(); err != nil || last.Commit != got.Commit {
		t.Errorf("%+v, %v", last, err)
	}
	v, err := Verify.Call(t.Context(), r, Empty{})
	if err != nil || !v.Whole || v.Accounts != 1 || v.Store != got.Store || v.Commit <= got.Commit {
		t.Errorf("%+v, %v", v, err)
	}
	list, err := Audit.Call(t.Context(), r, AuditRequest{Limit: 1})
	if err != nil || len(list.Entries) != 1 || list.Entries[0].What != "StoreService/Backup" || list.Entries[0].Detail != "fleet.age" {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestABackupIsRefused(t *testing.T) {
	store := persistence.NewMemory()
	m, _ := manage(t, store)
	dir := t.TempDir()
	r := serve(t, &Local{Manager: m, About: About{Store: dir}})
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	there, other := filepath.Join(dir, "there.age"), filepath.Join(dir, "other")
	to := []string{id.Recipient().String()}
	if _, err := Backup.Call(t.Context(), r, BackupRequest{Path: there, Recipients: to}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(other, []byte("key"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		BackupRequest
		kind Kind
		says string
	}{
		"without a recipient":                    {BackupRequest{Path: there + "2"}, KindInvalid, "needs a recipient"},
		"to what is no key":                      {BackupRequest{Path: there + "2", Recipients: []string{"age1x"}}, KindInvalid, "recipient 1: it is no public key"},
		"to an identity, which it does not show": {BackupRequest{Path: there + "2", Recipients: []string{id.String()}}, KindInvalid, "it is an identity, which is secret"},
		"on a path from nowhere":                 {BackupRequest{Path: "fleet.age", Recipients: to}, KindInvalid, "no absolute path"},
		"on a path with detours":                 {BackupRequest{Path: dir + "/x/../badger/MANIFEST", Recipients: to}, KindInvalid, "no absolute path"},
		"among the files of the store":           {BackupRequest{Path: dir + "/badger/REWRITE", Recipients: to}, KindInvalid, "among the files of the store"},
		"where there is one":                     {BackupRequest{Path: there, Recipients: to}, KindExists, "there is " + there + " already"},
		"in place of what is none":               {BackupRequest{Path: other, Recipients: to, Replace: true}, KindExists, "it is no backup"},
		"where nothing can be made":              {BackupRequest{Path: dir + "/nowhere/a.age", Recipients: to}, KindInternal, "make a file in " + dir + "/nowhere: no such file or directory"},
	} {
		_, err := Backup.Call(t.Context(), r, c.BackupRequest)
		if KindOf(err) != c.kind || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), id.String()) {
			t.Errorf("%s: %v: %v", name, KindOf(err), err)
		}
	}
	if list, _ := os.ReadDir(dir); len(list) != 2 {
		t.Errorf("%d files are there", len(list))
	}
	if _, err := Backup.Call(t.Context(), r, BackupRequest{Path: there, Recipients: to, Replace: true}); err != nil {
		t.Error(err)
	}
}

func TestVerifyNamesARecordThatCannotBeRead(t *testing.T) {
	m, r := manage(t, persistence.NewMemory())
	if _, err := Add.Call(t.Context(), r, AddRequest{ID: "alice"}); err != nil {
		t.Fatal(err)
	}
	v, err := VerifyStore(t.Context(), broken{m})
	if err != nil || v.Whole || len(v.Broken) != 1 || v.Broken[0] != (BrokenRecord{"alice", "account", "its seal does not open"}) {
		t.Errorf("%+v, %v", v, err)
	}
}

// broken is a store in which no account record opens.
type broken struct{ persistence.Snapshotter }

func (b broken) Snapshot(ctx context.Context, begin func(persistence.Moment) error, each func(persistence.Record, error) error) error {
	return b.Snapshotter.Snapshot(ctx, begin, func(rec persistence.Record, err error) error {
		if rec.Kind == persistence.KindAccount {
			rec, err = persistence.Record{Key: rec.Key}, &persistence.CorruptError{Key: rec.Key, Why: "its seal does not open"}
		}
		return each(rec, err)
	})
}
