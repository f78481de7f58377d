package main

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/go-cmp/cmp"
)

// packed is what a release has, of the last commit, for all tests: the paths of the
// package, the binary, the bill of materials and the sums.
var packed struct{ deb, manager, sbom, sums string }

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "pack")
	if err == nil {
		err = packOnce(dir)
	}
	code := 1
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	} else {
		code = m.Run()
	}
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// packOnce packs as docs/deploy.md says.
func packOnce(dir string) error {
	commands, err := blocks("What is made, and how to make it again")
	if err != nil || len(commands) != 1 {
		return fmt.Errorf("how to pack is in %d blocks of docs/deploy.md: %w", len(commands), err)
	}
	clone := filepath.Join(dir, "mtfleet")
	if err := cloneCommit(clone); err != nil {
		return err
	}
	cmd := exec.Command("bash", "-euc", commands[0])
	cmd.Dir, cmd.Stderr = clone, os.Stderr
	out, err := cmd.Output()
	made := strings.Fields(string(out))
	if err != nil || len(made) != 4 {
		return fmt.Errorf("%s: %w\n%s", commands[0], err, out)
	}
	packed.deb, packed.manager, packed.sbom, packed.sums = made[0], made[1], made[2], made[3]
	return nil
}

// cloneCommit makes a working tree of the last commit: what this one holds beside it
// is in no package.
func cloneCommit(dir string) error {
	if out, err := exec.Command("git", "clone", "--quiet", "../..", dir).CombinedOutput(); err != nil {
		return fmt.Errorf("git clone: %w\n%s", err, out)
	}
	return nil
}

func TestTheSameCommitMakesTheSameBytes(t *testing.T) {
	// Nothing of the first build helps the second one: another place, whose path has
	// another length, and no cache.
	t.Setenv("GOCACHE", t.TempDir())
	clone := filepath.Join(t.TempDir(), "somewhere", "quite", "else")
	if err := cloneCommit(clone); err != nil {
		t.Fatal(err)
	}
	again, err := pack(t.Context(), clone, filepath.Join(clone, "dist"))
	if err != nil {
		t.Fatal(err)
	}
	for i, first := range []string{packed.deb, packed.manager, packed.sbom, packed.sums} {
		one, err := os.ReadFile(first)
		if err != nil {
			t.Fatal(err)
		}
		two, err := os.ReadFile(again[i])
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(one, two) || filepath.Base(first) != filepath.Base(again[i]) {
			t.Errorf("%s and %s differ", first, again[i])
		}
	}
}

func TestTheBinaryNeedsNoOther(t *testing.T) {
	info, err := buildinfo.ReadFile(packed.manager)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, s := range info.Settings {
		got[s.Key] = s.Value
	}
	for key, want := range map[string]string{"CGO_ENABLED": "0", "-trimpath": "true", "vcs.modified": "false"} {
		if got[key] != want {
			t.Errorf("built with %s=%s, want %s", key, got[key], want)
		}
	}
	if got["vcs.revision"] == "" {
		t.Error("it does not know its commit")
	}
	text, err := os.ReadFile(packed.manager)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Dir(filepath.Dir(packed.manager)), os.Getenv("HOME") + "/"} {
		if len(path) > 1 && bytes.Contains(text, []byte(path)) {
			t.Errorf("it has a path of this machine: %s", path)
		}
	}
}

// TestTheBillIsWhatTheBinaryHolds reads the bill of materials with CycloneDX's own
// library, and Go's list of modules with Go's.
func TestTheBillIsWhatTheBinaryHolds(t *testing.T) {
	text, err := os.ReadFile(packed.sbom)
	if err != nil {
		t.Fatal(err)
	}
	var bill cdx.BOM
	strict := json.NewDecoder(bytes.NewReader(text))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&bill); err != nil {
		t.Fatal(err)
	}
	if bill.SpecVersion != cdx.SpecVersion1_6 || bill.BOMFormat != cdx.BOMFormat {
		t.Errorf("%s %s", bill.BOMFormat, bill.SpecVersion)
	}
	info, err := buildinfo.ReadFile(packed.manager)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"std " + strings.TrimPrefix(info.GoVersion, "go")}
	for _, m := range info.Deps {
		want = append(want, m.Path+" "+m.Version)
	}
	var got []string
	for _, c := range *bill.Components {
		got = append(got, c.Name+" "+c.Version)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTheLicencesOfAllModulesComeAlong(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(filepath.Dir(packed.manager), "copyright"))
	if err != nil {
		t.Fatal(err)
	}
	info, err := buildinfo.ReadFile(packed.manager)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range info.Deps {
		if !strings.Contains(string(text), "\n"+m.Path+" "+m.Version+"\n\n") {
			t.Errorf("%s is not in it", m.Path)
		}
	}
	if !strings.Contains(string(text), "The Go standard library\n\nCopyright") {
		t.Error("Go's own is not in it")
	}
}

func TestAModuleWithoutALicenceIsTold(t *testing.T) {
	if err := appendLicences(new(bytes.Buffer), t.TempDir()); err == nil || !strings.Contains(err.Error(), "no licence") {
		t.Error(err)
	}
}

func TestTheDebHoldsWhatAServiceNeeds(t *testing.T) {
	if _, err := exec.LookPath("dpkg-deb"); err != nil {
		t.Skip("there is no dpkg-deb on this machine")
	}
	list, err := exec.Command("dpkg-deb", "--contents", packed.deb).Output()
	if err != nil {
		t.Fatal(err)
	}
	mode := map[string]string{}
	pages := 0
	for line := range strings.Lines(string(list)) {
		f := strings.Fields(line)
		path := strings.TrimPrefix(f[5], ".")
		if f[1] != "root/root" {
			t.Errorf("%s belongs to %s", path, f[1])
		}
		switch {
		case strings.HasSuffix(path, "/"):
		case strings.HasPrefix(path, "/usr/share/man/man1/manager-"):
			pages++
		default:
			mode[path] = f[0]
		}
	}
	want := map[string]string{"/usr/bin/manager": "-rwxr-xr-x", "/etc/mtfleet/config.yaml": "-rw-r-----"}
	for _, path := range []string{
		"/usr/lib/systemd/system/mtfleet.service", "/usr/lib/sysusers.d/mtfleet.conf",
		"/usr/share/man/man1/manager.1.gz", "/usr/share/bash-completion/completions/manager",
		"/usr/share/zsh/vendor-completions/_manager", "/usr/share/fish/vendor_completions.d/manager.fish",
		"/usr/share/doc/mtfleet/copyright", "/usr/share/doc/mtfleet/deploy.md", "/usr/share/doc/mtfleet/sbom.cdx.json",
		"/usr/share/doc/mtfleet/examples/config.yaml",
	} {
		want[path] = "-rw-r--r--"
	}
	if diff := cmp.Diff(want, mode); diff != "" {
		t.Error(diff)
	}
	if pages < 50 {
		t.Errorf("only %d man pages of subcommands", pages)
	}
	version, err := exec.Command("dpkg-deb", "--field", packed.deb, "Version", "Architecture").Output()
	if err != nil || !regexp.MustCompile(`^Version: [0-9]\S*\nArchitecture: \S+\n$`).Match(version) {
		t.Errorf("%s %v", version, err)
	}
}

func TestTheScriptsOfTheDebAreShell(t *testing.T) {
	scripts, err := filepath.Glob("../deb/p*")
	if err != nil || len(scripts) != 3 {
		t.Fatal(scripts, err)
	}
	for _, script := range scripts {
		if out, err := exec.Command("sh", "-n", script).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", script, err, out)
		}
		text, err := os.ReadFile(script)
		if err != nil {
			t.Fatal(err)
		}
		if lines := strings.Split(string(text), "\n"); lines[0] != "#!/bin/sh" || !slices.Contains(lines, "set -e") {
			t.Errorf("%s does not stop at a mistake", script)
		}
	}
}
