//go:build unix

package badgerstore

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestFilesAreTheOwnersWhateverTheUmask(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	dir := filepath.Join(t.TempDir(), "store")
	var log bytes.Buffer
	for range 2 {
		s, err := Open(Options{Dir: dir, Key: testKey, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		put(t, s, claim(t, s), oneRecord("alice"))
		if _, err := s.Probe(); err != nil {
			t.Fatal(err)
		}
		wantOwnersOnly(t, dir)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		wantOwnersOnly(t, dir)
	}
	if strings.Contains(log.String(), "chmod") {
		t.Errorf("warned of nothing: %s", log.String())
	}
	loose := filepath.Join(dir, manifest)
	if err := os.Chmod(loose, 0o644); err != nil {
		t.Fatal(err)
	}
	s, err := Open(Options{Dir: dir, Key: testKey, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), loose+" (mode 0644)") || !strings.Contains(log.String(), "chmod -R go= "+dir) {
		t.Errorf("a loose mode is not told: %s", log.String())
	}
	if info, err := os.Stat(loose); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("an operator's mode was changed: %v, %v", info.Mode(), err)
	}
}

func wantOwnersOnly(t *testing.T, dir string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if info, err := f.Info(); err == nil && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", f.Name(), info.Mode())
		}
	}
}
