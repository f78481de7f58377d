package persistence

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"
)

// The format of record data: the fields in a fixed order, without names.
// Integers are varints (zigzag where they may be negative), strings and bytes
// are preceded by their length, booleans are one byte 0 or 1, times are
// microseconds since 1970 with 0 for the zero time. Any change of a record's
// fields takes a new version of that record.

// writer appends fields.
type writer []byte

func (w *writer) uint(v uint64) { *w = binary.AppendUvarint(*w, v) }
func (w *writer) int(v int64)   { *w = binary.AppendVarint(*w, v) }
func (w *writer) fixed(v int64) { *w = binary.LittleEndian.AppendUint64(*w, uint64(v)) }

func (w *writer) bool(v bool) {
	if v {
		*w = append(*w, 1)
	} else {
		*w = append(*w, 0)
	}
}

func (w *writer) bytes(v []byte) {
	w.uint(uint64(len(v)))
	*w = append(*w, v...)
}

func (w *writer) string(v string) {
	w.uint(uint64(len(v)))
	*w = append(*w, v...)
}

func (w *writer) time(v time.Time) {
	if v.IsZero() {
		w.int(0)
	} else {
		w.int(v.UnixMicro())
	}
}

// seconds writes unix seconds as a time.
func (w *writer) seconds(v uint32) { w.int(int64(v) * 1e6) }

// reader takes fields off; the first error stays, and further fields are zero.
type reader struct {
	b   []byte
	why string // the first error, without any data
}

func (r *reader) fail(why string) {
	if r.why == "" {
		r.why = why
	}
	r.b = nil
}

func (r *reader) uint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail("it ends too early")
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) int() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail("it ends too early")
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) int32() int32 {
	v := r.int()
	if v != int64(int32(v)) {
		r.fail("a number is out of range")
		return 0
	}
	return int32(v)
}

func (r *reader) take(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.fail("it ends too early")
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) fixed() int64 {
	if b := r.take(8); b != nil {
		return int64(binary.LittleEndian.Uint64(b))
	}
	return 0
}

func (r *reader) bool() bool {
	b := r.take(1)
	if b == nil {
		return false
	}
	if b[0] > 1 {
		r.fail("a flag is neither yes nor no")
	}
	return b[0] == 1
}

// bytes returns a copy, nil when it is empty.
func (r *reader) bytes() []byte { return append([]byte(nil), r.take(r.uint())...) }

func (r *reader) string() string { return string(r.take(r.uint())) }

func (r *reader) key() (k AuthKey) {
	copy(k[:], r.take(uint64(len(k))))
	return k
}

func (r *reader) time() time.Time {
	if v := r.int(); v != 0 {
		return time.UnixMicro(v).UTC()
	}
	return time.Time{}
}

// seconds reads a time as unix seconds.
func (r *reader) seconds() uint32 {
	micros := r.int()
	if micros < 0 || micros > math.MaxUint32*1e6 || micros%1e6 != 0 {
		r.fail("a time is not one of a server")
		return 0
	}
	return uint32(micros / 1e6)
}

// count reads a number of elements of at least size bytes each.
func (r *reader) count(size int) int {
	n := r.uint()
	if n > uint64(len(r.b)/size) {
		r.fail("it ends too early")
		return 0
	}
	return int(n)
}

// open begins to decode a record of that kind, of versions 1 to known.
func open(rec Record, kind Kind, known uint16) (*reader, error) {
	if rec.Kind != kind {
		return nil, &InvalidError{rec.Key, "it is no " + kind.String() + " record"}
	}
	if rec.Version > known {
		return nil, &VersionError{Key: rec.Key, Version: rec.Version, Known: known}
	}
	if rec.Version == 0 {
		return nil, &CorruptError{rec.Key, "it has no format version"}
	}
	return &reader{b: rec.Data}, nil
}

// close ends decoding: everything must have been read.
func (r *reader) close(rec Record) error {
	if r.why == "" && len(r.b) > 0 {
		r.why = fmt.Sprintf("it has %d bytes too many", len(r.b))
	}
	if r.why != "" {
		return &CorruptError{rec.Key, r.why}
	}
	return nil
}
