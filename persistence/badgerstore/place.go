package badgerstore

import "encoding/binary"

// place says where a store lies, by things of its directory that a copy cannot
// have and a reboot does not change.
//
//   - The inode of the directory and the moment it was made (its birth time, to
//     the nanosecond). Both are kept in the inode itself by ext4, xfs, btrfs, zfs
//     and tmpfs; nothing but the file system sets them. A copy, a restored backup
//     and a directory moved to another file system have others; one renamed or
//     mounted elsewhere, bind mounts of containers among them, has the same.
//   - Not the device number: it is given out in the order in which disks are
//     found, and anew at each mount on btrfs, overlay and NFS. Not the id that
//     statfs gives: xfs makes it of the device number.
//   - On overlay, FUSE and 9P the inode of a directory may be made up at each mount,
//     and its birth time, if there is one, comes from the file system below: there
//     the latter alone counts.
//   - Where a file system keeps no birth time, the inode and the kind of file
//     system must be the same. Where nothing is known, nothing is compared.
//   - A store that was restored from a backup lies nowhere until it is adopted, and
//     no place is the same as that, whatever is known of directories here.
//
// What it does not see: an image of a whole disk that was started twice, as
// snapshots of virtual machines are.
type place struct {
	known  uint8 // bits: inode, birth, nowhere
	inode  uint64
	birth  int64 // nanoseconds since 1970
	fstype uint64
}

const (
	placeInode uint8 = 1 << iota
	placeBirth
	placeNowhere
)

// nowhere is the place of a store that was restored. A program that does not know
// the last bit compares the inode and the birth, which no directory has.
var nowhere = place{known: placeInode | placeBirth | placeNowhere}

const placeLen = 1 + 3*8

// Kinds of file systems, as statfs names them, whose inodes may not last.
const (
	overlayFSType = 0x794c7630
	fuseFSType    = 0x65735546
	p9FSType      = 0x01021997
)

func (p place) passing() bool {
	return p.fstype == overlayFSType || p.fstype == fuseFSType || p.fstype == p9FSType
}

// same tells whether two places are one, as far as they are known.
func (p place) same(q place) bool {
	if (p.known|q.known)&placeNowhere != 0 {
		return false
	}
	known := p.known & q.known
	if p.passing() || q.passing() {
		known &= placeBirth
	}
	if known == 0 {
		return true
	}
	if known&placeInode != 0 && p.inode != q.inode {
		return false
	}
	if known&placeBirth != 0 {
		return p.birth == q.birth
	}
	return p.fstype == q.fstype
}

func (p place) append(b []byte) []byte {
	b = append(b, p.known)
	b = binary.LittleEndian.AppendUint64(b, p.inode)
	b = binary.LittleEndian.AppendUint64(b, uint64(p.birth))
	return binary.LittleEndian.AppendUint64(b, p.fstype)
}

// readPlace reads what append wrote; b has placeLen bytes.
func readPlace(b []byte) place {
	return place{
		known: b[0], inode: binary.LittleEndian.Uint64(b[1:]),
		birth: int64(binary.LittleEndian.Uint64(b[9:])), fstype: binary.LittleEndian.Uint64(b[17:]),
	}
}
