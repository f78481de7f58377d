package tg_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/schema"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// The constructor of a user says best which layer a client takes an answer for.
func TestEachLayerHasItsUser(t *testing.T) {
	for _, test := range []struct {
		from int
		id   uint32
	}{
		{144, 0x3ff6ecb0}, {145, 0x5d99adee}, {148, 0x8f97c628}, {160, 0xabb5f120}, {167, 0x215c4438},
		{185, 0x83314fca}, {196, 0x4b46c37e}, {200, 0x020b1422}, {218, 0x31774388}, {228, tg.UserID},
	} {
		out, err := tg.Downgrade(test.from, user.Append(nil))
		if err != nil || tl.Raw(out).ID() != test.id {
			t.Errorf("layer %d: user %08x, %v; want %08x", test.from, tl.Raw(out).ID(), err, test.id)
		}
	}
}

// olderQuery writes queries as a client of 144 does: Telethon 1.25 for one.
func olderQuery(id uint32, fields ...any) []byte {
	b := tl.AppendUint32(nil, id)
	for _, f := range fields {
		switch f := f.(type) {
		case int:
			b = tl.AppendInt32(b, int32(f))
		case string:
			b = tl.AppendString(b, f)
		case []byte:
			b = append(b, f...)
		}
	}
	return b
}

func TestOldQueriesAreUnderstood(t *testing.T) {
	settings := olderQuery(0x8a6469c2, 1|8, 0) // codeSettings: allow_flashcall, and a bit of another layer
	for _, test := range []struct {
		name  string
		old   []byte
		want  tl.Object
		layer int
	}{
		{"a code that was required", olderQuery(0xbcd51581, "99966", "hash", "22222"),
			&tg.AuthSignInRequest{PhoneNumber: "99966", PhoneCodeHash: "hash", PhoneCode: tl.Some("22222")}, 144},
		{"a vector nested in an old form", olderQuery(0xa677244f, "99966", 5, "app", olderQuery(0x8a6469c2, 64, tl.AppendVectorHeader(nil, 1), "token")),
			&tg.AuthSendCodeRequest{PhoneNumber: "99966", APIID: 5, APIHash: "app", Settings: tg.CodeSettings{LogoutTokens: tl.Some([][]byte{[]byte("token")})}}, 144},
		{"bits that mean nothing now", olderQuery(0xa677244f, "99966", 5, "app", settings[:8]),
			&tg.AuthSendCodeRequest{PhoneNumber: "99966", APIID: 5, APIHash: "app", Settings: tg.CodeSettings{AllowFlashcall: true}}, 144},
		{"a field that came in between", olderQuery(0x25939651, 0, 7, 8, 9),
			&tg.UpdatesGetDifferenceRequest{Pts: 7, Date: 8, Qts: 9}, 158},
		{"a hash that was not asked for", olderQuery(0x98914110), &tg.HelpGetAppConfigRequest{}, 144},
		{"words that are new", olderQuery(0x80eee427, "99966", "hash", "Ada", "Falk"),
			&tg.AuthSignUpRequest{PhoneNumber: "99966", PhoneCodeHash: "hash", FirstName: "Ada", LastName: "Falk"}, 160},
		{"the same at every layer", olderQuery(tg.HelpGetConfigRequestID), &tg.HelpGetConfigRequest{}, 144},
	} {
		got, err := tg.Upgrade(test.layer, test.old)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		wantBytes(t, test.name, got, test.want.Append(nil))
	}
}

func wantBytes(t *testing.T, name string, got, want []byte) {
	t.Helper()
	if string(got) != string(want) {
		t.Errorf("%s: %x, want %x", name, got, want)
	}
}

// olderWriter writes random values by the definitions of an older layer.
type olderWriter struct {
	*olderReader
	rt *rapid.T
}

func (w olderWriter) value(b []byte, typ schema.Type, depth int) []byte {
	switch typ.Name {
	case "int":
		return tl.AppendInt32(b, rapid.Int32().Draw(w.rt, "int"))
	case "long", "double":
		return tl.AppendInt64(b, rapid.Int64().Draw(w.rt, "long"))
	case "string", "bytes":
		return tl.AppendString(b, rapid.String().Draw(w.rt, "string"))
	case "Bool":
		return tl.AppendBool(b, rapid.Bool().Draw(w.rt, "bool"))
	case "Vector":
		n := rapid.IntRange(0, 2).Draw(w.rt, "count")
		if depth > 3 {
			n = 0
		}
		b = tl.AppendVectorHeader(b, n)
		for range n {
			b = w.value(b, *typ.Elem, depth+1)
		}
		return b
	}
	var of []*schema.Definition
	for _, d := range w.types {
		if d.Result.Name == typ.Name && !d.Function && (depth < 4 || len(d.Fields) < 3) {
			of = append(of, d)
		}
	}
	if len(of) == 0 {
		w.rt.Skip("too deep")
	}
	// Map order is not the draw's: the smallest id first.
	least := of[0]
	for _, d := range of {
		if d.ID < least.ID {
			least = d
		}
	}
	return w.definition(b, least, depth+1)
}

func (w olderWriter) definition(b []byte, d *schema.Definition, depth int) []byte {
	b = tl.AppendUint32(b, d.ID)
	flags := make(map[string]uint32)
	for _, f := range d.Fields {
		if f.IsFlags() {
			for _, o := range d.Fields {
				if o.Flags == f.Name && rapid.Bool().Draw(w.rt, o.Name) {
					flags[f.Name] |= 1 << o.Bit
				}
			}
			b = tl.AppendUint32(b, flags[f.Name])
			continue
		}
		if f.Type.Name != "true" && (!f.Optional() || flags[f.Flags]&(1<<f.Bit) != 0) {
			b = w.value(b, f.Type, depth)
		}
	}
	return b
}

// Whatever an older client asks in a form of its layer is a value of the newest schema afterwards.
func TestEveryOldQueryBecomesANewOne(t *testing.T) {
	layers, err := schema.ParseLayers(readSchema(t, "layers.tl"))
	if err != nil {
		t.Fatal(err)
	}
	now, err := schema.Parse(readSchema(t, "api.tl"))
	if err != nil {
		t.Fatal(err)
	}
	functions := make(map[string]uint32)
	for _, d := range now.Definitions {
		if d.Function {
			functions[d.Name] = d.ID
		}
	}
	for _, l := range layers {
		o := newOlderReader(t, l.Number, nil)
		for i := range l.Definitions {
			d := &l.Definitions[i]
			id, ok := functions[d.Name]
			if !ok || !tg.LayerHas(l.Number, id) {
				continue
			}
			rapid.Check(t, func(rt *rapid.T) {
				b := olderWriter{o, rt}.definition(nil, d, 0)
				out, err := tg.Upgrade(l.Number, b)
				if err != nil {
					rt.Fatalf("layer %d: %s: %v", l.Number, d.Name, err)
				}
				if n, err := tl.Skip(tg.Schema, out); err != nil || n != len(out) || tl.Raw(out).ID() != id {
					rt.Fatalf("layer %d: %s: %x became %x: %v", l.Number, d.Name, b, out, err)
				}
			})
		}
	}
}

func readSchema(t testing.TB, name string) string {
	t.Helper()
	b, err := schema.Files.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
