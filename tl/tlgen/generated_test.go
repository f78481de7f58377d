package main

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/mt"
	"github.com/mtfleet/mtfleet/tl/schema"
	"github.com/mtfleet/mtfleet/tl/schema/schematest"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// The tests below hold generated code to the schema by a second reading of it: schematest makes random values
// straight from the definitions, knowing neither the generator nor the table.

// generated lists the definitions that package pkg has types for.
func generated(w *schematest.Writer, newObject func(uint32) tl.Object) []*schema.Definition {
	return slices.DeleteFunc(w.All(), func(d *schema.Definition) bool { return newObject(d.WireID()) == nil })
}

// checkType holds one generated type to its definition: parse and append are inverse, whatever the struct held
// before; every cut is noticed; results too.
func checkType(t *rapid.T, w *schematest.Writer, d *schema.Definition, newObject func(uint32) tl.Object) {
	b := w.Append(t, nil, d, 0)
	v := newObject(d.WireID())
	if v.TypeID() != d.WireID() || v.TypeName() != d.Name {
		t.Fatalf("%s calls itself %s#%08x", d.Name, v.TypeName(), v.TypeID())
	}
	for _, printed := range []string{fmt.Sprint(v), fmt.Sprintf("%+v %#v", v, v)} {
		if strings.ReplaceAll(strings.ReplaceAll(printed, d.Name, ""), " ", "") != "" {
			t.Fatalf("%s prints as %q", d.Name, printed)
		}
	}
	for range 2 {
		if err := tl.Unmarshal(b, v); err != nil {
			t.Fatalf("%s: %v\n%x", d, err, b)
		}
		out, err := tl.Marshal(nil, v)
		if err != nil || !bytes.Equal(out, b) {
			t.Fatalf("%s: %v\nparsed   %x\nappended %x", d, err, b, out)
		}
		// The second time, v starts out full of another value.
		b = w.Append(t, nil, d, 0)
	}
	open := len(d.Fields) > 0 && isOpen(d.Fields[len(d.Fields)-1].Type)
	for cut := 0; cut < len(b) && !open; cut += 4 {
		if err := tl.Unmarshal(b[:cut], v); err == nil {
			t.Fatalf("%s: %d of %d bytes were enough", d, cut, len(b))
		}
	}
	if d.Function && d.Result.Name != d.Generic && (d.Result.Elem != nil || len(w.Types[d.Result.Name]) > 0) {
		checkResult(t, w, d, v)
	}
}

// checkResult holds ParseResult and AppendResult of a function to the schema.
func checkResult(t *rapid.T, w *schematest.Writer, d *schema.Definition, v tl.Object) {
	b := w.AppendValue(t, nil, d.Result, 0)
	if b == nil {
		return
	}
	r := tl.NewReader(b)
	method := reflect.ValueOf(v)
	result := method.MethodByName("ParseResult").Call([]reflect.Value{reflect.ValueOf(r)})[0]
	if err := r.End(); err != nil {
		t.Fatalf("result of %s: %v\n%x", d, err, b)
	}
	out := method.MethodByName("AppendResult").Call([]reflect.Value{reflect.ValueOf([]byte(nil)), result})[0].Bytes()
	if !bytes.Equal(out, b) {
		t.Fatalf("result of %s:\nparsed   %x\nappended %x", d, b, out)
	}
}

func TestGeneratedTypes(t *testing.T) {
	for _, pkg := range []struct {
		name      string
		newObject func(uint32) tl.Object
		schemas   []string
		types     int // how many types there are at least
	}{
		{"mt", mt.New, []string{"mtproto.tl", "api.tl"}, 45},
		{"tg", tg.New, []string{"api.tl"}, 180},
	} {
		w := schematest.New(t, pkg.schemas...)
		defs := generated(w, pkg.newObject)
		if len(defs) < pkg.types {
			t.Errorf("%s: only %d types", pkg.name, len(defs))
		}
		for _, d := range defs {
			switch d.Name {
			case "msg_container", "msg_copy", "future_salts", "get_future_salts":
				continue // written by hand, for their bare values, and tested beside
			}
			t.Run(pkg.name+"/"+d.Name, func(t *testing.T) {
				rapid.Check(t, func(t *rapid.T) { checkType(t, w, d, pkg.newObject) })
			})
		}
	}
}

// TestSkipKnowsTheWholeSchema lets Skip cut out a random value of every constructor and function of the API.
func TestSkipKnowsTheWholeSchema(t *testing.T) {
	w := schematest.New(t, "api.tl")
	defs := w.All()
	rapid.Check(t, func(t *rapid.T) {
		// A slice of the schema at a time, so that hundred checks see all of it many times.
		first := rapid.IntRange(0, 24).Draw(t, "first")
		for i := first; i < len(defs); i += 25 {
			d := defs[i]
			b := w.Append(t, nil, d, schematest.Depth-2)
			n, err := tl.Skip(tg.Schema, append(b, 0xff, 0xff, 0xff, 0xff))
			if err != nil || n != len(b) {
				t.Fatalf("%s: %d of %d bytes, %v\n%x", d, n, len(b), err, b)
			}
			if cut := rapid.IntRange(0, len(b)-1).Draw(t, "cut"); cut > 0 {
				if n, err := tl.Skip(tg.Schema, b[:cut]); err == nil {
					t.Fatalf("%s: %d of %d bytes were enough (%d)", d, cut, len(b), n)
				}
			}
		}
	})
}

// TestTableIsTheSchema reads the committed table back and compares it with the definitions.
func TestTableIsTheSchema(t *testing.T) {
	w := schematest.New(t, "api.tl")
	for _, group := range w.Types {
		for _, d := range group {
			checkEntry(t, d, d.Result.Name)
		}
	}
	for _, d := range w.Functions {
		checkEntry(t, d, "function")
	}
}

func checkEntry(t *testing.T, d *schema.Definition, typeName string) {
	typ, ops, ok := tg.Schema.Lookup(d.WireID())
	if !ok || tg.Schema.TypeName(typ) != typeName {
		t.Errorf("%s: in the table %v, of type %s", d.Name, ok, tg.Schema.TypeName(typ))
		return
	}
	words := make(map[string]int)
	var want []tl.Op
	for _, f := range d.Fields {
		switch {
		case f.IsFlags():
			words[f.Name] = len(words)
			want = append(want, tl.OpFlags+tl.Op(words[f.Name]))
			continue
		case f.Type.Name == "true":
			continue
		case f.Optional():
			want = append(want, tl.OpIf|tl.Op(words[f.Flags]<<5|f.Bit))
		}
		elem := f.Type
		if f.Type.Elem != nil {
			want = append(want, map[bool]tl.Op{true: tl.OpVector, false: tl.OpBareVector}[f.Type.Boxed()])
			elem = *f.Type.Elem
		}
		simple := map[string]tl.Op{"int": tl.OpInt, "long": tl.OpLong, "double": tl.OpDouble, "string": tl.OpString,
			"bytes": tl.OpBytes, "Bool": tl.OpBool, "int128": tl.OpInt128, "int256": tl.OpInt256}
		if op, ok := simple[elem.Name]; ok {
			want = append(want, op)
			continue
		}
		at := len(want)
		if at >= len(ops) {
			break
		}
		typ, boxed := ops[at].Boxed()
		if name := tg.Schema.TypeName(typ); !boxed || name != elem.Name && !(isOpen(elem) && typ == tl.TypeAny) {
			t.Errorf("%s: field %s is a %s in the table", d.Name, f.Name, name)
		}
		want = append(want, ops[at])
	}
	if d.Builtin || d.Name == "bytes" {
		want = []tl.Op{map[string]tl.Op{"int": tl.OpInt, "long": tl.OpLong, "double": tl.OpDouble, "string": tl.OpString,
			"bytes": tl.OpBytes}[d.Name]}
	}
	want = append(want, tl.OpEnd)
	if len(ops) < len(want) || !slices.Equal(ops[:len(want)], want) {
		t.Errorf("%s: the table has %v, want %v", d.Name, ops[:min(len(ops), len(want))], want)
	}
}
