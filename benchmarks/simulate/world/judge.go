package world

import (
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/actorstest"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/tl"
)

// judge is the auditor of the run, and the timeline of what it is told.
type judge struct {
	*actorstest.Auditor
	rec     *recorder
	calls   int64 // begun; their echo ids are 1, 2, 3 …
	updates int   // heard in the run
	posts   int   // of them, of channels and with a pts

	late     *actors.Event    // that a plant holds back
	returned map[returned]int // updates heard since an account came back

	leaving  map[string]bool // accounts that are logged out on purpose
	absences []absence
	accounts map[int64]string   // of users
	logins   map[string][]login // of each account, in order
	moved    []moved

	waits   map[string]time.Time           // until when the calls of an account wait that was told so
	waitOf  map[int64]time.Time            // and that when a call was made
	waitEnd func(account string) time.Time // when the DCs let its calls run again
	came    func(id int64) time.Time       // when a call came to a DC first, zero for never

	// Accounts whose logout failed, of several nodes: it may have come to the server,
	// and not to the database that says what another node begins with.
	halfOut map[string]bool

	// What the database has forgotten: records that nobody has written since, and keys,
	// with when that was.
	lost     map[persistence.Key]bool
	lostKeys map[dctest.StoreKey]time.Time

	doomed map[string]bool // accounts whose home key was forgotten: they may be revoked

	hurt   string // the one account that something happens to just now, alone; empty: none
	hurtBy hurt
}

// returned is a stay of an account in a channel.
type returned struct {
	account string
	box     actors.Box
	stay    int
}

func newJudge(rec *recorder, skewed bool) *judge {
	j := &judge{Auditor: actorstest.NewAuditor(), rec: rec, doomed: map[string]bool{}, halfOut: map[string]bool{}, lost: map[persistence.Key]bool{}, lostKeys: map[dctest.StoreKey]time.Time{}, leaving: map[string]bool{}, accounts: map[int64]string{}, logins: map[string][]login{}, waits: map[string]time.Time{}, waitOf: map[int64]time.Time{}, returned: map[returned]int{}}
	j.Skewed, j.Rough = skewed, true
	j.Excused = func(u api.UpdateRecord) bool { return j.absent(u) || j.past(u) }
	j.OnComplaint = func(text string) { rec.line("COMPLAINT: %s", text) }
	return j
}

// forgotten tells that an account's home DC forgot its key.
func (j *judge) forgotten(account string) {
	j.doomed[account] = true
	j.Relogins = true
}

// begin notes a call and returns its id.
func (j *judge) begin(p *process, user string, once bool) int64 {
	j.calls++
	j.rec.count.Calls++
	j.rec.line("%s calls %d (once %v)", user, j.calls, once)
	j.BegunIn(p.life, j.calls, once)
	j.waiting(user, j.calls)
	return j.calls
}

// ended notes the end of a call.
func (j *judge) ended(user string, q *echo.EchoRequest, body tl.Raw, err error) {
	text := "ok"
	if err != nil {
		text = actors.Words(err)
	}
	j.rec.line("call %d of %s ends: %s", q.ID, user, text)
	j.Ended(q.ID, err)
	j.auditWait(user, q.ID, err)
	if err != nil {
		return
	}
	r := tl.NewReader(body)
	got := q.ParseResult(r)
	if err := r.End(); err != nil || got.ID != q.ID || len(got.Payload) != len(q.Payload) {
		j.Complain("call %d was answered with %d and %d bytes, %v", q.ID, got.ID, len(got.Payload), err)
	}
}

// hear takes one event.
func (j *judge) hear(p *process, ev actors.Event) {
	switch ev.Kind {
	case actors.EventState:
		j.rec.line("%s is %v: %s", ev.Account, ev.Status.State, ev.Status.Why)
		if p.late(ev) {
			return
		}
		if s := ev.Status.State; s == actors.Revoked || s == actors.SignedOut {
			j.loginOver(ev.Account, j.rec.now())
		}
		switch {
		case j.hurt == "" || j.hurtBy == hurtRecord && ev.Account != j.hurt:
		case ev.Account != j.hurt:
			j.Complain("%s was hurt by %s, and %s is %v: %s", j.hurt, hurtNames[j.hurtBy], ev.Account, ev.Status.State, ev.Status.Why)
		case j.hurtBy == hurtRecord && ev.Status.State == actors.Quarantined:
			return
		}
		if ev.Status.State == actors.Revoked && (j.doomed[ev.Account] || p.access != nil && (j.leaving[ev.Account] || j.halfOut[ev.Account])) || ev.Status.State == actors.SignedOut && (j.leaving[ev.Account] || p.w.user(ev.Account).forgotten) {
			return
		}
	case actors.EventUpdate:
		j.begins(ev)
	case actors.EventHole:
		j.begins(ev)
		j.rec.line("%s has a hole in %v from %+v to %+v", ev.Account, ev.Box, ev.From, ev.To)
	}
	j.HearIn(p.life, ev)
}

// back counts the updates of a channel since an account came back to it, this one
// included; 0 for one that is of no such stay.
func (j *judge) back(w *world, ev actors.Event) int {
	n, last := w.dcs.stays(ev.Box.Channel, w.user(ev.Account).ID)
	if n < 2 || !last.Until.IsZero() || ev.Pts <= last.FromPts {
		return 0
	}
	id := returned{ev.Account, ev.Box, n}
	j.returned[id]++
	return j.returned[id]
}

// audit holds it all against the ledger.
func (w *world) audit() {
	for _, u := range w.users {
		w.holdSecrets("a timeline", w.stories[u.name])
	}
	keys, err := actorstest.StoreKeys(w.written())
	if err != nil {
		w.judge.Complain("the store cannot be read at the end: %v", err)
	}
	for k := range w.judge.lostKeys { // nobody can have them in the store
		keys = append(keys, k)
	}
	tally := w.judge.Audit(actorstest.Evidence{
		Ledger: w.dcs.core.Ledger(), Store: keys, Ran: w.dcs.core.Echo, Before: w.sim.Now().Add(-10 * time.Second),
	})
	ledger := w.dcs.core.Ledger()
	w.judge.auditTempKeys(ledger)
	w.rec.count.Updates, w.rec.count.Holes, w.rec.count.Judged = w.judge.updates, tally.Holes, tally.Judged
	w.rec.count.Returns = w.dcs.returns()
	made := w.dcs.core.Counts()
	w.rec.count.Keys, w.rec.count.Binds = made.PermKeys+made.TempKeys, made.Binds
	for _, e := range ledger.Echoes {
		w.rec.count.MediaCalls += e.Media
	}
	for _, k := range ledger.Keys {
		if k.Media {
			w.rec.count.MediaKeys++
		}
	}
	w.rec.line("%d calls: %+v", w.judge.calls, tally)
}
