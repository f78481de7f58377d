//go:build unix

package seal

import (
	"io/fs"
	"syscall"
)

// owners are whose a file is.
func owners(info fs.FileInfo) (user, group int, known bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, false
	}
	return int(st.Uid), int(st.Gid), true
}
