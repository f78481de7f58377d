package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
)

// reportClients says what the test DCs think of the clients they had.
func (a *app) reportClients(cluster *serve.Cluster) {
	list, total := cluster.Violations()
	n := cluster.Counts()
	a.printf("test DC stopped; of what clients sent it refused %d, noted %d, and wrote down %d for information\n",
		n.Refused, n.Noted, total-n.Refused-n.Noted)
	for _, line := range violationLines(list) {
		a.printf("  %s\n", line)
	}
}

// violationLines tells violations, a line for each rule and what became of it, the worst first.
func violationLines(list []dctest.Violation) []string {
	type kind struct {
		severity dctest.Severity
		rule     dctest.Rule
	}
	first, count := map[kind]dctest.Violation{}, map[kind]int{}
	var kinds []kind
	for _, v := range list {
		k := kind{v.Severity, v.Rule}
		if count[k]++; count[k] == 1 {
			first[k] = v
			kinds = append(kinds, k)
		}
	}
	order := []dctest.Severity{dctest.SeverityRefused, dctest.SeverityNoted, dctest.SeverityInfo}
	slices.SortStableFunc(kinds, func(a, b kind) int {
		return cmp.Compare(slices.Index(order, a.severity), slices.Index(order, b.severity))
	})
	var lines []string
	for _, k := range kinds {
		v := first[k]
		line := fmt.Sprintf("%-8s %s, %s; the first at DC %d: %s", k.severity, k.rule, times(count[k]), v.DC, v.Text)
		if k.severity == dctest.SeverityRefused {
			line += "; answered with " + k.rule.Answer()
		}
		if page := k.rule.Page(); page != "" {
			line += "; " + page
		}
		lines = append(lines, strings.TrimSpace(line))
	}
	return lines
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}
