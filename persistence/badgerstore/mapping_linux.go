package badgerstore

import (
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	_ "unsafe" // for go:linkname

	_ "golang.org/x/sys/unix" // its mapper
)

// Badger makes a table, maps it and copies into the map without a step where
// anybody could give it blocks, and the page that finds none ends the process.
// So the one function by which Badger (by way of x/sys) maps files is replaced: a
// file of a store that is mapped for writing gets its blocks first. Every other
// call passes untouched.
//
// The field is not exported. The replacement is made only where it is exactly
// what is expected, else the store does without (see space.mapped); a test fails
// then, so that a new x/sys does not go unnoticed.

// unixMapper is the head of x/sys/unix's mapper.
type unixMapper struct {
	sync.Mutex
	_      map[*byte][]byte // active
	mmap   func(addr, length uintptr, prot, flags, fd int, offset int64) (uintptr, error)
	munmap func(addr, length uintptr) error
}

//go:linkname xsysMapper golang.org/x/sys/unix.mapper
var xsysMapper *unixMapper

// stores are the spaces by the resolved path of their directory. It is of the
// process, as the function that looks into it.
var stores struct {
	sync.RWMutex
	hooked bool
	byDir  map[string]*space
}

func init() {
	m := xsysMapper
	if m == nil || nameOf(m.mmap) != "golang.org/x/sys/unix.mmap" || nameOf(m.munmap) != "golang.org/x/sys/unix.munmap" {
		return
	}
	mmap := m.mmap
	m.mmap = func(addr, length uintptr, prot, flags, fd int, offset int64) (uintptr, error) {
		if prot&syscall.PROT_WRITE != 0 && flags&syscall.MAP_SHARED != 0 && fd >= 0 {
			if err := beforeMap(fd, int64(length)); err != nil {
				return 0, err
			}
		}
		return mmap(addr, length, prot, flags, fd, offset)
	}
	stores.hooked = true
}

func nameOf(f any) string {
	v := reflect.ValueOf(f)
	if v.IsNil() {
		return ""
	}
	return runtime.FuncForPC(v.Pointer()).Name()
}

// beforeMap runs on the goroutine that maps a file.
func beforeMap(fd int, length int64) error {
	stores.RLock()
	none := len(stores.byDir) == 0
	stores.RUnlock()
	if none {
		return nil
	}
	path, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	if err != nil {
		return nil
	}
	stores.RLock()
	s := stores.byDir[filepath.Dir(path)]
	stores.RUnlock()
	if s == nil {
		return nil
	}
	return s.mapping(fd, filepath.Base(path), length)
}

// register has files of the directory get their blocks before they are mapped,
// until the returned function is called. It reports whether that works here.
func register(s *space) (end func(), ok bool) {
	dir := resolved(s.dir)
	stores.Lock()
	defer stores.Unlock()
	if !stores.hooked {
		return func() {}, false
	}
	if stores.byDir == nil {
		stores.byDir = map[string]*space{}
	}
	stores.byDir[dir] = s
	return func() {
		stores.Lock()
		defer stores.Unlock()
		if stores.byDir[dir] == s {
			delete(stores.byDir, dir)
		}
	}, true
}
