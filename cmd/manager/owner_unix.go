//go:build unix

package main

import (
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// ownerOf names whom a file belongs to; others tells whether that is another user
// than this process's.
func ownerOf(path string) (name string, others bool) {
	info, err := os.Stat(path)
	if err != nil {
		return "", false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "", false
	}
	id := strconv.Itoa(int(st.Uid))
	name = "user " + id
	if u, err := user.LookupId(id); err == nil {
		name = u.Username
	}
	return name, int(st.Uid) != os.Geteuid()
}
