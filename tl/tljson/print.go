package tljson

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/mtfleet/mtfleet/tl"
)

// usualNaN are the bits of the NaN that is written without them: the quiet one with nothing in it.
const usualNaN = 0x7ff8000000000000

// printer writes one value as it reads it. It checks everything that tl.Skip checks.
type printer struct {
	c   *Codec
	in  []byte
	out []byte
}

// done gives what was written, if it was all of the input.
func (w *printer) done(dst []byte, end int, err *tl.ParseError) ([]byte, error) {
	if err == nil && end != len(w.in) {
		err = &tl.ParseError{Offset: end, Err: tl.ErrTrailing}
	}
	if err != nil {
		return dst, err
	}
	return w.out, nil
}

// boxed writes the boxed value of type typ at off and returns its end. depth is how many levels of nesting are left.
func (w *printer) boxed(off int, typ tl.Type, depth int) (end int, err *tl.ParseError) {
	if depth <= 0 {
		return 0, &tl.ParseError{Offset: off, Err: tl.ErrDepth}
	}
	if len(w.in)-off < 4 {
		return 0, &tl.ParseError{Offset: off, Err: tl.ErrShort}
	}
	id := binary.LittleEndian.Uint32(w.in[off:])
	index, ok := w.c.table.Index(id)
	if !ok {
		return 0, &tl.ParseError{Offset: off, Err: &tl.UnknownConstructorError{ID: id}}
	}
	_, got, ops := w.c.table.At(index)
	if typ != tl.TypeAny && typ != got {
		return 0, &tl.ParseError{Offset: off, Err: &tl.ConstructorError{Got: id, Want: w.c.table.TypeName(typ)}}
	}
	if id == tl.BoolTrueID || id == tl.BoolFalseID {
		return w.bool(off)
	}
	w.out = append(w.out, `{"_":"`...)
	w.out = append(w.out, w.c.names.Name(index)...)
	w.out = append(w.out, '"')
	if end, err = w.fields(off+4, w.c.names.Fields(index), ops, depth); err != nil {
		if err.Type == "" {
			err.Type = w.c.names.Name(index)
		}
		return 0, err
	}
	w.out = append(w.out, '}')
	return end, nil
}

// fields writes the fields of one constructor, from off on.
func (w *printer) fields(off int, names tl.FieldNames, ops []tl.Op, depth int) (end int, err *tl.ParseError) {
	var flags, strange [tl.MaxFlags]uint32 // strange: bits that no field has been found for
	var words [tl.MaxFlags]string
	for {
		cond, ok := names.Next()
		if !ok {
			break
		}
		if word, bit, ok := cond.If(); ok { // of type true
			if flags[word]&(1<<bit) != 0 {
				strange[word] &^= 1 << bit
				w.name(names.Name())
				w.out = append(w.out, "true"...)
			}
			continue
		}
		var op, elem tl.Op
		cond, op, elem, ops = tl.NextField(ops)
		if word, bit, ok := cond.If(); ok {
			if flags[word]&(1<<bit) == 0 {
				continue
			}
			strange[word] &^= 1 << bit
		}
		if word, ok := op.FlagWord(); ok {
			if len(w.in)-off < 4 {
				return 0, &tl.ParseError{Offset: off, Err: tl.ErrShort}
			}
			flags[word], words[word] = binary.LittleEndian.Uint32(w.in[off:]), names.Name()
			strange[word] = flags[word]
			off += 4
			continue
		}
		w.name(names.Name())
		if off, err = w.value(off, op, elem, depth); err != nil {
			return 0, err
		}
	}
	for word, bits := range strange {
		if bits != 0 {
			w.name(words[word])
			w.out = strconv.AppendUint(w.out, uint64(bits), 10)
		}
	}
	return off, nil
}

// name begins a field.
func (w *printer) name(name string) {
	w.out = append(w.out, `,"`...)
	w.out = append(w.out, name...)
	w.out = append(w.out, `":`...)
}

// value writes the value at off and returns its end.
func (w *printer) value(off int, op, elem tl.Op, depth int) (end int, err *tl.ParseError) {
	if typ, ok := op.Boxed(); ok {
		return w.boxed(off, typ, depth-1)
	}
	size := 4
	switch op {
	case tl.OpString, tl.OpBytes:
		return w.blob(off, op)
	case tl.OpVector, tl.OpBareVector:
		return w.vector(off, op, elem, depth)
	case tl.OpBool:
		return w.bool(off)
	case tl.OpLong, tl.OpDouble:
		size = 8
	case tl.OpInt128:
		size = 16
	case tl.OpInt256:
		size = 32
	}
	if len(w.in)-off < size {
		return 0, &tl.ParseError{Offset: off, Err: tl.ErrShort}
	}
	b := w.in[off : off+size]
	switch op {
	case tl.OpLong:
		w.out = append(w.out, '"')
		w.out = strconv.AppendInt(w.out, int64(binary.LittleEndian.Uint64(b)), 10)
		w.out = append(w.out, '"')
	case tl.OpDouble:
		w.double(binary.LittleEndian.Uint64(b))
	case tl.OpInt128, tl.OpInt256:
		w.out = append(w.out, '"')
		w.out = hex.AppendEncode(w.out, b)
		w.out = append(w.out, '"')
	default:
		w.out = strconv.AppendInt(w.out, int64(int32(binary.LittleEndian.Uint32(b))), 10)
	}
	return off + size, nil
}

// vector writes the vector at off as an array and returns its end.
func (w *printer) vector(off int, op, elem tl.Op, depth int) (end int, err *tl.ParseError) {
	r := tl.NewReader(w.in[off:])
	n := 0
	if op == tl.OpVector {
		n = r.VectorLen(4) // no element is smaller than four bytes
	} else {
		n = r.BareVectorLen(4)
	}
	if err := parseError(r.Err(), off); err != nil {
		return 0, err
	}
	off += r.Offset()
	w.out = append(w.out, '[')
	for i := range n {
		if i > 0 {
			w.out = append(w.out, ',')
		}
		if off, err = w.value(off, elem, tl.OpEnd, depth); err != nil {
			return 0, err
		}
	}
	w.out = append(w.out, ']')
	return off, nil
}

// bool writes the Bool at off.
func (w *printer) bool(off int) (end int, err *tl.ParseError) {
	r := tl.NewReader(w.in[off:])
	v := r.Bool()
	if err := parseError(r.Err(), off); err != nil {
		return 0, err
	}
	w.out = strconv.AppendBool(w.out, v)
	return off + 4, nil
}

// blob writes the string or bytes at off.
func (w *printer) blob(off int, op tl.Op) (end int, err *tl.ParseError) {
	r := tl.NewReader(w.in[off:])
	v := r.BytesView()
	if err := parseError(r.Err(), off); err != nil {
		return 0, err
	}
	switch {
	case op == tl.OpBytes:
		w.out = appendBase64(w.out, v)
	case !utf8.Valid(v):
		w.out = append(w.out, `{"`+base64Key+`":`...)
		w.out = appendBase64(w.out, v)
		w.out = append(w.out, '}')
	default:
		w.out = appendString(w.out, v)
	}
	return off + r.Offset(), nil
}

// base64Key is the one field of a string that is not UTF-8.
const base64Key = "base64"

func appendBase64(out, v []byte) []byte {
	out = append(out, '"')
	out = base64.StdEncoding.AppendEncode(out, v)
	return append(out, '"')
}

// double writes the double with the given bits. A number comes out as the shortest text that reads back as itself.
func (w *printer) double(bits uint64) {
	v := math.Float64frombits(bits)
	switch {
	case bits == usualNaN:
		w.out = append(w.out, `"NaN"`...)
	case math.IsNaN(v):
		w.out = append(w.out, `"NaN:`...)
		w.out = hex.AppendEncode(w.out, binary.BigEndian.AppendUint64(nil, bits))
		w.out = append(w.out, '"')
	case math.IsInf(v, 1):
		w.out = append(w.out, `"Infinity"`...)
	case math.IsInf(v, -1):
		w.out = append(w.out, `"-Infinity"`...)
	default:
		format := byte('f')
		if size := math.Abs(v); size != 0 && (size < 1e-6 || size >= 1e21) {
			format = 'e'
		}
		w.out = strconv.AppendFloat(w.out, v, format, -1, 64)
	}
}

// parseError is the error of a reader that began at off.
func parseError(err error, off int) *tl.ParseError {
	if err == nil {
		return nil
	}
	perr := err.(*tl.ParseError)
	perr.Offset += off
	return perr
}
