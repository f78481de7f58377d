package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// A licence's file at the root of a module; some have several, or a notice beside it.
var licenceFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents|unlicense)([-._].*)?$`)

// licences are the texts of all licences that a package of the binary comes with: our
// own, Go's, and those of every module in it. A module without one is an error: somebody
// has to look at it.
func (s *stage) licences(ctx context.Context) ([]byte, error) {
	args := []string{"list", "-m", "-json"}
	for _, m := range s.build.Modules {
		args = append(args, m.Path+"@"+m.Version)
	}
	listed, err := s.run(ctx, "go", args...)
	if err != nil {
		return nil, err
	}
	goroot, err := s.run(ctx, "go", "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	var texts bytes.Buffer
	fmt.Fprintf(&texts, "mtfleet %s\n", s.build.Version)
	if err := appendLicences(&texts, s.root); err != nil {
		return nil, err
	}
	fmt.Fprintf(&texts, "\nThe binary holds code of others, under these licences.\n%s\nThe Go standard library\n", rule)
	if err := appendLicences(&texts, strings.TrimSpace(string(goroot))); err != nil {
		return nil, err
	}
	for list := json.NewDecoder(bytes.NewReader(listed)); ; {
		var m struct{ Path, Version, Dir string }
		if err := list.Decode(&m); errors.Is(err, io.EOF) {
			return texts.Bytes(), nil
		} else if err != nil {
			return nil, fmt.Errorf("go list -m -json: %w", err)
		}
		fmt.Fprintf(&texts, "%s\n%s %s\n", rule, m.Path, m.Version)
		if err := appendLicences(&texts, m.Dir); err != nil {
			return nil, fmt.Errorf("%s %s: %w", m.Path, m.Version, err)
		}
	}
}

var rule = strings.Repeat("-", 78)

// appendLicences adds the texts of a module's directory.
func appendLicences(to *bytes.Buffer, dir string) error {
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	found := false
	for _, f := range files {
		if f.IsDir() || !licenceFile.MatchString(f.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			return err
		}
		found = true
		fmt.Fprintf(to, "\n%s\n", bytes.TrimSpace(text))
	}
	if !found {
		return fmt.Errorf("there is no licence in %s", dir)
	}
	return nil
}
