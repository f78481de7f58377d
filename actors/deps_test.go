package actors_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/mtfleet/mtfleet/"

// allowedImports is the lattice of the house: which of our packages a package
// may import. Imports point from waiting to pure, never back; inside actors/,
// to import is to supervise. A new arrow is a change of the design: argue for
// it in ARCHITECTURE.md before adding a line here.
//
// A name ending in "/*" stands for the package and everything below it.
var allowedImports = map[string][]string{
	"tl":                {},
	"persistence":       {},
	"config":            {"mtproto/proxy", "mtproto/dc"}, // to check how proxies and WebSockets are written, by the one parser there is
	"mtproto/transport": {},
	"mtproto/crypt":     {},
	"mtproto/proxy":     {"mtproto/transport"}, // how proxies are written: the secrets of MTProxy are the transport's
	"mtproto/dc":        {},
	"mtproto/tgerr":     {},

	"tl/schema":            {"tl"},
	"tl/schema/schematest": {"tl", "tl/schema"}, // random values, for tests
	"tl/tlgen":             {"tl/schema"},
	"tl/tljson":            {"tl"},
	"tl/mt":                {"tl"},
	"tl/tg":                {"tl"},

	"mtproto/handshake": {"tl", "tl/mt", "mtproto/crypt"},
	"mtproto":           {"tl", "tl/mt", "mtproto/crypt", "mtproto/tgerr"},
	"mtproto/pfs":       {"mtproto/crypt", "mtproto/tgerr"},
	"mtproto/login":     {"tl", "tl/tg", "mtproto/crypt", "mtproto/dc", "mtproto/tgerr"},
	"mtproto/guest":     {"tl", "tl/tg", "mtproto/crypt", "mtproto/dc", "mtproto/tgerr"},
	"mtproto/standing":  {"tl", "tl/tg", "mtproto/crypt", "mtproto/dc", "mtproto/tgerr"},
	"mtproto/updates":   {"tl", "tl/tg", "mtproto/crypt", "mtproto/dc", "mtproto/tgerr"},
	"mtproto/peers":     {"tl", "tl/tg"},
	"mtproto/security":  {"tl", "tl/tg", "mtproto/crypt", "mtproto/tgerr"},

	"mtproto/explore":              {}, // its tests drive pfs, guest and standing
	"mtproto/dctest":               {"tl/*", "mtproto/dctest/*", "mtproto/transport", "mtproto/crypt", "mtproto/handshake", "mtproto/dc", "mtproto/tgerr"},
	"mtproto/dctest/api":           {"tl/*", "mtproto/dctest/echo", "mtproto/transport", "mtproto/crypt", "mtproto/handshake", "mtproto/dc", "mtproto/tgerr"},
	"mtproto/dctest/echo":          {"tl"},
	"mtproto/dctest/internal/raw":  {"tl", "tl/mt", "tl/tg", "mtproto/crypt", "mtproto/handshake"}, // hand-made packets for its tests
	"mtproto/dctest/webauthn":      {"mtproto/dctest/api"},
	"mtproto/dctest/serve/control": {"mtproto/dctest", "mtproto/dctest/api", "mtproto/dctest/serve"},
	"mtproto/dctest/serve":         {"tl/*", "mtproto/dctest", "mtproto/dctest/*", "mtproto/transport", "mtproto/crypt", "mtproto/handshake", "mtproto/dc", "mtproto/tgerr"},

	"persistence/seal":        {"persistence"},
	"persistence/badgerstore": {"persistence", "persistence/seal"},
	"persistence/pgstore":     {"persistence", "persistence/seal"},
	"persistence/backup":      {"persistence"},
	"persistence/storecopy":   {"persistence"},
	"persistence/storetest":   {"persistence"},

	// Formats of other libraries: TL strings, the local encryption of Telegram Desktop (IGE, KDF v1) and the built-in addresses.
	"persistence/foreign":            {"tl", "mtproto/crypt", "mtproto/dc"},
	"persistence/foreign/sqlitefile": {"persistence/foreign"},

	"actors/runtime":   {},
	"actors/wire":      {"mtproto/transport", "mtproto/dc", "mtproto/proxy"},
	"actors/governor":  {"actors/runtime"},
	"actors/lease":     {},
	"actors/placement": {"persistence"},
	"actors/dcconn":    {"actors/runtime", "actors/governor", "mtproto", "mtproto/handshake", "mtproto/crypt", "mtproto/dc", "mtproto/proxy", "mtproto/tgerr", "tl"},
	"actors/timeline":  {"persistence"},                                     // what is noted of an account: a lock, no actor
	"actors/journal":   {"persistence"},                                     // an engine and what it does with the store: it needs no actor, so that tables can test it
	"actors/dcs":       {"tl", "tl/tg", "mtproto/dc"},                       // the table all accounts share: a lock, no actor
	"actors/ways":      {"actors/governor", "mtproto/proxy", "persistence"}, // how all accounts connect: a lock, no actor
	"actors/binding":   {"actors/runtime", "actors/governor", "actors/dcconn", "actors/timeline", "mtproto/pfs", "mtproto/guest", "mtproto/crypt", "mtproto/dc", "mtproto/proxy", "mtproto/tgerr", "tl", "tl/tg", "persistence"},
	"actors/bindings":  {"actors/runtime", "actors/binding", "actors/journal", "mtproto/crypt", "mtproto/dc", "persistence"},     // the account's side of its bindings: part of its actor
	"actors/feed":      {"tl", "tl/tg", "mtproto/updates", "mtproto/peers", "mtproto/security", "persistence"},                   // the account's side of its updates: part of its actor
	"actors/signin":    {"actors/runtime", "actors/governor", "tl", "tl/tg", "mtproto/login", "mtproto/standing", "persistence"}, // the account's side of its sign-in: part of its actor
	"actors/account":   {"actors/runtime", "actors/governor", "actors/binding", "actors/bindings", "actors/feed", "actors/signin", "actors/journal", "actors/dcs", "actors/ways", "actors/timeline", "tl", "tl/tg", "mtproto/standing", "mtproto/login", "mtproto/updates", "mtproto/peers", "mtproto/security", "mtproto/crypt", "mtproto/dc", "mtproto/proxy", "persistence"},
	"actors/digest":    {"mtproto/standing"},
	"actors":           {"actors/runtime", "actors/digest", "actors/governor", "actors/lease", "actors/placement", "actors/account", "actors/wire", "actors/ways", "actors/timeline", "tl", "tl/tg", "tl/tljson", "persistence", "persistence/foreign", "mtproto/crypt", "mtproto/dc", "mtproto/proxy", "mtproto/tgerr", "mtproto/login", "mtproto/peers", "mtproto/standing", "mtproto/security"}, // tl/tg: the calls about an account's safety

	"actors/webhook": {"actors"}, // a consumer of events like an embedder's own

	// Helpers of tests: nothing but tests and benchmarks imports them.
	"persistence/pgstore/pgtest": {},
	"actors/wire/proxytest":      {},
	"actors/actorstest":          {"actors", "actors/governor", "persistence", "mtproto/crypt", "mtproto/dctest", "mtproto/dctest/*", "mtproto/tgerr", "mtproto/login", "tl", "tl/tg"},
}

// onlyImporter names third-party packages that one room alone may know.
var onlyImporter = map[string]string{
	"github.com/asynkron/protoactor-go": "actors/runtime",
	"github.com/dgraph-io/badger":       "persistence/badgerstore",
	"github.com/jackc/pgx":              "persistence/pgstore",
	"github.com/pressly/goose":          "persistence/pgstore",
	"github.com/go-webauthn/webauthn":   "mtproto/dctest/webauthn",
	"modernc.org/sqlite":                "persistence/foreign/sqlitefile",
}

// mayImportEverything are the rooms at the top of the house.
var mayImportEverything = []string{"cmd/", "examples/", "benchmarks/"}

// below reports whether a package is in one of the rooms.
func below(pkg string, rooms []string) bool {
	return slices.ContainsFunc(rooms, func(room string) bool { return strings.HasPrefix(pkg+"/", room) })
}

// importProblem says why pkg may not import path, or "" if it may.
func importProblem(pkg, path string) string {
	for lib, owner := range onlyImporter {
		if strings.HasPrefix(path, lib) && pkg != owner {
			return "only " + owner + " may import " + lib + ": everybody else goes through it"
		}
	}
	rel, ours := strings.CutPrefix(path, module)
	if !ours {
		return ""
	}
	if rel == "actors/wire/proxytest" {
		return "actors/wire/proxytest is for tests: no program leans on a test helper"
	}
	if rel == "actors/actorstest" && !strings.HasPrefix(pkg+"/", "benchmarks/") {
		return "actors/actorstest is for tests and benchmarks: no program leans on a test helper"
	}
	if below(pkg, mayImportEverything) {
		return ""
	}
	for _, top := range mayImportEverything {
		if strings.HasPrefix(rel+"/", top) {
			return "nothing imports " + top + ": it is the top of the house"
		}
	}
	allowed, known := allowedImports[pkg]
	if !known {
		return "package " + pkg + " is not in the lattice: add it with the imports it may have"
	}
	for _, a := range allowed {
		if a == rel {
			return ""
		}
		if below, tree := strings.CutSuffix(a, "/*"); tree && (rel == below || strings.HasPrefix(rel, below+"/")) {
			// The test DC is a peer, not a part: no engine and no actor leans on it.
			if below == "mtproto" && strings.HasPrefix(rel, "mtproto/dctest") {
				continue
			}
			return ""
		}
	}
	return pkg + " may import only {" + strings.Join(allowed, ", ") + "} of ours: imports point from waiting to pure, never back"
}

func TestImportsFollowTheLattice(t *testing.T) {
	root := ".."
	seen := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			name := d.Name()
			if name == "testdata" || (strings.HasPrefix(name, ".") && path != root) {
				return fs.SkipDir
			}
			if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil && path != root {
				return fs.SkipDir // a module of its own: it sees what is exported, as any other program
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		rel, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		pkg := filepath.ToSlash(rel)
		seen[pkg] = true
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, imp := range file.Imports {
			p, _ := strconv.Unquote(imp.Path.Value)
			if why := importProblem(pkg, p); why != "" {
				t.Errorf("%s imports %s: %s", fset.Position(imp.Pos()), p, why)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var missing []string
	for pkg := range allowedImports {
		if !seen[pkg] {
			missing = append(missing, pkg)
		}
	}
	sort.Strings(missing)
	if len(missing) > 0 {
		t.Errorf("the lattice names packages that do not exist: %s", strings.Join(missing, ", "))
	}
}

func TestLatticeRefusesWrongArrows(t *testing.T) {
	for _, c := range []struct{ name, pkg, path string }{
		{"an engine knows an actor", "mtproto/pfs", module + "actors/runtime"},
		{"the codec knows a session", "tl", module + "mtproto"},
		{"the client leans on the test DC", "actors/account", module + "mtproto/dctest"},
		{"the test DC leans on the client's session", "mtproto/dctest", module + "mtproto"},
		{"a session knows the API's types", "mtproto", module + "tl/tg"},
		{"an account knows keys", "actors/account", module + "mtproto/pfs"},
		{"an account reads the server's errors", "actors/account", module + "mtproto/tgerr"},
		{"the actor library spreads", "actors/account", "github.com/asynkron/protoactor-go/actor"},
		{"the store's library spreads", "actors", "github.com/dgraph-io/badger/v4"},
		{"a library imports the binary", "actors", module + "cmd/manager"},
		{"a program leans on a test helper", "cmd/manager", module + "actors/actorstest"},
		{"a package nobody placed", "actors/newroom", module + "tl"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if importProblem(c.pkg, c.path) == "" {
				t.Error("the lattice let it pass")
			}
		})
	}
	if why := importProblem("actors/account", module+"mtproto/standing"); why != "" {
		t.Errorf("an allowed arrow was refused: %s", why)
	}
}
