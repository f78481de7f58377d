package tl

import (
	"encoding/binary"
	"math"
)

// MaxStringLen is the longest string or bytes value TL can carry, in bytes: its length has 24 bits.
const MaxStringLen = 1<<24 - 1

// shortStringLen is the longest string whose length fits its first byte; longStringMark in that byte announces
// three more bytes of length.
const (
	shortStringLen = 253
	longStringMark = 254
)

// AppendInt32 appends an int.
func AppendInt32(b []byte, v int32) []byte { return binary.LittleEndian.AppendUint32(b, uint32(v)) }

// AppendUint32 appends a # (flags) or a constructor id.
func AppendUint32(b []byte, v uint32) []byte { return binary.LittleEndian.AppendUint32(b, v) }

// AppendInt64 appends a long.
func AppendInt64(b []byte, v int64) []byte { return binary.LittleEndian.AppendUint64(b, uint64(v)) }

// AppendDouble appends a double.
func AppendDouble(b []byte, v float64) []byte {
	return binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
}

// AppendInt128 appends an int128: 16 bytes as they are.
func AppendInt128(b []byte, v [16]byte) []byte { return append(b, v[:]...) }

// AppendInt256 appends an int256: 32 bytes as they are.
func AppendInt256(b []byte, v [32]byte) []byte { return append(b, v[:]...) }

// AppendString appends a string. It panics with a *LimitError if v is longer than MaxStringLen.
func AppendString(b []byte, v string) []byte { return appendBlob(b, v) }

// AppendBytes appends a bytes value. It panics with a *LimitError if v is longer than MaxStringLen.
func AppendBytes(b, v []byte) []byte { return appendBlob(b, v) }

// AppendBool appends a Bool.
func AppendBool(b []byte, v bool) []byte {
	if v {
		return AppendUint32(b, BoolTrueID)
	}
	return AppendUint32(b, BoolFalseID)
}

// AppendVectorHeader appends what stands before the n elements of a boxed Vector.
func AppendVectorHeader(b []byte, n int) []byte {
	return appendCount(AppendUint32(b, VectorID), n)
}

// AppendBareVectorHeader appends what stands before the n elements of a bare vector: their count alone.
func AppendBareVectorHeader(b []byte, n int) []byte { return appendCount(b, n) }

// AppendRaw appends a required field kept raw. It panics with a *MissingError, naming the field, if v cannot
// be a boxed value.
func AppendRaw(b []byte, v Raw, typeName, field string) []byte {
	if len(v) < 4 || len(v)%4 != 0 {
		panic(&MissingError{Type: typeName, Field: field})
	}
	return append(b, v...)
}

// AppendObject appends a required field that holds an interface. It panics with a *MissingError, naming the
// field, if v is nil.
func AppendObject(b []byte, v Object, typeName, field string) []byte {
	if v == nil {
		panic(&MissingError{Type: typeName, Field: field})
	}
	return v.Append(b)
}

func appendCount(b []byte, n int) []byte {
	if n > math.MaxInt32 {
		panic(&LimitError{What: "vector", Len: n, Max: math.MaxInt32})
	}
	return AppendInt32(b, int32(n))
}

func appendBlob[T string | []byte](b []byte, v T) []byte {
	n := len(v)
	head := 1
	switch {
	case n <= shortStringLen:
		b = append(b, byte(n))
	case n <= MaxStringLen:
		b = append(b, longStringMark, byte(n), byte(n>>8), byte(n>>16))
		head = 4
	default:
		panic(&LimitError{What: "string", Len: n, Max: MaxStringLen})
	}
	b = append(b, v...)
	for pad := -(head + n) & 3; pad > 0; pad-- {
		b = append(b, 0)
	}
	return b
}
