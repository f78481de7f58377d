package main

import (
	"bytes"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/schema"
)

// TestGeneratedFilesAreCurrent generates every package again in memory and compares every file.
func TestGeneratedFilesAreCurrent(t *testing.T) {
	for _, pkg := range []string{"tl/mt", "tl/tg", "examples/typed/api"} {
		dir := filepath.Join("..", "..", filepath.FromSlash(pkg))
		want, err := generateFrom(os.DirFS(dir), schema.Files)
		if err != nil {
			t.Fatal(err)
		}
		again, err := generateFrom(os.DirFS(dir), schema.Files)
		if err != nil {
			t.Fatal(err)
		}
		for name, src := range want {
			got, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil || !bytes.Equal(got, src) {
				t.Errorf("%s/%s is not what tlgen writes: run go generate there (%v)", pkg, name, err)
			}
			if !bytes.Equal(again[name], src) {
				t.Errorf("%s/%s differs between two runs", pkg, name)
			}
		}
		there, err := filepath.Glob(filepath.Join(dir, "gen_*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range there {
			if _, ok := want[filepath.Base(path)]; !ok {
				t.Errorf("%s is no longer generated: run go generate there", path)
			}
		}
	}
}

func TestRunReplacesWhatItWrote(t *testing.T) {
	dir := t.TempDir()
	if err := run(dir); err == nil {
		t.Error("it ran without a tlgen.txt")
	}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(configName, "package x\nschema mtproto.tl\nroot ping\n")
	write("gen_old.go", mark+"package x\n")
	write("gen_own.go", "package x\n")
	write("own.go", "package x\n")
	if err := run(dir); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{
		"gen_old.go": false, "gen_own.go": true, "own.go": true, "gen_requests.go": true, "gen_types.go": true, "gen_new.go": true,
	} {
		if _, err := os.Stat(filepath.Join(dir, name)); (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestGoNames(t *testing.T) {
	for tlName, want := range map[string]string{
		"auth.sentCode":          "AuthSentCode",
		"help.getNearestDc":      "HelpGetNearestDC",
		"dcOption":               "DCOption",
		"dataJSON":               "DataJSON",
		"phone_code_hash":        "PhoneCodeHash",
		"p_q_inner_data_temp_dc": "PQInnerDataTempDC",
		"req_DH_params":          "ReqDHParams",
		"server_DH_inner_data":   "ServerDHInnerData",
		"resPQ":                  "ResPQ",
		"req_pq_multi":           "ReqPQMulti",
		"rpc_result":             "RPCResult",
		"srp_B":                  "SRPB",
		"M1":                     "M1",
		"msg_ids":                "MsgIDs",
		"setAuthorizationTTL":    "SetAuthorizationTTL",
		"ip_address":             "IPAddress",
		"ipv6":                   "IPv6",
		"urlAuthResult":          "URLAuthResult",
		"http_wait":              "HTTPWait",
		"updateDcOptions":        "UpdateDCOptions",
		"inputCheckPasswordSRP":  "InputCheckPasswordSRP",
		"passwordKdfAlgoSHA256SHA256PBKDF2HMACSHA512iter100000SHA256ModPow": "PasswordKdfAlgoSHA256SHA256PBKDF2HMACSHA512iter100000SHA256ModPow",
	} {
		if got := goName(tlName); got != want {
			t.Errorf("%s becomes %s, want %s", tlName, got, want)
		}
	}
}

// TestOpsAreThoseOfTL holds the numbers that tlgen writes to those that package tl reads: the generator does not
// import what it generates for.
func TestOpsAreThoseOfTL(t *testing.T) {
	for _, pair := range [][2]int{
		{opEnd, int(tl.OpEnd)}, {opInt, int(tl.OpInt)}, {opLong, int(tl.OpLong)}, {opInt128, int(tl.OpInt128)},
		{opInt256, int(tl.OpInt256)}, {opString, int(tl.OpString)}, {opBool, int(tl.OpBool)}, {opVector, int(tl.OpVector)},
		{opBareVector, int(tl.OpBareVector)}, {opFlags, int(tl.OpFlags)}, {opIf, int(tl.OpIf)}, {opBoxed, int(tl.OpBoxed)},
		{typeAny, int(tl.TypeAny)}, {typeFunction, int(tl.TypeFunction)},
	} {
		if pair[0] != pair[1] {
			t.Errorf("tlgen writes %#x where tl reads %#x", pair[0], pair[1])
		}
	}
	if _, ok := (tl.OpFlags + maxFlags - 1).FlagWord(); !ok {
		t.Errorf("tl has fewer than %d words of flags", maxFlags)
	}
	if _, ok := (tl.OpFlags + maxFlags).FlagWord(); ok {
		t.Errorf("tl has more than %d words of flags", maxFlags)
	}
}

func TestRefusals(t *testing.T) {
	files := fstest.MapFS{
		"s.tl": &fstest.MapFile{Data: []byte(`
item#1 id:int = Item;
bare#2 item:%Item = Bare;
lower#3 item:item = Lower;
open#4 body:Object after:int = Open;
void#5 v:Void = Has;
same#6 = Same;
matrix#7 rows:Vector<Vector<int>> = Matrix;
---functions---
get#10 id:int = Item;
a.getItem#11 = Item;
a.getter#12 = Item;
`)},
		"double.tl": &fstest.MapFile{Data: []byte("a#1 = A;\nb#1 = B;\n")},
		"flags.tl":  &fstest.MapFile{Data: []byte("a#1 f1:# f2:# f3:# f4:# f5:# = A;\n")},
		"broken.tl": &fstest.MapFile{Data: []byte("a#1 = A")},
		"layers.tl": &fstest.MapFile{Data: []byte("// LAYER 1\nnone#9 = None;\n")},
		"absent.tl": &fstest.MapFile{Data: []byte("// LAYER 1\n// absent: none\n")},
		"old.tl":    &fstest.MapFile{Data: []byte("// LAYER 1\nitem#8 id:int more:Item = Item;\n")},
	}
	const head = "package x\nschema s.tl\n"
	for config, want := range map[string]string{
		"":                                      "it needs a line",
		"packag x":                              "tlgen.txt:1: unknown key",
		"package":                               "needs an argument",
		head + "root nothing":                   "no such definition",
		head + "root nothing.*":                 "no such definition",
		head + "root bare":                      "must be written by hand",
		head + "root lower":                     "must be written by hand",
		head + "root open":                      "its end would be unknown",
		head + "root void":                      "has no constructors",
		"package x\nschema none.tl\nroot get":   "none.tl",
		"package x\nschema broken.tl\nroot get": "broken.tl: schema: line 1",
		"package x\nschema double.tl\nroot A\ntable double.tl":                          "two constructors with the id 00000001",
		"package x\nschema flags.tl\nroot A\ntable flags.tl":                            "more than 4 words of flags",
		head + "root get\ntable s.tl":                                                   "bare type %Item has no encoding",
		head + "root get\ntable none.tl item":                                           "none.tl",
		head + "root get\nlayers none.tl":                                               "none.tl",
		head + "root get\nlayers s.tl":                                                  "belongs to no layer",
		"package x\nschema double2.tl\nroot A\ntable double2.tl\nlayers layers.tl":      "none is not in the schema",
		"package x\nschema double2.tl\nroot A\ntable double2.tl\nlayers absent.tl":      "absent none is not in the schema",
		"package x\nschema item.tl\nroot Item\ntable item.tl\nlayers old.tl":            "cannot be had from the new form",
		"package x\nschema matrix.tl\nroot Matrix\ntable matrix.tl":                     "a vector of vectors has no encoding",
		"package x\nschema untyped.tl\nroot Has\ntable untyped.tl\nraw Void\n# comment": "raw type Void is not in the schema",
	} {
		files["double2.tl"] = &fstest.MapFile{Data: []byte("a#1 = A;\n")}
		files["item.tl"] = &fstest.MapFile{Data: []byte("item#1 id:int = Item;\n")}
		files["matrix.tl"] = &fstest.MapFile{Data: []byte("matrix#7 rows:Vector<Vector<int>> = Matrix;\n")}
		files["untyped.tl"] = &fstest.MapFile{Data: []byte("has#1 n:int = Has;\n")}
		_, err := generateFrom(wanting(config), files)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", config, err, want)
		}
	}
}

// wanting is a directory with a tlgen.txt and, if there is one, a policy.
func wanting(config string, policy ...string) fs.FS {
	dir := fstest.MapFS{configName: &fstest.MapFile{Data: []byte(config)}}
	for _, text := range policy {
		dir["policy.txt"] = &fstest.MapFile{Data: []byte(text)}
	}
	return dir
}

// TestNoFunctionGoesUnjudged holds the rule that nothing is guessed: what a policy file says is generated, and what it
// leaves out, doubles or invents fails, with the line.
func TestNoFunctionGoesUnjudged(t *testing.T) {
	files := fstest.MapFS{"s.tl": &fstest.MapFile{Data: []byte(`
item#1 = Item;
---functions---
get#10 = Item;
a.getItem#11 = Item;
b.getPaid#13 = Item;
c.send#15 = Item;
`)}}
	const config = "package x\nschema s.tl\nroot get\npolicy policy.txt\n"
	const judged = "# by name\nonce b.getPaid # it is paid for\nrepeatable get\nrepeatable a.getItem\n"
	out, err := generateFrom(wanting(config, judged+"once c.send"), files)
	if err != nil {
		t.Fatal(err)
	}
	const want = `// repeatable names the functions that only read, 2 of 4, sorted: 12 bytes of names and 32 of headers.
var repeatable = [...]string{
	"a.getItem",
	"get",
}
`
	if got := string(out["gen_repeatable.go"]); !strings.HasSuffix(got, want) {
		t.Errorf("got\n%s\nwant at its end\n%s", got, want)
	}
	for policy, want := range map[string]string{
		judged:                           "policy.txt: c.send is not judged",
		judged + "once c.sent":           "policy.txt:5: c.sent is no function",
		judged + "once item":             "policy.txt:5: item is no function",
		judged + "once c.send\nonce get": "policy.txt:6: get is judged already, in line 3",
		judged + "twice c.send":          "policy.txt:5: want the word once or repeatable",
		judged + "once":                  "policy.txt:5: want the word once or repeatable",
		judged + "once c.send get":       "policy.txt:5: want the word once or repeatable",
	} {
		if _, err := generateFrom(wanting(config, policy), files); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", policy, err, want)
		}
	}
	if _, err := generateFrom(wanting(config), files); err == nil || !strings.Contains(err.Error(), "policy.txt") {
		t.Errorf("without the file: %v", err)
	}
}

// TestAnEmbeddersPackageUsesWhatIsThere reads what is generated beside tl/tg.
func TestAnEmbeddersPackageUsesWhatIsThere(t *testing.T) {
	out, err := generateFrom(wanting("package x\nimport tg\nroot messages.sendMessage updateStory auth.* messages.setTyping\n"+
		"raw InputReplyTo ReplyMarkup MessageEntity InputRichMessage StoryItem\nown auth.sendCode auth.SentCode\n"), schema.Files)
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(strings.Fields(string(bytes.Join(slices.Collect(maps.Values(out)), nil))), " ") // whatever gofmt aligned
	for what, want := range map[string]string{
		"a peer is tl/tg's":                        "Peer tg.AnyInputPeer // peer:InputPeer",
		"and is read there":                        "v.Peer = tg.ParseAnyInputPeer(r)",
		"so is a result":                           "ParseResult(r *tl.Reader) (v tg.AnyUpdates)",
		"what is raw is cut out by tl/tg's table":  "r.Raw(tg.Schema, typeStoryItem)",
		"a raw type has its name":                  `typeStoryItem = tg.Schema.TypeNamed("StoryItem")`,
		"a raw vector is a slice":                  "Entities tl.Opt[[]tl.Raw]",
		"the ids of two constructors do not clash": "const UpdateStoryTypeID uint32 = 0x75b3b798",
		"what is owned is here":                    "(v AnyAuthSentCode)",
		"the layer is guarded":                     "var _ = [1]struct{}{}[tg.Layer-229]",
		"what is there can be had by its id":       "return tg.New(id)",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("%s: there is no %q", what, want)
		}
	}
	for _, repeated := range []string{"func ParseAnyAuthSentCodeType(", "type AuthSignInRequest ", "type AnyInputPeer "} {
		if strings.Contains(all, repeated) {
			t.Errorf("%s is repeated", repeated)
		}
	}
}

func TestWhatIsWrongInAnEmbeddersFileHasItsLine(t *testing.T) {
	const head = "package api\nimport tg\n"
	for config, want := range map[string]string{
		head + "root messages.send":                                  "tlgen.txt:3: root messages.send: no such definition or type",
		head + "\nroot messages.getHistory x":                        "tlgen.txt:4: root x: no such definition or type",
		head + "root messagess.*":                                    "tlgen.txt:3: root messagess.*: no such definition or type",
		head + "root auth.sendCode":                                  "tlgen.txt:3: root auth.sendCode: tl/tg has it, as tg.AuthSendCodeRequest",
		head + "root auth.*":                                         "tlgen.txt:3: root auth.*: tl/tg has all of them, as tg.Auth...Request",
		head + "root InputPeer":                                      "tlgen.txt:3: root InputPeer: tl/tg has it, as tg.AnyInputPeer",
		head + "root Config":                                         "tlgen.txt:3: root Config: tl/tg has it, as tg.Config",
		head + "root updateConfig":                                   "tlgen.txt:3: root updateConfig: tl/tg has it, as tg.UpdateConfig",
		head + "root *\nraw Mesage":                                  "tlgen.txt:4: raw Mesage: no such type",
		head + "root *\nraw message":                                 "tlgen.txt:4: raw message: no such type",
		head + "root *\nown Message":                                 "tlgen.txt:4: own Message: tl/tg has no such type or function",
		head + "root *\nomit mesage":                                 "tlgen.txt:4: omit mesage: no such constructor or function",
		head + "root *\nfile chats Chats":                            "tlgen.txt:4: file Chats: no such type",
		head + "root *\nnote message.txt what":                       "tlgen.txt:4: note message.txt: no such definition or field",
		head + "root *\nnote message":                                "tlgen.txt:4: note needs 2 arguments",
		"package api\nimport tl/tg":                                  "tlgen.txt:2: import tl/tg: only tg can be imported",
		"package 9\n":                                                "tlgen.txt:1: package 9: that is no name of a Go package",
		"package api\nroots messages.getHistory":                     `tlgen.txt:2: unknown key "roots"`,
		"import tg\nroot messages.getHistory":                        `tlgen.txt: it needs a line "package NAME"`,
		"package api\nroot messages.getHistory":                      `tlgen.txt: it needs a line "package NAME", a line "import tg" or`,
		"package x\nschema api.tl\nown Updates\nroot help.getConfig": "tlgen.txt:3: own Updates: it makes sense after import alone",
	} {
		_, err := generateFrom(wanting(config), schema.Files)
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: got %v, want %q", config, err, want)
		}
	}
}
