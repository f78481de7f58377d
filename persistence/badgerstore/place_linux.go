package badgerstore

import "golang.org/x/sys/unix"

// placeOf looks at a directory.
func placeOf(dir string) (place, error) {
	var p place
	var st unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, dir, 0, unix.STATX_INO|unix.STATX_BTIME, &st); err != nil {
		if err == unix.ENOSYS {
			return p, nil
		}
		return p, err
	}
	if st.Mask&unix.STATX_INO != 0 {
		p.known, p.inode = p.known|placeInode, st.Ino
	}
	if st.Mask&unix.STATX_BTIME != 0 {
		p.known, p.birth = p.known|placeBirth, st.Btime.Sec*1e9+int64(st.Btime.Nsec)
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return p, err
	}
	p.fstype = uint64(uint32(fs.Type))
	return p, nil
}
