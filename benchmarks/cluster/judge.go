//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/mtfleet/mtfleet/actors/actorstest"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/pgstore"
)

// foundKind sorts what was found wrong.
type foundKind uint8

const (
	foundLost    foundKind = iota // an account has lost its login, or does not answer
	foundOrphan                   // an authorization whose key nobody has
	foundOverlap                  // two sessions under one key at once
	foundTwice                    // a call that must not run twice did
	foundCall                     // a call ended otherwise than the ledger says
	foundUpdate                   // an update was not told
	foundLogin                    // somebody signed in anew, or made a perm key
	foundDrain                    // a drain made temp keys, or did not end
	foundGap                      // accounts were away for too long
	foundDied                     // a node ended by itself, or did not come or go
	foundKinds
)

// finding is one thing that is wrong.
type finding struct {
	kind    foundKind
	account string // empty: of none
	text    string
}

func (w *world) find(kind foundKind, account, format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.found = append(w.found, finding{kind, account, time.Now().UTC().Format("15:04:05.000 ") + fmt.Sprintf(format, args...)})
}

// evidence is what a run is judged by.
type evidence struct {
	lease   time.Duration
	people  []*person
	calls   []call
	ledger  dctest.Ledger
	verdict dctest.Verdict
	signed  dctest.Counts // when everybody was signed in
	gaps    [causes]gaps
	drained int // temp keys that drains made
}

// judgeAll ends the nodes and judges the run.
func (w *world) judgeAll(ctx context.Context) error {
	end := time.Now()
	var all sync.WaitGroup
	for _, n := range w.nodes {
		all.Go(n.life().stop)
	}
	all.Wait()
	store, err := pgstore.Open(ctx, pgstore.Options{URL: persistence.SecretText(w.server.DSN()), Key: masterKey})
	if err != nil {
		return fmt.Errorf("opening the store in the end: %w", err)
	}
	keys, err := actorstest.StoreKeys(store)
	if err = errors.Join(err, store.Close()); err != nil {
		return fmt.Errorf("reading the store in the end: %w", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	e := evidence{lease: w.lease, people: w.people, calls: w.calls, ledger: w.cluster.Ledger(), signed: w.signed, drained: w.result.DrainKeys}
	e.verdict = e.ledger.Verdict(keys, w.delivered(), end)
	for c := range causes {
		e.gaps[c] = measure(w.gaps[c])
	}
	w.result.count(&e, append(w.found, judge(&e)...), w.dir)
	return nil
}

// longGap is what the p99 of a kind of hand-over may take; those for which nothing is
// promised have none.
func longGap(why cause, lease time.Duration) time.Duration {
	switch why {
	case causeDrain:
		return 2 * time.Second
	case causeKill:
		return lease + 2*time.Second
	}
	return time.Hour
}

// judge says what is wrong, by what the ledger has.
func judge(e *evidence) (all []finding) {
	found := func(kind foundKind, account, format string, args ...any) {
		all = append(all, finding{kind, account, fmt.Sprintf(format, args...)})
	}
	accounts, owner := map[int64]string{}, map[int64]string{}
	for _, p := range e.people {
		accounts[p.user] = p.name
	}
	in := map[int64]bool{}
	for _, a := range e.ledger.Authorizations {
		owner[a.Perm] = accounts[a.UserID]
		if a.Ended.IsZero() && a.Home {
			in[a.UserID] = true
		}
		if !a.Ended.IsZero() {
			found(foundLost, accounts[a.UserID], "its login under key %x ended at %s: %s", uint64(a.Perm), a.Ended.UTC().Format("15:04:05.000"), a.Why)
		}
	}
	for _, p := range e.people {
		if !in[p.user] {
			found(foundLost, p.name, "the ledger has no login of it")
		}
	}
	for _, o := range e.verdict.Orphans {
		found(foundOrphan, accounts[o.UserID], "an orphan: %+v", o)
	}
	for _, o := range e.verdict.Overlaps {
		found(foundOverlap, owner[o.Perm], "an overlap of %.3f s: %+v", float64(o.OlderMax-o.NewerMin)/(1<<32), o)
	}
	for _, u := range e.verdict.LostUpdates {
		found(foundUpdate, accounts[u.UserID], "an update was not told: %+v", u)
	}
	if n := e.ledger.Counts; n.Logins != e.signed.Logins || n.PermKeys != e.signed.PermKeys {
		found(foundLogin, "", "the DCs count %d logins and %d perm keys, and %d and %d when everybody was signed in", n.Logins, n.PermKeys, e.signed.Logins, e.signed.PermKeys)
	}
	if e.drained > 0 {
		found(foundDrain, "", "%d temp keys were made while nodes drained", e.drained)
	}
	for why := range causes {
		if most := longGap(why, e.lease); e.gaps[why].P99 > most.Seconds() {
			found(foundGap, "", "of 100 accounts whose node was %s one did not answer for %.3f s or more: %v is the most", causeNames[why], e.gaps[why].P99, most)
		}
	}
	judgeCalls(e, found)
	return all
}

func judgeCalls(e *evidence, found func(kind foundKind, account, format string, args ...any)) {
	ran := make([]int, len(e.calls))
	for _, r := range e.ledger.Echoes {
		if r.ID >= 1 && r.ID <= int64(len(ran)) {
			ran[r.ID-1] = r.Count
		}
	}
	for i, c := range e.calls {
		name := e.people[c.person].name
		switch {
		case ran[i] > 1:
			found(foundTwice, name, "call %d ran %d times (%s %s)", i+1, ran[i], c.end, c.words)
		case c.end == endOK && ran[i] == 0:
			found(foundCall, name, "call %d was answered and never ran", i+1)
		case c.end == endNotSent && ran[i] > 0:
			found(foundCall, name, "call %d was not sent, it says (%s), and ran", i+1, c.words)
		case c.end == endFailed:
			found(foundCall, name, "call %d failed: %s", i+1, c.words)
		}
	}
	if e.ledger.Counts.Unrecorded > 0 {
		found(foundCall, "", "%d calls were too many to be counted one by one", e.ledger.Counts.Unrecorded)
	}
}

// gaps are how long accounts did not answer that went from one process to another, in
// seconds.
type gaps struct {
	Count int     `json:"count"`
	P50   float64 `json:"p50"`
	P99   float64 `json:"p99"`
	Max   float64 `json:"max"`
}

func measure(list []time.Duration) (g gaps) {
	if len(list) == 0 {
		return g
	}
	list = slices.Sorted(slices.Values(list))
	at := func(percent int) float64 {
		return float64(list[min(len(list)*percent/100, len(list)-1)].Round(time.Millisecond).Milliseconds()) / 1000
	}
	return gaps{len(list), at(50), at(99), at(100)}
}
