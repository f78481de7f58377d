package badgerstore

import (
	"bytes"
	"os"
	"syscall"
	"unsafe"
)

// diskUsage asks the file system of dir. Free is what others than root may use.
func diskUsage(dir string) (usage, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return usage{}, &os.PathError{Op: "statfs", Path: dir, Err: err}
	}
	block := int64(st.Bsize)
	u := usage{free: int64(st.Bavail) * block, total: int64(st.Blocks) * block, inodes: int64(st.Ffree), readOnly: st.Flags&syscall.MS_RDONLY != 0}
	if st.Files == 0 {
		u.inodes = -1 // made as they are needed, as btrfs does
	}
	if st.Blocks == 0 {
		u.free = -1 // a tmpfs without a limit
	}
	return u, nil
}

// fallocKeepSize is FALLOC_FL_KEEP_SIZE of linux/falloc.h.
const fallocKeepSize = 1

func allocate(f *os.File, size int64) error {
	for {
		err := syscall.Fallocate(int(f.Fd()), fallocKeepSize, 0, size)
		switch err {
		case nil:
			return nil
		case syscall.EINTR:
			continue
		}
		return &os.PathError{Op: "fallocate", Path: f.Name(), Err: err}
	}
}

// inUse tells whether another process has the directory locked, as Badger does.
func inUse(dir string) bool {
	f, err := os.Open(dir)
	if err != nil {
		return false
	}
	defer f.Close() // and so unlocks it
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == syscall.EWOULDBLOCK
}

// watch calls appeared with the name of each file made in dir, some tens of
// microseconds after it was made, until the returned function is called. Where
// the system has no watch left it does nothing: the committer looks too.
func watch(dir string, appeared func(name string)) (end func()) {
	fd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC | syscall.IN_NONBLOCK)
	if err != nil {
		return func() {}
	}
	events := os.NewFile(uintptr(fd), "inotify")
	if _, err := syscall.InotifyAddWatch(fd, dir, syscall.IN_CREATE|syscall.IN_MOVED_TO); err != nil {
		_ = events.Close()
		return func() {}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 64*(syscall.SizeofInotifyEvent+syscall.NAME_MAX+1))
		for {
			n, err := events.Read(buf)
			if err != nil {
				return
			}
			for b := buf[:n]; len(b) >= syscall.SizeofInotifyEvent; {
				e := (*syscall.InotifyEvent)(unsafe.Pointer(&b[0]))
				size := syscall.SizeofInotifyEvent + int(e.Len)
				name, _, _ := bytes.Cut(b[syscall.SizeofInotifyEvent:size], []byte{0})
				appeared(string(name))
				b = b[size:]
			}
		}
	}()
	return func() {
		_ = events.Close()
		<-done
	}
}
