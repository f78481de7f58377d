package world

import (
	"fmt"
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/tl"
)

// This file is how one account cannot hurt another. When the weather has been good
// for long something happens to one account that is its own: nothing else does
// then, so that whatever the others show comes from it.

// hurt is what happens to one account.
type hurt uint8

const (
	hurtPanic  hurt = iota // its connection panics
	hurtWait               // the server wants it to wait, with everything
	hurtCut                // its connections are closed
	hurtRevoke             // another device ends its login
	hurtRecord             // a record that it cannot do without is corrupt when the process starts again
	hurts
)

var hurtNames = [hurts]string{
	hurtPanic: "a panic in its connection", hurtWait: "a flood wait", hurtCut: "connections that are closed",
	hurtRevoke: "a login that is ended", hurtRecord: "a corrupt record",
}

const (
	// hurtFor is how long the others are looked at.
	hurtFor = time.Minute
	// servedMost is how long a call of theirs takes at most; a rotation of their own
	// may hold it.
	servedMost = 5 * time.Second
	// healMost is how long it may take until the one itself is well.
	healMost = 10 * time.Minute
)

// isolate hurts one account and looks at the others.
func (w *world) isolate() {
	r := stream(w.seed, "hurt")
	who, how := w.users[r.IntN(len(w.users))], hurt(r.IntN(int(hurts)))
	if w.opts.Calm || len(w.users) < 2 || len(w.live()) < len(w.nodes) || !w.allOnline(nil) {
		return // who is not online is complained about later
	}
	w.rec.line("%s gets %s", who.name, hurtNames[how])
	w.rec.count.Hurt[how]++
	w.judge.hurt, w.judge.hurtBy = who.name, how
	begun, before := w.sim.Now(), w.homeLinks()
	w.strike(who, how)
	if w.opts.Plant == PlantHurtOthers {
		other := w.users[(who.index+1)%len(w.users)]
		w.rec.line("plant: the connections of %s are closed with it", other.name)
		w.dcs.fault(dctest.Fault{Kind: dctest.FaultCloseConns, Perm: w.homePerm(other)})
	}
	if how == hurtRecord { // all have to connect anew
		for !w.allOnline(who) && w.sim.Now().Sub(begun) < 2*time.Minute {
			w.sim.RunFor(time.Second)
		}
	}
	for _, u := range w.users {
		w.probe(u, u != who)
	}
	w.sim.RunFor(hurtFor)
	w.unhurt(who, how, before, begun)
	w.judge.hurt = ""
	w.heal(who, how)
}

// strike does it.
func (w *world) strike(u *user, how hurt) {
	perm := w.homePerm(u)
	switch how {
	case hurtPanic:
		for _, l := range w.homeLinks()[u] {
			l.panics = true
		}
	case hurtWait:
		w.dcs.fault(dctest.Fault{Kind: dctest.FaultRPC, Perm: perm, Wait: dctest.Duration(30 * time.Second), Count: 1})
	case hurtCut:
		w.dcs.fault(dctest.Fault{Kind: dctest.FaultCloseConns, Perm: perm})
	case hurtRevoke:
		w.judge.forgotten(u.name)
		w.dcs.script(func(b *api.Backend, now time.Time) error { return b.RevokeKey(now, u.HomeDC, perm) })
	case hurtRecord:
		w.disk.corrupt = &persistence.Key{Account: persistence.AccountID(u.name), Kind: persistence.KindAccount}
		if p, _, _ := w.at(u); p != nil {
			p.crashes("to find a corrupt record")
		}
		w.sim.RunFor(10 * time.Second)
		w.settle(u) // where others have taken what it had
	}
}

// unhurt compares: the others are online, by the connections that they had.
func (w *world) unhurt(who *user, how hurt, before map[*user][]*link, begun time.Time) {
	after, rotated := w.homeLinks(), w.rotated(begun)
	for _, u := range w.users {
		if u == who {
			continue
		}
		if a, err := w.account(u); err != nil || a.Status().State != actors.Online {
			w.judge.Complain("%s was hurt by %s, and %s is not online: %v", who.name, hurtNames[how], u.name, err)
		}
		if how != hurtRecord && !rotated[w.homePerm(u)] && !slices.Equal(before[u], after[u]) {
			w.judge.Complain("%s was hurt by %s, and %s has other connections than before", who.name, hurtNames[how], u.name)
		}
	}
}

// heal waits until the one is well.
func (w *world) heal(u *user, how hurt) {
	begun := w.sim.Now()
	if how == hurtRecord {
		w.disk.corrupt = nil // from a backup
		if err := w.resumeAfterwards(u); err != nil {
			w.judge.Complain("%s does not come back from a corrupt record: %v", u.name, err)
		}
	}
	for !w.allOnline(nil) && w.sim.Now().Sub(begun) < healMost {
		w.sim.RunFor(time.Second)
	}
}

func (w *world) resumeAfterwards(u *user) error {
	ctx, cancel := w.within(patience)
	defer cancel()
	a, err := w.account(u)
	if err != nil {
		return err
	}
	if st := a.Status(); st.State != actors.Quarantined {
		return fmt.Errorf("it is %v: %s", st.State, st.Why)
	}
	return a.Resume(ctx)
}

// allOnline tells whether everybody is online, but for one.
func (w *world) allOnline(but *user) bool {
	return !slices.ContainsFunc(w.users, func(u *user) bool {
		a, err := w.account(u)
		return u != but && (err != nil || a.Status().State != actors.Online)
	})
}

// probe makes a call; one that has to be served is answered soon.
func (w *world) probe(u *user, served bool) {
	p, a, err := w.at(u)
	if err != nil {
		return // complained about by who looks at states
	}
	who, how, begun := w.judge.hurt, w.judge.hurtBy, w.sim.Now()
	q := &echo.EchoRequest{ID: w.judge.begin(p, u.name, true)}
	a.Start(q, func(body tl.Raw, err error) {
		w.judge.ended(u.name, q, body, err)
		if took := w.sim.Now().Sub(begun); served && (err != nil || took > servedMost) {
			w.judge.Complain("%s was hurt by %s, and a call of %s took %v: %v", who, hurtNames[how], u.name, took, err)
		}
	}, actors.WithPolicy(actors.Once))
}

// homePerm is the perm key under which a user is signed in at home, 0 for none.
func (w *world) homePerm(u *user) int64 {
	for _, row := range w.dcs.api.Authorizations() {
		if row.UserID == u.ID && row.Home && row.Ended.IsZero() {
			return row.Perm
		}
	}
	return 0
}

// homeLinks are the open connections of all users at home, but those for media.
func (w *world) homeLinks() map[*user][]*link {
	of := map[int64]*user{}
	for _, u := range w.users {
		of[w.homePerm(u)] = u
	}
	links := map[*user][]*link{}
	for _, c := range w.dcs.core.Connections() {
		u, l := of[c.Perm], w.dcs.conns[c.ID]
		if u != nil && c.DC == u.HomeDC && l.reason == nil && !l.media {
			links[u] = append(links[u], l)
		}
	}
	return links
}

// rotated are the perm keys whose temp keys were replaced since a time, or shortly
// before: a connection under an old one listens for a minute.
func (w *world) rotated(since time.Time) map[int64]bool {
	perms := map[int64]bool{}
	for _, b := range w.dcs.core.Ledger().Binds {
		if b.At.After(since.Add(-2 * time.Minute)) {
			perms[b.Perm] = true
		}
	}
	return perms
}
