package world

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/persistence"
)

// This file is a database that fails over to a standby. One that follows synchronously
// has everything, and nothing may be lost then. Another lacks the last transactions, of
// which whoever made them was told; so it may cost
//
//	a perm key that was made in them, with its login: nobody brings it back, and somebody
//	signs in again; likewise a logout, a removal, a pause, or the end of one
//	the guests' keys that such an account made before it was known
//	a temp key: the DC knows it, until it expires, and no manager
//	a place in the updates: they come again; a channel that was new, and begins anew
//	a wait: who asked is not kept back by it
//
// of accounts of which records were lost, and only as long as these were not written
// anew; nothing else. That a key is used in one place it never costs.

// failOver has a standby take over that lacks what is committed from now on, in some
// time.
func (d *database) failOver(lag, away time.Duration) {
	if d.standby != nil {
		return
	}
	s := d.cluster.Standby()
	d.standby = s
	d.w.sim.AfterFunc(lag, func() {
		if d.standby == s { // it does not where the weather is good by now
			d.takeOver(away)
		}
	})
	d.w.rec.line("database: its standby lags behind for %v", lag)
}

// takeOver has the standby take over; for a while nobody reaches it.
func (d *database) takeOver(away time.Duration) {
	w := d.w
	before := d.records()
	d.cluster.TakeOver(d.standby)
	d.standby = nil
	after := d.records()
	var lost []persistence.Key
	for k, r := range before {
		if now, there := after[k]; !there || !bytes.Equal(now.Data, r.Data) {
			lost = append(lost, k)
		}
	}
	for k := range after {
		if _, there := before[k]; !there {
			lost = append(lost, k)
		}
	}
	slices.SortFunc(lost, func(a, b persistence.Key) int { return cmp.Compare(a.String(), b.String()) })
	w.rec.count.Failovers++
	w.rec.count.Lost += len(lost)
	w.rec.line("database: its standby takes over, which lacks the last change of %d records, and is not reached for %v", len(lost), away)
	for _, p := range w.live() {
		p.cut, p.until = unasked, w.sim.Now().Add(away)
	}
	for _, u := range w.users {
		of := slices.DeleteFunc(slices.Clone(lost), func(k persistence.Key) bool { return string(k.Account) != u.name })
		if len(of) > 0 {
			w.forgets(u, of, before, after)
		}
	}
}

// records are all that the database has.
func (d *database) records() map[persistence.Key]persistence.Record {
	all := map[persistence.Key]persistence.Record{}
	err := d.cluster.Snapshot(context.Background(), func(persistence.Moment) error { return nil }, func(r persistence.Record, err error) error {
		all[r.Key] = r
		return err
	})
	if err != nil {
		d.w.judge.Complain("the database cannot be read: %v", err)
	}
	return all
}

// forgets notes what the database has forgotten of an account.
func (w *world) forgets(u *user, lost []persistence.Key, before, after map[persistence.Key]persistence.Record) {
	j, login := w.judge, false
	for _, k := range lost {
		j.lost[k] = true
		login = login || k.Kind == persistence.KindAccount || k.Kind == persistence.KindLogin
		switch k.Kind {
		case persistence.KindPermKey:
			was, is := permKey(before[k]), permKey(after[k])
			if was != (dctest.StoreKey{}) && was != is {
				j.lostKeys[was] = w.sim.Now()
			}
			login = login || was != is
		case persistence.KindTempKey:
			if key, err := persistence.DecodeTempKey(before[k]); err == nil && after[k].Data == nil {
				j.lostKeys[dctest.StoreKey{DC: key.DC, ID: key.KeyID}] = w.sim.Now()
			}
		case persistence.KindWait:
			delete(j.waits, u.name)
		case persistence.KindChannels:
			j.beginAnew(u.name, w.sim.Now(), before[k], after[k])
		}
	}
	if login {
		w.rec.line("what the database has forgotten is about the login of %s", u.name)
		u.forgotten, u.doubtful = true, true
		j.halfOut[u.name] = true
		j.Relogins = true
		w.isGone(u)
	}
}

// isGone notes that the login of an account is forgotten: until it has another, what is
// for it may be lost.
func (w *world) isGone(u *user) {
	w.judge.absences = append(w.judge.absences, absence{user: u.ID, from: w.sim.Now().Add(-owedMost)})
}

// strays are the perm keys that a commit puts an end to, of accounts whose login is
// forgotten: one that was made before that was known is no part of the next login, and
// nobody logs it out.
func (w *world) strays(c persistence.Commit) (gone []dctest.StoreKey) {
	for _, u := range w.users {
		if !u.forgotten || !concerns(c, u.name) {
			continue
		}
		id := persistence.AccountID(u.name)
		list, _ := w.db.cluster.Load(id)
		for _, r := range list {
			ends := slices.Contains(c.Delete, r.Key) || slices.ContainsFunc(c.Put, func(p persistence.Record) bool { return p.Key == r.Key && permKey(p) != permKey(r) })
			if r.Kind == persistence.KindPermKey && ends {
				gone = append(gone, permKey(r))
			}
		}
	}
	return gone
}

// permKey is the key in a record, zero for none.
func permKey(r persistence.Record) dctest.StoreKey {
	k, err := persistence.DecodePermKey(r)
	if err != nil {
		return dctest.StoreKey{}
	}
	return dctest.StoreKey{DC: k.DC, ID: k.KeyID}
}

// beginAnew notes that an account begins anew with channels that it has forgotten.
func (j *judge) beginAnew(account string, now time.Time, before, after persistence.Record) {
	begins := maps.Clone(j.lastLogin(account).begins)
	was, _ := persistence.DecodeChannels(before)
	is, _ := persistence.DecodeChannels(after)
	for _, c := range was.List {
		if !slices.ContainsFunc(is.List, func(o persistence.Channel) bool { return o.ID == c.ID }) {
			delete(begins, c.ID)
		}
	}
	from := now.Add(-owedMost)
	if had := j.lastLogin(account).from; from.Before(had) {
		from = had
	}
	j.logins[account] = append(j.logins[account], login{from, begins})
}

// reread notes that an account may begin with a place of before.
func (j *judge) reread(id persistence.AccountID) {
	for k := range j.lost {
		if k.Account == id {
			j.Taken(string(id))
			return
		}
	}
}

// rewritten notes that what was forgotten is written anew.
func (j *judge) rewritten(c persistence.Commit) {
	if len(j.lost) == 0 {
		return
	}
	for _, r := range c.Put {
		delete(j.lost, r.Key)
	}
	for _, k := range c.Delete {
		delete(j.lost, k)
	}
}

// misses tells whether an account of somebody who is signed in shows that the database
// has forgotten it.
func (u *user) misses(s actors.State) bool {
	return u.forgotten && u.in && (s == actors.New || s == actors.SigningIn || s == actors.SignedOut || s == actors.Exported)
}

// outlived ends a process that was told that its node is none any more, as it does by
// itself, and has it start again.
func (w *world) outlived(p *process) {
	if p.ends {
		return
	}
	p.ends, p.replaced = true, true
	w.sim.AfterFunc(time.Second, func() {
		w.rec.line("%s ends: it is no node any more", p.title())
		i := slices.IndexFunc(w.nodes, func(n *node) bool { return n.process == p })
		w.end(p)
		if i >= 0 {
			w.nodes[i].process = nil
			w.nodes[i].openIn(5 * time.Second)
		}
	})
}

// recall has, in good weather, every manager begin with what the database has, and those
// signed in again of whom it has forgotten that they were.
func (w *world) recall() {
	some := slices.ContainsFunc(w.users, func(u *user) bool { return u.forgotten })
	if len(w.judge.lost) == 0 && !some {
		return
	}
	w.rec.line("every manager begins with what the database has")
	for _, n := range w.nodes {
		n.restart(false)
		w.sleep(30*time.Second, func() bool { return n.process != nil })
	}
	w.sim.RunFor(2 * time.Minute)
	clear(w.judge.lost)
	for _, u := range w.users {
		a, err := w.account(u)
		missing := errors.As(err, new(*actors.NoAccountError))
		switch {
		case !u.forgotten:
		case u.in && (missing || err == nil && u.misses(a.Status().State)):
			w.isGone(u)
			w.work.Send(revoked{u})
		case u.in: // it has all that it needs
			w.judge.isBack(u.name, u.ID, w.sim.Now())
		}
	}
	w.sim.RunFor(time.Second)
	for begun := w.sim.Now(); !w.allIn() && w.sim.Now().Sub(begun) < proofsMost; {
		w.sim.RunFor(10 * time.Second)
	}
	for _, u := range w.users {
		u.forgotten = false
	}
}

// plantHold frees what waits after a failover: a plant.
func (d *database) plantHold() {
	if d.w.opts.Plant != PlantNoHold || d.w.rec.count.Failovers == 0 {
		return
	}
	d.cluster.EndHold()
	if !d.unheld {
		d.w.rec.line("plant: nothing waits for leases that were forgotten")
	}
	d.unheld = true
}
