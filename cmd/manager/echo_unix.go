//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package main

import "golang.org/x/sys/unix"

// hide turns the echo of a terminal off: before anybody is asked for what must not
// be shown, and who types or pastes at once.
func hide(fd int) {
	if t, err := unix.IoctlGetTermios(fd, getTermios); err == nil {
		t.Lflag &^= unix.ECHO
		_ = unix.IoctlSetTermios(fd, setTermios, t)
	}
}
