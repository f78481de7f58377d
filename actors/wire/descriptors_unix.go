//go:build unix

package wire

import "syscall"

// DescriptorLimit returns how many files this process may have open: the soft
// limit, which Go's package os raises to the hard one when a process starts.
func DescriptorLimit() (limit int, ok bool) {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil {
		return 0, false
	}
	const most = 1 << 30 // "unlimited" is more than anybody has
	return int(min(uint64(r.Cur), most)), true
}
