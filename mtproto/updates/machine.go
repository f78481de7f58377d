package updates

import (
	"errors"
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

const (
	// gapWait is how long a missing update may still arrive by itself.
	gapWait = 500 * time.Millisecond
	// saveDelay gathers changes of the state, so that a chatty account costs
	// one write a second and not one for each update.
	saveDelay = time.Second
	// unreadableMost is how often an unreadable difference is asked for again
	// before its updates are given up.
	unreadableMost = 3
	// fruitlessMost is how many differences in a row may bring nothing that what
	// is kept could follow. After that it is dropped, by name: the server itself
	// does not know what comes before it, and would be asked twice a second for
	// ever.
	fruitlessMost = 3
	// barrenMost is how many answers in a row may ask us to go on without
	// bringing pts or qts on: slices that move date or seq alone, and "too
	// long". A server with uncounted updates for us sends some hundred a slice,
	// so it could tell thousands. After 64 the answers count as unreadable:
	// three more, with pauses of 1, 2 and 4 s, and the state is asked for. So a
	// server that moves nothing but the date for ever is asked
	// 64 + 3 + 1 = 68 times, and then we are where it says we are. One that puts
	// up to two senseless answers, and so two pauses, before each of the 64 is
	// asked 3 (64 + 1) + 1 = 196 times. pts and qts never go back meanwhile.
	barrenMost = 64
	// quietMost is how long nothing may come before the server is asked whether
	// that is so: pushes may have stopped because the authorization has ended.
	// https://core.telegram.org/api/updates#recovering-gaps
	quietMost = 15 * time.Minute
	// quietSpread is added to it in part, so that accounts that went quiet at one
	// moment, of a lost DC say, do not ask at one moment for ever.
	quietSpread = 5 * time.Minute
	// retryMost bounds the pause between attempts: 1, 2, 4 … 60 s.
	retryMost = time.Minute
)

// A Machine follows one account's updates. It has one owner and no lock.
type Machine struct {
	phase Phase
	state State
	known bool
	// missed: the server pushed things in an earlier life that had no place.
	missed bool
	// arrived: the server has said where we stand, in this life.
	arrived bool

	self  int64 // who the account is, 0 for not known
	bot   bool
	knows func(user int64) bool // nil: everybody

	safe   State // what may be stored: state, or where a durable consumer is
	placed bool  // safe is a place
	since  int32 // date of the last answer: what channels missed is asked for from there

	chans   *channels // nil while none is followed
	durable *durable  // nil while nobody acknowledges
	mark    uint64    // of the last delivery

	kept tally
	pts  box // updates ahead of state.Pts
	qts  box // updates ahead of state.Qts
	seq  box // envelopes ahead of state.Seq

	calls CallID // of the last call
	id    CallID // of the call about the common state that is under way
	again bool   // ask once more after the answer under way: it may be stale

	until      time.Time // end of PhaseGap and PhaseRetrying; of PhaseCurrent, when it is looked whether it is quiet
	heard      time.Time // the last push or answer
	failures   int       // in a row
	unreadable int       // differences in a row
	fruitless  int       // differences in a row
	barren     int       // answers in a row
	garbled    bool      // a push since the last answer could not be used

	dirty   bool // state is not saved
	saveAt  time.Time
	out     []Output
	reloads bool // the state is void: getState instead of getDifference
}

// New returns a machine at a snapshot's place. Nothing happens before Start.
func New(s Snapshot) *Machine {
	m := &Machine{
		state: s.State, known: s.Known, missed: s.Missed && !s.Known, self: s.Self, bot: s.Bot, mark: s.Mark,
		safe: s.State, placed: s.Known, since: s.State.Date,
	}
	m.restore(s.Channels)
	return m
}

// Snapshot returns what New needs to go on from here: from what was delivered, or
// acknowledged by a durable consumer.
func (m *Machine) Snapshot() Snapshot {
	s := Snapshot{State: m.safe, Known: m.placed, Missed: m.missed, Self: m.self, Bot: m.bot, Mark: m.mark}
	if m.chans != nil {
		for _, c := range m.chans.all {
			s.Channels = append(s.Channels, Channel{c.ID, c.Hash, c.safe})
		}
	}
	return s
}

// Users says how to find out whether a user's access_hash is known. The short
// forms of messages bring no users: one from somebody who is not known is not
// taken, and the difference, which brings it whole, is asked for, as the docs
// want it. Without it everybody counts as known.
func (m *Machine) Users(knows func(user int64) bool) { m.knows = knows }

// Phase returns what the machine is doing.
func (m *Machine) Phase() Phase { return m.phase }

// Next returns the next output. The driver calls it after every input until
// it reports false.
func (m *Machine) Next() (Output, bool) {
	if len(m.out) == 0 {
		return Output{}, false
	}
	o := m.out[0]
	m.out[0] = Output{}
	m.out = m.out[1:]
	if len(m.out) == 0 {
		m.out = nil
	}
	return o, true
}

// Deadline returns when Advance wants to be called, zero for never.
func (m *Machine) Deadline() time.Time {
	var d time.Time
	if m.phase == PhaseGap || m.phase == PhaseRetrying || m.phase == PhaseCurrent {
		d = m.until
	}
	if until := m.channelDeadline(); !until.IsZero() && (d.IsZero() || until.Before(d)) {
		d = until
	}
	if m.dirty && (d.IsZero() || m.saveAt.Before(d)) {
		d = m.saveAt
	}
	return d
}

// Start begins the work once the account can send queries. Only the first
// call counts.
func (m *Machine) Start(now time.Time) {
	if m.phase == PhaseNew {
		m.ask()
		m.turn(now)
	}
}

// Gap says that updates may have been missed: the server made a new session,
// or the connection was away for long.
func (m *Machine) Gap(now time.Time) {
	switch m.phase {
	case PhaseCurrent, PhaseGap:
		m.ask()
	case PhaseLoading, PhaseFetching:
		m.again = true
	case PhaseNew, PhaseRetrying, PhaseStalled:
	}
}

// Sync asks where the updates stand, unless that is under way: the account can
// send queries now, for the first time or once more.
func (m *Machine) Sync(now time.Time) {
	switch m.phase {
	case PhaseNew:
		m.Start(now)
	case PhaseLoading, PhaseFetching:
	default:
		m.Gap(now)
	}
}

// Answered takes what became of a call: its Result, or that it Failed.
func (m *Machine) Answered(now time.Time, id CallID, body []byte, err error) {
	if err != nil {
		m.Failed(now, id, err)
		return
	}
	m.Result(now, id, body)
}

// Flush saves the state at once if it has changed since it was saved, for a
// driver that is about to stop.
func (m *Machine) Flush(now time.Time) {
	if m.dirty {
		m.save(true)
	}
}

// Advance does what the passing of time demands.
func (m *Machine) Advance(now time.Time) {
	if (m.phase == PhaseGap || m.phase == PhaseRetrying) && !now.Before(m.until) {
		m.ask()
	}
	if m.phase == PhaseCurrent && !m.until.IsZero() && !now.Before(m.until) {
		if m.until = m.heard.Add(m.quiet()); !now.Before(m.until) {
			m.ask()
		}
	}
	m.advanceChannels(now)
	m.turn(now)
	if m.dirty && !now.Before(m.saveAt) {
		m.save(false)
	}
}

// become is the only way to another phase.
func (m *Machine) become(p Phase) {
	if p != PhaseGap && p != PhaseRetrying && (p != PhaseCurrent || m.phase != PhaseCurrent) {
		m.until = time.Time{}
	}
	m.phase = p
}

// current is become for PhaseCurrent. The time to look is set once and moved on
// when it comes, so that an update costs no timer.
func (m *Machine) current(now time.Time) {
	m.become(PhaseCurrent)
	if m.heard = now; m.until.IsZero() {
		m.until = now.Add(m.quiet())
	}
}

// quiet is how long nothing may come, by what differs between accounts.
func (m *Machine) quiet() time.Duration {
	mixed := (uint32(m.state.Pts)*31 + uint32(m.state.Date)) * 2654435761 // Knuth's multiplicative hash
	return quietMost + quietSpread*time.Duration(mixed>>16)/(1<<16)
}

// ask asks the server where we stand: from our state, or for one.
func (m *Machine) ask() {
	m.again = false
	if m.known && m.full() {
		m.dropKept()
		m.become(PhaseStalled)
		return
	}
	m.calls++
	m.id = m.calls
	if !m.known || m.reloads {
		if m.known {
			// The hole that the answer will tell reaches from our place to the
			// server's. What was dropped lies in it, or in another numbering.
			m.pts.lost, m.qts.lost, m.seq.lost = 0, 0, 0
		}
		m.become(PhaseLoading)
		m.emit(Output{Kind: OutGetState, Call: m.id, Query: &tg.UpdatesGetStateRequest{}})
		return
	}
	m.become(PhaseFetching)
	m.emit(Output{
		Kind: OutGetDifference, Call: m.id, State: m.state,
		Query: &tg.UpdatesGetDifferenceRequest{Pts: m.state.Pts, Date: m.since, Qts: m.state.Qts},
	})
}

// Result says that a call was answered; body is the result's TL bytes.
func (m *Machine) Result(now time.Time, id CallID, body []byte) {
	if c := m.asking(id); c != nil {
		m.onChannelDifference(now, c, body)
		m.turn(now)
	}
	if id != m.id {
		return
	}
	defer m.turn(now)
	switch m.phase {
	case PhaseLoading:
		var s tg.UpdatesState
		r := tl.NewReader(body)
		if s.Parse(r); r.End() != nil || !valid(s) {
			m.retry(now, 0)
			return
		}
		m.failures = 0
		m.onState(now, s)
	case PhaseFetching:
		m.onDifference(now, body)
	}
}

// Failed says that a call came to nothing. It is repeated with backoff, and
// not before a wait imposed by the server is over. One that was not sent
// because such a wait is remembered is repeated when that is over, and each
// minute, for it may be cleared.
func (m *Machine) Failed(now time.Time, id CallID, err error) {
	if c := m.asking(id); c != nil {
		m.channelFailed(now, c, err)
		m.turn(now)
	}
	if id != m.id || m.phase != PhaseLoading && m.phase != PhaseFetching {
		return
	}
	if tgerr.Is(err, "PERSISTENT_TIMESTAMP_INVALID", "PERSISTENT_TIMESTAMP_EMPTY") {
		m.reloads = true // the server does not know our place
	}
	var remembered interface{ WaitUntil() time.Time }
	if errors.As(err, &remembered) {
		m.become(PhaseRetrying)
		m.until = now.Add(min(max(remembered.WaitUntil().Sub(now), time.Second), retryMost))
		return
	}
	e, _ := tgerr.As(err)
	wait, _ := e.Wait()
	m.retry(now, wait)
}

// retry asks again after a pause of at least the given length.
func (m *Machine) retry(now time.Time, least time.Duration) {
	pause := min(time.Second<<min(m.failures, 6), retryMost)
	m.failures++
	m.become(PhaseRetrying)
	m.until = now.Add(max(pause, least))
}

// changed notes that the state is another.
func (m *Machine) changed(now time.Time) { m.reach(now, 0, m.state) }

// unsaved notes that what may be stored is to be, soon.
func (m *Machine) unsaved(now time.Time) {
	if !m.dirty {
		m.dirty = true
		m.saveAt = now.Add(saveDelay)
	}
}

// save hands out the state to be stored, at once or soon.
func (m *Machine) save(now bool) {
	m.dirty = false
	m.emit(Output{Kind: OutSave, State: m.safe, Known: m.placed, Pages: m.pages(), Now: now})
}

func (m *Machine) emit(o Output) { m.out = append(m.out, o) }

// deliver hands updates on, and says so when they concern the table of DCs.
func (m *Machine) deliver(updates []tl.Raw, env *envelope) {
	if len(updates) == 0 {
		return
	}
	bytes := env.bytes
	for _, u := range updates {
		bytes += len(u)
	}
	m.told(len(updates), bytes)
	m.emit(Output{Kind: OutDeliver, Mark: m.mark, Date: env.date, Updates: updates, Users: env.users, Chats: env.chats})
	if slices.ContainsFunc(updates, isConfig) {
		m.emit(Output{Kind: OutConfig})
	}
}

func isConfig(u tl.Raw) bool {
	id := u.ID()
	return id == tg.UpdateConfigID || id == tg.UpdateDCOptionsID
}

func stateOf(s tg.UpdatesState) State {
	return State{Pts: s.Pts, Qts: s.Qts, Date: s.Date, Seq: s.Seq}
}

func valid(s tg.UpdatesState) bool {
	return s.Pts >= 0 && s.Qts >= 0 && s.Date >= 0 && s.Seq >= 0
}
