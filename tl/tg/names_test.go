package tg_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// A program that never says a name does not carry the 130 kB of them.
func TestNamesAreLeftOutByTheLinker(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a program")
	}
	name := filepath.Join(t.TempDir(), "unnamed")
	if out, err := exec.Command("go", "build", "-o", name, "./testdata/unnamed").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	program, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(program, []byte("inputPeerSelf")) || !bytes.Contains(program, []byte("InputPeer")) {
		t.Error("the program holds names of constructors, or no names of types")
	}
}
