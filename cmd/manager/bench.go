package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dc"
)

func (a *app) benchCommand() *cobra.Command {
	return group("bench", "Measure the manager against a test DC on this machine",
		`bench measures. Each benchmark starts its own cluster of test DCs on loopback, in a
process of its own, and a manager with a new store. Nothing else may be loaded: an
address that is not on loopback, a proxy and an RSA key of Telegram's are refused,
and no flag turns that off.`,
		a.benchRotateCommand())
}

// benchSettings refuses what would lead a load elsewhere: a configuration of the
// operator's, and proxies in any form.
func (a *app) benchSettings() error {
	if a.configFile != "" {
		return usage("bench: --config %s: a benchmark has test DCs and a configuration of its own; leave it out", a.configFile)
	}
	for _, s := range a.settings {
		switch name, _, _ := strings.Cut(s, "="); {
		case proxied(name):
			return usage("bench: --set %s: load goes to a test DC on this machine, and never through a proxy", name)
		case slices.Contains([]string{"environment", "dcs", "rsa_keys", "store.dir"}, name):
			return usage("bench: --set %s: a benchmark has test DCs of its own, and a store", name)
		}
	}
	for _, kv := range a.env {
		if name, value, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "MTFLEET_") && proxied(name) && value != "" {
			return usage("bench: %s is set: load goes to a test DC on this machine, and never through a proxy; unset it", name)
		}
	}
	return nil
}

func proxied(name string) bool {
	name = strings.ToLower(name)
	return strings.Contains(name, "proxy") || strings.Contains(name, "proxies")
}

// benchTarget refuses DCs that may not be loaded. It is asked of the configuration
// that the manager is made of; each dial is checked besides (wire.Config), and a
// handshake takes no RSA key but those of the table.
func benchTarget(table dc.Table) error {
	if len(table.Options) == 0 {
		return usage("bench: there is no DC to load")
	}
	for _, o := range table.Options {
		if !dc.Loopback(o.Addr) {
			return usage("bench: %v, %v, is not on loopback: load is for a test DC on this machine", o.DC, o.Addr)
		}
	}
	if len(table.Keys) == 0 {
		return usage("bench: the DCs have no RSA key, so that nothing says they are test DCs")
	}
	for _, text := range table.Keys {
		keys, err := crypt.ParsePublicKeys([]byte(text))
		if err != nil {
			return fmt.Errorf("bench: an RSA key of the DCs: %w", err)
		}
		for _, k := range keys {
			if dc.IsTelegramFingerprint(k.Fingerprint()) {
				return usage("bench: the RSA key %016x is one of Telegram's: load is for a test DC", uint64(k.Fingerprint()))
			}
		}
	}
	return nil
}

// benchMachine is what a figure was had on.
type benchMachine struct {
	Go     string `json:"go"`
	System string `json:"system"`
	CPUs   int    `json:"cpus"`
	CPU    string `json:"cpu,omitempty"`
	// LoadBefore and LoadAfter are the averages of the last minute, this run
	// included; empty where the system does not tell.
	LoadBefore string `json:"load_before,omitempty"`
	LoadAfter  string `json:"load_after,omitempty"`
}

func thisMachine() benchMachine {
	m := benchMachine{Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH, CPUs: runtime.NumCPU(), LoadBefore: loadAverage()}
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

func loadAverage() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	first, _, _ := strings.Cut(string(b), " ")
	return first
}
