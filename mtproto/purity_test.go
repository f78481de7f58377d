package mtproto_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// The engines are tested by tables and replayed from seeds only because
// nothing in them waits. This test holds that: it reads the source below
// mtproto/ and refuses what would let time, scheduling or the machine in.

// forbiddenImports maps an import to the reason it may not appear.
var forbiddenImports = map[string]string{
	"context":     "a context waits; pass now and a deadline instead",
	"crypto/rand": "randomness comes in as an io.Reader, so that a run can be replayed",
	"log":         "engines answer with outputs and typed errors; who drives them logs",
	"log/slog":    "engines answer with outputs and typed errors; who drives them logs",
	"math/rand":   "randomness comes in as an io.Reader, so that a run can be replayed",
	"net":         "an engine takes and gives packets; actors/wire owns sockets",
	"net/http":    "an engine takes and gives packets; actors/wire owns sockets",
	"os":          "an engine knows no files, environment or process",
	"sync":        "one owner, no lock: the owner is the actor that drives the engine",
	"sync/atomic": "one owner, no lock: the owner is the actor that drives the engine",
	"syscall":     "an engine knows no files, environment or process",
	"unsafe":      "nothing here is worth it",
}

// clockFuncs are the functions of package time that read or start a clock.
var clockFuncs = map[string]bool{
	"Now": true, "Since": true, "Until": true, "Sleep": true, "After": true,
	"AfterFunc": true, "Tick": true, "NewTimer": true, "NewTicker": true,
}

// purityProblems returns what one file does that an engine may not do.
func purityProblems(fset *token.FileSet, file *ast.File, pkgDir string) []string {
	var problems []string
	report := func(pos token.Pos, what, why string) {
		problems = append(problems, fset.Position(pos).String()+": "+what+": "+why)
	}
	for _, imp := range file.Imports {
		path, _ := strconv.Unquote(imp.Path.Value)
		if path == "net/netip" && pkgDir != "dc" {
			report(imp.Pos(), "imports net/netip", "only mtproto/dc knows addresses")
		}
		if why, bad := forbiddenImports[path]; bad {
			report(imp.Pos(), "imports "+path, why)
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			report(n.Pos(), "starts a goroutine", "engines are driven by one owner")
		case *ast.ChanType:
			report(n.Pos(), "uses a channel", "outputs are pulled with Next, nothing waits")
		case *ast.SelectStmt:
			report(n.Pos(), "uses select", "outputs are pulled with Next, nothing waits")
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" && x.Obj == nil && clockFuncs[n.Sel.Name] {
				report(n.Pos(), "reads the clock with time."+n.Sel.Name, "time is an argument: now time.Time")
			}
		}
		return true
	})
	return problems
}

func TestEnginesAreWithoutGoroutineClockSocketLockOrLog(t *testing.T) {
	files := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			// The test DC's sockets live here and nowhere else below mtproto/.
			if path == filepath.Join("dctest", "serve") || d.Name() == "testdata" {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, path, nil, 0)
		if err != nil {
			return err
		}
		files++
		for _, p := range purityProblems(fset, file, filepath.ToSlash(filepath.Dir(path))) {
			t.Error(p)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files == 0 {
		t.Fatal("no source file found: the test looks in the wrong place")
	}
}

func TestPurityRuleCatchesEachKindOfImpurity(t *testing.T) {
	for name, src := range map[string]string{
		"a goroutine":       "package p\nfunc f() { go f() }",
		"a channel":         "package p\nvar c chan int",
		"a select":          "package p\nfunc f() { select {} }",
		"a lock":            "package p\nimport _ \"sync\"",
		"a context":         "package p\nimport _ \"context\"",
		"a socket":          "package p\nimport _ \"net\"",
		"a file":            "package p\nimport _ \"os\"",
		"a log":             "package p\nimport _ \"log/slog\"",
		"machine chance":    "package p\nimport _ \"crypto/rand\"",
		"the wall clock":    "package p\nimport \"time\"\nvar t = time.Now()",
		"a timer":           "package p\nimport \"time\"\nvar t = time.NewTimer(1)",
		"addresses outside": "package p\nimport _ \"net/netip\"",
	} {
		t.Run(name, func(t *testing.T) {
			fset := token.NewFileSet()
			file, err := parser.ParseFile(fset, "p.go", src, 0)
			if err != nil {
				t.Fatal(err)
			}
			if len(purityProblems(fset, file, "pfs")) == 0 {
				t.Error("the rule let it pass")
			}
		})
	}
}
