//go:build unix

package badgerstore

import "syscall"

// The directories that tests make are the owner's, as those of a store are:
// otherwise each Open would warn of them.
func init() { syscall.Umask(0o077) }
