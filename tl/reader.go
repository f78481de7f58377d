package tl

import (
	"encoding/binary"
	"math"
)

// MaxDepth is how deep boxed values may be nested in one another. The deepest values of the API (rich text
// inside table cells inside quotes of an instant-view page) stay below 40.
const MaxDepth = 128

// Reader reads TL values from a byte slice. After the first error every method returns a zero value and Err
// tells what happened. The zero Reader is empty; Reset gives it input.
type Reader struct {
	b       []byte
	off     int
	depth   int
	zeroPad bool
	err     *ParseError
}

// NewReader returns a Reader over b. The Reader keeps b; views and raw values taken from it alias b.
func NewReader(b []byte) *Reader { return &Reader{b: b} }

// Reset starts over with b as the input.
func (r *Reader) Reset(b []byte) { *r = Reader{b: b} }

// RequireZeroPadding makes string padding that is not zero an error. Writers must send zeros, but readers
// should not look; a server that checks its clients does.
func (r *Reader) RequireZeroPadding() { r.zeroPad = true }

// Err returns the first error, always a *ParseError, or nil.
func (r *Reader) Err() error {
	if r.err == nil {
		return nil
	}
	return r.err
}

// End returns the first error, or an error with ErrTrailing if input is left.
func (r *Reader) End() error {
	if r.err == nil && r.off < len(r.b) {
		r.Fail(ErrTrailing)
	}
	return r.Err()
}

// Fail stops the reader with err as its error, unless it has one.
func (r *Reader) Fail(err error) {
	if r.err == nil && err != nil {
		r.err = &ParseError{Offset: r.off, Err: err}
	}
}

// Offset is how many bytes have been read.
func (r *Reader) Offset() int { return r.off }

// Remaining is how many bytes are left; 0 after an error.
func (r *Reader) Remaining() int {
	if r.err != nil {
		return 0
	}
	return len(r.b) - r.off
}

// Take takes n bytes as they are. The result aliases the input; it is nil after an error.
func (r *Reader) Take(n int) []byte {
	if n < 0 {
		r.Fail(ErrLength)
		return nil
	}
	return r.take(n)
}

// Rest takes all bytes left. The result aliases the input.
func (r *Reader) Rest() []byte { return r.take(r.Remaining()) }

// Int32 reads an int.
func (r *Reader) Int32() int32 { return int32(r.Uint32()) }

// Uint32 reads a #.
func (r *Reader) Uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// Int64 reads a long.
func (r *Reader) Int64() int64 {
	if b := r.take(8); b != nil {
		return int64(binary.LittleEndian.Uint64(b))
	}
	return 0
}

// Double reads a double.
func (r *Reader) Double() float64 { return math.Float64frombits(uint64(r.Int64())) }

// Int128 reads an int128.
func (r *Reader) Int128() (v [16]byte) {
	copy(v[:], r.take(16))
	return v
}

// Int256 reads an int256.
func (r *Reader) Int256() (v [32]byte) {
	copy(v[:], r.take(32))
	return v
}

// String reads a string. It need not be UTF-8.
func (r *Reader) String() string { return string(r.BytesView()) }

// Bytes reads a bytes value into a slice of its own, nil if empty.
func (r *Reader) Bytes() []byte { return append([]byte(nil), r.BytesView()...) }

// BytesView reads a bytes value. The result aliases the input.
func (r *Reader) BytesView() []byte {
	if r.err != nil {
		return nil
	}
	head, n, err := blobSize(r.b[r.off:])
	if err != nil {
		r.Fail(err)
		return nil
	}
	start := r.off + head
	end := start + n
	next := r.off + padded(head+n)
	if r.zeroPad {
		for _, pad := range r.b[end:next] {
			if pad != 0 {
				r.Fail(ErrPadding)
				return nil
			}
		}
	}
	r.off = next
	return r.b[start:end:end]
}

// Bool reads a Bool.
func (r *Reader) Bool() bool {
	switch id := r.PeekID(); {
	case r.err != nil:
		return false
	case id == BoolTrueID || id == BoolFalseID:
		r.off += 4
		return id == BoolTrueID
	}
	r.Unexpected("Bool")
	return false
}

// ID reads a constructor id.
func (r *Reader) ID() uint32 { return r.Uint32() }

// PeekID returns the constructor id at the front without taking it. Input shorter than an id is an error.
func (r *Reader) PeekID() uint32 {
	id := r.Uint32()
	if r.err == nil {
		r.off -= 4
	}
	return id
}

// Expect takes the constructor id at the front if it is id, and reports whether it was. name is the TL name
// for the error.
func (r *Reader) Expect(id uint32, name string) bool {
	if r.err != nil {
		return false
	}
	if r.PeekID() != id {
		r.Unexpected(name)
		r.Within(name)
		return false
	}
	r.off += 4
	return true
}

// Unexpected fails because the constructor at the front is not one of want, a TL name.
func (r *Reader) Unexpected(want string) {
	if got := r.PeekID(); r.err == nil {
		r.Fail(&ConstructorError{Got: got, Want: want})
	}
}

// Within names the type whose fields have just been read, if reading them failed and no type inside it has
// been named.
func (r *Reader) Within(name string) {
	if r.err != nil && r.err.Type == "" {
		r.err.Type = name
	}
}

// Enter goes one level deeper into nested values and reports whether that is allowed; Leave comes back.
// Parsers of types that can contain themselves call them.
func (r *Reader) Enter() bool {
	if r.depth >= MaxDepth {
		r.Fail(ErrDepth)
	}
	if r.err != nil {
		return false
	}
	r.depth++
	return true
}

// Leave undoes one successful Enter.
func (r *Reader) Leave() { r.depth-- }

// VectorLen reads the header of a boxed Vector and returns its number of elements, each of which takes at
// least minElemSize bytes. A count that the rest of the input cannot hold is an error with ErrLength.
func (r *Reader) VectorLen(minElemSize int) int {
	if r.PeekID() != VectorID {
		r.Unexpected("Vector")
		return 0
	}
	r.off += 4
	return r.BareVectorLen(minElemSize)
}

// BareVectorLen is VectorLen for a bare vector, whose header is the count alone.
func (r *Reader) BareVectorLen(minElemSize int) int {
	n := r.Int32()
	if n < 0 || int(n) > r.Remaining()/max(minElemSize, 1) {
		r.Fail(ErrLength)
	}
	if r.err != nil {
		return 0
	}
	return int(n)
}

// Raw cuts out one boxed value of type typ (TypeAny for any) with the schema in t. The result is a copy.
func (r *Reader) Raw(t *Table, typ Type) Raw {
	return append(Raw(nil), r.RawView(t, typ)...)
}

// RawView is Raw without the copy: the result aliases the input.
func (r *Reader) RawView(t *Table, typ Type) Raw {
	if r.err != nil {
		return nil
	}
	end, err := t.skip(r.b, r.off, typ, MaxDepth-r.depth, nil)
	if err != nil {
		r.err = err
		return nil
	}
	return Raw(r.take(end - r.off))
}

// OpenRaw takes all that is left as one boxed value, for a field whose type is open (Object, !X) and which
// therefore ends its message. The value's inside is not checked. The result is a copy.
func (r *Reader) OpenRaw() Raw { return append(Raw(nil), r.OpenRawView()...) }

// OpenRawView is OpenRaw without the copy: the result aliases the input.
func (r *Reader) OpenRawView() Raw {
	switch n := r.Remaining(); {
	case n < 4:
		r.Fail(ErrShort)
	case n%4 != 0:
		r.Fail(ErrLength)
	}
	return Raw(r.Rest())
}

// take is Take for an n that is not negative.
func (r *Reader) take(n int) []byte {
	if r.err != nil {
		return nil
	}
	if n > len(r.b)-r.off {
		r.Fail(ErrShort)
		return nil
	}
	b := r.b[r.off : r.off+n : r.off+n]
	r.off += n
	return b
}

// blobSize reads the length of the string at the start of b: the bytes of its header and of its content.
// The content and its padding are inside b.
func blobSize(b []byte) (head, n int, err error) {
	switch {
	case len(b) == 0, b[0] == longStringMark && len(b) < 4:
		return 0, 0, ErrShort
	case b[0] <= shortStringLen:
		head, n = 1, int(b[0])
	case b[0] == longStringMark:
		head, n = 4, int(b[1])|int(b[2])<<8|int(b[3])<<16
	default:
		return 0, 0, ErrLength
	}
	switch {
	case len(b) < head+n:
		return 0, 0, ErrShort
	case len(b) < padded(head+n):
		return 0, 0, ErrPadding
	}
	return head, n, nil
}

// padded rounds n up to a multiple of four.
func padded(n int) int { return (n + 3) &^ 3 }
