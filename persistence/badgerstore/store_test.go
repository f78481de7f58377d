package badgerstore

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/dgraph-io/badger/v4"
	"go.uber.org/goleak"

	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/seal"
	"github.com/mtfleet/mtfleet/persistence/storetest"
)

func TestMain(m *testing.M) {
	if os.Getenv(crashEnv) != "" {
		crashChild()
		return
	}
	if os.Getenv(rewriteEnv) != "" {
		rewriteChild()
		return
	}
	if os.Getenv(fullEnv) != "" {
		fullChild()
		return
	}
	goleak.VerifyTestMain(m)
}

var testKey = seal.MasterKey{1, 2, 3}

func mustOpen(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(Options{Dir: dir, Key: testKey})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func claim(t testing.TB, s persistence.Store) persistence.Owner {
	t.Helper()
	owner, err := s.Claim("node")
	if err != nil {
		t.Fatal(err)
	}
	return owner
}

func put(t testing.TB, s persistence.Store, owner persistence.Owner, records ...persistence.Record) {
	t.Helper()
	if err := s.Commit(persistence.Commit{Owner: owner, Put: records}); err != nil {
		t.Fatal(err)
	}
}

// raw reads or changes a stored value behind the store's back.
func raw(t *testing.T, s *Store, name []byte, change func([]byte) []byte) (value []byte) {
	t.Helper()
	err := s.db.Update(func(txn *badger.Txn) error {
		item, err := txn.Get(name)
		if err != nil {
			return err
		}
		if value, err = item.ValueCopy(nil); err != nil || change == nil {
			return err
		}
		return txn.Set(name, change(slices.Clone(value)))
	})
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func TestConforms(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Open {
		dir := t.TempDir()
		return func() (persistence.Store, error) { return Open(Options{Dir: dir, Key: testKey}) }
	})
}

func TestOneCorruptRecordLeavesTheOthers(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	owner := claim(t, s)
	good, victim := persistence.PermKey{DC: 2}.Record("alice"), persistence.PermKey{DC: 4}.Record("alice")
	bobs := persistence.PermKey{DC: 4}.Record("bob")
	for _, c := range []struct {
		name   string
		change func([]byte) []byte
		why    string
	}{
		{"a flipped bit of data", func(b []byte) []byte { b[len(b)-20] ^= 1; return b }, "its seal does not open"},
		{"a flipped bit of the nonce", func(b []byte) []byte { b[seal.HeaderLen] ^= 1; return b }, "its seal does not open"},
		{"another record version in the header", func(b []byte) []byte { b[5]++; return b }, "its seal does not open"},
		{"another key id", func(b []byte) []byte { copy(b[1:], []byte{1, 2, 3, 4}); return b }, "it was sealed with another master key (id 01020304)"},
		{"a lower format", func(b []byte) []byte { b[0] = 0; return b }, "its header is wrong"},
		{"cut", func(b []byte) []byte { return b[:20] }, "it is too short"},
		{"cut in the header", func(b []byte) []byte { return b[:3] }, "it is too short"},
		{"emptied", func([]byte) []byte { return nil }, "it is empty"},
		{"the record of another DC", func([]byte) []byte { return raw(t, s, recordName(good.Key), nil) }, "its seal does not open"},
		{"the record of another account", func([]byte) []byte { return raw(t, s, recordName(bobs.Key), nil) }, "its seal does not open"},
	} {
		t.Run(c.name, func(t *testing.T) {
			put(t, s, owner, good, victim, bobs)
			raw(t, s, recordName(victim.Key), c.change)
			records, err := s.Load("alice")
			var ce *persistence.CorruptError
			if !errors.As(err, &ce) || ce.Key != victim.Key || ce.Why != c.why {
				t.Errorf("error is %v, want %s", err, c.why)
			}
			if len(records) != 1 || records[0].Key != good.Key {
				t.Errorf("the other records are %v", records)
			}
			if records, err := s.Load("bob"); err != nil || len(records) != 1 {
				t.Errorf("another account: %v, %v", records, err)
			}
			if ids, err := s.Accounts(); err != nil || len(ids) != 2 {
				t.Errorf("accounts are %v, %v", ids, err)
			}
		})
	}
	// It is repaired by writing it anew, or removed.
	put(t, s, owner, victim)
	if _, err := s.Load("alice"); err != nil {
		t.Error(err)
	}
}

func TestSealOfANewerFormatIsRefusedAndKept(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	owner := claim(t, s)
	rec := persistence.PermKey{DC: 2}.Record("alice")
	put(t, s, owner, rec, persistence.Updates{}.Record("alice"))
	raw(t, s, recordName(rec.Key), func(b []byte) []byte { b[0] = 9; return b })
	records, err := s.Load("alice")
	var ve *persistence.VersionError
	if !errors.As(err, &ve) || ve.Key != rec.Key || ve.Version != 9 || ve.Known != 1 || len(records) != 1 {
		t.Fatalf("load: %v, %v", records, err)
	}
	before := raw(t, s, recordName(rec.Key), nil)
	if err := s.Commit(persistence.Commit{Owner: owner, Put: []persistence.Record{rec}}); !errors.As(err, &ve) {
		t.Fatalf("commit: %v", err)
	}
	if !bytes.Equal(before, raw(t, s, recordName(rec.Key), nil)) {
		t.Fatal("the record was rewritten")
	}
}

func TestWrongMasterKeyIsFoundAtOpenAndDamagesNothing(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir)
	rec := persistence.PermKey{DC: 2, Key: persistence.AuthKey{7}}.Record("alice")
	put(t, s, claim(t, s), rec)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		_, err := Open(Options{Dir: dir, Key: seal.MasterKey{9}, KeySource: seal.KeySource{File: "/etc/mtfleet.key"}})
		var mk *persistence.MasterKeyError
		if !errors.As(err, &mk) {
			t.Fatalf("a wrong key: %v", err)
		}
		want := "persistence: master key from /etc/mtfleet.key: it is not the key that the store in " + dir + " was sealed with: nothing was changed; give the right key by store.key_file or MTFLEET_STORE_KEY"
		if err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
	records, err := mustOpen(t, dir).Load("alice")
	if err != nil || len(records) != 1 || !bytes.Equal(records[0].Data, rec.Data) {
		t.Fatalf("with the right key: %v, %v", records, err)
	}
}

func TestStoreOfANewerProgramIsRefused(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir)
	raw(t, s, []byte(checkName), func(b []byte) []byte { b[0] = 2; return b })
	s.Close()
	_, err := Open(Options{Dir: dir, Key: testKey})
	var ve *persistence.VersionError
	if !errors.As(err, &ve) {
		t.Fatalf("open: %v", err)
	}
}

func TestSecondManagerOnTheSameStoreIsRefused(t *testing.T) {
	dir := t.TempDir()
	mustOpen(t, dir)
	_, err := Open(Options{Dir: dir, Key: testKey})
	var le *persistence.LockedError
	if !errors.As(err, &le) || le.Dir != dir || le.PID != os.Getpid() {
		t.Fatalf("second open: %v", err)
	}
}

func TestNothingReadableIsOnTheDisk(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir)
	owner := claim(t, s)
	const marker = "the-secret-of-alice"
	key := persistence.AuthKey([]byte(strings.Repeat("0123456789abcdef", 16)))
	put(t, s, owner, persistence.PermKey{DC: 2, Key: key}.Record("alice"), persistence.Login{State: []byte(marker)}.Record("alice"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		for _, plain := range []string{marker, "0123456789abcdef"} {
			if bytes.Contains(b, []byte(plain)) {
				t.Errorf("%s contains %q", path, plain)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestErrorsAndLogsHoldNoSecrets(t *testing.T) {
	const marker = "hunter2hunter2"
	var log strings.Builder
	dir := t.TempDir()
	s, err := Open(Options{Dir: dir, Key: testKey, Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	owner := claim(t, s)
	rec := persistence.Login{State: []byte(marker)}.Record("alice")
	future := rec
	future.Version = 5
	var errs []error
	big := rec
	big.Data = []byte(strings.Repeat(marker, 1<<16))
	put(t, s, owner, future)
	for _, c := range []persistence.Commit{
		{Put: []persistence.Record{rec}}, {Owner: owner, Put: []persistence.Record{rec}},
		{Owner: owner, Put: []persistence.Record{big}}, {Owner: owner, Put: []persistence.Record{rec, rec}},
	} {
		err := s.Commit(c)
		if err == nil {
			t.Fatal("accepted")
		}
		errs = append(errs, err)
	}
	_, err = persistence.DecodeLogin(future)
	errs = append(errs, err)
	short := rec
	short.Data = short.Data[:10]
	_, err = persistence.DecodeLogin(short)
	errs = append(errs, err)
	raw(t, s, recordName(rec.Key), func(b []byte) []byte { b[40] ^= 1; return b })
	_, err = s.Load("alice")
	errs = append(errs, err)
	_, err = seal.ParseMasterKey(marker, "x")
	errs = append(errs, err)
	for _, err := range errs {
		if text := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(text, "hunter") {
			t.Errorf("the error says %s", text)
		}
	}
	if err := s.Close(); err != nil { // Badger logs from goroutines of its own
		t.Fatal(err)
	}
	if strings.Contains(log.String(), "hunter") || !strings.Contains(log.String(), "badger: ") {
		t.Errorf("the log is %s", log.String())
	}
	if text := fmt.Sprintf("%v %+v %#v %s", testKey, Options{Key: testKey}, Options{Key: testKey}, testKey); !strings.Contains(text, "[master key]") || strings.Contains(text, "0x1, 0x2") {
		t.Errorf("the master key prints as %s", text)
	}
}

func TestCloseWaitsForAcceptedCommits(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir)
	owner := claim(t, s)
	var wg sync.WaitGroup
	var mu sync.Mutex
	acked := map[string]bool{}
	started := make(chan struct{}, 100)
	for w := range 100 {
		wg.Go(func() {
			for n := 0; ; n++ {
				sub := fmt.Sprintf("%d.%d", w, n)
				rec := persistence.Record{Key: persistence.Key{Account: "alice", Kind: persistence.KindMeta, Sub: sub}, Version: 1}
				err := s.Commit(persistence.Commit{Owner: owner, Put: []persistence.Record{rec}})
				if errors.Is(err, persistence.ErrClosed) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				acked[sub] = true
				mu.Unlock()
				if n == 0 {
					started <- struct{}{}
				}
			}
		})
	}
	for range 100 {
		<-started
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	records, err := mustOpen(t, dir).Load("alice")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		delete(acked, r.Sub)
	}
	if len(acked) != 0 {
		t.Errorf("%d acknowledged commits are missing", len(acked))
	}
}

func BenchmarkCommit(b *testing.B) {
	for _, writers := range []int{1, 256} {
		b.Run(fmt.Sprintf("%d-writers", writers), func(b *testing.B) {
			s := mustOpen(b, b.TempDir())
			owner := claim(b, s)
			next := make(chan struct{}, writers)
			var wg sync.WaitGroup
			b.ResetTimer()
			for w := range writers {
				id := persistence.AccountID(fmt.Sprintf("account-%d", w))
				wg.Go(func() {
					n := int32(0)
					for range next {
						n++
						c := persistence.Commit{Owner: owner, Put: []persistence.Record{
							persistence.PermKey{DC: 2}.Record(id), persistence.Updates{Pts: n}.Record(id),
						}}
						if err := s.Commit(c); err != nil {
							b.Error(err)
						}
					}
				})
			}
			for range b.N {
				next <- struct{}{}
			}
			close(next)
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
		})
	}
}
