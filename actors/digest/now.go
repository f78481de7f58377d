package digest

import (
	"slices"
	"time"
)

// An Outage is a DC that many accounts are without, as it is now.
type Outage struct {
	DC int `json:"dc"`
	// Accounts are those that are signed in, at home there, and not online for
	// want of it; Of is how many are signed in altogether.
	Accounts int `json:"accounts"`
	Of       int `json:"of"`
	// Since is when half of them were without it.
	Since time.Time `json:"since"`
	// Why is the most frequent reason.
	Why string `json:"why,omitempty"`
}

// Outages says which DCs more than five accounts are without, in the order of
// their numbers. It looks at how accounts stand now and at nothing before, so
// that it may be asked of a manager that logs nothing.
func Outages(all []Account) []Outage {
	type gone struct {
		since []time.Time
		why   reasons
	}
	signedIn, byDC := 0, map[int]*gone{}
	for _, a := range all {
		if a.SignedIn {
			signedIn++
		}
		if !a.away() {
			continue
		}
		g := byDC[a.DC]
		if g == nil {
			g = &gone{}
			byDC[a.DC] = g
		}
		g.since = append(g.since, a.Since)
		g.why.add(a.Why)
	}
	var list []Outage
	for dc, g := range byDC {
		n := len(g.since)
		if n <= alone {
			continue
		}
		slices.SortFunc(g.since, time.Time.Compare)
		list = append(list, Outage{DC: dc, Accounts: n, Of: signedIn, Since: g.since[(n-1)/2], Why: g.why.most()})
	}
	slices.SortFunc(list, func(a, b Outage) int { return a.DC - b.DC })
	return list
}
