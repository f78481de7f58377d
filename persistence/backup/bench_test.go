package backup

import (
	"bytes"
	"fmt"
	"path/filepath"
	"testing"

	"filippo.io/age"

	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/badgerstore"
	"github.com/mtfleet/mtfleet/persistence/seal"
)

// BenchmarkTenThousandAccounts does to a store of 10,000 accounts, of eight records
// each, what an operator does.
func BenchmarkTenThousandAccounts(b *testing.B) {
	dir, key, id := b.TempDir(), seal.MasterKey{1}, identity(b)
	from := filepath.Join(dir, "from")
	_, err := badgerstore.Restore(badgerstore.RestoreOptions{Dir: from, Key: key, Now: made, Records: func(put func(persistence.Record) error) error {
		for i := range 10_000 {
			for _, r := range account(persistence.AccountID(fmt.Sprintf("a%05d", i))) {
				if err := put(r); err != nil {
					return err
				}
			}
		}
		return nil
	}})
	if err != nil {
		b.Fatal(err)
	}
	open := func() *badgerstore.Store {
		s, err := badgerstore.Open(badgerstore.Options{Dir: from, Key: key, Adopt: true})
		if err != nil {
			b.Fatal(err)
		}
		return s
	}
	var file []byte
	b.Run("backup", func(b *testing.B) {
		s := open()
		defer s.Close()
		for b.Loop() {
			file, _ = write(b, s, options(id))
		}
		b.ReportMetric(float64(len(file))/1e6, "MB")
	})
	b.Run("restore", func(b *testing.B) {
		for n := 0; b.Loop(); n++ {
			in, err := Open(bytes.NewReader(file), []age.Identity{id})
			if err != nil {
				b.Fatal(err)
			}
			if _, err := badgerstore.Restore(badgerstore.RestoreOptions{Dir: filepath.Join(dir, fmt.Sprint(n)), Key: key, Now: made, Records: func(put func(persistence.Record) error) error { return in.Each(b.Context(), put) }}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("check", func(b *testing.B) {
		for b.Loop() {
			if r, err := badgerstore.Check(badgerstore.CheckOptions{Dir: from, Key: key}); err != nil || r.Damage != nil {
				b.Fatal(r, err)
			}
		}
	})
	b.Run("rewrite", func(b *testing.B) {
		for b.Loop() {
			if _, err := badgerstore.Rewrite(b.Context(), badgerstore.RewriteOptions{Dir: from, Key: key, To: key, Now: made}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
