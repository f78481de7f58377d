package wire

import (
	"errors"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// epoll is a set of sockets that tells each once. It is a file that the run-time
// waits for, as it does for a socket: nobody sits in epoll_wait with a thread.
type epoll struct {
	file   *os.File
	raw    syscall.RawConn
	events [128]unix.EpollEvent
}

func newPoller() (poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // the run-time waits for no other file
		unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	e := &epoll{file: os.NewFile(uintptr(fd), "epoll")}
	if e.raw, err = e.file.SyscallConn(); err == nil {
		err = e.file.SetReadDeadline(time.Time{}) // an error: the run-time does not wait for it
	}
	if err != nil {
		e.file.Close()
		return nil, err
	}
	return e, nil
}

func (e *epoll) watch(socket *net.TCPConn, number uint64, again bool) error {
	raw, err := socket.SyscallConn()
	if err != nil {
		return err
	}
	op := unix.EPOLL_CTL_ADD
	if again {
		op = unix.EPOLL_CTL_MOD
	}
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLONESHOT, Fd: int32(number), Pad: int32(number >> 32)}
	ctlErr := errors.New("wire: no epoll set")
	err = errors.Join(e.raw.Control(func(set uintptr) {
		err := raw.Control(func(fd uintptr) { ctlErr = unix.EpollCtl(int(set), op, int(fd), &event) })
		if err != nil {
			ctlErr = err
		}
	}), ctlErr)
	return err
}

func (e *epoll) wait(buf []uint64) ([]uint64, error) {
	n, waitErr := 0, error(nil)
	err := e.raw.Read(func(set uintptr) bool {
		n, waitErr = unix.EpollWait(int(set), e.events[:min(len(buf), len(e.events))], 0)
		return n > 0 || waitErr != nil && waitErr != unix.EINTR
	})
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, nil
	case err == nil:
		err = waitErr
	}
	if err != nil {
		return nil, os.NewSyscallError("epoll_wait", err)
	}
	for i := range n {
		buf[i] = uint64(uint32(e.events[i].Fd)) | uint64(uint32(e.events[i].Pad))<<32
	}
	return buf[:n], nil
}

func (e *epoll) interrupt() { _ = e.file.SetReadDeadline(time.Unix(1, 0)) }
func (e *epoll) resume()    { _ = e.file.SetReadDeadline(time.Time{}) }
