package main

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mtfleet/mtfleet/tl/schema"
)

// configName is the file that says what a package wants generated.
const configName = "tlgen.txt"

func main() {
	if err := run("."); err != nil {
		fmt.Fprintln(os.Stderr, "tlgen:", err)
		os.Exit(1)
	}
}

// run generates the package in dir, replacing what an earlier run wrote there.
func run(dir string) error {
	files, err := generateFrom(os.DirFS(dir), schema.Files)
	if err != nil {
		return err
	}
	old, err := filepath.Glob(filepath.Join(dir, "gen_*.go"))
	if err != nil {
		return err
	}
	for _, name := range old {
		if _, ok := files[filepath.Base(name)]; !ok && !strings.HasSuffix(name, "_test.go") {
			if err := os.Remove(name); err != nil {
				return err
			}
		}
	}
	for name, src := range files {
		if err := os.WriteFile(filepath.Join(dir, name), src, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// generateFrom returns the files that the tlgen.txt in dir asks for, by name.
func generateFrom(dir, files fs.FS) (map[string][]byte, error) {
	text, err := fs.ReadFile(dir, configName)
	if err != nil {
		return nil, err
	}
	cfg, err := parseConfig(string(text))
	if err != nil {
		return nil, err
	}
	m, err := load(cfg, files)
	if err != nil {
		return nil, err
	}
	var extra []*schema.Definition
	for _, name := range slices.Sorted(maps.Keys(cfg.extra)) {
		s, err := parseSchema(files, name)
		if err != nil {
			return nil, err
		}
		for i := range s.Definitions {
			if slices.Contains(cfg.extra[name], s.Definitions[i].Name) {
				extra = append(extra, &s.Definitions[i])
			}
		}
	}
	var layers []schema.Layer
	if cfg.layers != "" {
		text, err := fs.ReadFile(files, cfg.layers)
		if err != nil {
			return nil, err
		}
		if layers, err = schema.ParseLayers(string(text)); err != nil {
			return nil, fmt.Errorf("%s: %w", cfg.layers, err)
		}
	}
	var repeatable []string
	if cfg.policy != "" {
		text, err := fs.ReadFile(dir, cfg.policy)
		if err != nil {
			return nil, err
		}
		if repeatable, err = m.repeatable(cfg.policy, string(text)); err != nil {
			return nil, err
		}
	}
	return generate(m, layers, extra, repeatable)
}
