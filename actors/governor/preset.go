package governor

import (
	"cmp"
	"fmt"
)

// A Budget is what an operator sets, in whole numbers: for each DC by each route,
// and sign-ins for the process.
type Budget struct {
	// Preset is the name of the preset that these numbers are, empty for others.
	Preset                string `json:"preset,omitempty"`
	ConnectsPerSecond     int    `json:"connects_per_second"`
	KeyCreationsPerSecond int    `json:"key_creations_per_second"`
	KeyCreationsAtOnce    int    `json:"key_creations_at_once"` // 0: as many as there are CPUs
	SignInsPerMinute      int    `json:"sign_ins_per_minute"`
}

// Production is for Telegram's servers: what a fleet that starts may cost them, and
// what it takes in return. 2,000 accounts of one home are online after 100 s.
func Production() Budget {
	return Budget{"production", 20, 10, 0, 60}
}

// Loopback is for a test DC on the same machine, which takes what it gets: no result
// of a benchmark is the pace of the governor.
func Loopback() Budget {
	return Budget{"loopback", 2000, 500, 0, 12_000}
}

// Named returns the budget with the name of the preset that it is.
func (b Budget) Named() Budget {
	b.Preset = ""
	for _, p := range []Budget{Production(), Loopback()} {
		name := p.Preset
		if p.Preset = ""; p == b {
			b.Preset = name
		}
	}
	return b
}

// Limits are the limits of a process with so many CPUs. A second's worth of connects
// and keys may come at once, so that a handful of accounts need not queue; of
// sign-ins ten seconds' worth, ten at most.
func (b Budget) Limits(cpus int) Limits {
	const dcs = 5 // an account has one home; all five may be busy at once
	rate := func(perSecond int) Rate { return Rate{PerSecond: float64(perSecond), Burst: perSecond} }
	signIns := Rate{PerSecond: float64(b.SignInsPerMinute) / 60, Burst: min(max(b.SignInsPerMinute/6, 1), 10)}
	return Limits{
		ConnectsPerDC: rate(b.ConnectsPerSecond), Connects: rate(dcs * b.ConnectsPerSecond),
		KeysPerDC: rate(b.KeyCreationsPerSecond), Keys: rate(dcs * b.KeyCreationsPerSecond),
		KeysAtOnce:   cmp.Or(b.KeyCreationsAtOnce, cpus),
		SignInsPerDC: signIns, SignIns: signIns,
	}
}

// String names the budget with its numbers, for a line beside a result.
func (b Budget) String() string {
	atOnce := "as many keys at once as there are CPUs"
	if b.KeyCreationsAtOnce > 0 {
		atOnce = fmt.Sprintf("%d keys at once", b.KeyCreationsAtOnce)
	}
	return fmt.Sprintf("%s: %d connects and %d keys a second for each DC, %s, %d sign-ins a minute",
		cmp.Or(b.Preset, "own numbers"), b.ConnectsPerSecond, b.KeyCreationsPerSecond, atOnce, b.SignInsPerMinute)
}

// String tells the limits with what zero ones stand for, for a line beside the
// result of what is not paced by a Budget.
func (l Limits) String() string {
	l = l.withDefaults()
	pair := func(what string, each, all Rate) string {
		return fmt.Sprintf("%v %s a second for each DC (%d at once), %v for all (%d)", each.PerSecond, what, each.Burst, all.PerSecond, all.Burst)
	}
	return fmt.Sprintf("%s; %s, %d in the making; %s", pair("connects", l.ConnectsPerDC, l.Connects), pair("keys", l.KeysPerDC, l.Keys),
		l.KeysAtOnce, pair("sign-ins", l.SignInsPerDC, l.SignIns))
}
