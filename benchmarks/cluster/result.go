//go:build unix

package main

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// result is what came of a run. Its figures of what went wrong are the ledger's.
type result struct {
	Nodes    int            `json:"nodes"`
	Accounts int            `json:"accounts"`
	Seed     uint64         `json:"seed"`
	Seconds  float64        `json:"seconds"`
	Lease    float64        `json:"lease_seconds"`
	Did      map[string]int `json:"did"`

	Overlaps  int `json:"overlaps"`
	Orphaned  int `json:"orphaned"`
	Lost      int `json:"lost"`
	Updates   int `json:"updates_lost"`
	OnceTwice int `json:"once_executed_twice"`
	Untrue    int `json:"calls_ended_untruly"`
	Logins    int `json:"new_logins"`
	DrainKeys int `json:"temp_keys_by_drains"`
	Drains    int `json:"drains_wrong"` // that made keys, or did not end
	LongGaps  int `json:"gaps_too_long"`
	Died      int `json:"died_by_itself"`

	Gaps     map[string]gaps `json:"gaps"`
	Calls    map[end]int     `json:"calls"`
	Judged   int             `json:"updates_judged"`
	TempKeys int             `json:"new_temp_keys"` // of all causes
	Uneasy   int             `json:"uneasy"`        // times that not everybody answered soon after something
	Go       string          `json:"go"`
	System   string          `json:"system"`

	found []finding
	dir   string

	mu   sync.Mutex // guards told
	told []string   // of single accounts that were away for long
}

func newResult(c config) *result {
	return &result{
		Nodes: c.nodes, Accounts: c.accounts, Seed: c.seed, Lease: c.lease.Seconds(), Did: map[string]int{},
		Gaps: map[string]gaps{}, Calls: map[end]int{}, Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH,
	}
}

// held reports whether every promise was kept.
func (r *result) held() bool { return len(r.found) == 0 }

// maxPrinted bounds what is printed of a run that is wrong throughout.
const maxPrinted = 50

func (r *result) tell(format string, a ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.told) < maxPrinted {
		r.told = append(r.told, fmt.Sprintf(format, a...))
	}
}

func (r *result) count(e *evidence, found []finding, dir string) {
	r.found, r.dir = found, dir
	counts := [foundKinds]*int{
		foundLost: &r.Lost, foundOrphan: &r.Orphaned, foundOverlap: &r.Overlaps, foundTwice: &r.OnceTwice, foundCall: &r.Untrue,
		foundUpdate: &r.Updates, foundLogin: &r.Logins, foundDrain: &r.Drains, foundGap: &r.LongGaps, foundDied: &r.Died,
	}
	for _, f := range found {
		*counts[f.kind]++
	}
	for c := range causes {
		r.Gaps[causeNames[c]] = e.gaps[c]
	}
	for _, c := range e.calls {
		if c.end != "" {
			r.Calls[c.end]++
		}
	}
	r.Judged = e.verdict.Judged
	r.TempKeys = e.ledger.Counts.TempKeys - e.signed.TempKeys
}

func (r *result) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d nodes, %d accounts, a lease of %g s, seed %d, %.1f s, %s, %s\n", r.Nodes, r.Accounts, r.Lease, r.Seed, r.Seconds, r.Go, r.System)
	fmt.Fprintf(&b, "done: %s\n", some(r.Did))
	for _, row := range []struct {
		n    int
		what string
	}{
		{r.Overlaps, "overlaps of a key"}, {r.Orphaned, "orphaned"}, {r.Lost, "authorizations lost"},
		{r.Updates, fmt.Sprintf("updates lost, of %d", r.Judged)}, {r.OnceTwice, "once-calls executed twice"}, {r.Untrue, "calls that ended untruly"},
		{r.Logins, "new logins or perm keys"}, {r.DrainKeys, fmt.Sprintf("temp keys made by drains, %d in all", r.TempKeys)},
		{r.Died, "nodes that ended by themselves, or did not come"},
	} {
		fmt.Fprintf(&b, "%6d %s\n", row.n, row.what)
	}
	fmt.Fprintf(&b, "accounts that did not answer, in seconds\n%-20s %6s %8s %8s %8s\n", "their node was", "moves", "p50", "p99", "max")
	for _, name := range causeNames {
		g := r.Gaps[name]
		fmt.Fprintf(&b, "%-20s %6d %8.3f %8.3f %8.3f\n", name, g.Count, g.P50, g.P99, g.Max)
	}
	fmt.Fprintf(&b, "calls: %s\n", some(r.Calls))
	if r.Uneasy > 0 {
		fmt.Fprintf(&b, "%d times not everybody answered within %v\n", r.Uneasy, peace)
	}
	if !r.held() {
		fmt.Fprintf(&b, "\n%d things are wrong:\n", len(r.found))
		for _, f := range r.found[:min(len(r.found), maxPrinted)] {
			fmt.Fprintf(&b, "  %s: %s\n", f.account, f.text)
		}
		if more := len(r.found) - maxPrinted; more > 0 {
			fmt.Fprintf(&b, "  and %d more\n", more)
		}
		for _, text := range r.told {
			fmt.Fprintf(&b, "  %s\n", text)
		}
		fmt.Fprintf(&b, "the logs of the nodes are in %s\n", r.dir)
	}
	return b.String()
}

// some lists what happened at all, in order of names.
func some[K ~string](m map[K]int) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		list = append(list, fmt.Sprintf("%d %s", m[name], name))
	}
	return strings.Join(list, ", ")
}
