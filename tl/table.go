package tl

import (
	"slices"
	"strings"
)

// Type is the number of a TL type within one Table.
type Type uint16

// TypeAny stands for every type, where the schema says Object or !X. TypeFunction is the type of functions,
// which only TypeAny accepts. The types of a schema are numbered from 2.
const (
	TypeAny      Type = 0
	TypeFunction Type = 1
)

// Op describes one field of a constructor, or a part of one. The fields of a constructor are the Ops up to
// OpEnd; a field is one Op, preceded by an OpIf when it is optional, and followed by the Op of its elements
// when it is a vector. Fields of type true are left out: they have no bytes.
type Op uint16

// Kinds of Op that stand for themselves.
const (
	OpEnd        Op = iota // the constructor has no more fields
	OpInt                  // int: 4 bytes
	OpLong                 // long: 8 bytes
	OpInt128               // 16 bytes
	OpInt256               // 32 bytes
	OpString               // string
	OpBool                 // Bool
	OpVector               // Vector; the next Op describes each element
	OpBareVector           // vector, without an id; the next Op describes each element
	OpFlags                // OpFlags+n: the n-th word of flags, n up to MaxFlags-1
)

// Kinds of Op that follow the words of flags.
const (
	OpDouble = OpFlags + MaxFlags + iota // double: 8 bytes
	OpBytes                              // bytes: on the wire a string
)

// Kinds of Op that carry a number.
const (
	// OpIf says that the next Op is there only if a bit is set: bits 0-4 number the bit, bits 5-6 the word.
	OpIf Op = 0x4000
	// OpBoxed is a boxed value; the other bits number its Type.
	OpBoxed Op = 0x8000
)

// MaxFlags is the most words of flags a constructor has.
const MaxFlags = 4

// FlagWord reports whether o is a word of flags, and which.
func (o Op) FlagWord() (word int, ok bool) {
	return int(o - OpFlags), o >= OpFlags && o < OpFlags+MaxFlags
}

// Vector reports whether o is a vector, boxed or bare, so that an Op for its elements follows.
func (o Op) Vector() bool { return o == OpVector || o == OpBareVector }

// If reports whether o is a condition, and on which bit of which word of flags.
func (o Op) If() (word, bit int, ok bool) {
	return int(o>>5) & (MaxFlags - 1), int(o & 31), o&(OpIf|OpBoxed) == OpIf
}

// Boxed reports whether o is a boxed value, and of which type.
func (o Op) Boxed() (typ Type, ok bool) { return Type(o &^ OpBoxed), o&OpBoxed != 0 }

// NextField takes the first of a constructor's fields, which begin at ops and have not ended: its condition, an OpIf, if
// it is optional, else 0; its kind; that of its elements if it is a vector, else OpEnd; and the fields after it.
func NextField(ops []Op) (cond, op, elem Op, rest []Op) {
	if ops[0]&(OpIf|OpBoxed) == OpIf {
		cond, ops = ops[0], ops[1:]
	}
	if op = ops[0]; op.Vector() {
		return cond, op, ops[1], ops[2:]
	}
	return cond, op, OpEnd, ops[1:]
}

// Table is a schema as data: for every constructor id its type and the kinds of its fields. It is immutable.
type Table struct {
	ids    []uint32
	places []uint32
	ops    []Op
	types  string
}

// NewTable makes a table of the constructors and functions with the given ids, in rising order. places has for
// each of them its Type in the upper 16 bits and where its fields start in ops in the lower 16. types holds the
// names of the types numbered 2 and up, each followed by a newline. Package tl/tlgen generates all four.
func NewTable(ids, places []uint32, ops []Op, types string) *Table {
	return &Table{ids: ids, places: places, ops: ops, types: types}
}

// Lookup returns the type of the constructor id and its fields up to OpEnd, and whether it is in the table.
// The fields must not be changed.
func (t *Table) Lookup(id uint32) (Type, []Op, bool) {
	i, ok := t.Index(id)
	if !ok {
		return 0, nil, false
	}
	_, typ, ops := t.At(i)
	return typ, ops, true
}

// Index returns the number of the constructor id among all of the table, counted from 0 in the order of their ids,
// and whether it is in the table. A Names counts them the same way.
func (t *Table) Index(id uint32) (int, bool) {
	// Ids are checksums, spread evenly: one is near its share of the table, mostly within a few cache lines.
	n := len(t.ids)
	low, high := 0, n
	if n > 0 {
		guess := int(uint64(id) * uint64(n) >> 32)
		if t.ids[guess] <= id {
			low = guess
			for step := 32; low+step < n; step *= 2 {
				if t.ids[low+step] > id {
					high = low + step
					break
				}
				low += step
			}
		} else {
			high = guess
			for step := 32; high-step >= 0; step *= 2 {
				if t.ids[high-step] <= id {
					low = high - step
					break
				}
				high -= step
			}
		}
	}
	i, ok := slices.BinarySearch(t.ids[low:high], id)
	return low + i, ok
}

// Len is how many constructors and functions the table holds.
func (t *Table) Len() int { return len(t.ids) }

// At returns id, type and fields of the constructor with a number that is not negative and below Len. The fields must
// not be changed.
func (t *Table) At(index int) (id uint32, typ Type, ops []Op) {
	return t.ids[index], Type(t.places[index] >> 16), t.ops[t.places[index]&0xffff:]
}

// TypeName is the TL name of a type, for messages.
func (t *Table) TypeName(typ Type) string {
	switch typ {
	case TypeAny:
		return "Object"
	case TypeFunction:
		return "function"
	}
	rest := t.types
	for n := TypeFunction + 1; rest != ""; n++ {
		name, tail, _ := strings.Cut(rest, "\n")
		if n == typ {
			return name
		}
		rest = tail
	}
	return "unknown type"
}
