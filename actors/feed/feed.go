// Package feed is the updates of one account as its actor sees them: the engine
// that orders them, the place they have reached and its record, and the way of what
// they bring to who listens. It is part of the account's actor and has none of its
// own: it never waits, and is used by that actor alone.
package feed

import (
	"log/slog"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/peers"
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
	// Read reads the account's records and calls done with them, in the account's
	// actor, unless that stops before.
	Read(done func(now time.Time, records []persistence.Record, err error))
	// Delivered is told updates in order, each once per process; Hole what will
	// not come.
	Delivered(list []Update)
	Hole(h Hole)
	// DCsChanged is told that the table of DCs is to be asked for again.
	DCsChanged()
	// Self says who the account is.
	Self() (user int64, bot bool)
	// Durable is asked for each engine: whether somebody acknowledges what is
	// handed on, and whether nothing more is to come for now. Life is a number that
	// none before it had in this process.
	Durable() (on, held bool)
	Life() uint64
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
	Box          updates.Box
	Pts          int32 // the place in Box, 0 if the server does not say
	Date         int32 // the server's, unix seconds; 0 if it does not say
	Mark         uint64
	// Notice is what it says about the account's safety, nil for nothing.
	Notice *security.Notice
}

// Hole is what will not come of a box; see updates.OutHole.
type Hole struct {
	Box      updates.Box
	From, To updates.State
	Mark     uint64
}

// Feed is the updates of one account. One owner: the account's actor.
type Feed struct {
	id      persistence.AccountID
	host    Host
	logger  *slog.Logger
	life    uint64
	machine *updates.Machine // nil while nothing is asked
	snap    updates.Snapshot // what the next machine begins with
	kept    updates.State    // the common place on disk or on its way, if snap or the machine knows one
	pages   uint64           // pages of channels that are on disk or on their way, by their bits
	durable bool
	held    bool

	now       time.Time     // of the input at hand
	met       *acquaintance // nil while it is of no use
	read      *tl.Raw       // the first user or chat of the envelope read last, while its deliveries are carried out
	peerPages uint16        // pages of peers that are on disk or on their way, by their bits
	era       uint64        // rises when another login begins to meet
}

// New returns the feed of an account whose records were not read yet.
func New(id persistence.AccountID, host Host, logger *slog.Logger) *Feed {
	return &Feed{id: id, host: host, logger: logger}
}

// Life tells the engine from others of this process: its marks rise, and another
// hands on anew what was not acknowledged.
func (f *Feed) Life() uint64 { return f.life }

// Load takes what the store says of the places. An account without a common one,
// which is stored with the authorization, has missed something; that is told.
func (f *Feed) Load(rec *persistence.Updates, channels []persistence.Channels, met []persistence.Peers) {
	f.snap, f.pages = updates.Snapshot{Mark: f.snap.Mark}, 0
	if f.snap.Known = rec != nil; f.snap.Known {
		f.snap.State = placeOf(*rec)
		f.kept = f.snap.State
	}
	f.snap.Missed = !f.snap.Known
	for _, page := range channels {
		f.pages |= 1 << (uint(page.Page) % updates.Pages)
		f.snap.Channels = append(f.snap.Channels, channelsOf(page)...)
	}
	f.peerPages = 0
	for _, page := range met { // who is in it is read when it is of use
		f.peerPages |= 1 << (uint(page.Page) % peers.Pages)
	}
}

// Begin takes where the updates of a new login stand: what updates.getState said,
// nil where that was of no use.
func (f *Feed) Begin(s *tg.UpdatesState) {
	f.Forget()
	if s != nil {
		f.snap.State, f.snap.Known, f.snap.Missed = updates.State{Pts: s.Pts, Qts: s.Qts, Date: s.Date, Seq: s.Seq}, true, false
	}
	f.kept = f.snap.State
}

// Forget forgets the places: the login they belonged to is over.
func (f *Feed) Forget() {
	f.Drop()
	f.snap = updates.Snapshot{Missed: true, Mark: f.snap.Mark}
	f.forgetPeers()
}

// Fresh adds the place of a new login to the commit that begins it, and what an
// earlier login left to be deleted.
func (f *Feed) Fresh(commit *persistence.Commit) {
	if f.snap.Known {
		commit.Put = append(commit.Put, placeRecord(f.snap.State).Record(f.id))
	} else {
		commit.Delete = append(commit.Delete, persistence.UpdatesKey(f.id))
	}
	for page := range updates.Pages {
		if f.pages&(1<<page) != 0 {
			commit.Delete = append(commit.Delete, persistence.ChannelsKey(f.id, page))
		}
	}
	for page := range peers.Pages {
		if f.peerPages&(1<<page) != 0 {
			commit.Delete = append(commit.Delete, persistence.PeersKey(f.id, page))
		}
	}
	f.pages, f.peerPages = 0, 0
}

// Sync asks the server where the updates stand, unless that is under way.
func (f *Feed) Sync(now time.Time) {
	if f.machine == nil {
		f.snap.Self, f.snap.Bot = f.host.Self()
		f.machine = updates.New(f.snap)
		f.snap.Channels = nil // they are the machine's
		f.life = f.host.Life()
		f.durable, f.held = f.host.Durable()
		f.machine.Users(func(user int64) bool { return f.knows(f.now, user) })
		f.machine.Durable(now, f.durable)
		f.machine.Hold(now, f.held)
	}
	f.machine.Sync(now)
}

// Push takes what the server pushed. It reports whether anybody was there to take
// it: before the first Sync nobody is.
func (f *Feed) Push(now time.Time, raw tl.Raw) bool {
	if f.machine == nil || len(raw) < 4 {
		return false
	}
	f.now = now
	f.machine.Push(now, raw)
	return true
}

// Learn takes the result of a query that a caller asked, if it says something of
// updates; see updates.Concerns. What it brings is handed on when it returns, so that
// the caller has its answer after that.
func (f *Feed) Learn(now time.Time, query, result tl.Raw) {
	if f.machine != nil {
		f.now = now
		f.machine.Learn(now, query, result)
		f.Pump(now)
	}
}

// Durable says whether somebody acknowledges what is handed on, by its mark: then
// the places that are stored wait for that. Acked says that all up to a mark is
// done with; Hold that nothing more is to come for now.
func (f *Feed) Durable(now time.Time, on bool) {
	if f.durable = on; f.machine != nil {
		f.machine.Durable(now, on)
	}
}

// Acked: see Durable. life is that of the engine whose mark it is.
func (f *Feed) Acked(now time.Time, life, mark uint64) {
	if f.machine != nil && life == f.life {
		f.machine.Acked(now, mark)
	}
}

// Hold: see Durable.
func (f *Feed) Hold(now time.Time, on bool) {
	if f.held = on; f.machine != nil {
		f.machine.Hold(now, on)
	}
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
		f.now = now
		f.machine.Answered(now, q.call, body, err)
	}
}

// Flush notes how far the updates were delivered, and who came along with them. It
// goes to disk with the account's next commit.
func (f *Feed) Flush(now time.Time) {
	f.writePeers()
	if f.machine != nil {
		f.machine.Flush(now)
		f.Pump(now)
	}
}

// Drop ends the engine, after Flush: nothing can be asked any more. The places are
// kept for the next Sync: those that were acknowledged, where somebody does that.
func (f *Feed) Drop() {
	if f.machine != nil {
		f.snap, f.machine = f.machine.Snapshot(), nil
	}
}

// Deadline is when Advance is wanted, zero for never.
func (f *Feed) Deadline() time.Time {
	at := f.peersDeadline()
	if f.machine != nil {
		if due := f.machine.Deadline(); at.IsZero() || !due.IsZero() && due.Before(at) {
			at = due
		}
	}
	return at
}

// Advance does what the passing of time demands.
func (f *Feed) Advance(now time.Time) {
	f.advancePeers(now)
	if f.machine != nil {
		f.machine.Advance(now)
	}
}

// Pump does what the engine asks for; it reports whether there was anything.
func (f *Feed) Pump(now time.Time) (did bool) {
	f.now = now
	for f.machine != nil {
		out, ok := f.machine.Next()
		if !ok {
			break
		}
		did = true
		f.host.Decided(out)
		f.carryOut(out)
	}
	f.read = nil
	return did
}

// carryOut does one thing. The cases stand in the order of the outputs.
func (f *Feed) carryOut(out updates.Output) {
	switch out.Kind {
	case updates.OutDeliver:
		f.deliver(out)
	case updates.OutGetState, updates.OutGetDifference, updates.OutGetChannelDifference:
		f.host.Ask(out.Query, Question{f.machine, out.Call})
	case updates.OutSave:
		f.save(out)
	case updates.OutHole:
		f.logger.Warn("some updates cannot be had", "account", f.id, "box", out.Box.String(), "after", out.From, "to", out.To)
		f.host.Hole(Hole{out.Box, out.From, out.To, out.Mark})
	case updates.OutConfig:
		f.host.DCsChanged()
	}
}

// save has places written: the common one, if it is another than was written last,
// and the pages of channels that have changed. Who came along with the updates up to
// there goes before them: those updates do not come again.
func (f *Feed) save(out updates.Output) {
	f.writePeers()
	var records []persistence.Record
	if out.Known && (out.State != f.kept || out.Now && len(out.Pages) == 0) {
		f.kept = out.State
		records = append(records, placeRecord(out.State).Record(f.id))
	}
	for _, page := range out.Pages {
		f.pages |= 1 << page.Number
		records = append(records, pageRecord(page).Record(f.id))
	}
	for i, rec := range records {
		f.host.Keep(rec, out.Now && i == len(records)-1) // in one commit
	}
}

// deliver hands updates to who listens.
func (f *Feed) deliver(out updates.Output) {
	list := make([]Update, 0, len(out.Updates))
	for _, raw := range out.Updates {
		u := Update{Raw: raw, Users: out.Users, Chats: out.Chats, Date: out.Date, Mark: out.Mark}
		if u.Box, u.Pts = updates.PlaceOf(raw); u.Date == 0 {
			u.Date = updates.DateOf(raw)
		}
		if n, ok := security.NoticeOf(raw); ok {
			u.Notice = &n
		}
		list = append(list, u)
	}
	if f.another(out.Users, out.Chats) {
		f.meet(f.now, out.Users, out.Chats)
	}
	f.host.Delivered(list)
}
