//go:build !unix

package wire

// DescriptorLimit returns how many files this process may have open, where the
// system has such a limit.
func DescriptorLimit() (limit int, ok bool) { return 0, false }
