package main

import (
	"fmt"
	"maps"
	"slices"

	"github.com/mtfleet/mtfleet/tl/schema"
)

// emitLayers writes, for each older layer, the constructors it has in another form and those it has not.
func (t *table) emitLayers(f *goFile, m *model, layers []schema.Layer) error {
	byName := make(map[string]*schema.Definition)
	for _, d := range m.all {
		byName[d.Name] = d
	}
	f.p("// Layer is the layer of the API that this package speaks.\nconst Layer = %d\n", m.layer)
	f.p("// olderLayers says how the layers before %d differ, newest first.", m.layer)
	f.p("var olderLayers = [...]layerDiff{")
	for i := len(layers) - 1; i >= 0; i-- {
		layer := layers[i]
		f.p("\t{\n\t\tlayer: %d,", layer.Number)
		f.p("\t\tedits: []edit{")
		absent := slices.Clone(layer.Absent)
		for j := range layer.Definitions {
			old := &layer.Definitions[j]
			now := byName[old.Name]
			if now == nil {
				return fmt.Errorf("layer %d: %s is not in the schema", layer.Number, old.Name)
			}
			e, err := t.newEdit(now, old)
			if err != nil {
				return fmt.Errorf("layer %d: %s: %w", layer.Number, old.Name, err)
			}
			if e == nil {
				absent = append(absent, old.Name)
				continue
			}
			e.emit(f)
		}
		f.p("\t\t},\n\t\tabsent: []uint32{")
		names := slices.Sorted(slices.Values(absent))
		for _, name := range names {
			d := byName[name]
			if d == nil {
				return fmt.Errorf("layer %d: absent %s is not in the schema", layer.Number, name)
			}
			f.p("\t\t\t0x%08x, // %s", d.WireID(), name)
		}
		f.p("\t\t},\n\t},")
	}
	f.p("}")
	return nil
}

// layerEdit is how two forms of one constructor or function become each other.
type layerEdit struct {
	name      string
	id, oldID uint32
	old       []int // the old form's ops
	from      []int // for each field of the new form its index in the old one, -1 for none
	bits      []uint32
}

// newEdit compares two forms. It is nil for a function that cannot be read in its old form, because it wants to know
// something new that has no zero: the layer has no such function then.
func (t *table) newEdit(now, old *schema.Definition) (*layerEdit, error) {
	e := &layerEdit{name: now.Name, id: now.WireID(), oldID: old.WireID()}
	var err error
	if e.old, err = t.encodeOld(old); err != nil {
		return nil, err
	}
	newFields, oldFields := fieldNames(now), fieldNames(old)
	if len(newFields) > 127 || len(oldFields) > 127 {
		return nil, fmt.Errorf("too many fields")
	}
	taken := make(map[int]bool)
	for _, field := range newFields {
		i := slices.IndexFunc(oldFields, func(o schema.Field) bool {
			return o.Name == field.Name && o.Type.String() == field.Type.String()
		})
		e.from = append(e.from, i)
		taken[i] = true
		if i < 0 && now.Function && !field.Optional() && !hasZero(field.Type) {
			return nil, nil
		}
	}
	for i, field := range oldFields {
		if !now.Function && !taken[i] && !field.Optional() && !hasZero(field.Type) {
			return nil, fmt.Errorf("the old field %s cannot be had from the new form", field)
		}
	}
	e.bits = sharedBits(now, old)
	return e, nil
}

// encodeOld is encode for a form of long ago: a type that is no more can be anything.
func (t *table) encodeOld(old *schema.Definition) ([]int, error) {
	then := *t
	then.numbers = maps.Clone(t.numbers)
	for _, field := range old.Fields {
		typ := field.Type
		if typ.Elem != nil {
			typ = *typ.Elem
		}
		if _, ok := then.numbers[typ.Name]; !ok {
			then.numbers[typ.Name] = typeAny
		}
	}
	return then.encode(old)
}

// hasZero tells whether a type has a zero value: nothing, none, no.
func hasZero(t schema.Type) bool {
	return t.Name == "#" || t.Elem != nil || primitives[t.Name].op != ""
}

// sharedBits lists, for each word of flags, the bits that stand for the same field of type true in both forms.
func sharedBits(now, old *schema.Definition) []uint32 {
	var words []string
	for _, field := range now.Fields {
		if field.IsFlags() {
			words = append(words, field.Name)
		}
	}
	bits := make([]uint32, len(words))
	for _, field := range now.Fields {
		if field.Type.Name != "true" {
			continue
		}
		same := func(o schema.Field) bool { return o.String() == field.String() }
		if w := slices.Index(words, field.Flags); w >= 0 && slices.ContainsFunc(old.Fields, same) {
			bits[w] |= 1 << field.Bit
		}
	}
	return bits
}

func (e *layerEdit) emit(f *goFile) {
	list := func(n int, item func(i int) string) string {
		var out []string
		for i := range n {
			out = append(out, item(i))
		}
		return join(out)
	}
	f.p("\t\t\t{ // %s", e.name)
	f.p("\t\t\t\tid: 0x%08x, oldID: 0x%08x,", e.id, e.oldID)
	f.p("\t\t\t\told: []tl.Op{%s},", list(len(e.old), func(i int) string { return fmt.Sprintf("%#x", e.old[i]) }))
	f.p("\t\t\t\tfrom: []int8{%s},", list(len(e.from), func(i int) string { return fmt.Sprint(e.from[i]) }))
	f.p("\t\t\t\tbits: [4]uint32{%s},", list(len(e.bits), func(i int) string { return fmt.Sprintf("%#x", e.bits[i]) }))
	f.p("\t\t\t},")
}
