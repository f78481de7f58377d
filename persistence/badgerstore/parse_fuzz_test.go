package badgerstore

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/mtfleet/mtfleet/persistence"
)

// seeds adds a file of a good store, cut and with a bit turned too.
func seeds(f *testing.F, name string) {
	dir := f.TempDir()
	s, err := Open(Options{Dir: dir, Key: testKey, copyDelay: -1})
	if err != nil {
		f.Fatal(err)
	}
	put(f, s, claim(f, s), signedIn("alice")...)
	b, openErr := os.ReadFile(filepath.Join(dir, name))
	if err := s.Close(); err != nil {
		f.Fatal(err)
	}
	if openErr != nil { // it is written at the end
		found, _ := filepath.Glob(filepath.Join(dir, name))
		if len(found) == 0 {
			f.Fatalf("there is no %s", name)
		}
		if b, err = os.ReadFile(slices.Max(found)); err != nil {
			f.Fatal(err)
		}
	}
	b = append(bytes.TrimRight(b, "\x00"), make([]byte, 32)...)
	f.Add(b)
	f.Add(b[:len(b)/2])
	turned := bytes.Clone(b)
	turned[len(b)/3] ^= 8
	f.Add(turned)
	f.Add([]byte{})
}

func FuzzHeadFile(f *testing.F) {
	seeds(f, headFileName)
	s := testSealer(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		h := parseHeadFile(b, s)
		if n := len(h.heads) + h.bad + h.foreign; n > slots {
			t.Fatalf("%d slots", n)
		}
		for _, one := range h.heads {
			again, err := s.sealHead(headFileKey, one)
			if err != nil {
				t.Fatal(err)
			}
			if back, err := s.openHead(headFileKey, again); err != nil || back != one {
				t.Fatalf("%+v came back as %+v, %v", one, back, err)
			}
		}
	})
}

func FuzzHeadRecord(f *testing.F) {
	f.Add([]byte(head{commit: 3, state: headDone, after: sums{records: 1}}.record(headKey).Data))
	f.Add(make([]byte, headLen))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := decodeHead(persistence.Record{Key: headKey, Version: headVersion, Data: b})
		if err == nil && !bytes.Equal(h.record(headKey).Data, b) {
			t.Fatalf("%x came back as %x", b, []byte(h.record(headKey).Data))
		}
	})
}

func FuzzCopy(f *testing.F) {
	seeds(f, copyFileName)
	s := testSealer(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		for name, e := range parseCopy(b, s).newest {
			k, ok := parseName([]byte(name))
			if _, err := s.Open(k, e.value); !ok || isCorrupt(err) {
				t.Fatalf("%q is no record, or its seal does not open: %v", name, err)
			}
		}
	})
}

func FuzzLog(f *testing.F) {
	seeds(f, "00001.mem")
	f.Fuzz(func(t *testing.T, b []byte) {
		strict, loose := map[string]uint64{}, map[uint64]*looseTxn{}
		readLog(b, func(e rawEntry) { strict[e.name] = e.ts })
		readLogLoosely(b, loose)
		all := map[string]bool{}
		for _, txn := range loose {
			for _, e := range txn.entries {
				all[e.name] = true
			}
		}
		for name := range strict {
			if !all[name] && len(b) > logHeaderLen {
				t.Fatalf("what Badger reads is not found loosely: %q", name)
			}
		}
	})
}

func FuzzTable(f *testing.F) {
	seeds(f, "*.sst")
	f.Fuzz(func(t *testing.T, b []byte) {
		n := 0
		err := readTable(b, func(rawEntry) { n++ })
		loosely := 0
		readTableLoosely(b, func(rawEntry) { loosely++ })
		if err == nil && loosely != n {
			t.Fatalf("%d entries, loosely %d", n, loosely)
		}
	})
}
