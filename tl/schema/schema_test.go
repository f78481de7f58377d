package schema

import (
	"slices"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func read(t testing.TB, name string) string {
	t.Helper()
	text, err := Files.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func parsed(t testing.TB, name string) *Schema {
	t.Helper()
	s, err := Parse(read(t, name))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return s
}

// TestConstructorIDs computes the id of every line of api.tl and mtproto.tl and wants the one that is written,
// but for the lines below. They are the whole list: a line that starts or stops to differ fails the test.
func TestConstructorIDs(t *testing.T) {
	differ := map[string]string{
		"ipPortSecret": "its id was computed with secret:bytes as written; everywhere else bytes counts as string",
		"accessPointRule": "comes from a text of its own (the emergency configuration), and its id from no spelling " +
			"of these fields that the rule knows: vector or Vector, %IpPort or IpPort",
		"help.configSimple":                "like accessPointRule",
		"inputPeerPhotoFileLocationLegacy": "renamed: an older inputPeerPhotoFileLocation, under whose name it was computed",
		"inputStickerSetThumbLegacy":       "renamed: an older inputStickerSetThumb, under whose name it was computed",
	}
	without := map[string]string{
		"message":        "only ever bare: inside a container",
		"rsa_public_key": "only ever bare: hashed for a key's fingerprint",
	}
	count := 0
	for _, name := range []string{"api.tl", "mtproto.tl"} {
		for _, d := range parsed(t, name).Definitions {
			count++
			if !d.HasID {
				if without[d.Name] == "" {
					t.Errorf("%s:%d: %s has no id", name, d.Line, d.Name)
				}
				delete(without, d.Name)
				continue
			}
			reason := differ[d.Name]
			delete(differ, d.Name)
			if same := d.CRC() == d.ID; same == (reason != "") {
				t.Errorf("%s:%d: %s: written %08x, computed %08x; expected to differ because: %q",
					name, d.Line, d.Name, d.ID, d.CRC(), reason)
			}
		}
	}
	for name := range differ {
		t.Errorf("%s is expected to differ and is not in the schemas", name)
	}
	for name := range without {
		t.Errorf("%s is expected to have no id and is not in the schemas", name)
	}
	if count != 2535 {
		t.Errorf("%d definitions, expected 2483 of the API and 52 of MTProto", count)
	}
}

// TestDifferencesExplained checks the two reasons of TestConstructorIDs that can be checked.
func TestDifferencesExplained(t *testing.T) {
	for _, test := range []struct {
		line string
		want uint32
	}{
		{"inputPeerPhotoFileLocation flags:# big:flags.0?true peer:InputPeer volume_id:long local_id:int = InputFileLocation;", 0x27d69997},
		{"inputStickerSetThumb stickerset:InputStickerSet volume_id:long local_id:int = InputFileLocation;", 0x0dbaeae9},
	} {
		d, err := parseDefinition(test.line)
		if err != nil || d.CRC() != test.want {
			t.Errorf("%s: %08x, %v", test.line, d.CRC(), err)
		}
	}
}

func TestConstructorIDRule(t *testing.T) {
	for _, test := range []struct {
		line string
		want uint32
	}{
		{"dcOption flags:# ipv6:flags.0?true media_only:flags.1?true id:int ip_address:string port:int secret:flags.10?bytes = DcOption;", 0x18b7a10d},
		{"invokeWithLayer {X:Type} layer:int query:!X = X;", 0xda9b0d0d},
		{"msgs_ack msg_ids:Vector<long> = MsgsAck;", 0x62d6b459},
		{"msg_container messages:vector<%message> = MessageContainer;", 0x73f1f8dc},
		{"future_salts req_msg_id:long now:int salts:vector<future_salt> = FutureSalts;", 0xae500895},
		{"message msg_id:long seqno:int bytes:int body:Object = Message;", 0x5bb8e511},
		{"int ? = Int;", 0xa8509bda},
		{"codeSettings flags:# logout_tokens:flags.6?Vector<bytes> token:flags.8?string app_sandbox:flags.8?Bool = CodeSettings;", 0xad253d78},
	} {
		d, err := parseDefinition(test.line)
		if err != nil {
			t.Errorf("%s: %v", test.line, err)
			continue
		}
		if d.CRC() != test.want || d.WireID() != test.want {
			t.Errorf("%s: computed %08x, want %08x", test.line, d.CRC(), test.want)
		}
	}
}

// TestLinesSurviveParsing wants every line of the schemas back as it was written, but for leading zeros of ids.
func TestLinesSurviveParsing(t *testing.T) {
	for _, name := range []string{"api.tl", "mtproto.tl"} {
		lines := strings.Split(read(t, name), "\n")
		for _, d := range parsed(t, name).Definitions {
			want := strings.Replace(lines[d.Line-1], "#0", "#", 1)
			if got := d.String() + ";"; got != want {
				t.Errorf("%s:%d:\n got %s\nwant %s", name, d.Line, got, want)
			}
		}
	}
}

func TestParse(t *testing.T) {
	s, err := Parse("// LAYER 7\nitem#1f flags:# on:flags.3?true %x:int = Item; // no\n")
	if err == nil {
		t.Fatalf("a field named %%x parsed: %v", s)
	}
	s, err = Parse(`// Some schema. LAYER 7
item#1f flags:# on:flags.3?true ids:flags.4?Vector<long> = ns.Item; // a comment

---functions---
get#20 {X:Type} query:!X = X;
---types---
late = Item;`)
	if err != nil {
		t.Fatal(err)
	}
	if s.Layer != 7 || len(s.Definitions) != 3 {
		t.Fatalf("layer %d, %d definitions", s.Layer, len(s.Definitions))
	}
	item, get, late := s.Definitions[0], s.Definitions[1], s.Definitions[2]
	ids := item.Fields[2]
	switch {
	case item.Name != "item" || item.ID != 0x1f || !item.HasID || item.Function || item.Line != 2:
		t.Errorf("item: %+v", item)
	case !item.Fields[0].IsFlags() || ids.Flags != "flags" || ids.Bit != 4 || ids.Type.Elem.Name != "long":
		t.Errorf("fields of item: %+v", item.Fields)
	case !item.Result.Boxed() || ids.Type.Elem.Boxed() || !ids.Type.Boxed():
		t.Error("boxed and bare types are confused")
	case !get.Function || get.Generic != "X" || !get.Fields[0].Type.Variable || get.Line != 5:
		t.Errorf("get: %+v", get)
	case late.Function || late.HasID:
		t.Errorf("late: %+v", late)
	}
}

func TestSyntaxErrors(t *testing.T) {
	for line, want := range map[string]string{
		"item = Item":                                      "no semicolon",
		"item;":                                            "no = before",
		" = Item;":                                         "no name",
		"9item = Item;":                                    "not a name",
		"item#xyz = Item;":                                 "not a constructor id",
		"item#123456789 = Item;":                           "not a constructor id",
		"item {X:Int} a:int = Item;":                       "not a type variable",
		"item a = Item;":                                   "not a field",
		"item a:int a:int = Item;":                         "appears twice",
		"item a:flags.0?int = Item;":                       "no word of flags before it",
		"item a:int b:a.0?int = Item;":                     "no word of flags before it",
		"item flags:# a:flags.32?int = Item;":              "not a condition",
		"item flags:# a:flags?int = Item;":                 "not a condition",
		"item a:true = Item;":                              "only makes sense with a condition",
		"item flags:# more:flags.0?# = Item;":              "cannot be optional",
		"item a:Vector<int = Item;":                        "lacks a >",
		"item a:Vector<#> = Item;":                         "cannot hold",
		"item a:in-t = Item;":                              "not a type",
		"item = ;":                                         "not a type",
		"item = Vector<" + strings.Repeat("Vector<", 9):    "no semicolon",
		"item a:" + strings.Repeat("Vector<", 9) + " = I;": "lacks a >",
		"// LAYER x":                                       "not a number",
	} {
		_, err := Parse("ok = Ok;\n" + line)
		var serr *SyntaxError
		if !errors.As(err, &serr) || serr.Line != 2 || !strings.Contains(serr.Reason, want) {
			t.Errorf("%q: got %v, want %q", line, err, want)
		}
	}
	deep := strings.Repeat("Vector<", 9) + "int" + strings.Repeat(">", 9)
	if _, err := Parse("item a:" + deep + " = Item;"); err == nil || !strings.Contains(err.Error(), "too deep") {
		t.Errorf("nine vectors: %v", err)
	}
}

func TestLayers(t *testing.T) {
	layers, err := ParseLayers(read(t, "layers.tl"))
	if err != nil {
		t.Fatal(err)
	}
	names := make(map[string]bool)
	for _, d := range parsed(t, "api.tl").Definitions {
		names[d.Name] = true
	}
	var numbers []int
	for _, layer := range layers {
		numbers = append(numbers, layer.Number)
		for _, d := range layer.Definitions {
			if d.CRC() != d.ID || !names[d.Name] {
				t.Errorf("layer %d: %s: written %08x, computed %08x", layer.Number, d.Name, d.ID, d.CRC())
			}
		}
		for _, name := range layer.Absent {
			if !names[name] {
				t.Errorf("layer %d lacks %s, which api.tl does not have either", layer.Number, name)
			}
		}
	}
	if !slices.IsSorted(numbers) || numbers[0] != 144 || numbers[len(numbers)-1] != 228 {
		t.Errorf("layers %v, want 144 to 228 in rising order", numbers)
	}
	for text, want := range map[string]string{
		"a = A;":                       "belongs to no layer",
		"// absent: a":                 "belongs to no layer",
		"// LAYER x":                   "not a number",
		"// LAYER 1\n// absent: a b":   "not a name",
		"// LAYER 1\nnot a definition": "no semicolon",
	} {
		if _, err := ParseLayers(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

func TestErrorsFile(t *testing.T) {
	var list struct {
		Base   map[string]int      `json:"base"`
		Codes  map[string]int      `json:"codes"`
		Throws map[string][]string `json:"throws"`
	}
	if err := json.Unmarshal([]byte(read(t, "errors.json")), &list); err != nil {
		t.Fatal(err)
	}
	if list.Codes["AUTH_KEY_DUPLICATED"] != 406 || len(list.Throws["auth.signIn"]) == 0 {
		t.Error("the list of errors is not what it was")
	}
}

func FuzzParse(f *testing.F) {
	f.Add("// LAYER 7\nitem#1f flags:# on:flags.3?true ids:flags.4?Vector<long> = ns.Item;")
	f.Add("---functions---\nget#20 {X:Type} query:!X = X;")
	f.Add("msg_container#73f1f8dc messages:vector<%message> = MessageContainer;\nint#a8509bda ? = Int;")
	f.Add("a b:Vector<Vector<Vector<Vector<int>>>> = A;")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse(text)
		if err != nil {
			var serr *SyntaxError
			if !errors.As(err, &serr) {
				t.Fatalf("error of type %T", err)
			}
			return
		}
		for _, d := range s.Definitions {
			again, err := parseDefinition(d.String() + ";")
			if err != nil || again.String() != d.String() || again.CRC() != d.CRC() {
				t.Fatalf("%q reads back as %q, %v", d.String(), again.String(), err)
			}
		}
	})
}

func FuzzParseLayers(f *testing.F) {
	f.Add("// LAYER 7\nitem#1f = Item;\n// absent: a, b.c\n")
	f.Fuzz(func(_ *testing.T, text string) { _, _ = ParseLayers(text) })
}

func BenchmarkParse(b *testing.B) {
	text := read(b, "api.tl")
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := Parse(text); err != nil {
			b.Fatal(err)
		}
	}
}
