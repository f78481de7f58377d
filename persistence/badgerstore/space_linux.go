package badgerstore

import (
	"os"
	"syscall"
)

// diskUsage asks the file system of dir. Free is what others than root may use.
func diskUsage(dir string) (usage, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return usage{}, &os.PathError{Op: "statfs", Path: dir, Err: err}
	}
	block := int64(st.Bsize)
	u := usage{free: int64(st.Bavail) * block, total: int64(st.Blocks) * block, inodes: int64(st.Ffree), readOnly: st.Flags&syscall.MS_RDONLY != 0}
	if st.Files == 0 {
		u.inodes = -1 // made as they are needed, as btrfs does
	}
	if st.Blocks == 0 {
		u.free = -1 // a tmpfs without a limit
	}
	return u, nil
}

// fallocKeepSize is FALLOC_FL_KEEP_SIZE of linux/falloc.h.
const fallocKeepSize = 1

func allocate(fd int, size int64) error {
	for {
		err := syscall.Fallocate(fd, fallocKeepSize, 0, size)
		switch err {
		case nil:
			return nil
		case syscall.EINTR:
			continue
		}
		return os.NewSyscallError("fallocate", err)
	}
}

// allocated is how much of the disk a file takes.
func allocated(info os.FileInfo) int64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Blocks * 512
	}
	return info.Size()
}

func chmod(fd int) { _ = syscall.Fchmod(fd, fileMode) }
