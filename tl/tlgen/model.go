package main

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/mtfleet/mtfleet/tl/schema"
)

// model is what is generated: the definitions that the roots reach.
type model struct {
	cfg    *config
	all    []*schema.Definition            // every definition, in the order of the files
	names  map[string]bool                 // the Go names of all constructors
	byName map[string]*schema.Definition   // and by name
	types  map[string][]*schema.Definition // TL type -> its constructors
	defs   []*schema.Definition            // the definitions to generate, in that order
	hand   []*schema.Definition            // those written by hand
	used   map[string]bool                 // TL types reached by fields and results, raw ones excluded
	layer  int

	there    *model                      // what package tl/tg has, nil without an import
	generate map[*schema.Definition]bool // of the definitions, those that this package has
}

// load parses the schemas and follows the roots.
func load(cfg *config, files fs.FS) (*model, error) {
	m := &model{cfg: cfg, byName: make(map[string]*schema.Definition), names: make(map[string]bool), types: make(map[string][]*schema.Definition), used: make(map[string]bool)}
	for _, name := range cfg.schemas {
		s, err := parseSchema(files, name)
		if err != nil {
			return nil, err
		}
		m.layer = max(m.layer, s.Layer)
		for i := range s.Definitions {
			m.all = append(m.all, &s.Definitions[i])
		}
	}
	for _, d := range m.all {
		m.byName[d.Name] = d
		if !d.Function {
			m.names[structName(d)] = true
			m.types[d.Result.Name] = append(m.types[d.Result.Name], d)
		}
	}
	if cfg.imports {
		var err error
		if m.there, err = loadThere(files); err != nil {
			return nil, err
		}
	}
	if err := m.checkNames(); err != nil {
		return nil, err
	}
	wanted := make(map[*schema.Definition]bool)
	m.generate = wanted
	for _, root := range cfg.roots {
		if err := m.root(root, wanted); err != nil {
			return nil, cfg.wrong("root", root, "%w", err)
		}
	}
	for _, d := range m.all {
		switch {
		case cfg.hand[d.Name]:
			m.hand = append(m.hand, d)
		case wanted[d]:
			m.defs = append(m.defs, d)
		}
	}
	return m, nil
}

func parseSchema(files fs.FS, name string) (*schema.Schema, error) {
	text, err := fs.ReadFile(files, name)
	if err != nil {
		return nil, err
	}
	s, err := schema.Parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

// root marks the definitions that match the pattern and all they reach: a definition, a type with all its
// constructors, or, with a * at the end, functions.
func (m *model) root(pattern string, wanted map[*schema.Definition]bool) error {
	prefix, wild := strings.CutSuffix(pattern, "*")
	found := len(m.types[pattern]) > 0
	known, matched := 0, 0 // functions that tl/tg has, and others
	if found {
		if m.has(pattern) {
			return fmt.Errorf("tl/tg has it, as tg.%s", m.there.typeName(pattern))
		}
		if err := m.reachType(schema.Type{Name: pattern}, wanted); err != nil {
			return err
		}
	}
	for _, d := range m.all {
		if d.Name == pattern || wild && strings.HasPrefix(d.Name, prefix) && d.Function {
			found = true
			if m.hasDefinition(d) {
				if !wild {
					return fmt.Errorf("tl/tg has it, as tg.%s", structName(d))
				}
				known++
				continue
			}
			matched++
			if err := m.reach(d, wanted); err != nil {
				return err
			}
		}
	}
	if known > 0 && matched == 0 {
		return fmt.Errorf("tl/tg has all of them, as tg.%s...Request", goName(prefix))
	}
	if !found {
		return fmt.Errorf("no such definition or type")
	}
	return nil
}

func (m *model) reach(d *schema.Definition, wanted map[*schema.Definition]bool) error {
	if wanted[d] || m.cfg.omit[d.Name] {
		return nil
	}
	wanted[d] = true
	for i, f := range d.Fields {
		if isOpen(f.Type) && i != len(d.Fields)-1 {
			return fmt.Errorf("%s: field %s can hold any value and is not the last: its end would be unknown", d.Name, f.Name)
		}
		if err := m.reachType(f.Type, wanted); err != nil {
			return fmt.Errorf("%s.%s: %w", d.Name, f.Name, err)
		}
	}
	if d.Function && (d.Result.Elem != nil || len(m.types[d.Result.Name]) > 0) {
		return m.reachType(d.Result, wanted)
	}
	return nil
}

func (m *model) reachType(t schema.Type, wanted map[*schema.Definition]bool) error {
	switch {
	case t.Elem != nil:
		return m.reachType(*t.Elem, wanted)
	case primitives[t.Name].goType != "" || isOpen(t) || m.cfg.raw[t.Name] || m.has(t.Name):
		return nil
	case t.Bare || !t.Boxed():
		return fmt.Errorf("bare type %s must be written by hand", t)
	case len(m.types[t.Name]) == 0:
		return fmt.Errorf("type %s has no constructors", t)
	}
	m.used[t.Name] = true
	for _, d := range m.types[t.Name] {
		if err := m.reach(d, wanted); err != nil {
			return err
		}
	}
	return nil
}

// isOpen reports whether a field of type t holds any boxed value: Object or !X.
func isOpen(t schema.Type) bool { return t.Variable || t.Name == "Object" }

// single reports whether the TL type has one constructor, so that fields hold its struct.
func (m *model) single(name string) bool { return len(m.types[name]) == 1 }

// recursive reports whether a value of the TL type can contain another one of it.
func (m *model) recursive(name string) bool {
	seen := make(map[string]bool)
	var visit func(at string) bool
	visit = func(at string) bool {
		for _, d := range m.types[at] {
			for _, f := range d.Fields {
				t := f.Type
				for t.Elem != nil {
					t = *t.Elem
				}
				if t.Name == name {
					return true
				}
				if m.used[t.Name] && !seen[t.Name] {
					seen[t.Name] = true
					if visit(t.Name) {
						return true
					}
				}
			}
		}
		return false
	}
	return visit(name)
}

// minSize is the fewest bytes that a value of type t takes. Types on the path to it count 4, an id's size.
func (m *model) minSize(t schema.Type, path []string) int {
	if p, ok := primitives[t.Name]; ok {
		return p.minSize
	}
	switch {
	case t.Name == "Vector":
		return 8
	case isOpen(t) || slices.Contains(path, t.Name):
		return 4
	}
	smallest := 0
	for _, d := range m.types[t.Name] {
		size := 4
		for _, f := range d.Fields {
			if !f.Optional() {
				size += m.minSize(f.Type, append(path, t.Name))
			}
		}
		if smallest == 0 || size < smallest {
			smallest = size
		}
	}
	return max(smallest, 4)
}

// primitive is a type that TL itself defines.
type primitive struct {
	goType  string
	method  string // of Reader; Append+method appends
	minSize int    // bytes
	op      string // in the table
}

var primitives = map[string]primitive{
	"int":    {"int32", "Int32", 4, "OpInt"},
	"#":      {"uint32", "Uint32", 4, "OpFlags"},
	"long":   {"int64", "Int64", 8, "OpLong"},
	"double": {"float64", "Double", 8, "OpDouble"},
	"int128": {"[16]byte", "Int128", 16, "OpInt128"},
	"int256": {"[32]byte", "Int256", 32, "OpInt256"},
	"string": {"string", "String", 4, "OpString"},
	"bytes":  {"[]byte", "Bytes", 4, "OpBytes"},
	"Bool":   {"bool", "Bool", 4, "OpBool"},
	"true":   {"bool", "", 0, ""},
}
