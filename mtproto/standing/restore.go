package standing

import (
	"fmt"
	"time"
)

// RestoreKey takes the key of a revoked login back: its owner knows better than
// what proved it gone, of a DC that ran with old data for example. If the server
// refuses the key still, the login is revoked again, by the same proofs. other is
// the account that is the same user by now, empty for none.
func (m *Machine) RestoreKey(now time.Time, r Request, other string) {
	why := ""
	switch {
	case m.removal.erasing, m.unreadable:
		m.reply(r, m.refusal())
		return
	case m.restoring:
		why = restoring
	case m.state != Revoked:
		why = "it is not revoked, so no key of it was retired"
	case other != "":
		why = fmt.Sprintf("account %q is that user by now: log it out or remove it first", other)
	}
	if why != "" {
		m.reply(r, &StateError{State: m.state, Why: why})
		return
	}
	m.restoring = true
	s := m.Snapshot()
	s.State, s.Since, s.Why = Connecting, now.Round(time.Microsecond).UTC(), "its retired key was put back"
	m.emit(Output{Kind: OutRestore, DC: m.Home(), Snapshot: s})
	m.saved(r)
	m.emit(Output{Kind: OutReload})
}

const restoring = "its retired key is being put back"
