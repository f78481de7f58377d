package actorstest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
)

// Auditor holds a run of one or more managers, one after the other on the same
// store or beside each other on that of a cluster, against the promises. It is told what callers did and what the event
// stream brought, and judges it by the ledger of the test DCs, never by a
// manager's word:
//
//	every call ends once, a call that must not run twice never does, and a local
//	end says truly whether it was sent
//	every update the server logged came, of users and of channels while they are
//	members, or was named by a hole; in one process once, and in the order of its
//	box; and there was one at least
//	no account loses its login
//	no authorized key is neither in the store nor logged out, and none is used
//	by two sessions at once
//
// Complaints are sentences. They come in the order of events and then sorted, so
// that the same run complains in the same words. It is safe for concurrent use.
type Auditor struct {
	// Skewed is set when the clocks of the DCs are set back in the run: later
	// msg_ids are smaller then, and an overlap proves nothing.
	Skewed bool
	// Relogins is set when there may be more logins than accounts: a manager was
	// killed, perhaps between the server's answer to a sign-in and the commit, and
	// signs in again under the same key; or a DC forgot a key.
	Relogins bool
	// Slack is how long two sessions may overlap without a complaint; zero: not
	// at all.
	Slack time.Duration
	// Rough is set when so much goes wrong that most calls may end without a
	// result.
	Rough bool
	// Floors is set when the DCs forget updates before everybody has had them: a
	// hole excuses what it names. Without it a hole is a loss, but for the one with
	// which an account begins in a channel, where it comes or comes back.
	Floors bool
	// Left, if set, tells which pts a channel had when a user left it last, 0 where
	// none did. What a stay brought cannot be asked for when it has ended: from then
	// on a hole in it excuses what it names.
	Left func(user, channel int64) int32
	// Excused, if set, tells whether an update that never came need not have: its
	// user was being logged out, say.
	Excused func(api.UpdateRecord) bool
	// OnComplaint, if set, is told of each complaint at once.
	OnComplaint func(string)

	mu         sync.Mutex // guards the following fields
	users      map[string]int64
	calls      map[int64]callEnd
	delivered  map[string]boxes // by account: what came in the run
	thisLife   map[string]boxes // and in the process that has it
	lives      map[string]int   // which that is
	holes      int
	complaints []string
	more       int // complaints beyond maxComplaints
}

// callEnd is how one call ended.
type callEnd struct {
	once bool
	life int  // of the manager
	dead bool // nobody was left to be told
	err  error
	n    int
}

// maxComplaints bounds what is kept of a run that is wrong throughout: about
// 100 bytes each.
const maxComplaints = 1000

// NewAuditor begins an audit.
func NewAuditor() *Auditor {
	return &Auditor{
		users: map[string]int64{}, calls: map[int64]callEnd{},
		delivered: map[string]boxes{}, thisLife: map[string]boxes{}, lives: map[string]int{},
	}
}

func (x *Auditor) complain(format string, args ...any) {
	if x.OnComplaint != nil {
		x.OnComplaint(fmt.Sprintf(format, args...))
	}
	if len(x.complaints) >= maxComplaints {
		x.more++
		return
	}
	x.complaints = append(x.complaints, fmt.Sprintf(format, args...))
}

// Complain adds what somebody else found wrong.
func (x *Auditor) Complain(format string, args ...any) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.complain(format, args...)
}

// Complaints returns what was found wrong so far.
func (x *Auditor) Complaints() []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	out := slices.Clone(x.complaints)
	if x.more > 0 {
		out = append(out, fmt.Sprintf("and %d complaints more", x.more))
	}
	return out
}

// SignedIn tells which user an account is signed in as.
func (x *Auditor) SignedIn(account string, user int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.users[account] = user
}

// Users returns the users signed in, by account.
func (x *Auditor) Users() map[string]int64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	return maps.Clone(x.users)
}

// Opened tells that a manager was opened: an update comes once in its life.
func (x *Auditor) Opened() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.thisLife = map[string]boxes{}
}

// Hear takes an event of the only manager's stream.
func (x *Auditor) Hear(ev actors.Event) { x.HearIn(0, ev) }

// HearIn takes an event of the stream of one of several managers: an update comes once
// while the account is with one.
func (x *Auditor) HearIn(life int, ev actors.Event) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.lives[ev.Account] != life {
		x.lives[ev.Account] = life
		delete(x.thisLife, ev.Account)
	}
	switch ev.Kind {
	case actors.EventMissed:
		x.complain("%s: %d events were missed", ev.Account, ev.Missed)
	case actors.EventState:
		switch ev.Status.State {
		case actors.Revoked, actors.Duplicated, actors.Quarantined, actors.SignedOut:
			x.complain("%s became %+v", ev.Account, *ev.Status)
		}
	case actors.EventUpdate:
		x.hearUpdate(ev)
	case actors.EventHole:
		x.holes++
		if x.Floors || ev.Box.Kind == actors.BoxChannel && (ev.From.Pts == 0 || x.hasLeft(ev)) {
			boxesOf(x.delivered, ev.Account).of(ev.Box).hole(ev.From.Pts, ev.To.Pts)
		}
	}
}

// hasLeft reports whether a hole in a channel is in a stay that has ended.
func (x *Auditor) hasLeft(ev actors.Event) bool {
	return x.Left != nil && ev.To.Pts <= x.Left(x.users[ev.Account], ev.Box.Channel)
}

// Taken tells that an account is another owner's from now on: an update that came to
// the one before may come again.
func (x *Auditor) Taken(account string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.thisLife, account)
}

// Begun tells that a call with this echo id, never used before, is made; once
// says that it must not run twice.
func (x *Auditor) Begun(id int64, once bool) { x.BegunIn(0, id, once) }

// BegunIn is Begun for a call of one of several managers.
func (x *Auditor) BegunIn(life int, id int64, once bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if _, known := x.calls[id]; known {
		x.complain("call %d was made twice: the audit needs an id for each", id)
	}
	x.calls[id] = callEnd{once: once, life: life}
}

// Ended tells how a call ended.
func (x *Auditor) Ended(id int64, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	c := x.calls[id]
	c.err, c.n = err, c.n+1
	x.calls[id] = c
}

// Died tells that the manager was killed: its calls that have not ended end for
// nobody. They may have run, and still not twice.
func (x *Auditor) Died() { x.DiedIn(0) }

// DiedIn is Died for one of several managers.
func (x *Auditor) DiedIn(life int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.Relogins = true
	for id, c := range x.calls { // each on its own: the order shows nowhere
		if c.n == 0 && c.life == life {
			c.dead = true
			x.calls[id] = c
		}
	}
}

// Unended complains about each call that has not ended by now; ran tells how
// often the server executed an echo id.
func (x *Auditor) Unended(ran func(id int64) int) { x.UnendedIn(0, ran) }

// UnendedIn is Unended for one of several managers.
func (x *Auditor) UnendedIn(life int, ran func(id int64) int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(x.calls)) {
		if c := x.calls[id]; c.n == 0 && !c.dead && c.life == life {
			x.complain("call %d (once %v) has not ended; it ran %d times", id, c.once, ran(id))
		}
	}
}

// Evidence is what the calls and the stream are held against.
type Evidence struct {
	Ledger dctest.Ledger
	Store  []dctest.StoreKey  // what the store holds in the end; see StoreKeys
	Ran    func(id int64) int // how often the server executed an echo id
	Before time.Time          // updates logged later are not judged
}

// Tally counts how calls ended, the holes that were told, and the updates that
// were judged.
type Tally struct{ OK, NotSent, MayHaveRun, Refused, Holes, Judged, Excused int }

// Audit judges a run that is over: the manager is closed, every caller gone. It
// adds to the complaints.
func (x *Auditor) Audit(e Evidence) Tally {
	x.mu.Lock()
	defer x.mu.Unlock()
	tally := x.auditCalls(e.Ran)
	tally.Holes = x.holes
	v := e.Ledger.Verdict(e.Store, x.stream(e.Ledger), e.Before)
	for _, o := range v.Overlaps {
		if !x.Skewed && float64(o.OlderMax-o.NewerMin)/(1<<32) > x.Slack.Seconds() {
			x.complain("overlap of %.6f s: %+v", float64(o.OlderMax-o.NewerMin)/(1<<32), o)
		}
	}
	for _, o := range v.Orphans {
		x.complain("orphan: %+v", o)
	}
	for _, u := range v.LostUpdates {
		if x.Excused != nil && x.Excused(u) {
			tally.Excused++
			continue
		}
		x.complain("lost update: %+v", u)
	}
	if v.Judged == 0 {
		x.complain("no update was judged: that none is lost says nothing")
	}
	tally.Judged = v.Judged
	imports := 0
	for _, l := range e.Ledger.Logins {
		if l.Method == "auth.importAuthorization" {
			imports++
		}
	}
	if logins := e.Ledger.Counts.Logins; logins-imports < len(x.users) || logins-imports > len(x.users) && !x.Relogins {
		x.complain("%d logins and %d imports for %d accounts", logins, imports, len(x.users))
	}
	return tally
}

// stream is what the events brought of each user's own box, and of each channel
// that it was ever in.
func (x *Auditor) stream(l dctest.Ledger) (out []dctest.Delivered) {
	for _, account := range slices.Sorted(maps.Keys(x.users)) {
		user, got := x.users[account], x.delivered[account]
		list := []actors.Box{{Kind: actors.BoxCommon}}
		for _, m := range l.Memberships {
			if box := (actors.Box{Kind: actors.BoxChannel, Channel: m.Channel}); m.UserID == user && !slices.Contains(list, box) {
				list = append(list, box)
			}
		}
		for _, box := range list {
			out = append(out, got.delivered(user, box))
		}
	}
	return out
}

// auditCalls holds the end of every call against what the server did.
func (x *Auditor) auditCalls(executed func(int64) int) (t Tally) {
	dead := 0
	for _, id := range slices.Sorted(maps.Keys(x.calls)) {
		c := x.calls[id]
		switch {
		case c.n > 0:
			t.add(c.err)
		case c.dead:
			dead++
		}
		ran := executed(id)
		_, refused := tgerr.As(c.err)
		notSent, mayHaveRun := errors.Is(c.err, actors.ErrNotSent), errors.Is(c.err, actors.ErrMayHaveRun)
		switch {
		case c.once && ran > 1:
			x.complain("call %d must not run twice and ran %d times: %v", id, ran, c.err)
		case c.n == 0 && c.dead:
		case c.n != 1:
			x.complain("call %d ended %d times", id, c.n)
		case c.err == nil && ran == 0:
			x.complain("call %d has a result and never ran", id)
		case c.err != nil && !refused && notSent == mayHaveRun:
			x.complain("call %d ended with %q: not sent %v, may have run %v", id, c.err, notSent, mayHaveRun)
		case c.once && notSent && ran > 0:
			x.complain("call %d was not sent, it says, and ran %d times: %v", id, ran, c.err)
		}
	}
	if t.OK < (len(x.calls)-dead)/2 && !x.Rough {
		x.complain("of %d calls only %d have a result", len(x.calls), t.OK)
	}
	return t
}

func (t *Tally) add(err error) {
	switch {
	case err == nil:
		t.OK++
	case errors.Is(err, actors.ErrNotSent):
		t.NotSent++
	case errors.Is(err, actors.ErrMayHaveRun):
		t.MayHaveRun++
	default:
		t.Refused++
	}
}
