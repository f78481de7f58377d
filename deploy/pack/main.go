// Command pack makes what a release of mtfleet consists of: the binary, man pages,
// completions, the bill of materials, the licences of everybody whose code is in it,
// and a Debian package of all of them.
//
//	cd deploy/pack && go run . -out ../../dist
//
// It packs the commit that is checked out, for the machine it runs on, and needs Go
// and git. The same commit and toolchain make the same bytes, in any directory.
//
// It is a Go module of its own, so that nobody who uses mtfleet downloads nfpm. Its
// tests hold the files in deploy/ against what reads them: Helm's engine, compose's
// loader, BuildKit's parser, the binary, dpkg.
package main

import (
	"context"
	"crypto/sha256"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
)

func main() {
	root := flag.String("root", "../..", "mtfleet's working `directory`")
	out := flag.String("out", "../../dist", "the `directory` for what is made")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	made, err := pack(ctx, *root, *out)
	if err != nil {
		fmt.Fprintln(os.Stderr, "pack:", err)
		os.Exit(1)
	}
	for _, file := range made {
		fmt.Println(file)
	}
}

// pack makes everything of the working tree at root in out, and returns the paths of
// what a release has.
func pack(ctx context.Context, root, out string) ([]string, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	if out, err = filepath.Abs(out); err != nil {
		return nil, err
	}
	s := stage{root: root, dir: filepath.Join(out, "stage")}
	if err := s.fill(ctx); err != nil {
		return nil, err
	}
	deb, err := s.deb(filepath.Join(root, "deploy", "deb", "nfpm.yaml"), out)
	if err != nil {
		return nil, err
	}
	made := []string{deb, s.path("manager"), s.path("sbom.cdx.json")}
	sums := filepath.Join(out, "SHA256SUMS")
	if err := writeSums(sums, made); err != nil {
		return nil, err
	}
	return append(made, sums), nil
}

// writeSums writes the sums of files as sha256sum -c reads them, with paths from the
// directory of the sums.
func writeSums(to string, files []string) error {
	var lines strings.Builder
	for _, file := range files {
		sum, err := sumOf(file)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(filepath.Dir(to), file)
		if err != nil {
			return err
		}
		fmt.Fprintf(&lines, "%x  %s\n", sum, filepath.ToSlash(name))
	}
	return os.WriteFile(to, []byte(lines.String()), 0o644)
}

func sumOf(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	sum := sha256.New()
	_, err = io.Copy(sum, f)
	return sum.Sum(nil), err
}
