//go:build unix

package main

import "syscall"

// keepToOurselves has every file that the process makes closed to other users,
// those of libraries too.
func keepToOurselves() { syscall.Umask(0o077) }
