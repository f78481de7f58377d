package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mtfleet/mtfleet/tl/schema"
	"github.com/mtfleet/mtfleet/tl/schema/schematest"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// embedder is a module of somebody who uses this one, with a package for each tlgen.txt.
type embedder struct {
	t    *testing.T
	dir  string
	pkgs []string
}

func newEmbedder(t *testing.T) *embedder {
	e := &embedder{t: t, dir: t.TempDir()}
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	e.write("go.mod", "module embedder\n\ngo 1.26.0\n\nrequire github.com/mtfleet/mtfleet v0.0.0\n\n"+
		"replace github.com/mtfleet/mtfleet => "+root+"\n")
	e.write("go.sum", string(sum))
	return e
}

func (e *embedder) write(name, text string) {
	e.t.Helper()
	path := filepath.Join(e.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		e.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		e.t.Fatal(err)
	}
}

// pkg generates a package.
func (e *embedder) pkg(name, wants string) {
	e.t.Helper()
	e.write(filepath.Join(name, configName), "package "+name+"\n"+wants)
	if err := run(filepath.Join(e.dir, name)); err != nil {
		e.t.Fatalf("%s: %v", name, err)
	}
	e.pkgs = append(e.pkgs, name)
}

// do runs the go command in the module.
func (e *embedder) do(stdin []byte, args ...string) string {
	e.t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir, cmd.Stdin = e.dir, bytes.NewReader(stdin)
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off", "GOPROXY=off")
	out, err := cmd.CombinedOutput()
	if err != nil {
		e.t.Fatalf("go %s: %v\n%.8000s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// sample is a value of the schema that a package of the embedder must read and write as it is.
type sample struct {
	Pkg    string // of the embedder
	Name   string
	ID     uint32
	Value  []byte
	Result []byte // of a function, nil for a constructor
}

// checker is the embedder's program: it reads samples and says how many were as they should be.
const checker = `package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"reflect"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
%s)

var news = map[string]func(uint32) tl.Object{
%s}

func main() {
	var samples []struct {
		Pkg, Name     string
		ID            uint32
		Value, Result []byte
	}
	if err := json.NewDecoder(os.Stdin).Decode(&samples); err != nil {
		panic(err)
	}
	for _, s := range samples {
		v := news[s.Pkg](s.ID)
		if v == nil || v.TypeName() != s.Name {
			panic(s.Pkg + " has no " + s.Name)
		}
		if n, err := tl.Skip(tg.Schema, s.Value); err != nil || n != len(s.Value) {
			panic(fmt.Sprint(s.Name, " is ", n, " bytes for the table: ", err))
		}
		err := tl.Unmarshal(s.Value, v)
		if err != nil {
			panic(fmt.Sprint(s.Name, " is not read: ", err))
		}
		if out, err := tl.Marshal(nil, v); err != nil || !bytes.Equal(out, s.Value) {
			panic(fmt.Sprint(s.Name, " becomes another value: ", err))
		}
		if s.Result == nil {
			continue
		}
		r := tl.NewReader(s.Result)
		method := reflect.ValueOf(v)
		result := method.MethodByName("ParseResult").Call([]reflect.Value{reflect.ValueOf(r)})[0]
		if err := r.End(); err != nil {
			panic(fmt.Sprint("the result of ", s.Name, " is not read: ", err))
		}
		out := method.MethodByName("AppendResult").Call([]reflect.Value{reflect.ValueOf([]byte(nil)), result})[0].Bytes()
		if !bytes.Equal(out, s.Result) {
			panic("the result of " + s.Name + " becomes another value")
		}
	}
	fmt.Print(len(samples))
}
`

// large are the types that most namespaces reach and that reach half the API themselves.
const large = "Update Message Chat Document StarGift Page StoryItem MessageMedia MessageEntity RichText"

// builtin are the types of TL itself that have no struct of their own.
var builtin = map[string]bool{"Vector": true, "Int": true, "Long": true, "Double": true, "String": true, "Bytes": true, "True": true, "Null": true}

// TestEveryMethodCompilesInAnEmbeddersModule generates each namespace of the schema into a package of its own, in which
// the largest types stay raw, and all of them together, in which nothing does; builds and vets them in another module,
// and lets a program there read and write a random value of everything that was asked for.
func TestEveryMethodCompilesInAnEmbeddersModule(t *testing.T) {
	if testing.Short() {
		t.Skip("it compiles the whole API")
	}
	w := schematest.New(t, "api.tl")
	methods := make(map[string][]*schema.Definition)
	for _, d := range w.Functions {
		methods[namespace(d.Name)] = append(methods[namespace(d.Name)], d)
	}
	e := newEmbedder(t)
	here := make(map[string][]*schema.Definition) // package -> what it was asked for and tl/tg does not have
	for _, ns := range slices.Sorted(maps.Keys(methods)) {
		for _, d := range methods[ns] {
			if tg.New(d.WireID()) == nil {
				here[ns] = append(here[ns], d)
			}
		}
		if ns == "" || len(here[ns]) == 0 {
			continue // auth.* and updates.* are tl/tg's
		}
		e.pkg(ns, "import tg\nroot "+ns+".*\nraw "+large+"\n")
	}
	there, err := loadThere(schema.Files)
	if err != nil {
		t.Fatal(err)
	}
	// Types that nothing but an update has are not reached from the methods: tl/tg keeps updates raw.
	var types []string
	for _, name := range slices.Sorted(maps.Keys(w.Types)) {
		if primitives[name].goType == "" && !there.used[name] && !builtin[name] {
			types = append(types, name)
		}
	}
	e.pkg("all", "import tg\nroot *\nroot "+strings.Join(types, " ")+"\n")
	e.do(nil, "vet", "./...")

	draw := rapid.Custom(func(t *rapid.T) []sample {
		var out []sample
		add := func(pkg string, defs []*schema.Definition) {
			for _, d := range defs {
				s := sample{Pkg: pkg, Name: d.Name, ID: d.WireID(), Value: w.Append(t, nil, d, schematest.Depth-2)}
				if d.Function && d.Result.Name != d.Generic {
					s.Result = w.AppendValue(t, nil, d.Result, schematest.Depth-2)
				}
				out = append(out, s)
			}
		}
		for _, pkg := range e.pkgs {
			add(pkg, here[pkg])
		}
		for _, name := range slices.Sorted(maps.Keys(w.Types)) {
			if primitives[name].goType == "" && !builtin[name] {
				add("all", w.Types[name])
			}
		}
		add("all", w.Functions)
		return out
	})
	seed := int(rand.Uint32() >> 1)
	t.Logf("the samples are those of the seed %d", seed)
	samples := draw.Example(seed)
	var imports, news strings.Builder
	for _, pkg := range e.pkgs {
		fmt.Fprintf(&imports, "\t%s_ \"embedder/%s\"\n", pkg, pkg)
		fmt.Fprintf(&news, "\t%q: %s_.New,\n", pkg, pkg)
	}
	e.write("main.go", fmt.Sprintf(checker, imports.String(), news.String()))
	text, err := json.Marshal(samples)
	if err != nil {
		t.Fatal(err)
	}
	if got := e.do(text, "run", "."); got != fmt.Sprint(len(samples)) {
		t.Errorf("%s of %d samples", got, len(samples))
	}
	t.Logf("%d packages, %d samples of %d bytes", len(e.pkgs), len(samples), len(text))
}
