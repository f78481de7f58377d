package tl

import (
	"iter"
	"slices"
	"strings"
)

// Names are the names that belong to a Table: those of its constructors and functions and of their fields, in which
// the fields of type true, that have no bytes, are present too. It is data like a Table, apart from it so that a
// program which never says a name does not carry them. It is immutable.
type Names struct {
	words   string
	ends    []uint32
	places  []uint32
	fields  []uint16
	slots   []uint16
	results []uint32
}

// Marks in the names of fields, see Names.Fields.
const (
	nameEnd  = 0
	nameTrue = 0x8000
)

// NewNames makes the names of a table; package tl/tlgen generates all six. A word is numbered from 1; words has them
// one after another, ends where each of them ends. places has, for each constructor in the order of the table, the number of its name in
// the upper 16 bits and where its fields start in fields in the lower. The fields of a constructor are the numbers of
// their names, in order; before the name of a field of type true stands 0x8000 with the number of its bit in bits 0-4
// and of its word of flags in bits 5-6; after the last stands 0. slots, a power of two of them, has the numbers of the
// constructors, plus 1, each at the hash of its name (FNV-1a, 32 bits) or the next place that was free; some hold 0.
// results has, for each function whose result is a Vector, its number in the upper 16 bits and
// the Op of the elements in the lower, in rising order.
func NewNames(words string, ends, places []uint32, fields, slots []uint16, results []uint32) *Names {
	return &Names{words: words, ends: ends, places: places, fields: fields, slots: slots, results: results}
}

// Name is the name of the constructor with a number of the table, "messages.sendMessage".
func (n *Names) Name(index int) string { return n.word(uint16(n.places[index] >> 16)) }

// Find returns the number in the table of the constructor or function with a name, and whether there is one.
func (n *Names) Find(name string) (index int, ok bool) {
	hash := uint32(2166136261)
	for i := range len(name) {
		hash = (hash ^ uint32(name[i])) * 16777619
	}
	for mask := uint32(len(n.slots) - 1); ; hash++ {
		slot := int(n.slots[hash&mask])
		if slot == 0 {
			return 0, false
		}
		if n.Name(slot-1) == name {
			return slot - 1, true
		}
	}
}

// All gives every name with its number in the table, in the order of the names. It sorts them each time.
func (n *Names) All() iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		order := make([]int, len(n.places))
		for i := range order {
			order[i] = i
		}
		slices.SortFunc(order, func(a, b int) int { return strings.Compare(n.Name(a), n.Name(b)) })
		for _, index := range order {
			if !yield(index, n.Name(index)) {
				return
			}
		}
	}
}

// VectorResult returns the Op of the elements of a function's result if that is a Vector, the one kind of result that
// does not say what it holds.
func (n *Names) VectorResult(index int) (elem Op, ok bool) {
	at, _ := slices.BinarySearchFunc(n.results, index, func(result uint32, index int) int {
		return int(result>>16) - index
	})
	if at == len(n.results) || int(n.results[at]>>16) != index {
		return 0, false
	}
	return Op(n.results[at]), true
}

// Fields starts at the first field of the constructor with a number of the table.
func (n *Names) Fields(index int) FieldNames {
	return FieldNames{n: n, at: int(n.places[index] & 0xffff)}
}

// FieldNames goes through the fields of one constructor.
type FieldNames struct {
	n    *Names
	at   int
	word uint16
}

// Next goes to the next field and returns its condition, an OpIf, if it is of type true, else 0. ok is false after the
// last.
func (f *FieldNames) Next() (cond Op, ok bool) {
	v := f.n.fields[f.at]
	if v == nameEnd {
		return 0, false
	}
	f.at++
	if v&nameTrue != 0 {
		cond = OpIf | Op(v&^nameTrue)
		v = f.n.fields[f.at]
		f.at++
	}
	f.word = v
	return cond, true
}

// Name is the name of the field that Next went to.
func (f *FieldNames) Name() string { return f.n.word(f.word) }

// word is the word with a number.
func (n *Names) word(number uint16) string {
	start := uint32(0)
	if number > 1 {
		start = n.ends[number-2]
	}
	return n.words[start:n.ends[number-1]]
}
