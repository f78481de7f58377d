//go:build unix

package wire

import (
	"net"
	"os"
	"sync"
	"syscall"
)

// attempt is one write to a socket that takes what there is room for and does not
// wait. Its function is made once: one for each write would be allocated.
type attempt struct {
	b   []byte
	n   int
	err error
	do  func(fd uintptr) (done bool)
}

var attempts = sync.Pool{New: func() any {
	a := new(attempt)
	a.do = a.write
	return a
}}

func (a *attempt) write(fd uintptr) bool {
	for {
		a.n, a.err = syscall.Write(int(fd), a.b)
		if a.err != syscall.EINTR {
			return true
		}
	}
}

// plainTCP returns a socket to which bytes may be written past its methods, nil for
// all others: what is around a TCP socket would not see them.
func plainTCP(socket net.Conn) *net.TCPConn {
	tcp, _ := socket.(*net.TCPConn)
	return tcp
}

// writeOnce writes as many bytes as the socket takes now; none is no error.
func writeOnce(socket *net.TCPConn, b []byte) (n int, err error) {
	raw, err := socket.SyscallConn()
	if err != nil {
		return 0, err
	}
	a := attempts.Get().(*attempt)
	a.b, a.n, a.err = b, 0, nil
	err = raw.Write(a.do)
	n, failed := max(a.n, 0), a.err
	a.b = nil
	attempts.Put(a)
	switch {
	case err != nil:
		return 0, err
	case failed == nil || failed == syscall.EAGAIN:
		return n, nil
	}
	return n, &net.OpError{Op: "write", Net: "tcp", Source: socket.LocalAddr(), Addr: socket.RemoteAddr(), Err: os.NewSyscallError("write", failed)}
}
