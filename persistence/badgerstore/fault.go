package badgerstore

import (
	"errors"
	"runtime"
	"runtime/debug"

	"github.com/mtfleet/mtfleet/persistence"
)

var errFault = errors.New("the disk does not give back what was written")

// reading runs f, which reads the maps of tables. A page that the disk does not
// give ends f with an error, where by itself it would end the process. What
// Badger reads on goroutines of its own, to merge tables, is not covered.
func reading(dir string, f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		switch p := recover().(type) {
		case nil:
		case interface {
			runtime.Error
			Addr() uintptr
		}:
			err = &persistence.DiskError{Dir: dir, Doing: "reading a table", Err: errFault}
		default:
			panic(p)
		}
	}()
	return f()
}
