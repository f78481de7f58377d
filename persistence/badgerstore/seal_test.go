package badgerstore

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/seal"
)

func TestNoKeyIsMadeForAStoreThatIsThere(t *testing.T) {
	dir := t.TempDir()
	o := seal.KeyOptions{File: filepath.Join(dir, "gone.key"), StoreDir: filepath.Join(dir, "store")}
	mustOpen(t, o.StoreDir).Close()
	_, _, err := LoadMasterKey(o)
	if !errors.As(err, new(*persistence.MasterKeyError)) || !strings.Contains(err.Error(), "the file is missing, and the store in "+o.StoreDir+" was sealed with the key it held") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(o.File); err == nil {
		t.Error("a new key was made for an old store")
	}
}
