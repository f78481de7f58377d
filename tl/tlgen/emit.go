package main

import (
	"bytes"
	"fmt"
	"go/format"
	"regexp"
	"slices"
	"strings"

	"github.com/mtfleet/mtfleet/tl/schema"
)

// goFile is one file being written.
type goFile struct{ bytes.Buffer }

func (f *goFile) p(format string, args ...any) { fmt.Fprintf(f, format+"\n", args...) }

// usesTL and usesSlog match code, as opposed to a comment, that needs the package.
var (
	usesTL   = regexp.MustCompile(`(?m)^[^/\n]*\btl\.[A-Z]`)
	usesTG   = regexp.MustCompile(`(?m)^[^/\n]*\btg\.[A-Z]`)
	usesSlog = regexp.MustCompile(`(?m)^[^/\n]*\bslog\.[A-Z]`)
)

// generate returns the files of the package by name, formatted.
func generate(m *model, layers []schema.Layer, extra []*schema.Definition, repeatable []string) (map[string][]byte, error) {
	files := make(map[string]*goFile)
	file := func(name string) *goFile {
		if files[name] == nil {
			files[name] = &goFile{}
		}
		return files[name]
	}
	g := &generator{model: m, rawUsed: make(map[string]bool)}
	started := make(map[string]bool) // types whose interface stands before their first constructor
	for _, d := range m.defs {
		f := file(m.fileOf(d))
		if typ := d.Result.Name; !d.Function && m.used[typ] && !m.single(typ) && !started[typ] {
			started[typ] = true
			g.anyType(f, typ)
		}
		g.definition(f, d)
	}
	g.constructors(file("gen_new.go"))
	g.printing(file("gen_print.go"))
	if m.there != nil {
		g.importing(file("gen_new.go"))
	}
	if m.cfg.table {
		t, err := newTable(m, extra)
		if err != nil {
			return nil, err
		}
		t.emit(file("gen_table.go"))
		if err := t.emitRawTypes(file("gen_table.go"), m); err != nil {
			return nil, err
		}
		t.emitOps(file("gen_table_ops.go"))
		names, err := newNameTable(t)
		if err != nil {
			return nil, err
		}
		names.emit(file("gen_names.go"))
		if m.cfg.pts != "" {
			t.emitPts(file("gen_pts.go"), m)
		}
		if len(layers) > 0 {
			if err := t.emitLayers(file("gen_layers.go"), m, layers); err != nil {
				return nil, err
			}
		}
	}
	if m.cfg.policy != "" {
		emitRepeatable(file("gen_repeatable.go"), m, repeatable)
	}
	out := make(map[string][]byte)
	for name, f := range files {
		head := fmt.Sprintf("%s\npackage %s\n\n", mark, m.cfg.pkg)
		if usesSlog.Match(f.Bytes()) {
			head += "import \"log/slog\"\n\n"
		}
		if usesTL.Match(f.Bytes()) {
			head += "import \"github.com/mtfleet/mtfleet/tl\"\n\n"
		}
		if usesTG.Match(f.Bytes()) {
			head += "import \"github.com/mtfleet/mtfleet/tl/tg\"\n\n"
		}
		src, err := format.Source(append([]byte(head), f.Bytes()...))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out[name] = src
	}
	return out, nil
}

// fileOf names the file for d: the one that the configuration has for its type, else one for its namespace,
// functions apart.
func (m *model) fileOf(d *schema.Definition) string {
	if name := m.cfg.files[d.Result.Name]; name != "" && !d.Function {
		return "gen_" + name + ".go"
	}
	name := "gen_"
	if ns := namespace(d.Name); ns != "" {
		name += ns + "_"
	}
	if d.Function {
		return name + "requests.go"
	}
	return name + "types.go"
}

type generator struct {
	*model
	rawUsed map[string]bool // types of which a field is raw
}

// goType is the Go type of a field.
func (g *generator) goType(t schema.Type) string {
	if p, ok := primitives[t.Name]; ok {
		return p.goType
	}
	switch {
	case t.Elem != nil:
		return "[]" + g.goType(*t.Elem)
	case g.isRaw(t):
		return "tl.Raw"
	}
	return g.from(t.Name) + g.typeName(t.Name)
}

// from is what stands before the Go name of a TL type: the package it comes from.
func (g *generator) from(typ string) string {
	if g.has(typ) {
		return "tg."
	}
	return ""
}

// isRaw reports whether fields of type t are tl.Raw. A type without constructors (HttpWait) is one of them.
func (g *generator) isRaw(t schema.Type) bool {
	return isOpen(t) || g.cfg.raw[t.Name] || t.Elem == nil && len(g.types[t.Name]) == 0
}

// resultType is the Go type of a function's result.
func (g *generator) resultType(d *schema.Definition) string {
	if d.Result.Name == d.Generic {
		return "tl.Raw"
	}
	name := g.goType(d.Result)
	if g.typed(d.Result.Name) && g.single(d.Result.Name) {
		return "*" + name
	}
	return name
}

// typed reports whether fields have a Go type for the TL type, here or in tl/tg, that is neither raw nor a primitive.
func (g *generator) typed(typ string) bool {
	return g.used[typ] || primitives[typ].goType == "" && !g.cfg.raw[typ] && g.has(typ)
}

// definition emits one constructor or function.
func (g *generator) definition(f *goFile, d *schema.Definition) {
	name := structName(d)
	f.p("// %s is the id of %s.", g.idName(d), d.Name)
	f.p("const %s uint32 = 0x%08x\n", g.idName(d), d.WireID())
	g.doc(f, d, name)
	f.p("type %s struct {", name)
	for _, field := range d.Fields {
		if field.IsFlags() {
			continue
		}
		typ := g.goType(field.Type)
		if field.Optional() && field.Type.Name != "true" {
			typ = "tl.Opt[" + typ + "]"
		}
		if note := g.cfg.notes[d.Name+"."+field.Name]; note != "" {
			f.p("\t// %s: %s", goName(field.Name), note)
		}
		f.p("\t%s %s // %s", goName(field.Name), typ, field)
	}
	f.p("}\n")
	f.p("// TypeID implements tl.Object.\nfunc (*%s) TypeID() uint32 { return %s }\n", name, g.idName(d))
	f.p("// TypeName implements tl.Object.\nfunc (*%s) TypeName() string { return %q }\n", name, d.Name)
	if g.used[d.Result.Name] && !d.Function && !g.single(d.Result.Name) {
		f.p("func (*%s) any%s() {}\n", name, goName(d.Result.Name))
	}
	g.appendMethod(f, d, name)
	g.parseMethod(f, d, name)
	if d.Function {
		g.resultMethods(f, d, name)
	}
}

// doc emits the doc comment of a definition: what it is, a note, and its line.
func (g *generator) doc(f *goFile, d *schema.Definition, name string) {
	switch typ := d.Result.Name; {
	case d.Function:
		f.p("// %s calls %s. Its result is %s.", name, d.Name, g.docResult(d))
	case g.used[typ] && !g.single(typ):
		f.p("// %s is the constructor %s of [Any%s].", name, d.Name, goName(typ))
	default:
		f.p("// %s is the constructor %s of the type %s.", name, d.Name, typ)
	}
	if note := g.cfg.notes[d.Name]; note != "" {
		f.p("// %s", note)
	}
	f.p("//\n//\t%s", d)
}

// docResult names the result of a function for a doc comment.
func (g *generator) docResult(d *schema.Definition) string {
	if d.Result.Name == d.Generic {
		return "that of the query in it"
	}
	elem := d.Result
	for elem.Elem != nil {
		elem = *elem.Elem
	}
	typ := g.resultType(d)
	if !g.typed(elem.Name) {
		return typ
	}
	if rest, ok := strings.CutPrefix(typ, "[]"); ok {
		return "a slice of [" + rest + "]"
	}
	return "[" + typ + "]"
}

func (g *generator) resultMethods(f *goFile, d *schema.Definition, name string) {
	typ := g.resultType(d)
	f.p("// ParseResult implements tl.Query.\nfunc (*%s) ParseResult(r *tl.Reader) (v %s) {", name, typ)
	single := strings.HasPrefix(typ, "*")
	if single {
		f.p("\tv = new(%s)", typ[1:])
	}
	g.parseValue(f, d.Result, "v")
	f.p("\treturn v\n}\n")
	f.p("// AppendResult implements tl.Query.\nfunc (*%s) AppendResult(b []byte, v %s) []byte {", name, typ)
	g.appendValue(f, d.Result, "v", d.Name, "result")
	f.p("\treturn b\n}\n")
}

// anyType emits the interface of a TL type with several constructors, and its parser.
func (g *generator) anyType(f *goFile, tlName string) {
	name := "Any" + goName(tlName)
	f.p("// %s is the TL type %s. Its constructors are:", name, tlName)
	for _, d := range g.types[tlName] {
		f.p("//   - [*%s]", structName(d))
	}
	f.p("type %s interface {\n\ttl.Object\n\tany%s()\n}\n", name, goName(tlName))
	f.p("// Parse%s reads a value of the type %s. It means nothing when r.Err is not nil afterwards.", name, tlName)
	f.p("func Parse%s(r *tl.Reader) %s {", name, name)
	f.p("\tvar v %s\n\tswitch r.PeekID() {", name)
	for _, d := range g.types[tlName] {
		f.p("\tcase %s:\n\t\tv = new(%s)", g.idName(d), structName(d))
	}
	f.p("\tdefault:\n\t\tr.Unexpected(%q)\n\t\treturn nil\n\t}", tlName)
	if g.recursive(tlName) {
		f.p("\tif !r.Enter() {\n\t\treturn nil\n\t}\n\tdefer r.Leave()")
	}
	f.p("\tv.Parse(r)\n\treturn v\n}\n")
}

// constructors emits New.
func (g *generator) constructors(f *goFile) {
	if g.there != nil {
		f.p("// New returns a zero value of this package's or tl/tg's type with the constructor id, or nil if there is none.")
	} else {
		f.p("// New returns a zero value of this package's type with the constructor id, or nil if there is none.")
	}
	f.p("func New(id uint32) tl.Object {\n\tswitch id {")
	for _, d := range slices.Concat(g.defs, g.hand) {
		f.p("\tcase %s:\n\t\treturn new(%s)", g.idName(d), structName(d))
	}
	if g.there != nil {
		f.p("\t}\n\treturn tg.New(id)\n}\n")
		return
	}
	f.p("\t}\n\treturn nil\n}")
}

// printing emits the methods that keep the fields of every type, which may be secret, out of printed text.
func (g *generator) printing(f *goFile) {
	f.p("// Whatever prints a value of these types prints its TL name alone: phone numbers, codes, tokens and keys are")
	f.p("// among the fields.\n")
	for _, d := range slices.Concat(g.defs, g.hand) {
		name := structName(d)
		f.p("// String implements fmt.Stringer.\nfunc (*%s) String() string { return %q }\n", name, d.Name)
		f.p("// GoString implements fmt.GoStringer.\nfunc (*%s) GoString() string { return %q }\n", name, d.Name)
		f.p("// LogValue implements slog.LogValuer.\nfunc (*%s) LogValue() slog.Value { return slog.StringValue(%q) }\n",
			name, d.Name)
	}
}
