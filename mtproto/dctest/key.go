package dctest

import (
	"cmp"
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
)

// authKey is one key of a DC's table, perm or temp, and everything the server keeps per key.
type authKey struct {
	key     *crypt.AuthKey
	dc      *dcState
	created time.Time // by the DC's clock, like every time here

	temp    bool
	media   bool      // made with a negative DC id
	expires time.Time // of a temp key
	gone    bool      // removed from the table

	perm       *authKey // what a temp key is bound to; nil while unbound
	boundUntil time.Time
	temps      []*authKey // of a perm key: the temp keys bound to it

	salts    []salt
	sessions map[int64]*session

	// What initConnection and invokeWithLayer said under this very key.
	inited bool
	layer  int
	app    api.AppInfo
}

func (k *authKey) id() crypt.KeyID { return k.key.ID() }

// owner returns the perm key that queries under k count for, nil for an unbound temp key.
func (k *authKey) owner() *authKey {
	if !k.temp {
		return k
	}
	return k.perm
}

// ownerID is the id of owner, 0 if there is none.
func (k *authKey) ownerID() int64 {
	if o := k.owner(); o != nil {
		return int64(o.id())
	}
	return 0
}

// lookup finds a live key. A temp key that is past its end is removed here.
func (c *Cluster) lookup(now time.Time, d *dcState, id crypt.KeyID) *authKey {
	k := d.keys[id]
	if k == nil || !k.temp {
		return k
	}
	t := d.clock(now)
	if !t.Before(k.expires) {
		c.removeKey(now, k, "expired")
		return nil
	}
	if k.perm != nil && !t.Before(k.boundUntil) {
		c.unbind(k)
	}
	return k
}

// addKey stores what a handshake made.
func (c *Cluster) addKey(now time.Time, d *dcState, key *crypt.AuthKey, firstSalt int64, temp, media bool, life time.Duration) {
	t := d.clock(now)
	k := &authKey{key: key, dc: d, created: t, temp: temp, media: media}
	if temp {
		k.expires = t.Add(min(life, c.cfg.TempKeyMax))
		c.timers.add(now.Add(min(life, c.cfg.TempKeyMax)), func(now time.Time) { c.expire(now, k) })
	}
	k.salts = []salt{{firstSalt, t}}
	d.keys[k.id()] = k
	c.ledger.keyMade(now, k)
}

// expire removes a temp key whose time has come; the DC's clock may have been moved since the timer was set.
func (c *Cluster) expire(now time.Time, k *authKey) {
	if k.gone {
		return
	}
	if left := k.expires.Sub(k.dc.clock(now)); left > 0 {
		c.timers.add(now.Add(left), func(now time.Time) { c.expire(now, k) })
		return
	}
	c.removeKey(now, k, "expired")
}

// removeKey takes a key out of its table with its sessions, and with a perm key its temp keys. Connections stay: the
// next packet under the key gets -404.
func (c *Cluster) removeKey(now time.Time, k *authKey, why string) {
	if k.gone {
		return
	}
	k.gone = true
	delete(k.dc.keys, k.id())
	if len(k.dc.gone) >= maxGone {
		clear(k.dc.gone)
	}
	k.dc.gone[k.id()] = true
	c.ledger.keyGone(now, k, why)
	for _, s := range sortedSessions(k) {
		c.forgetSession(s)
	}
	if k.temp {
		c.unbind(k)
		return
	}
	for _, t := range append([]*authKey(nil), k.temps...) {
		c.removeKey(now, t, why)
	}
	c.api.KeyGone(now, k.dc.id, int64(k.id()))
}

// bind attaches a temp key to its perm key; initConnection is wanted again.
func (c *Cluster) bind(temp, perm *authKey, until time.Time) {
	if temp.perm == nil {
		perm.temps = append(perm.temps, temp)
	}
	temp.perm, temp.boundUntil = perm, until
	temp.inited, temp.layer, temp.app = false, 0, api.AppInfo{}
}

func (c *Cluster) unbind(temp *authKey) {
	p := temp.perm
	if p == nil {
		return
	}
	temp.perm = nil
	for i, t := range p.temps {
		if t == temp {
			p.temps = append(p.temps[:i], p.temps[i+1:]...)
			break
		}
	}
}

// tempKeys lists the live temp keys of a DC that belong to a perm key (0 for all, bound or not).
func (d *dcState) tempKeys(perm int64) []*authKey {
	return slices.DeleteFunc(d.sortedKeys(), func(k *authKey) bool {
		return !k.temp || perm != 0 && k.ownerID() != perm
	})
}

// sortedKeys lists the DC's keys in an order that does not change from run to run.
func (d *dcState) sortedKeys() []*authKey {
	list := make([]*authKey, 0, len(d.keys))
	for _, k := range d.keys {
		list = append(list, k)
	}
	slices.SortFunc(list, func(a, b *authKey) int { return cmp.Compare(a.id(), b.id()) })
	return list
}
