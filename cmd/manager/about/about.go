// Package about tells what a binary was built from, as Go has written it there: its
// version and commit, the flags of the build, the modules in it; also as a bill of
// materials. It reads nothing but the binary, and runs no tool.
package about

import (
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// Dev is the version of a build that Go knows none of, as one from a working tree
// without version control.
const Dev = "dev"

// Build is what a binary was built from.
type Build struct {
	// Version is that of the main module, or Dev.
	Version string `json:"version"`
	// Commit and CommitTime are of the working tree it was built from, Modified is
	// whether that held changes; empty where the build was told no such thing.
	Commit     string    `json:"commit,omitempty"`
	CommitTime time.Time `json:"commit_time,omitzero"`
	Modified   bool      `json:"modified"`

	Go   string `json:"go"` // version of the toolchain, as in go1.26.0
	OS   string `json:"os"`
	Arch string `json:"arch"`
	// Flags are those of the build, also variables such as CGO_ENABLED, by name.
	Flags map[string]string `json:"flags"`

	// Main is the path of the main module, Modules are all others of which
	// something is in the binary, by path.
	Main    string   `json:"module"`
	Modules []Module `json:"modules"`
}

// Module is one module in a binary.
type Module struct {
	Path    string `json:"path"`
	Version string `json:"version"`
	Sum     string `json:"sum,omitempty"` // as in go.sum
}

// Of reads what Go wrote into a binary; nil is a binary without it.
func Of(info *debug.BuildInfo) Build {
	b := Build{Version: Dev, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH, Flags: map[string]string{}, Modules: []Module{}}
	if info == nil {
		return b
	}
	b.Go, b.Main = info.GoVersion, info.Main.Path
	if v := info.Main.Version; v != "" && v != "(devel)" {
		b.Version = v
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.time":
			b.CommitTime, _ = time.Parse(time.RFC3339Nano, s.Value) // zero: not told
		case "vcs.modified":
			b.Modified = s.Value == "true"
		case "GOOS":
			b.OS = s.Value
		case "GOARCH":
			b.Arch = s.Value
		default:
			if !strings.HasPrefix(s.Key, "vcs") {
				b.Flags[s.Key] = s.Value
			}
		}
	}
	for _, m := range info.Deps {
		for m.Replace != nil {
			m = m.Replace
		}
		b.Modules = append(b.Modules, Module{m.Path, m.Version, m.Sum})
	}
	return b
}

// Current is the build that runs.
func Current() Build {
	info, _ := debug.ReadBuildInfo()
	return Of(info)
}
