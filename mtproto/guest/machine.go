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

// A Snapshot is what New needs to go on after a restart.
type Snapshot struct {
	// Authorized says that the guest DC's perm key has the authorization.
	Authorized bool
}

const (
	// importsMost is how often the import is refused under one key before the
	// key is given up: "export again (≤ 3), then drop guest perm key".
	importsMost = 3
	// keysMost is how many keys are given up before the DC is.
	keysMost = 3
	// troublesMost is how often the server may fail by itself, with pauses, in
	// the course of some five minutes.
	troublesMost = 10
	// pauseMost bounds the pause between attempts: 1, 2, 4 … 60 s.
	pauseMost = time.Minute
	// settled is how long a guest must have been ready for its history to be
	// forgotten. A DC that takes the import and refuses calls right after it
	// is not to be tried for ever.
	settled = 10 * time.Minute
)

// A Machine keeps one guest DC authorized. It has one owner and no lock.
type Machine struct {
	cfg        Config
	state      State
	authorized bool   // the perm key at hand has the authorization
	id         CallID // of the call under way

	until    time.Time // end of StateWaiting
	readyAt  time.Time
	failures int // in a row: paces the attempts
	troubles int // the server's own errors since the guest was ready
	imports  int // refused under this key
	revoked  int // 401 on calls under this key since it settled
	keys     int // given up since the guest settled

	out []Output
}

// New returns the machine of one guest DC. Nothing happens before Start.
func New(cfg Config, s Snapshot) *Machine {
	return &Machine{cfg: cfg, authorized: s.Authorized}
}

// Snapshot returns what New needs to go on from here.
func (m *Machine) Snapshot() Snapshot { return Snapshot{Authorized: m.authorized} }

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
	if m.state == StateWaiting {
		return m.until
	}
	return time.Time{}
}

// Start begins the work. Only the first call counts.
func (m *Machine) Start(now time.Time) {
	if m.state == StateNew {
		m.become(StateKeying)
	}
}

// KeyReady says that calls can be sent under the guest DC's key: it is bound,
// where temp keys are used.
func (m *Machine) KeyReady(now time.Time) {
	switch {
	case m.state != StateKeying:
	case m.authorized:
		m.ready(now)
	default:
		m.export()
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
		m.again(now, 0)
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
	wait, _ := e.Wait()
	switch {
	case refused && e.IsUnauthorized():
		m.become(StateHomeLost)
		m.emit(Output{Kind: OutHomeLost, Err: err})
	case tgerr.Is(err, "DC_ID_INVALID"):
		// Home does not know the DC, or it is home itself: our table is wrong.
		m.fail(fmt.Errorf("guest: home does not export to %v: %w", m.cfg.DC, err))
	case refused && e.Class() == tgerr.ClassBadRequest:
		m.fail(fmt.Errorf("guest: home refuses the export to %v: %w", m.cfg.DC, err))
	case refused && wait == 0:
		m.trouble(now, err)
	default:
		m.again(now, wait)
	}
}

// trouble tries again after the server's own error, so many times.
func (m *Machine) trouble(now time.Time, err error) {
	if m.troubles++; m.troubles > troublesMost {
		m.fail(fmt.Errorf("guest: carrying the authorization to %v keeps failing: %w", m.cfg.DC, err))
		return
	}
	m.again(now, 0)
}

// HomeAlive takes OutHomeLost back: the account found home authorized.
func (m *Machine) HomeAlive(now time.Time) {
	if m.state == StateHomeLost {
		m.again(now, 0)
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
		m.importRefused(now)
		return
	}
	m.ready(now)
}

// ImportFailed says that the import came to nothing. When the answer was
// lost, the bytes may be used up: a fresh export is needed either way.
func (m *Machine) ImportFailed(now time.Time, id CallID, err error) {
	if m.state != StateImporting || id != m.id {
		return
	}
	e, refused := tgerr.As(err)
	wait, _ := e.Wait()
	switch {
	case !refused, e.Class() == tgerr.ClassWait:
		m.again(now, wait)
	case e.Class() == tgerr.ClassRetry, e.Class() == tgerr.ClassInit, e.Class() == tgerr.ClassUnbound:
		m.trouble(now, err)
	case e.IsUnauthorized():
		m.dropKey(now, err) // an anonymous key may import; this one may not
	default:
		m.importRefused(now)
	}
}

// importRefused exports anew, a few times under the same key.
func (m *Machine) importRefused(now time.Time) {
	if m.imports++; m.imports >= importsMost {
		m.dropKey(now, nil)
		return
	}
	m.again(now, 0)
}

// Unauthorized says that a call on the ready guest was answered 401 (but for
// AUTH_KEY_PERM_EMPTY, which is the binding's business). The authorization is
// carried over once more; if that does not help, the key is replaced.
func (m *Machine) Unauthorized(now time.Time, err error) {
	if m.state != StateReady {
		return // the answer to it is under way
	}
	m.emit(Output{Kind: OutStop})
	if now.Sub(m.readyAt) >= settled {
		m.imports, m.revoked, m.keys, m.failures = 0, 0, 0, 0
	}
	m.setAuthorized(false)
	if m.revoked++; m.revoked > 1 {
		m.dropKey(now, err)
		return
	}
	m.export()
}

// dropKey begins anew with another key.
func (m *Machine) dropKey(now time.Time, err error) {
	if m.keys++; m.keys > keysMost {
		if err == nil {
			err = errors.New("the import is refused under every key")
		}
		m.fail(fmt.Errorf("guest: %v does not take the authorization: %w", m.cfg.DC, err))
		return
	}
	m.imports, m.revoked = 0, 0
	m.setAuthorized(false)
	m.become(StateKeying)
	m.emit(Output{Kind: OutDropKey})
}

// Advance does what the passing of time demands.
func (m *Machine) Advance(now time.Time) {
	if m.state == StateWaiting && !now.Before(m.until) {
		m.export()
	}
}

// become is the only way to another state.
func (m *Machine) become(s State) {
	m.state = s
	if s != StateWaiting {
		m.until = time.Time{}
	}
}

func (m *Machine) export() {
	m.become(StateExporting)
	m.id++
	m.emit(Output{Kind: OutExport, Call: m.id, Query: &tg.AuthExportAuthorizationRequest{DCID: int32(m.cfg.DC)}})
}

// again exports once more after a backoff, and no sooner than least.
func (m *Machine) again(now time.Time, least time.Duration) {
	pause := min(time.Second<<min(m.failures, 6), pauseMost)
	m.failures++
	m.become(StateWaiting)
	m.until = now.Add(max(pause, least))
}

func (m *Machine) ready(now time.Time) {
	m.become(StateReady)
	m.readyAt = now
	m.failures, m.troubles = 0, 0
	m.setAuthorized(true)
	m.emit(Output{Kind: OutReady})
}

func (m *Machine) fail(err error) {
	m.setAuthorized(false)
	m.become(StateFailed)
	m.emit(Output{Kind: OutFailed, Err: err})
}

// setAuthorized notes, durably, whether the key has the authorization.
func (m *Machine) setAuthorized(yes bool) {
	if m.authorized != yes {
		m.authorized = yes
		m.emit(Output{Kind: OutSave, Snapshot: m.Snapshot()})
	}
}

func (m *Machine) emit(o Output) { m.out = append(m.out, o) }
