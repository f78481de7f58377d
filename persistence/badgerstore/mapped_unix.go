//go:build unix

package badgerstore

import (
	"os"

	"golang.org/x/sys/unix"
)

// mapFile maps a file for reading: a store of 100,000 accounts has 300 MB, which
// are not to be in the heap at a start.
func mapFile(path string) (b []byte, release func(), err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if info.Size() == 0 {
		return nil, func() {}, nil
	}
	b, err = unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, nil, &os.PathError{Op: "map", Path: path, Err: err}
	}
	return b, func() { _ = unix.Munmap(b) }, nil
}
