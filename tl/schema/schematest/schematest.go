// Package schematest makes random values straight from the definitions of a schema, knowing neither the code generator
// nor the tables: tests hold those two to it.
package schematest

import (
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/schema"
)

// Writer writes random values of a schema.
type Writer struct {
	// Types are the constructors by type, Functions the functions.
	Types     map[string][]*schema.Definition
	Functions []*schema.Definition
	// depths says how many levels of values each definition needs inside.
	depths map[*schema.Definition]int
}

// New reads schemas by the names of their files.
func New(t testing.TB, names ...string) *Writer {
	w := &Writer{Types: make(map[string][]*schema.Definition), depths: make(map[*schema.Definition]int)}
	for _, name := range names {
		text, err := schema.Files.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		s, err := schema.Parse(string(text))
		if err != nil {
			t.Fatal(err)
		}
		for i := range s.Definitions {
			d := &s.Definitions[i]
			switch {
			case d.Function:
				w.Functions = append(w.Functions, d)
			case d.HasID:
				w.Types[d.Result.Name] = append(w.Types[d.Result.Name], d)
			}
		}
	}
	w.measure()
	return w
}

// All are the constructors and functions together, by name.
func (w *Writer) All() []*schema.Definition {
	all := slices.Concat(slices.Collect(maps.Values(w.Types))...)
	all = append(all, w.Functions...)
	slices.SortFunc(all, func(a, b *schema.Definition) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// Depth is from where on values are made as small as they can be.
const Depth = 5

// Append appends a random value of d, id first.
func (w *Writer) Append(t *rapid.T, b []byte, d *schema.Definition, depth int) []byte {
	b = tl.AppendUint32(b, d.WireID())
	if d.Builtin || d.Name == "bytes" {
		return w.AppendValue(t, b, schema.Type{Name: d.Name}, depth)
	}
	flags := make(map[string]uint32)
	for _, f := range d.Fields {
		switch {
		case f.IsFlags():
			flags[f.Name] = w.flags(t, d, f.Name, depth)
			b = tl.AppendUint32(b, flags[f.Name])
		case f.Type.Name == "true", f.Optional() && flags[f.Flags]&(1<<f.Bit) == 0:
		default:
			b = w.AppendValue(t, b, f.Type, depth)
		}
	}
	return b
}

// flags draws a word of flags of which only bits with a meaning are set.
func (w *Writer) flags(t *rapid.T, d *schema.Definition, word string, depth int) (flags uint32) {
	for _, f := range d.Fields {
		if f.Flags == word && (depth < Depth || f.Type.Name == "true") && rapid.IntRange(0, 2).Draw(t, f.Name) == 0 {
			flags |= 1 << f.Bit
		}
	}
	return flags
}

// AppendValue appends a random value of type typ.
func (w *Writer) AppendValue(t *rapid.T, b []byte, typ schema.Type, depth int) []byte {
	switch typ.Name {
	case "int":
		return tl.AppendInt32(b, rapid.Int32().Draw(t, "int"))
	case "long":
		return tl.AppendInt64(b, rapid.Int64().Draw(t, "long"))
	case "double":
		return tl.AppendDouble(b, rapid.Float64().Draw(t, "double"))
	case "int128", "int256":
		n := map[string]int{"int128": 16, "int256": 32}[typ.Name]
		return append(b, rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, typ.Name)...)
	case "string", "bytes":
		return tl.AppendBytes(b, rapid.SliceOfN(rapid.Byte(), 0, 9).Draw(t, typ.Name))
	case "Bool":
		return tl.AppendBool(b, rapid.Bool().Draw(t, "Bool"))
	}
	switch {
	case typ.Elem != nil:
		n := 0
		if depth < Depth {
			n = rapid.IntRange(0, 2).Draw(t, "count")
		}
		if typ.Boxed() {
			b = tl.AppendUint32(b, tl.VectorID)
		}
		b = tl.AppendInt32(b, int32(n))
		for range n {
			b = w.AppendValue(t, b, *typ.Elem, depth+1)
		}
		return b
	case open(typ):
		return w.Append(t, b, w.pick(t, w.Functions, depth), depth+1)
	}
	return w.Append(t, b, w.pick(t, w.Types[typ.Name], depth), depth+1)
}

// pick draws a definition; deep inside, the one whose required fields go least deep.
func (w *Writer) pick(t *rapid.T, defs []*schema.Definition, depth int) *schema.Definition {
	if depth >= Depth {
		return slices.MinFunc(defs, func(a, b *schema.Definition) int { return w.depths[a] - w.depths[b] })
	}
	return defs[rapid.IntRange(0, len(defs)-1).Draw(t, "constructor")]
}

// measure finds how deep the required fields of every definition go at least: it lowers guesses until nothing
// changes.
func (w *Writer) measure() {
	all := w.All()
	for _, d := range all {
		w.depths[d] = math.MaxInt16
	}
	for changed := true; changed; {
		changed = false
		for _, d := range all {
			if depth := w.depth(d); depth < w.depths[d] {
				w.depths[d] = depth
				changed = true
			}
		}
	}
}

func (w *Writer) depth(d *schema.Definition) int {
	deepest := 0
	for _, f := range d.Fields {
		if f.Optional() || f.Type.Elem != nil || primitive(f.Type) {
			continue
		}
		inner := w.Types[f.Type.Name]
		if open(f.Type) {
			inner = w.Functions
		}
		least := math.MaxInt16
		for _, d := range inner {
			least = min(least, w.depths[d]+1)
		}
		deepest = max(deepest, least)
	}
	return deepest
}

// open reports whether a field of type t holds any boxed value: Object or !X.
func open(t schema.Type) bool { return t.Variable || t.Name == "Object" }

// primitive reports whether TL itself defines the type.
func primitive(t schema.Type) bool {
	switch t.Name {
	case "int", "#", "long", "double", "int128", "int256", "string", "bytes", "Bool", "true":
		return true
	}
	return false
}
