package health

import (
	"fmt"
	"math"

	"github.com/mtfleet/mtfleet/actors"
)

// Fleet is how the accounts are, and what the operator wants of them.
type Fleet struct {
	States map[actors.State]int
	// MinPercent is how many of a hundred accounts that are to be online must be; 0:
	// any number will do.
	MinPercent int
}

// Report is what /fleetz says.
type Report struct {
	OK bool `json:"ok"`
	// Why says what is wrong; empty when nothing is.
	Why string `json:"why,omitempty"`
	// Wanted is how many accounts are to be online, Online how many of them are.
	Wanted int `json:"wanted"`
	Online int `json:"online"`
	// Percent is Online of Wanted, rounded down to tenths, so that it never seems to
	// be enough when it is not; 100 where none is wanted.
	Percent    float64 `json:"online_percent"`
	MinPercent int     `json:"online_min_percent"`
	// States has every state, also those of no account.
	States map[string]int `json:"states,omitempty"`
}

// Wanted reports whether an account in the state is to be online: its owner has
// signed it in, and neither paused it nor let it go. Accounts that the server ended
// count until somebody signs them in again or removes them.
func Wanted(s actors.State) bool {
	switch s {
	case actors.Connecting, actors.Online, actors.Waiting, actors.Frozen, actors.Quarantined, actors.Duplicated, actors.Revoked:
		return true
	}
	return false
}

// Report judges the fleet.
func (f Fleet) Report() Report {
	r := Report{MinPercent: f.MinPercent, Online: f.States[actors.Online], States: map[string]int{}, Percent: 100}
	for s := actors.New; s <= actors.Exported; s++ {
		n := f.States[s]
		r.States[s.String()] = n
		if Wanted(s) {
			r.Wanted += n
		}
	}
	if r.Wanted > 0 {
		r.Percent = math.Floor(float64(r.Online)*1000/float64(r.Wanted)) / 10
	}
	r.OK = r.Online*100 >= r.Wanted*f.MinPercent
	if !r.OK {
		r.Why = fmt.Sprintf("%d of %d accounts that are to be online are: %g %%, and fleet.online_min_percent is %d", r.Online, r.Wanted, r.Percent, f.MinPercent)
	}
	return r
}
