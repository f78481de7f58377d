package main

import "fmt"

// wanted are the states of accounts that are to be online, as /fleetz counts them.
const wanted = "connecting|online|waiting|frozen|quarantined|duplicated|revoked"

// rows are what is on the dashboard: first whether all is well, then why not.
func rows() []row {
	return []row{
		{"Fleet", []graph{
			{title: "Online", kind: number, unit: "percentunit", queries: []query{{
				`sum(mtfleet_accounts{state="online", $i}) / (sum(mtfleet_accounts{state=~"` + wanted + `", $i}) > 0)`, "of those to be online"}}},
			{title: "Need somebody", kind: number, unit: "short", bad: 1, queries: []query{{
				`sum by (state) (mtfleet_accounts{state=~"frozen|quarantined|duplicated|revoked", $i})`, "{{state}}"}}},
			{title: "Accounts by state", kind: stacked, unit: "short", queries: []query{{
				`sum by (state) (mtfleet_accounts{$i}) > 0`, "{{state}}"}}},
			{title: "Changes of state", kind: lines, unit: "cps", queries: []query{{
				`sum by (to, reason) (rate(mtfleet_state_changes_total{$i}$r)) > 0`, "to {{to}}: {{reason}}"}}},
		}},
		{"Connections", []graph{
			{title: "DCs", kind: upOrDown, unit: "short", queries: []query{{
				`min by (dc, family) (mtfleet_dc_up{$i})`, "DC {{dc}}, {{family}}"}}},
			{title: "Connections", kind: stacked, unit: "short", queries: []query{{
				`sum by (dc) (mtfleet_connections{$i}) > 0`, "DC {{dc}}"}}},
			{title: "Connects", kind: lines, unit: "cps", queries: []query{{
				`sum by (result) (rate(mtfleet_connects_total{$i}$r))`, "{{result}}"}}},
			{title: "Connections lost", kind: lines, unit: "cps", queries: []query{{
				`sum by (dc) (rate(mtfleet_connections_lost_total{$i}$r))`, "DC {{dc}}"}}},
			{title: "Who waits for leave", kind: lines, unit: "short", queries: []query{{
				`sum by (dc, kind) (mtfleet_governor_queue{$i}) > 0`, "DC {{dc}}: {{kind}}"}}},
			{title: "Clock of the DC minus ours", kind: lines, unit: "s", queries: []query{{
				`mtfleet_clock_offset_seconds{dc!="other", $i}`, "{{instance}}, DC {{dc}}"}}},
		}},
		{"Keys", []graph{
			{title: "Keys made", kind: lines, unit: "cps", queries: []query{{
				`sum by (kind, result) (rate(mtfleet_handshakes_total{$i}$r))`, "{{kind}} {{result}}"}}},
			{title: "Keys bound", kind: lines, unit: "cps", queries: []query{{
				`sum by (result) (rate(mtfleet_binds_total{$i}$r))`, "{{result}}"}}},
			{title: "Keys replaced", kind: lines, unit: "cps", queries: []query{
				{`sum by (result) (rate(mtfleet_rotations_total{$i}$r))`, "{{result}}"},
				{`sum(rate(mtfleet_temp_keys_dropped_total{$i}$r))`, "old ones dropped"}}},
			quantiles("Age of a temp key", "mtfleet_temp_key_age_seconds"),
		}},
		{"Calls", []graph{
			{title: "Calls", kind: lines, unit: "cps", queries: []query{{
				`sum by (result) (rate(mtfleet_calls_total{$i}$r)) > 0`, "{{result}}"}}},
			quantiles("Time of a call", "mtfleet_call_duration_seconds"),
			{title: "Waits", kind: lines, unit: "short", queries: []query{{
				`sum by (scope) (mtfleet_waits{$i})`, "{{scope}}"}}},
			{title: "The longest wait", kind: lines, unit: "s", queries: []query{{
				`mtfleet_wait_longest_seconds{$i}`, "{{instance}}"}}},
		}},
		{"Updates", []graph{
			quantiles("Lag of updates", "mtfleet_update_lag_seconds"),
			{title: "Holes and lost events", kind: lines, unit: "short", queries: []query{
				{`sum(increase(mtfleet_update_holes_total{$i}$r))`, "holes"},
				{`sum(increase(mtfleet_events_dropped_total{$i}$r))`, "events that readers lost"}}},
		}},
		{"Sign-ins", []graph{
			{title: "Sign-ins ended", kind: lines, unit: "cps", queries: []query{{
				`sum by (flow, result) (rate(mtfleet_sign_in_steps_total{step="end", $i}$r)) > 0`, "{{flow}}: {{result}}"}}},
			{title: "Steps asked again", kind: lines, unit: "cps", queries: []query{{
				`sum by (step) (rate(mtfleet_sign_in_steps_total{result="again", $i}$r)) > 0`, "{{step}}"}}},
			{title: "The oldest sign-in", kind: lines, unit: "s", queries: []query{{
				`mtfleet_sign_in_oldest_seconds{$i}`, "{{instance}}"}}},
		}},
		{"Store", []graph{
			{title: "Refuses commits", kind: number, unit: "short", bad: 1, queries: []query{{
				`mtfleet_store_refuses{$i}`, "{{instance}}"}}},
			{title: "Last backup", kind: number, unit: "s", bad: 2 * 86400, queries: []query{{
				`time() - mtfleet_store_backup_timestamp_seconds{$i}`, "{{instance}}"}}},
			{title: "Room", kind: lines, unit: "bytes", queries: []query{
				{`mtfleet_store_free_bytes{$i}`, "{{instance}}: free"},
				{`mtfleet_store_needed_bytes{$i}`, "{{instance}}: needed"}}},
			quantiles("Time of a commit", "mtfleet_store_commit_seconds"),
			{title: "Commits", kind: lines, unit: "cps", queries: []query{
				{`sum(rate(mtfleet_store_commit_seconds_count{$i}$r))`, "all"},
				{`sum(rate(mtfleet_store_failures_total{$i}$r))`, "refused"}}},
		}},
		{"Nodes of a cluster", []graph{
			{title: "Lease left", kind: lines, unit: "s", queries: []query{{
				`mtfleet_node_lease_seconds{$i}`, "{{instance}}"}}},
			{title: "Reaches no DC", kind: lines, unit: "short", queries: []query{{
				`mtfleet_node_cut_off{$i}`, "{{instance}}"}}},
			{title: "Accounts that moved", kind: lines, unit: "cps", queries: []query{{
				`sum by (instance, direction) (rate(mtfleet_node_moves_total{$i}$r))`, "{{instance}}: {{direction}}"}}},
			{title: "Silences", kind: number, unit: "short", bad: 1, queries: []query{{
				`sum by (instance) (increase(mtfleet_node_silences_total{$i}$r))`, "{{instance}}"}}},
		}},
		{"Process", []graph{
			{title: "Memory", kind: lines, unit: "bytes", queries: []query{
				{`process_resident_memory_bytes{$i}`, "{{instance}}: resident"},
				{`go_memstats_heap_inuse_bytes{$i}`, "{{instance}}: heap"}}},
			{title: "CPU", kind: lines, unit: "percentunit", queries: []query{{
				`rate(process_cpu_seconds_total{$i}$r)`, "{{instance}}"}}},
			{title: "File descriptors and goroutines", kind: lines, unit: "short", queries: []query{
				{`process_open_fds{$i}`, "{{instance}}: open"}, {`process_max_fds{$i}`, "{{instance}}: allowed"}, {`go_goroutines{$i}`, "{{instance}}: goroutines"}}},
			{title: "Actors that panicked", kind: lines, unit: "short", queries: []query{{
				`sum by (kind) (increase(mtfleet_actor_restarts_total{$i}$r))`, "{{kind}}"}}},
		}},
	}
}

// quantiles graphs the median and the slowest hundredth of a histogram.
func quantiles(title, of string) graph {
	g := graph{title: title, kind: lines, unit: "s"}
	for _, q := range []struct{ at, called string }{{"0.5", "median"}, {"0.99", "99th percentile"}} {
		g.queries = append(g.queries, query{fmt.Sprintf("histogram_quantile(%s, sum by (le) (rate(%s_bucket{$i}$r)))", q.at, of), q.called})
	}
	return g
}
