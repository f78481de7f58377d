package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mtfleet/mtfleet/tl/schema"
)

// appendMethod emits Append.
func (g *generator) appendMethod(f *goFile, d *schema.Definition, name string) {
	f.p("// Append implements tl.Object.")
	if !slices.ContainsFunc(d.Fields, func(field schema.Field) bool { return field.Type.Name != "true" }) {
		f.p("func (*%s) Append(b []byte) []byte { return tl.AppendUint32(b, %s) }\n", name, g.idName(d))
		return
	}
	f.p("func (v *%s) Append(b []byte) []byte {", name)
	f.p("\tb = tl.AppendUint32(b, %s)", g.idName(d))
	for _, field := range d.Fields {
		switch {
		case field.IsFlags():
			flagWord(f, d, field.Name)
		case field.Type.Name == "true":
		case field.Optional():
			f.p("\tif %s&(1<<%d) != 0 {", field.Flags, field.Bit)
			g.appendValue(f, field.Type, "v."+goName(field.Name)+".Value", d.Name, field.Name)
			f.p("\t}")
		default:
			g.appendValue(f, field.Type, "v."+goName(field.Name), d.Name, field.Name)
		}
	}
	f.p("\treturn b\n}\n")
}

// flagWord emits the computation of one word of flags from the fields that depend on it, a bit at a time.
// Fields that share a bit stand or fall together: one that is set takes the others along.
func flagWord(f *goFile, d *schema.Definition, word string) {
	var conds [32][]string
	used := false
	for _, field := range d.Fields {
		if field.Flags != word {
			continue
		}
		used = true
		cond := "v." + goName(field.Name)
		if field.Type.Name != "true" {
			cond += ".Set"
		}
		conds[field.Bit] = append(conds[field.Bit], cond)
	}
	if !used {
		f.p("\tb = tl.AppendUint32(b, 0) // %s: no bit has a meaning", word)
		return
	}
	f.p("\tvar %s uint32", word)
	for bit, cond := range conds {
		if len(cond) > 0 {
			f.p("\tif %s {\n\t\t%s |= 1 << %d\n\t}", strings.Join(cond, " || "), word, bit)
		}
	}
	f.p("\tb = tl.AppendUint32(b, %s)", word)
}

// appendValue emits the statements that append expr, a value of type t.
func (g *generator) appendValue(f *goFile, t schema.Type, expr, typeName, field string) {
	if p, ok := primitives[t.Name]; ok {
		f.p("\tb = tl.Append%s(b, %s)", p.method, expr)
		return
	}
	switch {
	case t.Elem != nil:
		f.p("\tb = tl.Append%sVectorHeader(b, len(%s))\n\tfor i := range %s {", bare(t), expr, expr)
		g.appendValue(f, *t.Elem, expr+"[i]", typeName, field)
		f.p("\t}")
	case g.isRaw(t):
		f.p("\tb = tl.AppendRaw(b, %s, %q, %q)", expr, typeName, field)
	case g.single(t.Name):
		f.p("\tb = %s.Append(b)", expr)
	default:
		f.p("\tb = tl.AppendObject(b, %s, %q, %q)", expr, typeName, field)
	}
}

// bare is the word that the names of functions for bare vectors have.
func bare(t schema.Type) string {
	if t.Boxed() {
		return ""
	}
	return "Bare"
}

// parseMethod emits Parse.
func (g *generator) parseMethod(f *goFile, d *schema.Definition, name string) {
	f.p("// Parse implements tl.Object.")
	if len(d.Fields) == 0 {
		f.p("func (*%s) Parse(r *tl.Reader) { r.Expect(%s, %q) }\n", name, g.idName(d), d.Name)
		return
	}
	f.p("func (v *%s) Parse(r *tl.Reader) {", name)
	f.p("\t*v = %s{}", name)
	f.p("\tif !r.Expect(%s, %q) {\n\t\treturn\n\t}", g.idName(d), d.Name)
	recursive := !d.Function && g.used[d.Result.Name] && g.single(d.Result.Name) && g.recursive(d.Result.Name)
	if recursive {
		f.p("\tif !r.Enter() {\n\t\treturn\n\t}")
	}
	for _, field := range d.Fields {
		g.parseField(f, d, field)
	}
	if recursive {
		f.p("\tr.Leave()")
	}
	f.p("\tr.Within(%q)\n}\n", d.Name)
}

func (g *generator) parseField(f *goFile, d *schema.Definition, field schema.Field) {
	target := "v." + goName(field.Name)
	switch {
	case field.IsFlags():
		if slices.ContainsFunc(d.Fields, func(other schema.Field) bool { return other.Flags == field.Name }) {
			f.p("\t%s := r.Uint32()", field.Name)
		} else {
			f.p("\tr.Uint32() // %s: no bit has a meaning", field.Name)
		}
	case field.Type.Name == "true":
		f.p("\t%s = %s&(1<<%d) != 0", target, field.Flags, field.Bit)
	case field.Optional():
		f.p("\tif %s&(1<<%d) != 0 {", field.Flags, field.Bit)
		f.p("\t%s.Set = true", target)
		g.parseValue(f, field.Type, target+".Value")
		f.p("\t}")
	default:
		g.parseValue(f, field.Type, target)
	}
}

// parseValue emits the statements that read a value of type t into target.
func (g *generator) parseValue(f *goFile, t schema.Type, target string) {
	if p, ok := primitives[t.Name]; ok {
		f.p("\t%s = r.%s()", target, p.method)
		return
	}
	raw := "Raw"
	if g.cfg.view {
		raw = "RawView"
	}
	switch {
	case t.Elem != nil:
		f.p("\tif n := r.%sVectorLen(%d); n > 0 {", bare(t), g.minSize(*t.Elem, nil))
		f.p("\t%s = make(%s, n)\n\tfor i := range %s {", target, g.goType(t), target)
		g.parseValue(f, *t.Elem, target+"[i]")
		f.p("\t}\n\t}")
	case g.cfg.raw[t.Name]:
		g.rawUsed[t.Name] = true
		f.p("\t%s = r.%s(%sSchema, %s)", target, raw, map[bool]string{true: "tg."}[g.there != nil], typeConst(t.Name))
	case g.isRaw(t):
		f.p("\t%s = r.Open%s()", target, raw)
	case g.single(t.Name):
		f.p("\t%s.Parse(r)", target)
	default:
		f.p("\t%s = %sParseAny%s(r)", target, g.from(t.Name), goName(t.Name))
	}
}

// typeConst is the name of the constant with the number of a raw type.
func typeConst(name string) string { return fmt.Sprintf("type%s", goName(name)) }
