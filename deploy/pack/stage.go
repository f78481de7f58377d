package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// stage is the directory in which the parts of a package are made.
type stage struct {
	root string // of the working tree
	dir  string

	build build // of the binary that was made
}

// build is what `manager version --json` says of itself, as far as it is needed.
type build struct {
	Version    string    `json:"version"`
	CommitTime time.Time `json:"commit_time"`
	Modified   bool      `json:"modified"`
	Arch       string    `json:"arch"`
	Modules    []struct {
		Path    string `json:"path"`
		Version string `json:"version"`
	} `json:"modules"`
}

func (s *stage) path(name string) string { return filepath.Join(s.dir, name) }

// fill makes every part. What was there before goes.
func (s *stage) fill(ctx context.Context) error {
	if err := os.RemoveAll(s.dir); err != nil {
		return err
	}
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return err
	}
	if err := s.compile(ctx); err != nil {
		return err
	}
	described, err := s.manager(ctx, "version", "--json")
	if err != nil {
		return err
	}
	if err := json.Unmarshal(described, &s.build); err != nil {
		return fmt.Errorf("manager version --json: %w", err)
	}
	if s.build.CommitTime.IsZero() {
		return errors.New("the binary does not know its commit: build in a git working tree")
	}
	for name, args := range map[string][]string{
		"sbom.cdx.json":       {"version", "--sbom"},
		"config.example.yaml": {"config", "example"},
		"manager.bash":        {"completion", "bash"},
		"_manager":            {"completion", "zsh"},
		"manager.fish":        {"completion", "fish"},
	} {
		text, err := s.manager(ctx, args...)
		if err != nil {
			return err
		}
		if err := os.WriteFile(s.path(name), text, 0o644); err != nil {
			return err
		}
	}
	if err := s.manPages(ctx); err != nil {
		return err
	}
	texts, err := s.licences(ctx)
	if err != nil {
		return err
	}
	return os.WriteFile(s.path("copyright"), texts, 0o644)
}

// compile builds the manager: one file that needs no other, without the paths of
// this machine, with the commit.
func (s *stage) compile(ctx context.Context) error {
	_, err := s.run(ctx, "go", "build", "-trimpath", "-buildvcs=true", "-ldflags=-s -w", "-o", s.path("manager"), "./cmd/manager")
	return err
}

func (s *stage) manager(ctx context.Context, args ...string) ([]byte, error) {
	return s.run(ctx, s.path("manager"), args...)
}

// run runs a command at the root of the working tree, and returns what it printed.
// What the environment says of Go builds does not count: a release is the same
// everywhere. Its own settings of mtfleet do not either.
func (s *stage) run(ctx context.Context, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = s.root
	cmd.Env = slices.DeleteFunc(os.Environ(), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return strings.HasPrefix(name, "MTFLEET_") || slices.Contains([]string{"GOFLAGS", "GOOS", "GOARCH", "GOAMD64", "GOARM64", "GOEXPERIMENT"}, name)
	})
	cmd.Env = append(cmd.Env, "CGO_ENABLED=0", "GOFLAGS=-mod=readonly", "GOWORK=off")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s %s: %w\n%s", filepath.Base(name), strings.Join(args, " "), err, &errs)
	}
	return out.Bytes(), nil
}

// manPages has the binary write its man pages, and compresses them, as Debian wants
// them.
func (s *stage) manPages(ctx context.Context) error {
	plain := s.path("man.plain")
	if _, err := s.manager(ctx, "docs", "man", plain); err != nil {
		return err
	}
	defer os.RemoveAll(plain)
	pages, err := os.ReadDir(plain)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.path("man"), 0o755); err != nil {
		return err
	}
	for _, page := range pages {
		text, err := os.ReadFile(filepath.Join(plain, page.Name()))
		if err != nil {
			return err
		}
		var packed bytes.Buffer
		z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression) // neither name nor time in its header
		if err != nil {
			return err
		}
		_, err = z.Write(text)
		if err = errors.Join(err, z.Close()); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(s.path("man"), page.Name()+".gz"), packed.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}
