package tg_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/schema"
	"github.com/mtfleet/mtfleet/tl/tg"
)

func TestLayers(t *testing.T) {
	all := tg.Layers()
	if len(all) != 229-144+1 || all[0] != 144 || all[len(all)-1] != tg.Layer {
		t.Errorf("got %v, want 144 to 229", all)
	}
	for _, listed := range tg.ListedLayers() {
		if !slices.Contains(all, listed) {
			t.Errorf("layer %d has forms of its own and is not served", listed)
		}
	}
	for _, test := range []struct {
		layer int
		id    uint32
		want  bool
	}{
		{229, tg.AuthInitFirebasePnvLoginRequestID, true},
		{228, tg.AuthInitFirebasePnvLoginRequestID, false},
		{228, tg.AuthInitPasskeyLoginRequestID, true},
		{198, tg.AuthInitPasskeyLoginRequestID, false},
		{198, tg.AuthSendCodeRequestID, true},
		{199, tg.AuthSendCodeRequestID, true},
		{199, tg.AuthInitPasskeyLoginRequestID, false}, // as at 198
		{143, tg.AuthSendCodeRequestID, false},
		{230, tg.AuthSendCodeRequestID, false},
	} {
		if got := tg.LayerHas(test.layer, test.id); got != test.want {
			t.Errorf("layer %d has %08x: %v", test.layer, test.id, got)
		}
	}
}

// olderReader reads a value by the definitions of an older layer and nothing else, as a client of that layer would.
type olderReader struct {
	t      testing.TB
	types  map[uint32]*schema.Definition
	absent map[string]bool
	r      *tl.Reader
	// users are the fields of the users met, by name; a field of flags gives a number.
	users []map[string]uint32
}

func newOlderReader(t testing.TB, layer int, b []byte) *olderReader {
	o := &olderReader{t: t, types: make(map[uint32]*schema.Definition), absent: make(map[string]bool), r: tl.NewReader(b)}
	api, err := schema.Files.ReadFile("api.tl")
	if err != nil {
		t.Fatal(err)
	}
	older, err := schema.Files.ReadFile("layers.tl")
	if err != nil {
		t.Fatal(err)
	}
	now, err := schema.Parse(string(api))
	if err != nil {
		t.Fatal(err)
	}
	layers, err := schema.ParseLayers(string(older))
	if err != nil {
		t.Fatal(err)
	}
	replaced := make(map[string]bool)
	for i, l := range layers {
		next := tg.Layer
		if i+1 < len(layers) {
			next = layers[i+1].Number
		}
		if layer < l.Number || layer >= next {
			continue
		}
		for _, name := range l.Absent {
			replaced[name] = true
		}
		for i := range l.Definitions {
			replaced[l.Definitions[i].Name] = true
			o.types[l.Definitions[i].ID] = &l.Definitions[i]
		}
	}
	for i := range now.Definitions {
		if d := &now.Definitions[i]; !replaced[d.Name] {
			o.types[d.ID] = d
		}
	}
	return o
}

// boxed reads a boxed value, failing the test where an old client would.
func (o *olderReader) boxed(want string) {
	id := o.r.ID()
	d := o.types[id]
	if d == nil || d.Result.Name != want {
		o.t.Fatalf("an old client finds %08x (%v) where %s is expected", id, d, want)
	}
	flags := make(map[string]uint32)
	known := make(map[string]uint32)
	for _, f := range d.Fields {
		if f.IsFlags() {
			flags[f.Name] = o.r.Uint32()
			continue
		}
		if f.Optional() {
			known[f.Flags] |= 1 << f.Bit
			if flags[f.Flags]&(1<<f.Bit) == 0 || f.Type.Name == "true" {
				continue
			}
		}
		o.value(f.Type)
	}
	for word, bits := range flags {
		if bits&^known[word] != 0 {
			o.t.Fatalf("an old client finds unknown bits %#x in %s of %s", bits&^known[word], word, d.Name)
		}
	}
	if d.Name == "user" {
		o.users = append(o.users, flags)
	}
}

func (o *olderReader) value(typ schema.Type) {
	switch typ.Name {
	case "int":
		o.r.Int32()
	case "long", "double":
		o.r.Int64()
	case "string", "bytes":
		o.r.BytesView()
	case "Bool":
		o.r.Bool()
	case "Vector":
		for range o.r.VectorLen(4) {
			o.value(*typ.Elem)
		}
	default:
		o.boxed(typ.Name)
	}
	if err := o.r.Err(); err != nil {
		o.t.Fatalf("an old client fails: %v", err)
	}
}

func TestDowngradedAuthorizationIsReadByOldClients(t *testing.T) {
	b := authorization.Append(nil)
	for _, layer := range tg.ListedLayers() {
		out, err := tg.Downgrade(layer, b)
		if err != nil {
			t.Errorf("layer %d: %v", layer, err)
			continue
		}
		o := newOlderReader(t, layer, out)
		if o.boxed("auth.Authorization"); o.r.End() != nil || len(o.users) != 1 {
			t.Errorf("layer %d: %v", layer, o.r.Err())
			continue
		}
		flags2 := o.users[0]["flags2"]
		hasStory, hasColor, hasCollectible := flags2&(1<<5) != 0, flags2&(1<<8) != 0, flags2&(1<<9) != 0
		// Colours came at 167, collectible ones at 216, and at 218 the newest story became an object.
		if hasStory != (layer >= 218) || hasColor != (layer >= 167) || hasCollectible != (layer >= 216) {
			t.Errorf("layer %d: story %v, color %v, collectible %v", layer, hasStory, hasColor, hasCollectible)
		}
	}
}

func TestDowngradeEverythingNested(t *testing.T) {
	users := (&tg.UsersGetUsersRequest{}).AppendResult(nil, []tg.AnyUser{user, &tg.UserEmpty{ID: 1}, user})
	for _, layer := range tg.ListedLayers() {
		out, err := tg.Downgrade(layer, envelope.Append(nil))
		if err != nil {
			t.Fatalf("layer %d: %v", layer, err)
		}
		o := newOlderReader(t, layer, out)
		if o.boxed("Updates"); o.r.End() != nil || len(o.users) != 1 {
			t.Errorf("layer %d: updates: %v", layer, o.r.Err())
		}
		out, err = tg.Downgrade(layer, users)
		if err != nil {
			t.Fatalf("layer %d: %v", layer, err)
		}
		o = newOlderReader(t, layer, out)
		if o.value(schema.Type{Name: "Vector", Elem: &schema.Type{Name: "User"}}); o.r.End() != nil || len(o.users) != 2 {
			t.Errorf("layer %d: users: %v", layer, o.r.Err())
		}
	}
}

func TestDowngradeSentCodePaymentRequired(t *testing.T) {
	b := (&tg.AuthSentCodePaymentRequired{StoreProduct: "p", PremiumDays: 7, Currency: "USD", Amount: 99}).Append(nil)
	for _, layer := range tg.ListedLayers() {
		out, err := tg.Downgrade(layer, b)
		if layer < 200 {
			var absent *tg.AbsentError
			if !errors.As(err, &absent) || absent.Layer != layer || absent.ID != tg.AuthSentCodePaymentRequiredID {
				t.Errorf("layer %d: %v", layer, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("layer %d: %v", layer, err)
			continue
		}
		o := newOlderReader(t, layer, out)
		if o.boxed("auth.SentCode"); o.r.End() != nil {
			t.Errorf("layer %d: %v", layer, o.r.Err())
		}
		if layer > 224 != bytes.Equal(out, b) {
			t.Errorf("layer %d: %d bytes, the newest form has %d", layer, len(out), len(b))
		}
	}
}

func TestDowngradeRefusals(t *testing.T) {
	b := authorization.Append(nil)
	var layerErr *tg.LayerError
	for _, layer := range []int{-1, 0, 143, 230} {
		if _, err := tg.Downgrade(layer, b); !errors.As(err, &layerErr) || layerErr.Layer != layer {
			t.Errorf("layer %d: %v", layer, err)
		}
		if _, err := tg.Upgrade(layer, b); !errors.As(err, &layerErr) || layerErr.Layer != layer {
			t.Errorf("layer %d: %v", layer, err)
		}
	}
	for name, test := range map[string]struct {
		input []byte
		want  error
	}{
		"nothing":               {nil, tl.ErrShort},
		"unknown":               {[]byte{1, 2, 3, 4}, tl.ErrConstructor},
		"cut":                   {b[:40], tl.ErrShort},
		"trailing":              {append(slices.Clone(b), 0, 0, 0, 0), tl.ErrTrailing},
		"vector with trailing":  {append(tl.AppendVectorHeader(nil, 0), 0, 0, 0, 0), tl.ErrTrailing},
		"vector of cut values":  {append(tl.AppendVectorHeader(nil, 1), b[:8]...), tl.ErrShort},
		"vector with no header": {tl.AppendUint32(nil, tl.VectorID), tl.ErrShort},
	} {
		if _, err := tg.Downgrade(198, test.input); !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, want %v", name, err, test.want)
		}
	}
	if out, err := tg.Downgrade(tg.Layer, b); err != nil || &out[0] != &b[0] {
		t.Errorf("the newest layer needs no copy: %v", err)
	}
}

// TestDowngradeLeavesTheRestAlone wants values that do not differ back as they were.
func TestDowngradeLeavesTheRestAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := &tg.AuthSentCode{
			Type:          &tg.AuthSentCodeTypeApp{Length: rapid.Int32().Draw(t, "length")},
			PhoneCodeHash: rapid.String().Draw(t, "hash"),
		}
		if rapid.Bool().Draw(t, "timeout set") {
			v.Timeout = tl.Some(rapid.Int32().Draw(t, "timeout"))
		}
		b := v.Append(nil)
		for _, layer := range tg.ListedLayers() {
			if out, err := tg.Downgrade(layer, b); err != nil || !bytes.Equal(out, b) {
				t.Fatalf("layer %d: %x became %x, %v", layer, b, out, err)
			}
		}
	})
}

func FuzzDowngrade(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, input []byte) {
		for _, layer := range []int{144, 158, 198, 223, 227} {
			if out, err := tg.Downgrade(layer, input); err == nil && len(out)%4 != len(input)%4 {
				t.Fatalf("layer %d: %d bytes became %d", layer, len(input), len(out))
			}
			out, err := tg.Upgrade(layer, input)
			if err != nil {
				continue
			}
			if n, err := tl.Skip(tg.Schema, out); err == nil && n != len(out) {
				t.Fatalf("layer %d: %d bytes became %d, of which %d are a value", layer, len(input), len(out), n)
			}
		}
	})
}
