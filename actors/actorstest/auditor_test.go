package actorstest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// run is one made-up run: what callers and the stream told, and the evidence.
type run struct {
	audit *Auditor
	ran   map[int64]int
	e     Evidence
}

// newRun is a run of one account, key 7 on DC 2, in which nothing went wrong:
// call 1 was answered and the update with pts 1 came.
func newRun() *run {
	r := &run{audit: NewAuditor(), ran: map[int64]int{1: 1}}
	r.e = Evidence{
		Store: []dctest.StoreKey{{DC: 2, ID: 7}}, Before: noon.Add(time.Hour),
		Ran: func(id int64) int { return r.ran[id] },
		Ledger: dctest.Ledger{
			Counts:         dctest.Counts{Logins: 1},
			Logins:         []api.Login{{Method: "auth.signIn"}},
			Authorizations: []api.Authorization{{DC: 2, Perm: 7, UserID: 42, Home: true, Created: noon}},
			Updates:        []api.UpdateRecord{{UserID: 42, Pts: 1, At: noon.Add(time.Minute)}},
		},
	}
	r.audit.Left = func(user, channel int64) (pts int32) {
		for _, m := range r.e.Ledger.Memberships {
			if m.UserID == user && m.Channel == channel {
				pts = max(pts, m.UntilPts)
			}
		}
		return pts
	}
	r.audit.SignedIn("alice", 42)
	r.audit.Opened()
	r.audit.Begun(1, true)
	r.audit.Ended(1, nil)
	r.update(1)
	return r
}

func (r *run) update(pts int32) {
	r.audit.Hear(actors.Event{Kind: actors.EventUpdate, Account: "alice", Box: actors.Box{Kind: actors.BoxCommon}, Pts: pts})
}

// channel is the box of the channel in which member makes the account one.
var channel = actors.Box{Kind: actors.BoxChannel, Channel: 9}

func (r *run) member() {
	r.e.Ledger.Memberships = append(r.e.Ledger.Memberships, api.Membership{Channel: 9, UserID: 42, From: noon, FromPts: 1})
}

// leave ends the last stay in that channel at a pts; back begins another.
func (r *run) leave(pts int32) {
	m := &r.e.Ledger.Memberships[len(r.e.Ledger.Memberships)-1]
	m.Until, m.UntilPts = noon.Add(time.Minute), pts
}

func (r *run) back(pts int32) { r.member(); r.e.Ledger.Memberships[1].FromPts = pts }

// log is that the server logged a message, in a channel or in the user's own box.
func (r *run) log(channel int64, pts, id int32) {
	u := api.UpdateRecord{Channel: channel, Pts: pts, Kind: "message", Message: id, At: noon.Add(time.Minute)}
	if channel == 0 {
		u.UserID = 42
	}
	r.e.Ledger.Updates = append(r.e.Ledger.Updates, u)
}

// message is that a new message came.
func (r *run) message(box actors.Box, id, pts int32) {
	update := tl.AppendUint32(nil, updateNewMessageID)
	update = tl.AppendUint32(update, 0x90a6ca84) // messageEmpty: flags, id
	update = tl.AppendInt32(tl.AppendUint32(update, 0), id)
	update = tl.AppendInt32(tl.AppendInt32(update, pts), 1)
	r.audit.Hear(actors.Event{Kind: actors.EventUpdate, Account: "alice", Box: box, Pts: pts, Update: update})
}

func (r *run) hole(box actors.Box, from, to int32) {
	r.audit.Hear(actors.Event{Kind: actors.EventHole, Account: "alice", Box: box, From: actors.Place{Pts: from}, To: actors.Place{Pts: to}})
}

func (r *run) call(id int64, once bool, ran int, err error) {
	r.audit.Begun(id, once)
	r.audit.Ended(id, err)
	r.ran[id] = ran
}

func TestTheAuditorFindsWhatIsPlanted(t *testing.T) {
	notSent, mayHaveRun := fmt.Errorf("x: %w", actors.ErrNotSent), fmt.Errorf("x: %w", actors.ErrMayHaveRun)
	for _, c := range []struct {
		name  string
		plant func(r *run)
		want  string // "": nothing is wrong
	}{
		{"nothing", func(*run) {}, ""},
		{"a call whose process was killed", func(r *run) { r.audit.Begun(2, true); r.audit.Died(); r.audit.Unended(r.e.Ran) }, ""},
		{"a call that ran twice before its process was killed", func(r *run) {
			r.audit.Begun(2, true)
			r.ran[2] = 2
			r.audit.Died()
		}, "call 2 must not run twice and ran 2 times"},
		{"a call that the server refused", func(r *run) { r.call(2, true, 1, tgerr.New(400, "X")) }, ""},
		{"a lost answer to a call that ran once", func(r *run) { r.call(2, true, 1, mayHaveRun) }, ""},
		{"a lost answer to a call that did not run", func(r *run) { r.call(2, true, 0, mayHaveRun) }, ""},
		{"a repeatable call that ran thrice", func(r *run) { r.call(2, false, 3, nil) }, ""},
		{"a call that is still under way", func(r *run) { r.audit.Begun(2, true); r.audit.Unended(r.e.Ran) }, "call 2 (once true) has not ended; it ran 0 times"},
		{"a call that never ended", func(r *run) { r.audit.Begun(2, true) }, "call 2 ended 0 times"},
		{"a call that ended twice", func(r *run) { r.audit.Ended(1, nil) }, "call 1 ended 2 times"},
		{"an id used for two calls", func(r *run) { r.audit.Begun(1, true); r.audit.Ended(1, nil) }, "call 1 was made twice"},
		{"a call that must not run twice and did", func(r *run) { r.call(2, true, 2, nil) }, "call 2 must not run twice and ran 2 times"},
		{"a result from nowhere", func(r *run) { r.call(2, false, 0, nil) }, "call 2 has a result and never ran"},
		{"a call that was not sent and ran", func(r *run) { r.call(2, true, 1, notSent) }, "call 2 was not sent, it says, and ran 1 times"},
		{"a local end that does not say what became of it", func(r *run) { r.call(2, true, 0, errors.New("x")) }, "not sent false, may have run false"},
		{"a local end that says both", func(r *run) { r.call(2, true, 0, errors.Join(notSent, mayHaveRun)) }, "not sent true, may have run true"},
		{"hardly any result", func(r *run) {
			for id := int64(2); id < 9; id++ {
				r.call(id, true, 0, notSent)
			}
		}, "of 8 calls only 1 have a result"},

		{"an update twice in one process", func(r *run) { r.update(1) }, "alice: the update with pts 1 of common came twice in one process"},
		{"an update twice in two processes", func(r *run) { r.audit.Opened(); r.update(1) }, ""},
		{"a call of another process than that which was killed", func(r *run) {
			r.audit.BegunIn(1, 2, true)
			r.audit.DiedIn(2)
			r.audit.UnendedIn(2, r.e.Ran)
			r.audit.UnendedIn(1, r.e.Ran)
		}, "call 2 (once true) has not ended"},
		{"an update twice, of which another process brought one", func(r *run) {
			r.audit.HearIn(2, actors.Event{Account: "alice", Kind: actors.EventState, Status: &actors.Status{State: actors.Online}})
			r.update(1)
		}, ""},
		{"an update again when the account was given away meanwhile", func(r *run) { r.audit.Taken("alice"); r.update(1) }, ""},
		{"an update without a place", func(r *run) { r.update(0); r.update(0) }, ""},
		{"an update behind a later one", func(r *run) { r.update(3); r.update(2) }, "alice: the update with pts 2 of common came after 3"},
		{"a message by its id", func(r *run) {
			r.log(0, 2, 7)
			r.message(actors.Box{Kind: actors.BoxCommon}, 7, 0)
		}, ""},
		{"another message", func(r *run) {
			r.log(0, 2, 7)
			r.message(actors.Box{Kind: actors.BoxCommon}, 8, 0)
		}, "lost update: "},
		{"a message twice in one process", func(r *run) {
			r.message(channel, 7, 5)
			r.message(channel, 7, 0)
		}, "alice: the message 7 of channel:9 came twice in one process"},
		{"a channel's update that never came", func(r *run) {
			r.member()
			r.message(channel, 7, 5)
			r.log(9, 6, 8)
		}, "lost update: "},
		{"a channel's update before the first that was heard", func(r *run) {
			r.member()
			r.message(channel, 7, 5)
			r.log(9, 4, 6)
		}, ""},
		{"an update of a channel that was never heard of", func(r *run) { r.member(); r.log(9, 4, 6) }, "lost update: "},
		{"a hole in a channel", func(r *run) {
			r.member()
			r.message(channel, 7, 5)
			r.log(9, 6, 8)
			r.hole(channel, 5, 6)
		}, "lost update: "},
		{"a hole in a channel of a DC that forgets", func(r *run) {
			r.audit.Floors = true
			r.member()
			r.message(channel, 7, 5)
			r.log(9, 6, 8)
			r.hole(channel, 5, 6)
		}, ""},
		{"a hole in a channel that the account could not ask any more", func(r *run) {
			r.member()
			r.message(channel, 7, 5)
			r.log(9, 6, 8)
			r.log(9, 7, 9)
			r.leave(7)
			r.hole(channel, 5, 6)
			r.message(channel, 9, 7)
		}, ""},
		{"a hole in a channel before the account left it", func(r *run) {
			r.member()
			r.message(channel, 7, 5)
			r.log(9, 6, 8)
			r.log(9, 7, 9)
			r.hole(channel, 5, 6)
			r.message(channel, 9, 7)
			r.leave(7)
		}, "lost update: "},
		{"a hole in a channel after the account came back", func(r *run) {
			r.member()
			r.message(channel, 7, 5)
			r.leave(5)
			r.back(6)
			r.message(channel, 9, 7)
			r.log(9, 8, 10)
			r.hole(channel, 7, 8)
		}, "lost update: "},
		{"what was logged while the account was away", func(r *run) {
			r.member()
			r.message(channel, 7, 5)
			r.leave(5)
			r.log(9, 6, 8)
			r.back(6)
			r.message(channel, 9, 7)
			r.log(9, 7, 9)
		}, ""},
		{"an update lost after the account came back", func(r *run) {
			r.member()
			r.message(channel, 7, 5)
			r.leave(5)
			r.back(6)
			r.message(channel, 9, 7)
			r.log(9, 8, 10)
		}, "lost update: "},
		{"an update of before that was lost, named by the hole of coming back", func(r *run) {
			r.member()
			r.log(9, 4, 6)
			r.message(channel, 5, 3)
			r.message(channel, 7, 5)
			r.leave(5)
			r.back(6)
			r.log(9, 7, 9)
			r.hole(channel, 0, 7)
		}, "lost update: "},
		{"a hole before anything was heard", func(r *run) { r.member(); r.log(9, 4, 6); r.hole(channel, 0, 4) }, ""},
		{"an update that never came", func(r *run) {
			r.e.Ledger.Updates = append(r.e.Ledger.Updates, api.UpdateRecord{UserID: 42, Pts: 2, At: noon.Add(2 * time.Minute)})
		}, "lost update: "},
		{"no update at all", func(r *run) { r.e.Ledger.Updates = nil }, "no update was judged"},
		{"none that is old enough", func(r *run) { r.e.Ledger.Updates[0].At = r.e.Before.Add(time.Second) }, "no update was judged"},
		{"an update logged at the very end", func(r *run) {
			r.e.Ledger.Updates = append(r.e.Ledger.Updates, api.UpdateRecord{UserID: 42, Pts: 2, At: noon.Add(2 * time.Hour)})
		}, ""},
		{"events that nobody read in time", func(r *run) {
			r.audit.Hear(actors.Event{Kind: actors.EventMissed, Account: "alice", Missed: 3})
		}, "alice: 3 events were missed"},
		{"a login lost", func(r *run) {
			r.audit.Hear(actors.Event{Kind: actors.EventState, Account: "alice", Status: &actors.Status{State: actors.Revoked}})
		}, "alice became "},
		{"an account that connects", func(r *run) {
			r.audit.Hear(actors.Event{Kind: actors.EventState, Account: "alice", Status: &actors.Status{State: actors.Connecting}})
		}, ""},

		{"a key that the store does not hold", func(r *run) { r.e.Store = nil }, "orphan: "},
		{"a login too many", func(r *run) { r.e.Ledger.Counts.Logins++ }, "2 logins and 0 imports for 1 accounts"},
		{"a login again after a process was killed", func(r *run) { r.audit.Died(); r.e.Ledger.Counts.Logins++ }, ""},
		{"a login carried to another DC", func(r *run) {
			r.e.Ledger.Counts.Logins++
			r.e.Ledger.Logins = append(r.e.Ledger.Logins, api.Login{Method: "auth.importAuthorization"})
		}, ""},
		{"one key used by two sessions at once", func(r *run) { r.e.Ledger.Sessions = overlapping() }, "overlap of "},
		{"the same with clocks set back", func(r *run) { r.audit.Skewed, r.e.Ledger.Sessions = true, overlapping() }, ""},
		{"what somebody else found", func(r *run) { r.audit.Complain("%s is odd", "it") }, "it is odd"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRun()
			c.plant(r)
			r.audit.Audit(r.e)
			got := r.audit.Complaints()
			if c.want == "" && len(got) > 0 || c.want != "" && !slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, c.want) }) {
				t.Errorf("complaints %q, want %q", got, c.want)
			}
		})
	}
}

// overlapping are two main sessions of key 7, the older one still sending after
// the newer one began.
func overlapping() []dctest.SessionRecord {
	return []dctest.SessionRecord{
		{At: noon, DC: 2, Key: 7, Perm: 7, ID: 1, FirstMain: 1 << 32, Last: 9 << 32},
		{At: noon.Add(time.Second), DC: 2, Key: 7, Perm: 7, ID: 2, FirstMain: 5 << 32, Last: 6 << 32},
	}
}

func TestTheAuditorSaysTheSameOfTheSameRun(t *testing.T) {
	var first []string
	for i := range 5 {
		r := newRun()
		for id := int64(2); id < 50; id++ {
			r.audit.Begun(id, true)
		}
		r.audit.Unended(r.e.Ran)
		tally := r.audit.Audit(r.e)
		if got := r.audit.Complaints(); i == 0 {
			first = got
		} else if !slices.Equal(got, first) {
			t.Fatalf("the complaints of run %d are others", i)
		}
		if tally != (Tally{OK: 1, Judged: 1}) {
			t.Errorf("%+v: a call that has not ended is counted", tally)
		}
	}
}

func TestComplaintsAreBounded(t *testing.T) {
	x := NewAuditor()
	for range maxComplaints + 5 {
		x.Complain("again")
	}
	if got := x.Complaints(); len(got) != maxComplaints+1 || got[maxComplaints] != "and 5 complaints more" {
		t.Errorf("%d complaints, the last %q", len(got), got[len(got)-1])
	}
}
