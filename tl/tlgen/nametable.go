package main

import (
	"fmt"
	"hash/fnv"
	"math/bits"
	"slices"
	"strings"

	"github.com/mtfleet/mtfleet/tl/schema"
)

// The encoding of names, as package tl documents it at NewNames.
const (
	nameEnd  = 0
	nameTrue = 0x8000
)

// nameTable is the names of a table in the form of tl.Names.
type nameTable struct {
	words   []string
	numbers map[string]int // word -> its number, from 1
	places  []uint32
	fields  []int
	slots   []int
	results []uint32
}

// newNameTable encodes the names of all definitions of t.
func newNameTable(t *table) (*nameTable, error) {
	n := &nameTable{numbers: make(map[string]int)}
	starts := make(map[string]int) // equal sequences of fields are stored once
	for i, e := range t.entries {
		fields, err := n.encode(e.def)
		if err != nil {
			return nil, fmt.Errorf("names: %s: %w", e.def.Name, err)
		}
		key := fmt.Sprint(fields)
		start, ok := starts[key]
		if !ok {
			start = len(n.fields)
			starts[key] = start
			n.fields = append(n.fields, fields...)
		}
		n.places = append(n.places, uint32(n.word(e.def.Name)<<16|start))
		if e.def.Function && e.def.Result.Elem != nil {
			elem, err := t.encodeType(*e.def.Result.Elem)
			if err != nil || !e.def.Result.Boxed() || len(elem) != 1 {
				return nil, fmt.Errorf("names: %s: a result %s has no encoding", e.def.Name, e.def.Result)
			}
			n.results = append(n.results, uint32(i<<16|elem[0]))
		}
	}
	n.slots = make([]int, 1<<bits.Len(uint(3*len(t.entries)/2)))
	for i, e := range t.entries {
		at := hash(e.def.Name) & uint32(len(n.slots)-1)
		for ; n.slots[at] != 0; at = (at + 1) & uint32(len(n.slots)-1) {
			if t.entries[n.slots[at]-1].def.Name == e.def.Name {
				return nil, fmt.Errorf("names: two constructors are called %s", e.def.Name)
			}
		}
		n.slots[at] = i + 1
	}
	if len(n.words) >= nameTrue || len(n.fields) > 0xffff {
		return nil, fmt.Errorf("names: %d words and %d fields do not fit 15 and 16 bits", len(n.words), len(n.fields))
	}
	return n, nil
}

// encode gives the fields of one definition, the end included.
func (n *nameTable) encode(d *schema.Definition) ([]int, error) {
	if d.Builtin || d.Name == "bytes" {
		return []int{n.word("value"), nameEnd}, nil
	}
	var fields []int
	var words []string
	for _, f := range d.Fields {
		if f.IsFlags() {
			words = append(words, f.Name)
		}
		if f.Type.Name == "true" {
			fields = append(fields, nameTrue|slices.Index(words, f.Flags)<<5|f.Bit)
		}
		if f.Name == "_" {
			return nil, fmt.Errorf("a field is called _")
		}
		fields = append(fields, n.word(f.Name))
	}
	return append(fields, nameEnd), nil
}

// hash is FNV-1a of 32 bits.
func hash(name string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	return h.Sum32()
}

// word is the number of a word.
func (n *nameTable) word(word string) int {
	if n.numbers[word] == 0 {
		n.words = append(n.words, word)
		n.numbers[word] = len(n.words)
	}
	return n.numbers[word]
}

// emit writes Names and its data.
func (n *nameTable) emit(f *goFile) {
	text := strings.Join(n.words, "")
	size := len(text) + 4*len(n.words) + 4*len(n.places) + 2*len(n.fields) + 2*len(n.slots) + 4*len(n.results)
	f.p("// Names are the names of everything in Schema: %d constructors and functions, and their fields. They are %d bytes of", len(n.places), size)
	f.p("// read-only data: %d of text, %d of places in it, %d of fields and %d of hashes and results. A program that does not", len(text), 4*len(n.words)+4*len(n.places), 2*len(n.fields), 2*len(n.slots)+4*len(n.results))
	f.p("// refer to Names does not carry them.")
	f.p("var Names = tl.NewNames(nameWords, nameEnds, namePlaces, nameFields, nameSlots, nameResults)\n")
	f.p("// nameWords holds every word, names of constructors and of fields, once.")
	f.p("const nameWords = \"\" +")
	const perLine = 96
	for text != "" {
		line := text[:min(perLine, len(text))]
		if text = text[len(line):]; text != "" {
			f.p("%q +", line)
		} else {
			f.p("%q\n", line)
		}
	}
	end := 0
	ends := make([]int, len(n.words))
	for i, word := range n.words {
		end += len(word)
		ends[i] = end
	}
	emitNumbers(f, "nameEnds says where each word ends.", "nameEnds", "uint32", ends)
	emitNumbers(f, "namePlaces holds name and start in nameFields of the constructors, in the order of schemaIDs.", "namePlaces", "uint32", n.places)
	emitNumbers(f, "nameFields holds the fields of all constructors, see tl.NewNames.", "nameFields", "uint16", n.fields)
	emitNumbers(f, "nameSlots says where each name is, by its hash.", "nameSlots", "uint16", n.slots)
	emitNumbers(f, "nameResults holds the functions that return vectors, with the kind of the elements.", "nameResults", "uint32", n.results)
}

// emitNumbers writes numbers as a slice: an array that is sliced would be a statement to run, and the linker keeps what
// those refer to.
func emitNumbers[T int | uint32](f *goFile, comment, name, typ string, numbers []T) {
	f.p("// %s", comment)
	f.p("var %s = []%s{", name, typ)
	writeLines(f, len(numbers), 20, func(i int) string { return fmt.Sprintf("%#x,", numbers[i]) })
	f.p("}\n")
}
