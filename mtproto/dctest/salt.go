package dctest

import "time"

// salt is one server salt of a key; it is the current one from since until the next begins.
type salt struct {
	value int64
	since time.Time
}

// saltAt returns the salt that is current at t (the DC's clock), extending the list to t and dropping what no longer
// counts.
func (c *Cluster) saltAt(k *authKey, t time.Time) int64 {
	c.extendSalts(k, t)
	cur := 0
	for cur+1 < len(k.salts) && !k.salts[cur+1].since.After(t) {
		cur++
	}
	return k.salts[cur].value
}

// extendSalts makes the list reach beyond t.
func (c *Cluster) extendSalts(k *authKey, t time.Time) {
	period := c.cfg.SaltPeriod
	last := k.salts[len(k.salts)-1].since
	if gap := t.Sub(last); gap > 4*period {
		// A long silence: the salts in between were never shown to anybody.
		skip := gap / period * period
		k.salts = append(k.salts[:0], salt{c.randomInt64(), last.Add(skip)})
		last = k.salts[0].since
	}
	for !last.Add(period).After(t) {
		last = last.Add(period)
		k.salts = append(k.salts, salt{c.randomInt64(), last})
	}
	// Those past period and grace are dropped; the current one always stays.
	drop := 0
	for drop+1 < len(k.salts) && !k.salts[drop+1].since.Add(c.cfg.SaltGrace).After(t) {
		drop++
	}
	k.salts = append(k.salts[:0], k.salts[drop:]...)
}

// saltOK tells whether a client may use this salt at t: the current one, or an earlier one within its grace.
func (c *Cluster) saltOK(k *authKey, t time.Time, value int64) bool {
	c.extendSalts(k, t)
	for i, s := range k.salts {
		// The first counts even if the clock was set back behind its begin.
		if s.value == value && (i == 0 || !s.since.After(t)) {
			return true
		}
	}
	return false
}

// futureSalts returns n salts beginning with the current one.
func (c *Cluster) futureSalts(k *authKey, t time.Time, n int) []salt {
	c.extendSalts(k, t)
	cur := 0
	for cur+1 < len(k.salts) && !k.salts[cur+1].since.After(t) {
		cur++
	}
	for len(k.salts)-cur < n {
		last := k.salts[len(k.salts)-1].since
		k.salts = append(k.salts, salt{c.randomInt64(), last.Add(c.cfg.SaltPeriod)})
	}
	return k.salts[cur : cur+n]
}

// replaceSalts makes every salt of k wrong at once (a fault).
func (c *Cluster) replaceSalts(k *authKey, t time.Time) {
	k.salts = append(k.salts[:0], salt{c.randomInt64(), t})
}
