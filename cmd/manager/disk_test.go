package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mtfleet/mtfleet/persistence/badgerstore"
)

// canMount tells whether a script may mount a file system of its own.
func canMount() bool {
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		return false
	}
	dir, err := os.MkdirTemp("", "mount")
	if err != nil {
		return false
	}
	defer os.Remove(dir)
	if exec.Command("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", dir).Run() != nil {
		return false
	}
	return exec.Command("umount", dir).Run() == nil
}

// smalldisk DIR mounts a file system of 64 MB for as long as the script runs.
func smallDisk(ts *testscript.TestScript, neg bool, args []string) {
	dir := ts.MkAbs(args[0])
	ts.Check(os.Mkdir(dir, 0o700))
	ts.Check(exec.Command("mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", dir).Run())
	ts.Defer(func() { _ = exec.Command("umount", "-l", dir).Run() })
}

// commitMost is longer than a commit takes that found room a moment ago.
const commitMost = 500 * time.Millisecond

// filldisk DIR takes all that is free: less than a store needs first, and the rest when
// no commit is under way any more that has seen more. Disks fill up so; where all of it
// goes within a commit, Badger writes into memory that has no page behind it, and the
// process ends.
func fillDisk(ts *testscript.TestScript, neg bool, args []string) {
	dir := ts.MkAbs(args[0])
	f, err := os.Create(filepath.Join(dir, "filler"))
	ts.Check(err)
	defer f.Close()
	low := false
	for block := make([]byte, 64<<10); len(block) > 0; {
		if _, err := f.Write(block); errors.Is(err, syscall.ENOSPC) {
			block = block[:len(block)/2]
		} else {
			ts.Check(err)
		}
		if room, _ := badgerstore.RoomFor(dir, true); !low && room.Free < room.Needed/2 {
			low = true
			time.Sleep(commitMost)
		}
	}
}

// freedisk DIR gives it back.
func freeDisk(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(os.Remove(filepath.Join(ts.MkAbs(args[0]), "filler")))
}
