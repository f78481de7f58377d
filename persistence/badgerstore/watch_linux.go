package badgerstore

import (
	"bytes"
	"os"
	"syscall"
	"unsafe"
)

// watch calls appeared with the name of each file made in dir, some tens of
// microseconds after it was made, until the returned function is called. Where
// the system has no watch left it does nothing: only tables need it.
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
