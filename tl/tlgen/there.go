package main

import (
	_ "embed"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/mtfleet/mtfleet/tl/schema"
)

// What package tl/tg has is read from a copy of its configuration, which the generator keeps current (key publish): the
// generator imports nothing that it generates, or a broken tl/tg could not be generated again.
//
//go:embed tg.txt
var thereConfig string

// loadThere reads what package tl/tg has.
func loadThere(files fs.FS) (*model, error) {
	cfg, err := parseConfig(thereConfig)
	if err != nil {
		return nil, fmt.Errorf("of tl/tg: %w", err)
	}
	m, err := load(cfg, files)
	if err != nil {
		return nil, fmt.Errorf("of tl/tg: %w", err)
	}
	return m, nil
}

// has reports whether tl/tg has the TL type, all of its constructors that is, and this package uses it from there. A
// type of which tl/tg has some constructors (it keeps Update raw and has six of its constructors) does not count: where
// this package has such a type, it has all of it, so that its interface stays closed.
func (m *model) has(typ string) bool {
	return m.there != nil && m.there.used[typ] && !m.cfg.own[typ]
}

// hasDefinition reports whether tl/tg has a struct for d, which this package need not repeat for its own sake.
func (m *model) hasDefinition(d *schema.Definition) bool {
	if m.there == nil || m.cfg.own[d.Name] || !d.Function && m.cfg.own[d.Result.Name] {
		return false
	}
	return m.there.generate[m.there.byName[d.Name]]
}

// checkNames wants every name of the configuration to be one of the schema.
func (m *model) checkNames() error {
	if m.there == nil {
		for _, name := range slices.Sorted(maps.Keys(m.cfg.own)) {
			return m.cfg.wrong("own", name, "it makes sense after import alone")
		}
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(m.cfg.own)) {
		if !m.there.used[name] && !m.there.generate[m.there.byName[name]] {
			return m.cfg.wrong("own", name, "tl/tg has no such type or function")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.cfg.raw)) {
		if len(m.types[name]) == 0 {
			return m.cfg.wrong("raw", name, "no such type")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.cfg.omit)) {
		if m.byName[name] == nil {
			return m.cfg.wrong("omit", name, "no such constructor or function")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.cfg.files)) {
		if len(m.types[name]) == 0 {
			return m.cfg.wrong("file", name, "no such type")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.cfg.notes)) {
		if !m.hasNote(name) {
			return m.cfg.wrong("note", name, "no such definition or field")
		}
	}
	return nil
}

// hasNote reports whether a note's name is that of a definition or of one of its fields.
func (m *model) hasNote(name string) bool {
	if m.byName[name] != nil {
		return true
	}
	dot := strings.LastIndexByte(name, '.')
	d := m.byName[name[:max(dot, 0)]]
	return d != nil && slices.ContainsFunc(d.Fields, func(f schema.Field) bool { return f.Name == name[dot+1:] })
}

// typeName is the Go name of a TL type that fields have: the struct of its only constructor, or the interface.
func (m *model) typeName(typ string) string {
	if m.single(typ) {
		return structName(m.types[typ][0])
	}
	return "Any" + goName(typ)
}

// importing emits what a package that imports tl/tg needs beside its types: the guard of the layer, and the types that
// stay raw, by their names, for their numbers are tl/tg's affair.
func (g *generator) importing(f *goFile) {
	f.p("// The types here are those of layer %d, and so must be those of the package tg that is imported: when this does", g.layer)
	f.p("// not compile, generate them again.")
	f.p("var _ = [1]struct{}{}[tg.Layer-%d]", g.layer)
	if len(g.rawUsed) == 0 {
		return
	}
	f.p("\n// Types that fields keep raw.\nvar (")
	for _, name := range slices.Sorted(maps.Keys(g.rawUsed)) {
		f.p("\t%s = tg.Schema.TypeNamed(%q)", typeConst(name), name)
	}
	f.p(")")
}
