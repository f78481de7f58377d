package badgerstore

import (
	"io/fs"
	"strings"
)

// without hides value logs and the lock of a store's directory.
type without struct{ fs.FS }

func (w without) ReadDir(name string) ([]fs.DirEntry, error) {
	list, err := fs.ReadDir(w.FS, name)
	kept := list[:0]
	for _, e := range list {
		if !strings.HasSuffix(e.Name(), ".vlog") && e.Name() != "LOCK" {
			kept = append(kept, e)
		}
	}
	return kept, err
}
