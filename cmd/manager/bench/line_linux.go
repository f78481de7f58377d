package bench

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// carried asks the kernel (TCP_INFO) what a socket carried; 0 of one that is closed.
func carried(c net.Conn) (sent, received uint64) {
	tcp, ok := c.(syscall.Conn)
	if !ok {
		return 0, 0
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return 0, 0
	}
	_ = raw.Control(func(fd uintptr) { // its error is that of a closed socket
		if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			sent, received = info.Bytes_acked, info.Bytes_received
		}
	})
	return sent, received
}
