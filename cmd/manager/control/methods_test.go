package control

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	mtfleetv1 "github.com/mtfleet/mtfleet/cmd/manager/api/mtfleet/v1"
)

// Every method of the schema is one here, and what it takes and answers is the same in Go and on the wire.
func TestTheTableOfMethodsIsTheSchema(t *testing.T) {
	here := map[string]*method{}
	for _, m := range methods() {
		if here[m.procedure] != nil {
			t.Errorf("%s is there twice", m.procedure)
		}
		here[m.procedure] = m
		in, out, err := m.maps()
		if err != nil {
			t.Errorf("%s: %v", m.procedure, err)
			continue
		}
		for _, missing := range slices.Concat(in.Missing(), out.Missing()) {
			// A status in an event is not the account's, which the event names.
			if missing != "mtfleet.v1.Account.id" {
				t.Errorf("%s: nothing is carried to %s", m.procedure, missing)
			}
		}
	}
	n := 0
	for _, file := range []protoreflect.FileDescriptor{
		mtfleetv1.File_mtfleet_v1_account_proto, mtfleetv1.File_mtfleet_v1_signin_proto, mtfleetv1.File_mtfleet_v1_security_proto,
		mtfleetv1.File_mtfleet_v1_update_proto, mtfleetv1.File_mtfleet_v1_fleet_proto, mtfleetv1.File_mtfleet_v1_store_proto,
	} {
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			for j := range service.Methods().Len() {
				n++
				procedure := "/" + string(service.FullName()) + "/" + string(service.Methods().Get(j).Name())
				if here[procedure] == nil {
					t.Errorf("%s is in the schema and not here", procedure)
				}
			}
		}
	}
	if n != len(here) || n < 50 {
		t.Errorf("the schema has %d methods, and here are %d", n, len(here))
	}
}

// What reads is for readers, and what a reader may call changes nothing.
func TestTheRolesOfMethods(t *testing.T) {
	for _, m := range methods() {
		role := m.role()
		if role == mtfleetv1.Role_ROLE_READ && !m.reads() {
			t.Errorf("%s is for readers, and changes something", m.procedure)
		}
		if strings.Contains(m.procedure, "SecurityService") && role != mtfleetv1.Role_ROLE_ADMIN {
			t.Errorf("%s is about what protects an account, and for %v", m.procedure, role)
		}
	}
	for _, m := range []*method{Export.method, Import.method, LogOut.method, Remove.method, AcceptQR.method, ClearWait.method, Backup.method} {
		if m.role() != mtfleetv1.Role_ROLE_ADMIN {
			t.Errorf("%s is for %v", m.procedure, m.role())
		}
	}
}

var rewrite = flag.Bool("rewrite", false, "write docs/api.md's list of methods")

// The page lists every method with its role and what the schema says of it.
func TestTheAPIPageHasEveryMethod(t *testing.T) {
	const page, begin, end = "../../../docs/api.md", "-rewrite -->\n", "<!-- end -->"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(text), begin)
	_, tail, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatal("the page has no place for the methods")
	}
	want := head + begin + methodTable(t) + end + tail
	switch {
	case *rewrite:
		err = os.WriteFile(page, []byte(want), 0o644)
	case want != string(text):
		err = errors.New("docs/api.md does not list the methods as they are: run the test with -rewrite, and read the diff")
	}
	if err != nil {
		t.Error(err)
	}
}

func methodTable(t *testing.T) string {
	var b strings.Builder
	var service protoreflect.Name
	for _, m := range methods() {
		if s := m.schema.Parent().Name(); s != service {
			service = s
			fmt.Fprintf(&b, "\n### %s\n\n| method | role | |\n|---|---|---|\n", s)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", m.schema.Name(), roleName(m.role()), commentOf(t, m.schema))
	}
	return b.String() + "\n"
}

// commentOf is what the schema's text says of a method, without its name.
func commentOf(t *testing.T, m protoreflect.MethodDescriptor) string {
	t.Helper()
	text, err := os.ReadFile("../api/" + m.ParentFile().Path())
	if err != nil {
		t.Fatal(err)
	}
	before, _, ok := strings.Cut(string(text), "  rpc "+string(m.Name())+"(")
	if !ok {
		t.Fatalf("%s is not in its file", m.FullName())
	}
	var said []string
	lines := strings.Split(strings.TrimSuffix(before, "\n"), "\n")
	for i := len(lines) - 1; strings.HasPrefix(lines[i], "  // "); i-- {
		said = append([]string{strings.TrimPrefix(lines[i], "  // ")}, said...)
	}
	one := strings.TrimSuffix(strings.TrimPrefix(strings.Join(said, " "), string(m.Name())+" "), ".")
	if one == "" {
		t.Errorf("%s has no comment", m.FullName())
	}
	return strings.ReplaceAll(one, "|", `\|`)
}
