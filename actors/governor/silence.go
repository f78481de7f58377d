package governor

import "time"

const (
	// silentTogether is how close in time the silence of two connections is taken
	// for that of their DC: half of what lies between two pings of one that is
	// idle, so that two of four accounts are enough to find out within it.
	silentTogether = 30 * time.Second
	// suspectAgain is the least time between two suspicions of one DC. Each costs
	// one ping of every connection to it: with 10,000 accounts, six times as many
	// in that time as they send anyway.
	suspectAgain = 30 * time.Second
)

// onSilent suspects a DC whose silence two accounts have noticed. One alone may
// have a dead socket; to find out, each of the others would wait for its own
// ping, which an idle one sends once a minute.
func (g *Governor) onSilent(now time.Time, d *dcState, who uint64) {
	if who == 0 {
		return
	}
	d.silent.add(who, now)
	other := d.silent.but(who)
	if g.tell == nil || other.IsZero() || now.Sub(other) > silentTogether {
		return
	}
	if !d.suspected.IsZero() && now.Sub(d.suspected) < suspectAgain {
		return
	}
	d.suspected = now
	g.tell(Word{Kind: Suspected, DC: d.dc, Route: d.route, Since: now})
}
