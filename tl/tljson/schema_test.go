package tljson_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/schema/schematest"
	"github.com/mtfleet/mtfleet/tl/tg"
	"github.com/mtfleet/mtfleet/tl/tljson"
)

var codec = tljson.New(tg.Schema, tg.Names)

// Whatever value of the schema is written, what is read back is the same to the last byte.
func TestEveryConstructorComesBackAsItWas(t *testing.T) {
	w := schematest.New(t, "api.tl")
	defs := w.All()
	if len(defs) < 2400 {
		t.Fatalf("%d definitions: the schema has more", len(defs))
	}
	rapid.Check(t, func(t *rapid.T) {
		for _, d := range defs {
			b := w.Append(t, nil, d, schematest.Depth-3)
			text, err := codec.Append(nil, b)
			if err != nil {
				t.Fatalf("%s: %v\n%x", d, err, b)
			}
			if !json.Valid(text) {
				t.Fatalf("%s: not JSON: %s", d, text)
			}
			if !strings.HasPrefix(string(text), `{"_":"`+d.Name+`"`) && d.Result.Name != "Bool" && !d.Function {
				t.Fatalf("%s: %s", d, text)
			}
			back, err := codec.Parse(text)
			if err != nil || !bytes.Equal(back, b) {
				t.Fatalf("%s: %v\nvalue %x\nback  %x\n%s", d, err, b, back, text)
			}
			if d.Function {
				if back, err = codec.ParseCall(d.Name, text); err != nil || !bytes.Equal(back, b) {
					t.Fatalf("%s as a call: %v", d, err)
				}
			}
		}
	})
}

// The names are those of the schema, all of them, in their places.
func TestNamesAreThoseOfTheSchema(t *testing.T) {
	for _, d := range schematest.New(t, "api.tl").All() {
		index, ok := tg.Names.Find(d.Name)
		if id, _, _ := tg.Schema.At(max(index, 0)); !ok || id != d.WireID() || tg.Names.Name(index) != d.Name {
			t.Errorf("%s: found %v at %d, with the id %08x", d.Name, ok, index, id)
			continue
		}
		_, vector := tg.Names.VectorResult(index)
		if want := d.Function && d.Result.Elem != nil; vector != want {
			t.Errorf("%s: a vector is the result: %v", d.Name, vector)
		}
		if d.Builtin || d.Name == "bytes" { // one value without a name, which is called value
			continue
		}
		fields := tg.Names.Fields(index)
		for _, f := range d.Fields {
			cond, ok := fields.Next()
			name := ""
			if ok {
				name = fields.Name()
			}
			_, bit, optional := cond.If()
			if want := f.Type.Name == "true"; !ok || name != f.Name || optional != want || want && bit != f.Bit {
				t.Errorf("%s: %s where %s is: condition %v, bit %d", d.Name, name, f.Name, optional, bit)
			}
		}
		if _, ok := fields.Next(); ok {
			t.Errorf("%s: has another field %s", d.Name, fields.Name())
		}
	}
	for _, name := range []string{"", "a", "zzz", "messages.sendMessag", "messages.sendMessagee"} {
		if index, ok := tg.Names.Find(name); ok {
			t.Errorf("%q is number %d", name, index)
		}
	}
}

// A vector says what it holds only together with the method whose result it is.
func TestAResultThatIsAVector(t *testing.T) {
	vector := tl.AppendInt32(tl.AppendVectorHeader(nil, 1), 7)
	got, err := codec.AppendResult(nil, "contacts.getContactIDs", vector)
	if err != nil || string(got) != "[7]" {
		t.Errorf("%s, %v", got, err)
	}
	if got, err := codec.AppendResult([]byte("x"), "help.getConfig", vector); err == nil || string(got) != "x" {
		t.Errorf("a vector of help.getConfig: %s", got)
	}
	got, err = codec.AppendResult(nil, "account.updateStatus", tl.AppendBool(nil, true))
	if err != nil || string(got) != "true" {
		t.Errorf("%s, %v", got, err)
	}
}

// Every id of the table is found, and none that is not in it.
func TestEveryIDIsFound(t *testing.T) {
	for i := range tg.Schema.Len() {
		id, _, _ := tg.Schema.At(i)
		if at, ok := tg.Schema.Index(id); !ok || at != i {
			t.Fatalf("%08x, number %d, is found at %d: %v", id, i, at, ok)
		}
		for _, near := range []uint32{id - 1, id + 1} {
			if at, ok := tg.Schema.Index(near); ok {
				if found, _, _ := tg.Schema.At(at); found != near {
					t.Fatalf("%08x is found as %08x", near, found)
				}
			}
		}
	}
	for _, id := range []uint32{0, 1<<32 - 1} {
		if at, ok := tg.Schema.Index(id); ok {
			t.Errorf("%08x is found at %d", id, at)
		}
	}
}
