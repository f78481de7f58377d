package account

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// rooms are the packages that an account's actor is made of, its own first.
var rooms = []string{".", "../bindings", "../feed", "../signin"}

// TestNothingHereDecidesByAnError: what an answer of the server means is said by
// standing, login, guest and updates, in functions a table can test. The account
// hands errors on.
func TestNothingHereDecidesByAnError(t *testing.T) {
	for file, f := range sources(t, rooms...) {
		for _, imp := range f.Imports {
			if path, _ := strconv.Unquote(imp.Path.Value); strings.HasSuffix(path, "mtproto/tgerr") {
				t.Errorf("%s imports tgerr: ask standing.NeedsPolicy, or give the error to an engine", file)
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				pkg, _ := n.X.(*ast.Ident)
				if pkg != nil && pkg.Name == "errors" && slices.Contains([]string{"Is", "As", "AsType"}, n.Sel.Name) || n.Sel.Name == "Class" {
					t.Errorf("%s: %s looks into an error: that is an engine's business", file, n.Sel.Name)
				}
			case *ast.TypeAssertExpr:
				if id, ok := n.X.(*ast.Ident); ok && strings.HasSuffix(strings.ToLower(id.Name), "err") {
					t.Errorf("%s: the type of %s is looked at: that is an engine's business", file, id.Name)
				}
			}
			return true
		})
	}
}

// TestFilesAreShort: a file is one concern.
func TestFilesAreShort(t *testing.T) {
	const most = 250
	for file := range sources(t, ".") {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(b), "\n"); n > most {
			t.Errorf("%s has %d lines, at most %d: it is more than one concern", file, n, most)
		}
	}
}

// vocabulary are the files that drive nothing.
var vocabulary = []string{"app.go", "call.go", "doc.go", "env.go", "event.go", "message.go", "observe.go", "record.go", "trace.go"}

// TestVocabularyDrivesNothing: what drives the account is given its context.
func TestVocabularyDrivesNothing(t *testing.T) {
	files := sources(t, ".")
	for _, file := range vocabulary {
		f := files[file]
		if f == nil {
			t.Errorf("there is no %s", file)
			continue
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if fn, ok := n.(*ast.FuncType); ok {
				for _, param := range fn.Params.List {
					if star, ok := param.Type.(*ast.StarExpr); ok && types.ExprString(star.X) == "ctx" {
						t.Errorf("%s has a function that is given a ctx: it is no vocabulary", file)
					}
				}
			}
			return true
		})
	}
}

// TestTheAccountDrivesAndNoMore: what grows here is a decision that an engine
// lacks, or a part that wants a room.
func TestTheAccountDrivesAndNoMore(t *testing.T) {
	const most = 1063 // lines of code, imports too
	lines := 0
	for file := range sources(t, ".") {
		if slices.Contains(vocabulary, file) {
			continue
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
				lines++
			}
		}
	}
	if lines > most {
		t.Errorf("%d lines drive an account, at most %d", lines, most)
	}
}

// sources parses packages' files, without their tests.
func sources(t *testing.T, dirs ...string) map[string]*ast.File {
	t.Helper()
	files := map[string]*ast.File{}
	for _, dir := range dirs {
		names, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil || len(names) == 0 {
			t.Fatalf("no files in %s: %v", dir, err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			files[name] = f
		}
	}
	return files
}
