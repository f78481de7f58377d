package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mtfleet/mtfleet/tl/schema"
)

// The encoding of a table, as package tl documents it at Op. A test holds the two together.
const (
	opEnd = iota
	opInt
	opLong
	opInt128
	opInt256
	opString
	opBool
	opVector
	opBareVector
	opFlags

	opDouble = opFlags + maxFlags
	opBytes  = opDouble + 1

	opIf    = 0x4000
	opBoxed = 0x8000

	typeAny      = 0
	typeFunction = 1
	firstType    = 2

	maxFlags = 4
)

var opNumbers = map[string]int{
	"OpInt": opInt, "OpLong": opLong, "OpInt128": opInt128, "OpInt256": opInt256, "OpString": opString, "OpBool": opBool,
	"OpDouble": opDouble, "OpBytes": opBytes,
}

// table is the whole schema in the form of tl.Table.
type table struct {
	types   []string       // names of the types from firstType
	numbers map[string]int // and their numbers
	entries []entry        // sorted by id
	ops     []int
}

type entry struct {
	id    uint32
	typ   int
	start int
	def   *schema.Definition
}

// newTable encodes all definitions of the model's schemas and the extra ones.
func newTable(m *model, extra []*schema.Definition) (*table, error) {
	t := &table{numbers: make(map[string]int)}
	defs := slices.Concat(m.all, extra)
	for _, d := range defs {
		if !d.Function && !slices.Contains(t.types, d.Result.Name) {
			t.types = append(t.types, d.Result.Name)
		}
	}
	slices.Sort(t.types)
	for i, name := range t.types {
		t.numbers[name] = firstType + i
	}
	t.numbers["Object"] = typeAny
	starts := make(map[string]int) // equal sequences of ops are stored once
	for _, d := range defs {
		ops, err := t.encode(d)
		if err != nil {
			return nil, fmt.Errorf("table: %s: %w", d.Name, err)
		}
		key := fmt.Sprint(ops)
		start, ok := starts[key]
		if !ok {
			start = len(t.ops)
			starts[key] = start
			t.ops = append(t.ops, ops...)
		}
		e := entry{id: d.WireID(), typ: typeFunction, start: start, def: d}
		if !d.Function {
			e.typ = t.numbers[d.Result.Name]
		}
		t.entries = append(t.entries, e)
	}
	slices.SortFunc(t.entries, func(a, b entry) int { return cmp.Compare(a.id, b.id) })
	for i := 1; i < len(t.entries); i++ {
		if t.entries[i].id == t.entries[i-1].id {
			return nil, fmt.Errorf("table: two constructors with the id %08x", t.entries[i].id)
		}
	}
	if len(t.ops) > 0xffff {
		return nil, fmt.Errorf("table: %d ops do not fit 16 bits", len(t.ops))
	}
	return t, nil
}

// encode gives the ops of one definition, opEnd included.
func (t *table) encode(d *schema.Definition) ([]int, error) {
	var ops []int
	words := make(map[string]int)
	if d.Builtin || d.Name == "bytes" {
		return []int{opNumbers[primitives[d.Name].op], opEnd}, nil
	}
	for _, f := range d.Fields {
		if f.Type.Name == "true" {
			continue
		}
		if f.IsFlags() {
			if len(words) == maxFlags {
				return nil, fmt.Errorf("more than %d words of flags", maxFlags)
			}
			ops = append(ops, opFlags+len(words))
			words[f.Name] = len(words)
			continue
		}
		if f.Optional() {
			ops = append(ops, opIf|words[f.Flags]<<5|f.Bit)
		}
		op, err := t.encodeType(f.Type)
		if err != nil {
			return nil, fmt.Errorf("field %s: %w", f.Name, err)
		}
		ops = append(ops, op...)
	}
	return append(ops, opEnd), nil
}

func (t *table) encodeType(typ schema.Type) ([]int, error) {
	switch {
	case primitives[typ.Name].op != "":
		return []int{opNumbers[primitives[typ.Name].op]}, nil
	case typ.Elem != nil && typ.Elem.Elem != nil:
		return nil, fmt.Errorf("a vector of vectors has no encoding")
	case typ.Elem != nil:
		elem, err := t.encodeType(*typ.Elem)
		if err != nil {
			return nil, err
		}
		if typ.Boxed() {
			return append([]int{opVector}, elem...), nil
		}
		return append([]int{opBareVector}, elem...), nil
	case typ.Variable:
		return []int{opBoxed | typeAny}, nil
	case !typ.Boxed():
		return nil, fmt.Errorf("bare type %s has no encoding", typ)
	}
	n, ok := t.numbers[typ.Name]
	if !ok {
		return nil, fmt.Errorf("type %s has no constructors", typ)
	}
	return []int{opBoxed | n}, nil
}

// emit writes Schema, the constructors with their types, and the types' names.
func (t *table) emit(f *goFile) {
	f.p("// Schema is the whole schema: every constructor and function, whether a type is generated for it or not.")
	f.p("var Schema = tl.NewTable(schemaIDs[:], schemaPlaces[:], schemaOps[:], schemaTypes)\n")
	f.p("// schemaIDs holds the ids of all constructors.")
	f.p("var schemaIDs = [...]uint32{")
	writeLines(f, len(t.entries), 10, func(i int) string { return fmt.Sprintf("0x%08x,", t.entries[i].id) })
	f.p("}\n")
	f.p("// schemaPlaces holds type and start in schemaOps of the constructors, in the order of schemaIDs.")
	f.p("var schemaPlaces = [...]uint32{")
	writeLines(f, len(t.entries), 10, func(i int) string {
		return fmt.Sprintf("0x%04x%04x,", t.entries[i].typ, t.entries[i].start)
	})
	f.p("}\n")
	f.p("// schemaTypes holds the names of the types, in the order of their numbers.")
	f.p("const schemaTypes = \"\" +")
	writeLines(f, len(t.types), 6, func(i int) string {
		text := t.types[i] + `\n`
		if i%6 == 0 {
			text = `"` + text
		}
		if i%6 == 5 || i == len(t.types)-1 {
			text += `"`
			if i < len(t.types)-1 {
				text += " +"
			}
		}
		return text
	})
}

// emitOps writes the ops, each as a number.
func (t *table) emitOps(f *goFile) {
	f.p("// schemaOps holds the fields of all constructors, see tl.Op.")
	f.p("var schemaOps = [...]tl.Op{")
	writeLines(f, len(t.ops), 24, func(i int) string { return fmt.Sprintf("%#x,", t.ops[i]) })
	f.p("}")
}

// emitRawTypes writes a constant for each type that fields keep raw.
func (t *table) emitRawTypes(f *goFile, m *model) error {
	names := slices.Sorted(maps.Keys(m.cfg.raw))
	f.p("\n// Types that fields keep raw.\nconst (")
	for _, name := range names {
		n, ok := t.numbers[name]
		if !ok {
			return fmt.Errorf("raw type %s is not in the schema", name)
		}
		f.p("\t%s tl.Type = %d", typeConst(name), n)
	}
	f.p(")\n")
	return nil
}

// writeLines writes n items, perLine to a line.
func writeLines(f *goFile, n, perLine int, item func(i int) string) {
	for i := 0; i < n; i++ {
		f.WriteString(item(i))
		if (i+1)%perLine == 0 || i == n-1 {
			f.WriteString("\n")
		}
	}
}

// emitPts writes where the constructors of the pts type have their fields pts and pts_count.
func (t *table) emitPts(f *goFile, m *model) {
	typ := m.cfg.pts
	f.p("// ptsFields returns which fields of the %s constructor id are pts and pts_count of the common sequence,", typ)
	f.p("// counted as tl.Walk counts them; ok is false for constructors without, and for those of channels.")
	f.p("func ptsFields(id uint32) (pts, count int, ok bool) {\n\tswitch id {")
	type place struct{ pts, count int }
	byPlace := make(map[place][]*schema.Definition)
	for _, d := range m.types[typ] {
		at := map[string]int{}
		index := 0
		for _, field := range d.Fields {
			if field.Type.Name == "true" {
				continue
			}
			at[field.Name] = index
			index++
		}
		pts, ok1 := at["pts"]
		count, ok2 := at["pts_count"]
		if _, channel := at["channel_id"]; ok1 && ok2 && !channel && !m.cfg.ptsExcept[d.Name] {
			byPlace[place{pts, count}] = append(byPlace[place{pts, count}], d)
		}
	}
	places := slices.SortedFunc(maps.Keys(byPlace), func(a, b place) int {
		return cmp.Or(cmp.Compare(a.pts, b.pts), cmp.Compare(a.count, b.count))
	})
	for _, p := range places {
		f.p("\tcase")
		for i, d := range byPlace[p] {
			end := ","
			if i == len(byPlace[p])-1 {
				end = ":"
			}
			f.p("\t\t0x%08x%s // %s", d.WireID(), end, d.Name)
		}
		f.p("\t\treturn %d, %d, true", p.pts, p.count)
	}
	f.p("\t}\n\treturn 0, 0, false\n}")
}

// fieldNames lists the fields that have bytes, as tl.Walk counts them.
func fieldNames(d *schema.Definition) []schema.Field {
	var fields []schema.Field
	for _, f := range d.Fields {
		if f.Type.Name != "true" {
			fields = append(fields, f)
		}
	}
	return fields
}

// join lists names in a comment.
func join(names []string) string { return strings.Join(names, ", ") }
