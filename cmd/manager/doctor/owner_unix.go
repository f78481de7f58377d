//go:build unix

package doctor

import (
	"io/fs"
	"os"
	"syscall"
)

// ours tells whether a file belongs to the user of this process.
func ours(info fs.FileInfo) bool {
	st, known := info.Sys().(*syscall.Stat_t)
	return !known || int(st.Uid) == os.Geteuid()
}
