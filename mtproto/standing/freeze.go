package standing

import (
	"time"

	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// Nothing tells a client that a freeze is over but updateConfig, which has no place among
// the updates: who is not connected never gets it. So a frozen account reads
// help.getAppConfig, which names the freeze while it lasts.
const (
	// freezeSoon is after how long it is read for the first time of a freeze, and at most of
	// a connection. Not at once: where a refusal says what the configuration does not, the
	// state would change twice with every call.
	freezeSoon = time.Minute
	// freezePace is how long after that it is read again, at most: an unfreezing is noticed
	// so long after it, of an account that is connected.
	freezePace = 15 * time.Minute
)

// frozen is what is known of a Frozen account.
type frozen struct {
	method string    // that was refused; empty after a restart
	why    string    // the server's words
	at     time.Time // when help.getAppConfig is read next
	asking bool
	again  bool // what is asked may be answered with what was so before a change
	round  uint32
}

// freeze notes that the account may only read.
func (m *Machine) freeze(now time.Time, c *Call, err error) {
	if !liveStates.has(m.state) || m.state == Waiting || c.Purpose == ForSignIn || m.removal.erasing {
		return
	}
	if m.state != Frozen {
		m.thaw()
		m.frozen.at = now.Add(freezeSoon)
	}
	m.frozen.method, m.frozen.why = c.Method, serverWords(err)
	m.become(now, Frozen, m.frozen.why, adviceOf[Frozen], time.Time{})
	m.save(now, Changes{Account: true}, false)
}

// thaw forgets what is known of a freeze. What comes of a question under way counts for
// nothing.
func (m *Machine) thaw() { m.frozen = frozen{round: m.frozen.round + 1} }

// readFreezeSoon is for a new connection: what the server told of meanwhile was missed.
func (m *Machine) readFreezeSoon(now time.Time) {
	if soon := now.Add(freezeSoon); m.frozen.at.After(soon) {
		m.frozen.at = soon
	}
}

// ConfigChanged says that the server told of a change of its configuration: it does when it
// freezes an account, and when it ends that.
func (m *Machine) ConfigChanged(now time.Time) {
	m.frozen.at, m.frozen.again = now, m.frozen.asking
	m.askFreeze(now)
}

// readsFreeze reports whether help.getAppConfig may be read when it is time.
func (m *Machine) readsFreeze() bool {
	return m.state == Frozen && m.routed && !m.frozen.asking && !m.removal.erasing
}

// askFreeze reads help.getAppConfig when it is time.
func (m *Machine) askFreeze(now time.Time) {
	f := &m.frozen
	if !m.readsFreeze() || now.Before(f.at) {
		return
	}
	query := &tg.HelpGetAppConfigRequest{}
	c := Call{Purpose: ForFreeze, Method: query.TypeName(), Repeatable: true, Round: f.round}
	switch until, parked := m.waits.holds(now, &c); {
	case !until.IsZero():
		f.at = until
	case parked: // until the time is known
		f.at = now.Add(freezeSoon)
	default:
		f.asking = true
		m.emit(Output{Kind: OutCall, Call: c, Query: query})
	}
}

// onFreezeRead takes how the question ended; readFreeze takes what was answered.
func (m *Machine) onFreezeRead(now time.Time, c *Call, at Where, e *tgerr.Error, err error) {
	if c.Round == m.frozen.round {
		pause := freezePace
		if m.cfg.Rand != nil {
			pause -= time.Duration(m.cfg.Rand() * float64(pause/4))
		}
		if err != nil && e == nil { // no answer, most likely for want of a connection
			pause = freezeSoon
		}
		if m.frozen.again {
			pause = 0
		}
		m.frozen.asking, m.frozen.again, m.frozen.at = false, false, now.Add(pause)
	}
	if err != nil {
		m.onProved(now, c, at, e, err)
	}
}

// readFreeze takes what the question was answered, after its end. An account that the
// answer names no freeze of is not frozen: it goes back to Connecting, for this is no proof
// that it is online.
func (m *Machine) readFreeze(now time.Time, c *Call, body []byte) {
	if m.state != Frozen || c.Round != m.frozen.round {
		return
	}
	freezes, err := namesFreeze(body)
	switch {
	case err != nil:
		m.note(now, "whether it is frozen still cannot be read: "+err.Error(), "")
	case !freezes:
		m.thaw()
		m.live(now, "the server names no freeze of it any more")
		m.save(now, Changes{Account: true}, false)
	}
}

// The constructors of JSONValue that are looked for.
const (
	jsonObjectID      uint32 = 0x99c1d49d
	jsonObjectValueID uint32 = 0xc0de1bd9
	jsonNumberID      uint32 = 0x2be0dfa4
)

// namesFreeze reports whether a help.AppConfig has a freeze_since_date.
func namesFreeze(body []byte) (bool, error) {
	var config tg.HelpAppConfig
	if err := tl.Unmarshal(body, &config); err != nil {
		return false, err
	}
	freezes := false
	r := tl.NewReader(config.Config)
	if r.Expect(jsonObjectID, "jsonObject") {
		for range r.VectorLen(12) {
			r.Expect(jsonObjectValueID, "jsonObjectValue")
			key := r.BytesView()
			value := r.RawView(tg.Schema, tl.TypeAny)
			if string(key) == "freeze_since_date" {
				number := tl.NewReader(value)
				freezes = number.ID() == jsonNumberID && number.Double() > 0
			}
		}
	}
	err := r.End()
	return freezes && err == nil, err
}
