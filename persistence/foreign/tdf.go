package foreign

import (
	"bytes"
	"crypto/md5"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"slices"
)

// A TDF file is "TDF$" · version i32 LE · data · MD5(data ‖ len(data) LE32 ‖ version LE32 ‖ "TDF$"). It is written under
// its name and "s"; before 2018 it was written in turn under its name and "0" or "1".
const (
	tdfMagic = "TDF$"
	tdfHead  = len(tdfMagic) + 4

	// maxTDF is the largest file of tdata that is read. An account's file holds at most maxTDataKeys keys twice, 2·32·260
	// bytes, and settings before them in versions of before 2020, some KiB; key_datas has 0.5 KiB. The map file lists
	// drafts and stickers and has seldom 64 KiB; it is read only where it holds the local key.
	maxTDF = 1 << 20
)

// readTDF reads the newest valid file of a name, in the order in which Telegram Desktop tries them. It answers no data
// and no error where there is no such file.
func readTDF(dir fs.FS, name string) (data []byte, err error) {
	candidates := []string{name + "s"}
	if !exists(dir, name+"s") {
		candidates = []string{name + "0", name + "1"}
		if modified(dir, name+"0") < modified(dir, name+"1") {
			slices.Reverse(candidates)
		}
	}
	for _, file := range candidates {
		if !exists(dir, file) {
			continue
		}
		content, failed := readSmall(TData, dir, file, maxTDF)
		if failed == nil {
			data, failed = openTDF(content, file)
		}
		if failed == nil {
			return data, nil
		}
		if err == nil {
			err = failed
		}
	}
	return nil, err
}

// openTDF checks a TDF file and cuts its data out.
func openTDF(content []byte, file string) ([]byte, error) {
	if len(content) < tdfHead+md5.Size || string(content[:len(tdfMagic)]) != tdfMagic {
		return nil, bad(TData, ReasonMalformed, file, "it is not a file of Telegram Desktop")
	}
	data := content[tdfHead : len(content)-md5.Size]
	h := md5.New()
	h.Write(data)
	h.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(data))))
	h.Write(content[len(tdfMagic):tdfHead])
	h.Write(content[:len(tdfMagic)])
	if !bytes.Equal(h.Sum(nil), content[len(content)-md5.Size:]) {
		return nil, bad(TData, ReasonMalformed, file, "its checksum is wrong: it was changed, or copied while Telegram Desktop was writing it; close Telegram Desktop and copy it again")
	}
	return data, nil
}

// readSmall reads a file that may have at most limit bytes.
func readSmall(f Format, dir fs.FS, name string, limit int) ([]byte, error) {
	info, err := fs.Stat(dir, name)
	if err == nil && !info.Mode().IsRegular() { // opening a pipe would wait for its writer
		return nil, bad(f, ReasonMalformed, name, "it is not a file")
	}
	file, err := dir.Open(name)
	if err != nil {
		return nil, bad(f, ReasonMalformed, name, "it cannot be opened: %s", plain(err))
	}
	defer func() { _ = file.Close() }()
	content, err := io.ReadAll(io.LimitReader(file, int64(limit)+1))
	if err != nil {
		return nil, bad(f, ReasonMalformed, name, "it cannot be read: %s", plain(err))
	}
	if len(content) > limit {
		return nil, bad(f, ReasonTooLarge, name, "it has more than %d bytes, and no such file has", limit)
	}
	return content, nil
}

// plain says what the file system said, without the path, which Where has.
func plain(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return err.Error()
}

func exists(dir fs.FS, name string) bool {
	info, err := fs.Stat(dir, name)
	return err == nil && info.Mode().IsRegular()
}

// modified is when a file was last written, in nanoseconds; 0 where there is none.
func modified(dir fs.FS, name string) int64 {
	info, err := fs.Stat(dir, name)
	if err != nil {
		return 0
	}
	return info.ModTime().UnixNano()
}

// qtReader reads what Qt's QDataStream wrote: big-endian integers, and byte arrays behind their length.
type qtReader struct {
	b      []byte
	failed bool
}

func (r *qtReader) take(n int) []byte {
	if r.failed || n < 0 || n > len(r.b) {
		r.failed = true
		return nil
	}
	head := r.b[:n:n]
	r.b = r.b[n:]
	return head
}

func (r *qtReader) uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *qtReader) int32() int32 { return int32(r.uint32()) }

func (r *qtReader) uint64() uint64 {
	if b := r.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// bytes reads a QByteArray; a null one is empty.
func (r *qtReader) bytes() []byte {
	n := r.uint32()
	if n == 0xffffffff {
		return nil
	}
	if int64(n) > int64(len(r.b)) {
		r.failed = true
		return nil
	}
	return r.take(int(n))
}
