package world

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/tl"
)

// judge collects what callers and listeners saw, and holds it against the
// ledger at the end.
type judge struct {
	rec        *recorder
	complaints []string
	calls      []*call // by echo id - 1
	delivered  map[string]map[int32]bool
	thisLife   map[string]map[int32]bool // by account; an update comes once in a process
	paused     map[string]bool           // by account: paused in this life
	harsh      bool
	life       int
	updates    int // heard
}

// maxComplaints bounds what is kept: the first says what is wrong.
const maxComplaints = 100

// call is one call and how it ended.
type call struct {
	id   int64
	user string
	once bool
	size int
	life int
	ends int
	dead bool // its process crashed: nobody is told
	err  error
}

func newJudge(rec *recorder, harsh bool) *judge {
	return &judge{
		rec: rec, harsh: harsh, paused: map[string]bool{},
		delivered: map[string]map[int32]bool{}, thisLife: map[string]map[int32]bool{},
	}
}

func (j *judge) complain(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	j.rec.line("COMPLAINT: %s", text)
	if len(j.complaints) < maxComplaints {
		j.complaints = append(j.complaints, text)
	}
}

// begin notes a call.
func (j *judge) begin(user string, once bool, size, life int) *call {
	c := &call{id: int64(len(j.calls) + 1), user: user, once: once, size: size, life: life}
	j.calls = append(j.calls, c)
	j.rec.count.Calls++
	j.rec.line("%s calls %d (once %v)", user, c.id, once)
	return c
}

// ended notes the end of a call.
func (j *judge) ended(c *call, body tl.Raw, err error) {
	c.ends++
	c.err = err
	text := "ok"
	if err != nil {
		text = err.Error()
	}
	j.rec.line("call %d of %s ends: %s", c.id, c.user, strings.ReplaceAll(text, "\n", "; "))
	if err != nil {
		return
	}
	r := tl.NewReader(body)
	got := (&echo.EchoRequest{}).ParseResult(r)
	if err := r.End(); err != nil || got.ID != c.id || len(got.Payload) != c.size {
		j.complain("call %d was answered with %v, %v", c.id, got, err)
	}
}

// died ends the calls of a process that crashed.
func (j *judge) died(life int) {
	for _, c := range j.calls {
		if c.life == life && c.ends == 0 {
			c.dead = true
		}
	}
}

// closed holds a manager that closed to its calls.
func (j *judge) closed(life int) {
	for _, c := range j.calls {
		if c.life == life && c.ends == 0 {
			j.complain("call %d of %s was not ended by the closing manager", c.id, c.user)
		}
	}
}

// hear takes one event of a life of the manager.
func (j *judge) hear(life int, ev actors.Event) {
	if life != j.life {
		j.life = life
		clear(j.thisLife)
		clear(j.paused)
	}
	switch ev.Kind {
	case actors.EventState:
		j.rec.line("%s is %v: %s", ev.Account, ev.Status.State, ev.Status.Why)
		switch ev.Status.State {
		case actors.Paused:
			j.paused[ev.Account] = true
		case actors.Revoked, actors.Duplicated, actors.Quarantined, actors.SignedOut:
			j.complain("%s became %v: %s", ev.Account, ev.Status.State, ev.Status.Why)
		}
	case actors.EventMissed:
		j.complain("%s: %d events were missed", ev.Account, ev.Missed)
	case actors.EventUpdate:
		if ev.Pts == 0 {
			return
		}
		if mark(j.thisLife, ev) && (j.harsh || !j.paused[ev.Account]) {
			j.complain("%s: the update with pts %d came twice in one process", ev.Account, ev.Pts)
		}
		mark(j.delivered, ev)
	}
}

func mark(all map[string]map[int32]bool, ev actors.Event) (again bool) {
	if all[ev.Account] == nil {
		all[ev.Account] = map[int32]bool{}
	}
	again = all[ev.Account][ev.Pts]
	all[ev.Account][ev.Pts] = true
	return again
}

// auditCalls holds the end of every call against what the server did.
func (j *judge) auditCalls(ran func(id int64) int) {
	good := 0
	for _, c := range j.calls {
		n := ran(c.id)
		_, refused := tgerr.As(c.err)
		notSent, mayHaveRun := errors.Is(c.err, actors.ErrNotSent), errors.Is(c.err, actors.ErrMayHaveRun)
		if c.err == nil || c.dead {
			good++
		}
		switch {
		case c.once && n > 1:
			j.complain("call %d of %s must not run twice and ran %d times: %v", c.id, c.user, n, c.err)
		case c.dead && c.ends == 0:
		case c.ends != 1:
			j.complain("call %d of %s ended %d times", c.id, c.user, c.ends)
		case c.err == nil && n == 0:
			j.complain("call %d of %s has a result and never ran", c.id, c.user)
		case c.err != nil && !refused && notSent == mayHaveRun:
			j.complain("call %d of %s ended with %q: not sent %v, may have run %v", c.id, c.user, c.err, notSent, mayHaveRun)
		case c.once && notSent && n > 0:
			j.complain("call %d of %s was not sent, it says, and ran %d times: %v", c.id, c.user, n, c.err)
		}
	}
	j.rec.line("%d of %d calls have a result or died with their process", good, len(j.calls))
}

// auditLedger holds keys, sessions and updates against the ledger.
func (j *judge) auditLedger(l dctest.Ledger, keys []dctest.StoreKey, users []*user, skewed bool, now time.Time) {
	var delivered []dctest.Delivered
	for _, u := range users {
		d := dctest.Delivered{UserID: u.ID}
		for pts := range j.delivered[u.name] { // looked up by who judges, in any order
			d.Pts = append(d.Pts, pts)
		}
		delivered = append(delivered, d)
	}
	v := l.Verdict(keys, delivered, now.Add(-10*time.Second))
	for _, o := range v.Overlaps {
		if !skewed { // a clock set back makes later msg_ids smaller
			j.complain("two main sessions at once for %.6f s: %+v", float64(o.OlderMax-o.NewerMin)/(1<<32), o)
		}
	}
	for _, o := range v.Orphans {
		j.complain("orphan: an authorized key that the store does not have: %+v", o)
	}
	for _, u := range v.LostUpdates {
		j.complain("lost update: user %d, pts %d, pushed at %v", u.UserID, u.Pts, u.At)
	}
}

// keysOf lists the perm keys of a store.
func keysOf(s persistence.Store) (keys []dctest.StoreKey, err error) {
	ids, err := s.Accounts()
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		records, err := s.Load(id)
		if err != nil {
			return nil, err
		}
		state, err := persistence.DecodeState(records)
		if err != nil {
			return nil, err
		}
		for _, p := range state.PermKeys {
			keys = append(keys, dctest.StoreKey{DC: p.DC, ID: p.KeyID})
		}
	}
	return keys, nil
}
