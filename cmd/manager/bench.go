package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/cmd/manager/bench"
	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dc"
)

func (a *app) benchCommand() *cobra.Command {
	return group("bench", "Measure the manager against a test DC on this machine",
		`bench measures. Each benchmark starts its own cluster of test DCs on loopback, in a
process of its own, and a manager with a new store; target loads a test server that
somebody else started on this machine. Nothing else may be loaded: an
address that is not on loopback, a proxy, an RSA key of Telegram's and an api_id are
refused, and no flag turns that off.

What is said of the manager is of its process alone: CPU by getrusage, user and
system, and memory from /proc. The floor is measured in the same run, by the
functions that the manager itself uses. With --json the last line of standard output
is one JSON object, with the machine, the versions, the flags and the budget beside
the figures.`,
		a.benchLoginsCommand(), a.benchIdleCommand(), a.benchCallsCommand(), a.benchLoadedCommand(), a.benchStormCommand(), a.benchRestartCommand(),
		a.benchSoakCommand(), a.benchRotateCommand(), a.benchMetricsCommand(), a.benchCommandsCommand(), a.benchDashboardCommand(),
		a.benchTargetCommand(), a.benchColdCommand())
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
		case slices.Contains([]string{"environment", "dcs", "rsa_keys", "store.dir", "api_id", "api_hash"}, name):
			return usage("bench: --set %s: a benchmark has test DCs of its own, their application, and a store", name)
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

// benchTarget returns the RSA keys of DCs that may be loaded, and refuses others. It
// is asked of the configuration that the manager is made of; each dial is checked
// besides (wire.Config), and a handshake takes no RSA key but those of the table.
func benchTarget(table dc.Table) ([]*crypt.PublicKey, error) {
	keys, err := bench.Target(table)
	if err != nil {
		return nil, usage("%v", err)
	}
	return keys, nil
}
