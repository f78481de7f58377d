//go:build unix

package main

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// readable waits for something to read on a terminal, which is a line, or its end.
func readable(tty *os.File, patience time.Duration) bool {
	fds := []unix.PollFd{{Fd: int32(tty.Fd()), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, int(patience.Milliseconds()))
	return n > 0 || err != nil && err != unix.EINTR // the read will tell
}
