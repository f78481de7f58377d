// Package feed is the updates of one account as its actor sees them: the engine
// that orders them, the place they have reached and its record, and the way of what
// they bring to who listens. It is part of the account's actor and has none of its
// own: it never waits, and is used by that actor alone.
package feed

import (
	"log/slog"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/security"
	"github.com/mtfleet/mtfleet/mtproto/updates"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// Host is the account.
type Host interface {
	// Ask runs a query of the engine's at home. Answered follows once, whatever
	// becomes of it.
	Ask(query tl.Object, q Question)
	// Keep has a record written with the account's next commit, or at once with
	// now.
	Keep(rec persistence.Record, now bool)
	// Update is told each update in order, once per process; Hole what will not
	// come; Notice what an update says about the account's safety, after it.
	Update(u Update)
	Hole(from, to updates.State)
	Notice(n security.Notice)
	// DCsChanged is told that the table of DCs is to be asked for again.
	DCsChanged()
	// Decided is told what the engine said, before it is carried out.
	Decided(output any)
}

// Question is a query of the engine's under way: what its answer belongs to.
type Question struct {
	machine *updates.Machine
	call    updates.CallID
}

// Update is one update and what came along with it, shared and read only.
type Update struct {
	Raw          tl.Raw
	Users, Chats []tl.Raw
	Pts, Qts     int32
}

// Feed is the updates of one account. One owner: the account's actor.
type Feed struct {
	id      persistence.AccountID
	host    Host
	logger  *slog.Logger
	machine *updates.Machine // nil while nothing is asked
	place   *updates.State   // where the updates stood last, nil for not known
}

// New returns the feed of an account whose records were not read yet.
func New(id persistence.AccountID, host Host, logger *slog.Logger) *Feed {
	return &Feed{id: id, host: host, logger: logger}
}

// Load takes what the store says of the place; nil where it says nothing.
func (f *Feed) Load(rec *persistence.Updates) { f.place = placeOf(rec) }

// Begin takes where the updates of a new login stand: what updates.getState said,
// nil where that was of no use.
func (f *Feed) Begin(s *tg.UpdatesState) {
	f.place = nil
	if s != nil {
		f.place = &updates.State{Pts: s.Pts, Qts: s.Qts, Date: s.Date, Seq: s.Seq}
	}
}

// Forget forgets the place: the login it belonged to is over.
func (f *Feed) Forget() { f.place = nil }

// Fresh adds the place of a new login to the commit that begins it, and what an
// earlier login left to be deleted.
func (f *Feed) Fresh(commit *persistence.Commit) {
	if f.place == nil {
		commit.Delete = append(commit.Delete, persistence.UpdatesKey(f.id))
		return
	}
	commit.Put = append(commit.Put, placeRecord(*f.place).Record(f.id))
}

// Sync asks the server where the updates stand, unless that is under way.
func (f *Feed) Sync(now time.Time) {
	if f.machine == nil {
		f.machine = updates.At(f.place)
	}
	f.machine.Sync(now)
}

// Push takes what the server pushed. It reports whether anybody was there to take
// it: before the first Sync nobody is.
func (f *Feed) Push(now time.Time, raw tl.Raw) bool {
	if f.machine == nil || len(raw) < 4 {
		return false
	}
	f.machine.Push(now, raw)
	return true
}

// Gap says that updates may have been missed.
func (f *Feed) Gap(now time.Time) {
	if f.machine != nil {
		f.machine.Gap(now)
	}
}

// Answered takes what became of a query. One of an engine that was dropped counts
// for nothing.
func (f *Feed) Answered(now time.Time, q Question, body []byte, err error) {
	if f.machine != nil && f.machine == q.machine {
		f.machine.Answered(now, q.call, body, err)
	}
}

// Flush notes how far the updates were delivered. It goes to disk with the
// account's next commit.
func (f *Feed) Flush(now time.Time) {
	if f.machine != nil {
		f.machine.Flush(now)
		f.Pump()
	}
}

// Drop ends the engine, after Flush: nothing can be asked any more. The place is
// kept for the next Sync.
func (f *Feed) Drop() { f.machine = nil }

// Deadline is when Advance is wanted, zero for never.
func (f *Feed) Deadline() time.Time {
	if f.machine == nil {
		return time.Time{}
	}
	return f.machine.Deadline()
}

// Advance does what the passing of time demands.
func (f *Feed) Advance(now time.Time) {
	if f.machine != nil {
		f.machine.Advance(now)
	}
}

// Pump does what the engine asks for; it reports whether there was anything.
func (f *Feed) Pump() (did bool) {
	for f.machine != nil {
		out, ok := f.machine.Next()
		if !ok {
			break
		}
		did = true
		f.host.Decided(out)
		f.carryOut(out)
	}
	return did
}

// carryOut does one thing. The cases stand in the order of the outputs.
func (f *Feed) carryOut(out updates.Output) {
	switch out.Kind {
	case updates.OutDeliver:
		f.deliver(out)
	case updates.OutGetState, updates.OutGetDifference:
		f.host.Ask(out.Query, Question{f.machine, out.Call})
	case updates.OutSave:
		place := out.State
		f.place = &place
		f.host.Keep(placeRecord(place).Record(f.id), out.Now)
	case updates.OutHole:
		f.logger.Warn("some updates cannot be had", "account", f.id, "after", out.From, "to", out.To)
		f.host.Hole(out.From, out.To)
	case updates.OutConfig:
		f.host.DCsChanged()
	}
}

// deliver hands updates to who listens.
func (f *Feed) deliver(out updates.Output) {
	for _, raw := range out.Updates {
		pts, qts := updates.Counts(raw)
		f.host.Update(Update{Raw: raw, Users: out.Users, Chats: out.Chats, Pts: pts, Qts: qts})
		if n, ok := security.NoticeOf(raw); ok {
			f.host.Notice(n)
		}
	}
}
