package badgerstore

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/mtfleet/mtfleet/persistence"
)

func TestAPageThatTheDiskDoesNotGiveBackIsAnError(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("elsewhere a file that is mapped may not be cut")
	}
	dir := t.TempDir()
	s, err := Open(Options{Dir: dir, Key: testKey})
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, claim(t, s), oneRecord("alice"))
	if err := s.Close(); err != nil { // into a table
		t.Fatal(err)
	}
	s = mustOpen(t, dir)
	tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	if err != nil || len(tables) != 1 {
		t.Fatalf("the tables are %v, %v", tables, err)
	}
	content, err := os.ReadFile(tables[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(tables[0], 0); err != nil {
		t.Fatal(err)
	}
	var disk *persistence.DiskError
	if _, err := s.Load("alice"); !errors.As(err, &disk) {
		t.Errorf("reading ended with %v", err)
	}
	if err := os.WriteFile(tables[0], content, 0o600); err != nil {
		t.Fatal(err)
	}
	if records, err := s.Load("alice"); err != nil || len(records) != 1 {
		t.Errorf("when it does again: %v, %v", records, err)
	}
}
