package bench

import (
	"os"
	"runtime"
	"runtime/debug"
	"strings"
)

// Machine is what a figure was had on.
type Machine struct {
	Go     string `json:"go"`
	System string `json:"system"`
	CPUs   int    `json:"cpus"`
	Procs  int    `json:"gomaxprocs"`
	CPU    string `json:"cpu,omitempty"`
	// LoadBefore and LoadAfter are the averages of the last minute, this run
	// included; empty where the system does not tell.
	LoadBefore string `json:"load_before,omitempty"`
	LoadAfter  string `json:"load_after,omitempty"`
}

// ThisMachine is the one that runs the process. LoadAfter is to be filled in later.
func ThisMachine() Machine {
	m := Machine{
		Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH, CPUs: runtime.NumCPU(), Procs: runtime.GOMAXPROCS(0),
		LoadBefore: LoadAverage(),
	}
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				m.CPU = strings.TrimSpace(value)
				break
			}
		}
	}
	return m
}

// LoadAverage is that of the last minute, empty where the system does not tell.
func LoadAverage() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	first, _, _ := strings.Cut(string(b), " ")
	return first
}

// measured are the modules whose versions change figures: exponentiation, the store
// and the actors.
var measured = []string{"filippo.io/bigmod", "github.com/dgraph-io/badger/v4", "github.com/asynkron/protoactor-go"}

// Versions are of the modules that a figure depends on, and the commit that was built
// where the build knows it.
func Versions() map[string]string {
	out := map[string]string{}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return out
	}
	out[info.Main.Path] = info.Main.Version
	for _, d := range info.Deps {
		for _, path := range measured {
			if d.Path == path {
				out[path] = d.Version
			}
		}
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			out["commit"] = s.Value
		}
	}
	return out
}
