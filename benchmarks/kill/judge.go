package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/actorstest"
	"github.com/mtfleet/mtfleet/actors/timeline"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/persistence/badgerstore"
)

// foundKind sorts what was found wrong.
type foundKind uint8

const (
	foundLost     foundKind = iota // a login that nobody asked to end is gone
	foundOrphan                    // an authorization whose key nobody has
	foundOverlap                   // two sessions under one key at once
	foundTwice                     // a call that must not run twice did
	foundAnswered                  // a caller was answered twice
	foundCall                      // a call ended otherwise than the ledger says
	foundUpdate                    // an update was not told
	foundWait                      // a call was made before its wait was over
	foundKeys                      // more live temp keys in a slot, for calls or for media, than mostTemps
	foundDied                      // the manager ended by itself, or did not start
	foundKinds
)

// finding is one thing that is wrong.
type finding struct {
	kind    foundKind
	account string // empty: of none
	text    string
}

// find notes something that is seen while the run goes on.
func (w *world) find(kind foundKind, account, format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	at := time.Now().UTC().Format("15:04:05.000 ")
	w.found = append(w.found, finding{kind, account, at + fmt.Sprintf(format, args...)})
}

// evidence is what a run is judged by.
type evidence struct {
	people  []suspect
	ledger  dctest.Ledger
	verdict dctest.Verdict
	calls   []call
	runs    []int // of each call, how often it ran
	early   []earlyCall
}

// suspect is an account at the end of a run.
type suspect struct {
	account string
	user    int64
	asked   int    // for the end of its login
	state   string // as the manager shows it
	online  bool
}

// judgeAll closes the manager and judges the run.
func (w *world) judgeAll(ctx context.Context) error {
	e := evidence{calls: w.calls.all, early: w.waits.early}
	end := time.Now()
	if err := w.lookAtAll(ctx, &e); err != nil {
		return err
	}
	if err := w.current().stop(); err != nil {
		w.find(foundDied, "", "the manager did not stop in good order: %v", err)
	}
	store, err := badgerstore.Open(badgerstore.Options{Dir: storeIn(w.dir), Key: masterKey})
	if err != nil {
		return fmt.Errorf("opening the store in the end: %w", err)
	}
	keys, err := actorstest.StoreKeys(store)
	if err = errors.Join(err, store.Close()); err != nil {
		return fmt.Errorf("reading the store in the end: %w", err)
	}
	e.ledger = w.cluster.Ledger()
	e.runs = make([]int, len(e.calls))
	for _, r := range e.ledger.Echoes {
		if r.ID >= 1 && r.ID <= int64(len(e.runs)) {
			e.runs[r.ID-1] = r.Count
		}
	}
	e.verdict = e.ledger.Verdict(keys, w.updates.delivered(), end)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.found = append(w.found, judge(e)...)
	w.result.count(&e)
	return nil
}

// lookAtAll asks for the state and the timeline of every account.
func (w *world) lookAtAll(ctx context.Context, e *evidence) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	s, err := w.service(ctx)
	if err != nil {
		return err
	}
	for _, p := range w.people {
		x := suspect{account: p.name, user: p.user, asked: p.asked, state: "not there"}
		if a, err := control.Show.Call(ctx, s, control.AccountRequest{ID: p.name}); err == nil {
			x.state, x.online = fmt.Sprintf("%s (%s)", a.State, a.Why), a.Status.State == actors.Online && a.UserID == p.user
		}
		e.people = append(e.people, x)
		if line, err := control.Timeline.Call(ctx, s, control.AccountRequest{ID: p.name}); err == nil {
			var text strings.Builder
			_ = timeline.Text(&text, p.name, line.Entries)
			w.timelines[p.name] = text.String()
		}
	}
	return nil
}

// mostTemps is how many temp keys of one slot may live at one time: two in a rotation.
const mostTemps = 2

// judge says what is wrong, by what the ledger has.
func judge(e evidence) (all []finding) {
	found := func(kind foundKind, account, format string, args ...any) {
		all = append(all, finding{kind, account, fmt.Sprintf(format, args...)})
	}
	accounts := map[int64]string{}
	for _, p := range e.people {
		accounts[p.user] = p.account
	}
	owner := map[int64]string{} // by perm key
	for _, a := range e.ledger.Authorizations {
		owner[a.Perm] = accounts[a.UserID]
	}
	judgeLogins(e, found)
	for _, o := range e.verdict.Orphans {
		found(foundOrphan, accounts[o.UserID], "an orphan: %+v", o)
	}
	for _, o := range e.verdict.Overlaps {
		found(foundOverlap, owner[o.Perm], "an overlap of %.3f s: %+v", float64(o.OlderMax-o.NewerMin)/(1<<32), o)
	}
	for _, u := range e.verdict.LostUpdates {
		found(foundUpdate, accounts[u.UserID], "an update was not told: %+v", u)
	}
	for _, x := range e.early {
		found(foundWait, accounts[x.user], "a call came %v before its wait was over", x.by.Round(time.Millisecond))
	}
	for _, s := range e.ledger.TempKeySlots() {
		if s.Most > mostTemps {
			slot := ""
			if s.Media {
				slot = " for media"
			}
			found(foundKeys, owner[s.Perm], "%d live temp keys%s of perm key %x on DC %d at one time:%s", s.Most, slot, uint64(s.Perm), s.DC, keyStory(e.ledger, s))
		}
	}
	for i, c := range e.calls {
		judgeCall(int64(i+1), c, e.runs[i], found)
	}
	return all
}

// keyStory tells of the temp keys of a slot, so that it can be laid beside the timeline.
func keyStory(l dctest.Ledger, s dctest.TempKeySlot) string {
	var b strings.Builder
	clock := func(at time.Time) string {
		if at.IsZero() {
			return "never"
		}
		return at.UTC().Format("15:04:05.000")
	}
	for _, k := range l.Keys {
		if !k.Temp || k.DC != s.DC || k.Perm != s.Perm || k.Media != s.Media {
			continue
		}
		fmt.Fprintf(&b, "\n    %v made %s", timeline.KeyOf(k.ID), clock(k.Created))
		for _, bind := range l.Binds {
			if bind.Temp == k.ID {
				fmt.Fprintf(&b, ", bound %s %s", clock(bind.At), bind.Error)
			}
		}
		fmt.Fprintf(&b, ", gone %s %s", clock(k.Gone), k.Why)
	}
	return b.String()
}

type founder func(kind foundKind, account, format string, args ...any)

// judgeLogins looks for logins that are gone: each account is online in the end, under
// an authorization that the ledger has, and no more logins have ended than somebody
// asked for.
func judgeLogins(e evidence, found founder) {
	live, out := map[int64]int{}, map[int64]int{}
	for _, p := range e.people {
		for _, a := range e.ledger.Authorizations {
			switch {
			case a.UserID != p.user || !a.Home:
			case a.Ended.IsZero():
				live[p.user]++
			case a.Why == "logged_out":
				out[p.user]++
			case a.Why != "replaced": // by a login under the same key
				found(foundLost, p.account, "the login under key %x ended at %s: %s", uint64(a.Perm), a.Ended.UTC().Format("15:04:05.000"), a.Why)
			}
		}
		switch {
		case !p.online:
			found(foundLost, p.account, "in the end it is %s", p.state)
		case live[p.user] == 0:
			found(foundLost, p.account, "it is online, it says, and the ledger has no login of it")
		case live[p.user] > 1:
			found(foundOrphan, p.account, "%d logins of it live at the DCs", live[p.user])
		}
		if out[p.user] > p.asked {
			found(foundLost, p.account, "%d of its logins were logged out, and somebody asked for %d", out[p.user], p.asked)
		}
	}
}

// judgeCall holds the end of a call against how often it ran.
func judgeCall(id int64, c call, ran int, found founder) {
	if c.once && ran > 1 {
		found(foundTwice, c.account, "call %d must not run twice and ran %d times (%s)", id, ran, c.words)
	}
	switch {
	case c.answers > 1:
		found(foundAnswered, c.account, "call %d was answered %d times", id, c.answers)
	case c.end == endOK && (c.answers == 0 || ran == 0):
		found(foundCall, c.account, "call %d ended well, with %d answers, and ran %d times", id, c.answers, ran)
	case c.end == endNotSent && c.once && ran > 0:
		found(foundCall, c.account, "call %d was not sent, it says (%s), and ran %d times", id, c.words, ran)
	case c.end == endNone, c.end == endLost:
		found(foundCall, c.account, "call %d ended without a word, and nobody had killed the manager: %s", id, c.words)
	}
}
