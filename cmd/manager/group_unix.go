//go:build unix

package main

import (
	"os/exec"
	"syscall"
)

// apart has a command begin a group of its own, which a Ctrl-C at our terminal is not for.
func apart(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
