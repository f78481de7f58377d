package badgerstore

import (
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
)

// tellModes warns of files that other users can reach; they are left as they are.
func tellModes(dir string, log *slog.Logger) {
	if log == nil {
		return
	}
	var first string
	loose := 0
	check := func(path string, info fs.FileInfo) {
		if m := info.Mode().Perm(); m&0o077 != 0 {
			if loose++; first == "" {
				first = fmt.Sprintf("%s (mode %04o)", path, m)
			}
		}
	}
	if info, err := os.Stat(dir); err == nil {
		check(dir, info)
	}
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			check(filepath.Join(dir, e.Name()), info)
		}
	}
	if loose > 0 {
		log.Warn("other users can reach files of the store", "first", first, "files", loose, "advice", "run chmod -R go= "+dir)
	}
}
