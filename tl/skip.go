package tl

import "encoding/binary"

// Skip returns the length of the one boxed value at the start of b, whatever its type. It checks everything
// that parsing would check (ids, types, lengths, nesting) and allocates only for an error, a *ParseError.
func Skip(t *Table, b []byte) (n int, err error) {
	n, perr := t.skip(b, 0, TypeAny, MaxDepth, nil)
	if perr != nil {
		return 0, perr
	}
	return n, nil
}

// Field is one field of a boxed value, as Walk finds it.
type Field struct {
	// Index counts the fields that have bytes in the schema, present or not, from 0.
	Index int
	// If is the condition of an optional field, 0 for others.
	If Op
	// Op is the field's kind, Elem that of its elements if Op is a vector.
	Op, Elem Op
	// Start and End enclose the field's bytes.
	Start, End int
}

// Walk calls visit for every field present in the boxed value at the start of b, in order, and returns the
// value's length. Fields of values inside it are not visited. After an error the fields already visited mean
// nothing.
func Walk(t *Table, b []byte, visit func(Field)) (n int, err error) {
	n, perr := t.skip(b, 0, TypeAny, MaxDepth, visit)
	if perr != nil {
		return 0, perr
	}
	return n, nil
}

// skip returns the end of the boxed value of type typ that starts at off, calling visit, if any, for its
// fields. depth is how many levels of nesting are left.
func (t *Table) skip(b []byte, off int, typ Type, depth int, visit func(Field)) (end int, err *ParseError) {
	if depth <= 0 {
		return 0, &ParseError{Offset: off, Err: ErrDepth}
	}
	if len(b)-off < 4 {
		return 0, &ParseError{Offset: off, Err: ErrShort}
	}
	id := binary.LittleEndian.Uint32(b[off:])
	got, ops, ok := t.Lookup(id)
	switch {
	case !ok:
		return 0, &ParseError{Offset: off, Err: &UnknownConstructorError{ID: id}}
	case typ != TypeAny && typ != got:
		return 0, &ParseError{Offset: off, Err: &ConstructorError{Got: id, Want: t.TypeName(typ)}}
	}
	off += 4
	var flags [MaxFlags]uint32
	for i, index := 0, 0; ops[i] != OpEnd; index++ { // NextField in place: a sixth faster
		f := Field{Index: index, Start: off}
		present := true
		if word, bit, ok := ops[i].If(); ok {
			f.If = ops[i]
			present = flags[word]&(1<<bit) != 0
			i++
		}
		f.Op = ops[i]
		i++
		if f.Op.Vector() {
			f.Elem = ops[i]
			i++
		}
		if !present {
			continue
		}
		if off, err = t.skipField(b, off, f.Op, f.Elem, depth); err != nil {
			return 0, err
		}
		if word, ok := f.Op.FlagWord(); ok {
			flags[word] = binary.LittleEndian.Uint32(b[f.Start:])
		}
		if visit != nil {
			f.End = off
			visit(f)
		}
	}
	return off, nil
}

// skipField returns the end of the field that starts at off.
func (t *Table) skipField(b []byte, off int, op, elem Op, depth int) (end int, err *ParseError) {
	if typ, ok := op.Boxed(); ok {
		return t.skip(b, off, typ, depth-1, nil)
	}
	size := 4
	switch op {
	case OpLong, OpDouble:
		size = 8
	case OpInt128:
		size = 16
	case OpInt256:
		size = 32
	case OpString, OpBytes:
		head, n, err := blobSize(b[off:])
		if err != nil {
			return 0, &ParseError{Offset: off, Err: err}
		}
		return off + padded(head+n), nil
	case OpVector, OpBareVector:
		return t.skipVector(b, off, op, elem, depth)
	}
	if len(b)-off < size {
		return 0, &ParseError{Offset: off, Err: ErrShort}
	}
	if op == OpBool {
		if id := binary.LittleEndian.Uint32(b[off:]); id != BoolTrueID && id != BoolFalseID {
			return 0, &ParseError{Offset: off, Err: &ConstructorError{Got: id, Want: "Bool"}}
		}
	}
	return off + size, nil
}

// skipVector returns the end of the vector that starts at off.
func (t *Table) skipVector(b []byte, off int, op, elem Op, depth int) (end int, err *ParseError) {
	if op == OpVector {
		if len(b)-off < 4 {
			return 0, &ParseError{Offset: off, Err: ErrShort}
		}
		if id := binary.LittleEndian.Uint32(b[off:]); id != VectorID {
			return 0, &ParseError{Offset: off, Err: &ConstructorError{Got: id, Want: "Vector"}}
		}
		off += 4
	}
	if len(b)-off < 4 {
		return 0, &ParseError{Offset: off, Err: ErrShort}
	}
	n := int32(binary.LittleEndian.Uint32(b[off:]))
	if n < 0 || int(n) > (len(b)-off-4)/4 { // no element is smaller than four bytes
		return 0, &ParseError{Offset: off, Err: ErrLength}
	}
	off += 4
	for ; n > 0; n-- {
		if off, err = t.skipField(b, off, elem, OpEnd, depth); err != nil {
			return 0, err
		}
	}
	return off, nil
}
