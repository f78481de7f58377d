package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// Row is one figure of one scenario: what each client took in each round.
type Row struct {
	Scenario string               `json:"scenario"`
	Figure   string               `json:"figure"`
	Rounds   map[string][]float64 `json:"rounds"` // by client, in the order of the rounds
	// Ratios are ours to theirs, by client: each round is a pair.
	Ratios map[string]Ratio `json:"ratios"`
}

// Ratio is of pairs: the middle one, the lowest and the highest.
type Ratio struct {
	Median float64 `json:"median"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
}

// rows gathers the figures of a scenario; taken holds those of each round by client.
func rows(scenario string, taken map[string][]Figures) (list []Row) {
	for _, figure := range figureNames {
		r := Row{scenario, figure, map[string][]float64{}, map[string]Ratio{}}
		for client, rounds := range taken {
			for _, f := range rounds {
				if v, ok := f[figure]; ok {
					r.Rounds[client] = append(r.Rounds[client], v)
				}
			}
		}
		if len(r.Rounds) == 0 {
			continue
		}
		for client, theirs := range r.Rounds {
			if ratio, ok := ratioOf(r.Rounds["mtfleet"], theirs); ok && client != "mtfleet" {
				r.Ratios[client] = ratio
			}
		}
		list = append(list, r)
	}
	return list
}

// ratioOf is none where a client was not there in each round, or took nothing.
func ratioOf(ours, theirs []float64) (r Ratio, ok bool) {
	if len(ours) == 0 || len(ours) != len(theirs) {
		return r, false
	}
	var list []float64
	for i := range ours {
		if theirs[i] <= 0 {
			return r, false
		}
		list = append(list, ours[i]/theirs[i])
	}
	return Ratio{median(list), slices.Min(list), slices.Max(list)}, true
}

func median(list []float64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	if n := len(sorted); n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[len(sorted)/2]
}

// print writes the table: medians, and of ratios the lowest and highest too.
func print(w io.Writer, list []Row, clients []string) {
	fmt.Fprintf(w, "%-42s %-26s", "", "")
	for _, c := range clients {
		fmt.Fprintf(w, " %10s", c)
	}
	for _, c := range clients {
		if c != "mtfleet" {
			fmt.Fprintf(w, "  %-24s", "mtfleet / "+c)
		}
	}
	fmt.Fprintln(w)
	last := ""
	for _, r := range list {
		name := r.Scenario
		if name == last {
			name = ""
		}
		last = r.Scenario
		fmt.Fprintf(w, "%-42s %-26s", name, r.Figure)
		for _, c := range clients {
			if rounds := r.Rounds[c]; len(rounds) > 0 {
				fmt.Fprintf(w, " %10s", figure(median(rounds)))
			} else {
				fmt.Fprintf(w, " %10s", "-")
			}
		}
		for _, c := range clients {
			if c == "mtfleet" {
				continue
			}
			text := "-"
			if q, ok := r.Ratios[c]; ok {
				text = fmt.Sprintf("%s (%s to %s)", figure(q.Median), figure(q.Low), figure(q.High))
			}
			fmt.Fprintf(w, "  %-24s", text)
		}
		fmt.Fprintln(w)
	}
}

// figure is a number with three digits that say something.
func figure(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	case v >= 0.1 || v == 0:
		return strings.TrimSuffix(fmt.Sprintf("%.2f", v), ".00")
	}
	return fmt.Sprintf("%.4f", v)
}
