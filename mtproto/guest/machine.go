package guest

import (
	"errors"
	"fmt"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// Config is what a machine needs to know.
type Config struct {
	// DC is the guest DC.
	DC dc.ID
}

const (
	// importsMost is how often the import is refused under one key, each time
	// with a fresh export, before callers are told: after pauses of 1 and 2 s.
	importsMost = 3
	// troublesMost is how often the server may fail by itself, with pauses, in
	// the course of some five minutes.
	troublesMost = 10
	// pauseMost bounds the pause between attempts: 1, 2, 4 … 60 s.
	pauseMost = time.Minute
	// shortWait is the longest imposed wait that callers are not told of: they
	// are held as for a backoff, but for a server that never stops saying so
	// (shortTries). Home allows about one export a second, so that an account
	// which opens two guests at once gets a wait of a second.
	shortWait  = 5 * time.Second
	shortTries = 4
	// settled is how long a guest must have been ready for its history to be
	// forgotten. A DC that takes the import and refuses calls right after it
	// is not to be tried for ever.
	settled = 10 * time.Minute
)

// A Machine keeps one guest DC authorized. It has one owner and no lock.
type Machine struct {
	cfg   Config
	state State
	snap  Snapshot // as it is now
	saved Snapshot // as OutSave has last told it
	id    CallID   // of the call under way

	wanted   bool       // somebody waits for the DC, or may
	wait     *WaitError // imposed by the server, perhaps over by now
	least    time.Time  // end of a short wait, which callers are not told of
	failed   error      // of StateFailed
	until    time.Time  // end of StatePausing
	readyAt  time.Time
	failures int // in a row: paces the attempts
	troubles int // the server's own errors since the guest was ready
	imports  int // refused under this key since the last round
	revoked  int // 401 on calls under this key since it settled

	out []Output
}

// New returns the machine of one guest DC. Nothing happens before Start.
func New(cfg Config, s Snapshot) *Machine {
	return &Machine{cfg: cfg, snap: s, saved: s}
}

// Snapshot returns what New needs to go on from here.
func (m *Machine) Snapshot() Snapshot { return m.snap }

// State returns where the guest stands.
func (m *Machine) State() State { return m.state }

// Next returns the next output. The driver calls it after every input until
// it reports false.
func (m *Machine) Next() (Output, bool) {
	if len(m.out) == 0 {
		return Output{}, false
	}
	o := m.out[0]
	m.out[0] = Output{} // may hold a credential
	if m.out = m.out[1:]; len(m.out) == 0 {
		m.out = nil
	}
	return o, true
}

// Deadline returns when Advance wants to be called, zero for never.
func (m *Machine) Deadline() time.Time {
	if m.state == StatePausing {
		return m.until
	}
	return time.Time{}
}

// Start begins the work, for somebody who wants the DC. Only the first call
// counts.
func (m *Machine) Start(now time.Time) {
	if m.state != StateNew {
		return
	}
	m.wanted = true
	m.snap = m.snap.sane(now)
	m.save()
	m.become(StateKeying)
}

// Refusal returns the error with which a call for this DC ends at once, nil
// when it may wait for the DC or go there.
func (m *Machine) Refusal(now time.Time) error {
	if m.state == StateFailed {
		return m.failed
	}
	out, _ := m.barred(now)
	return out.Err
}

// Wanted says that a call waits for this DC. It counts for nothing while
// Refusal has an answer.
func (m *Machine) Wanted(now time.Time) {
	if m.Refusal(now) != nil {
		return
	}
	m.wanted = true
	if m.state == StateRefused || m.state == StateWaiting {
		m.export(now)
	}
}

// WaitCleared says that the account's owner has cleared the wait that was
// imposed.
func (m *Machine) WaitCleared(now time.Time) { m.wait, m.least = nil, time.Time{} }

// KeyReady says that calls can be sent under the guest DC's key: it is bound,
// where temp keys are used.
func (m *Machine) KeyReady(now time.Time) {
	out, barred := m.barred(now)
	switch {
	case m.state != StateKeying:
	case m.snap.Authorized:
		m.ready(now)
	case barred:
		m.bar(out) // calls may have been let in before a restart
	case !m.wanted:
		m.become(StateWaiting)
	default:
		m.export(now)
	}
}

// KeyLost says that the perm key of the guest DC is gone: the server does not
// know it, or it was thrown away. A lost temp key is no loss here, since the
// authorization belongs to the perm key.
func (m *Machine) KeyLost(now time.Time) {
	switch m.state {
	case StateNew, StateFailed:
		return
	case StateReady:
		m.settle(now)
		m.emit(Output{Kind: OutStop})
	}
	m.imports, m.revoked = 0, 0
	m.setAuthorized(false)
	m.become(StateKeying)
}

// Exported takes the result of auth.exportAuthorization, TL bytes.
func (m *Machine) Exported(now time.Time, id CallID, body []byte) {
	if m.state != StateExporting || id != m.id {
		return
	}
	var v tg.AuthExportedAuthorization
	if err := tl.Unmarshal(body, &v); err != nil {
		m.again(now)
		return
	}
	m.become(StateImporting)
	m.id++
	m.emit(Output{Kind: OutImport, Call: m.id, Query: &tg.AuthImportAuthorizationRequest{ID: v.ID, Bytes: v.Bytes}})
}

// ExportFailed says that the export came to nothing. A query whose answer was
// lost counts too: exporting twice does no harm.
func (m *Machine) ExportFailed(now time.Time, id CallID, err error) {
	if m.state != StateExporting || id != m.id {
		return
	}
	e, refused := tgerr.As(err)
	until, wait := tgerr.Until(err, now)
	switch {
	case wait:
		m.imposed(now, until, err)
	case !refused:
		m.again(now)
	case e.IsUnauthorized():
		m.become(StateHomeLost)
		m.emit(Output{Kind: OutHomeLost, Err: err})
	case tgerr.Is(err, "DC_ID_INVALID"):
		// Home does not know the DC, or it is home itself: our table is wrong.
		m.fail(fmt.Errorf("home does not export to %v: %w", m.cfg.DC, err))
	case ownTrouble(e):
		m.trouble(now, err)
	default:
		m.refuse(now, err)
	}
}

// ownTrouble reports whether an error is the server's or the connection's and
// says nothing about what was asked.
func ownTrouble(e *tgerr.Error) bool {
	switch e.Class() {
	case tgerr.ClassRetry, tgerr.ClassInit, tgerr.ClassUnbound:
		return true
	}
	return false
}

// trouble tries again after the server's own error, so many times.
func (m *Machine) trouble(now time.Time, err error) {
	if m.troubles++; m.troubles > troublesMost {
		m.refuse(now, err)
		return
	}
	m.again(now)
}

// HomeAlive takes OutHomeLost back: the account found home authorized.
func (m *Machine) HomeAlive(now time.Time) {
	if m.state == StateHomeLost {
		m.again(now)
	}
}

// Imported takes the result of auth.importAuthorization, TL bytes.
func (m *Machine) Imported(now time.Time, id CallID, body []byte) {
	if m.state != StateImporting || id != m.id {
		return
	}
	// The constructor says it all; a user of a form we cannot read is no reason
	// to try again. Anything else speaks of signing up, or of nothing we know.
	if tl.Raw(body).ID() != tg.AuthAuthorizationID {
		m.importRefused(now, errNotTaken)
		return
	}
	m.ready(now)
}

// errNotTaken stands for the server's word where it gave no error.
var errNotTaken = errors.New("the import was answered with something other than an authorization")

// ImportFailed says that the import came to nothing. When the answer was
// lost, the bytes may be used up: a fresh export is needed either way.
func (m *Machine) ImportFailed(now time.Time, id CallID, err error) {
	if m.state != StateImporting || id != m.id {
		return
	}
	e, refused := tgerr.As(err)
	until, wait := tgerr.Until(err, now)
	switch {
	case wait:
		m.imposed(now, until, err)
	case !refused:
		m.again(now)
	case ownTrouble(e):
		m.trouble(now, err)
	case e.IsUnauthorized():
		m.giveUpKey(now, err) // an anonymous key may import; this one may not
	default:
		m.importRefused(now, err)
	}
}

// Unauthorized says that a call on the ready guest was answered 401 (but for
// AUTH_KEY_PERM_EMPTY, which is the binding's business). The authorization is
// carried over once more; if that does not help, the key is replaced.
func (m *Machine) Unauthorized(now time.Time, err error) {
	if m.state != StateReady {
		return // the answer to it is under way
	}
	m.emit(Output{Kind: OutStop})
	m.settle(now)
	m.snap.Authorized = false
	if m.revoked++; m.revoked > 1 {
		m.giveUpKey(now, err)
		return
	}
	m.save()
	m.export(now)
}

// Advance does what the passing of time demands.
func (m *Machine) Advance(now time.Time) {
	if m.state == StatePausing && !now.Before(m.until) {
		m.export(now)
	}
}

// become is the only way to another state.
func (m *Machine) become(s State) {
	m.state = s
	if s != StatePausing {
		m.until = time.Time{}
	}
}

// export asks home, or pauses where a short wait is not over yet.
func (m *Machine) export(now time.Time) {
	if now.Before(m.least) {
		m.pause(m.least)
		return
	}
	m.become(StateExporting)
	m.id++
	m.emit(Output{Kind: OutExport, Call: m.id, Query: &tg.AuthExportAuthorizationRequest{DCID: int32(m.cfg.DC)}})
}

// again exports once more after a backoff.
func (m *Machine) again(now time.Time) {
	at := now.Add(min(time.Second<<min(m.failures, 6), pauseMost))
	m.failures++
	if at.Before(m.least) {
		at = m.least
	}
	m.pause(at)
}

func (m *Machine) pause(until time.Time) {
	m.become(StatePausing)
	m.until = until
}

func (m *Machine) ready(now time.Time) {
	m.become(StateReady)
	m.readyAt = now
	m.failures, m.troubles, m.imports, m.wait = 0, 0, 0, nil
	m.snap.Refused = Refusal{}
	m.setAuthorized(true)
	m.emit(Output{Kind: OutReady})
}

// settle forgets the history of a guest that was well for a while. The day
// between two keys goes on.
func (m *Machine) settle(now time.Time) {
	if now.Sub(m.readyAt) >= settled {
		m.revoked, m.snap.Refusals = 0, 0
	}
}

func (m *Machine) fail(err error) {
	m.failed = err
	m.setAuthorized(false)
	m.become(StateFailed)
	m.emit(Output{Kind: OutFailed, Err: err})
}

// setAuthorized notes, durably, whether the key has the authorization.
func (m *Machine) setAuthorized(yes bool) {
	m.snap.Authorized = yes
	m.save()
}

// save tells the snapshot if it has changed.
func (m *Machine) save() {
	if m.snap != m.saved {
		m.saved = m.snap
		m.emit(Output{Kind: OutSave, Snapshot: m.snap})
	}
}

func (m *Machine) emit(o Output) { m.out = append(m.out, o) }
