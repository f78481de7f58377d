package main

import (
	"maps"
	"slices"
	"testing"

	"github.com/spf13/cobra"
)

// noJSON are the commands that do not take --json, each with why.
var noJSON = map[string]string{
	"manager config example": "it prints a file of the operator's, which is YAML",
	"manager run":            "it prints its log, of which log.format is the form",
	"manager top":            "it is a screen",
}

// noRows are the commands that print no rows and so have no -o, by why.
var noRows = map[string][]string{
	"it does one thing and says so in a line, or in one for each account": {
		"manager account 2fa email", "manager account 2fa hint", "manager account 2fa recover", "manager account 2fa remove",
		"manager account 2fa reset", "manager account 2fa set", "manager account accept-qr", "manager account add", "manager account clear-wait",
		"manager account label", "manager account login", "manager account logout", "manager account passkeys delete", "manager account pause",
		"manager account proxy", "manager account remove", "manager account restore-key", "manager account resume", "manager account rotate",
		"manager account sessions confirm", "manager account sessions terminate", "manager account sessions ttl", "manager api token",
		"manager consumers remove", "manager docs man", "manager events ack", "manager node cordon", "manager node drain", "manager node uncordon", "manager session export", "manager session import",
		"manager session take-back", "manager store adopt", "manager store backup", "manager store compact", "manager store copy", "manager store rekey",
		"manager store restore", "manager store salvage", "manager testdc ban", "manager testdc freeze", "manager testdc push",
		"manager testdc revoke", "manager webhooks retry",
	},
	"it says one thing about one thing":    {"manager audit verify", "manager store space", "manager store verify", "manager version"},
	"its findings are paragraphs":          {"manager config check", "manager doctor"},
	"what it prints has a form of its own": {"manager account call", "manager config example", "manager config show", "manager events consume"},
	"it runs until it is interrupted":      {"manager dashboard", "manager demo", "manager run", "manager testdc", "manager top"},
	"it reports one measurement": {
		"manager bench calls", "manager bench commands", "manager bench dashboard", "manager bench idle", "manager bench loaded", "manager bench logins",
		"manager bench metrics", "manager bench restart", "manager bench rotate", "manager bench soak", "manager bench storm", "manager bench target",
	},
}

// unsorted are the commands with rows that have an order of their own, each with why.
var unsorted = map[string]string{
	"manager account 2fa show": "it is of one account",
	"manager account events":   "events come in the order in which they happened",
	"manager account show":     "accounts come in the order in which they are named",
	"manager account timeline": "it is in the order of time",
	"manager events":           "events come in the order in which they happened",
	"manager node list":        "nodes are few, and come by their names",
	"manager node rebalance":   "nodes are few, and come by their names",
	"manager session formats":  "the list is fixed",
	"manager status":           "what is most urgent is first",
	"manager testdc fault":     "faults wait in the order in which they were asked for",
}

// Whoever adds a command says how it is read by programs, and how its rows are.
func TestEveryCommandIsReadByPrograms(t *testing.T) {
	known := map[string]bool{}
	listed := func(name string) bool {
		for _, names := range noRows {
			if slices.Contains(names, name) {
				return true
			}
		}
		return false
	}
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			if !sub.Hidden && sub.Name() != "help" && sub.Name() != "completion" {
				walk(sub)
			}
		}
		// A group takes no flags of its own, but those of all commands.
		if !c.Runnable() || c.HasSubCommands() && !c.HasAvailableLocalFlags() || c.Parent() == nil {
			return
		}
		known[c.CommandPath()] = true
		name, has := c.CommandPath(), func(flag string) bool { return c.Flags().Lookup(flag) != nil }
		if has("json") == (noJSON[name] != "") {
			t.Errorf("%s: has --json is %v, and noJSON says %q: give it --json, or say why not", name, has("json"), noJSON[name])
		}
		if has("output") == listed(name) {
			t.Errorf("%s: has -o is %v, and being in noRows is %v: register it with registerReading, or say why it has no rows", name, has("output"), listed(name))
		}
		if has("output") && has("sort") == (unsorted[name] != "") {
			t.Errorf("%s: has --sort is %v, and unsorted says %q: give it a sortFlag, or say why not", name, has("sort"), unsorted[name])
		}
	}
	walk((&app{}).root())
	var named []string
	for _, names := range noRows {
		named = append(named, names...)
	}
	named = slices.AppendSeq(slices.AppendSeq(named, maps.Keys(noJSON)), maps.Keys(unsorted))
	for _, name := range named {
		if !known[name] {
			t.Errorf("there is no command %q: take it out of the lists", name)
		}
	}
}
