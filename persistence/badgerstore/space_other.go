//go:build !linux

package badgerstore

import (
	"errors"
	"os"
)

// Elsewhere than on Linux nothing is known of free space and no room is set
// aside but the reserve: a disk that fills up while the store writes may end the
// process. Nothing committed is lost by that.

func diskUsage(string) (usage, error) { return usage{free: -1, inodes: -1}, nil }

func allocate(int, int64) error { return errors.ErrUnsupported }

func allocated(info os.FileInfo) int64 { return info.Size() }

func chmod(int) {}

func watch(string, func(string)) (end func()) { return func() {} }
