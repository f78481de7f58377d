package main

import (
	"fmt"
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
		for j := range layer.Definitions {
			old := &layer.Definitions[j]
			now := byName[old.Name]
			if now == nil {
				return fmt.Errorf("layer %d: %s is not in the schema", layer.Number, old.Name)
			}
			if err := emitEdit(f, now, old); err != nil {
				return fmt.Errorf("layer %d: %s: %w", layer.Number, old.Name, err)
			}
		}
		f.p("\t\t},\n\t\tabsent: []uint32{")
		names := slices.Sorted(slices.Values(layer.Absent))
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

// emitEdit writes how to turn the newest form of a constructor into an old one: the old id, the fields that
// stay, and the bits of flags that the old form knows.
func emitEdit(f *goFile, now, old *schema.Definition) error {
	newFields, oldFields := fieldNames(now), fieldNames(old)
	var keep uint64
	next := 0
	for i, field := range newFields {
		if next < len(oldFields) && field.String() == oldFields[next].String() {
			keep |= 1 << i
			next++
			continue
		}
		// An old field of the same name but another type cannot be had from the new one; if it is optional, it
		// is left out.
		if next < len(oldFields) && field.Name == oldFields[next].Name && oldFields[next].Optional() {
			next++
		}
	}
	if next < len(oldFields) {
		return fmt.Errorf("the old field %s cannot be had from the new form", oldFields[next])
	}
	if len(newFields) > 64 {
		return fmt.Errorf("too many fields")
	}
	f.p("\t\t\t{ // %s", now.Name)
	f.p("\t\t\t\tid: 0x%08x, oldID: 0x%08x, keep: %#x,", now.WireID(), old.WireID(), keep)
	f.p("\t\t\t\tmasks: [4]uint32{%s},", masks(newFields, old, keep))
	f.p("\t\t\t},")
	return nil
}

// masks lists, for each word of flags, the bits that may stay set: those of the old form's true fields and of
// the fields kept.
func masks(newFields []schema.Field, old *schema.Definition, keep uint64) string {
	kept := make(map[string]bool)
	var words []string
	for i, field := range newFields {
		kept[field.Name] = keep&(1<<i) != 0
		if field.IsFlags() {
			words = append(words, field.Name)
		}
	}
	var out []string
	for _, word := range words {
		var mask uint32
		for _, field := range old.Fields {
			if field.Flags == word && (field.Type.Name == "true" || kept[field.Name]) {
				mask |= 1 << field.Bit
			}
		}
		out = append(out, fmt.Sprintf("%#x", mask))
	}
	return join(out)
}
