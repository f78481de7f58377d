package standing

import "time"

// A session that is handed out is a second holder of the same perm key. The server
// ends an authorization that it sees in two places, so this holder falls silent
// first, and stays so until its owner says that the other is no more.

// Export closes the account's connections and notes that its session was handed
// out; how says in which form. The reply comes after the save. An account whose
// session was handed out before is handed out again.
func (m *Machine) Export(now time.Time, r Request, how string) {
	why := ""
	switch {
	case m.removal.erasing, m.unreadable:
		m.reply(r, m.refusal())
		return
	case m.state == SigningIn:
		why = "a sign-in is under way: let it end first"
	case m.state == SigningOut:
		why = "a logout is under way"
	case m.state == Quarantined:
		why = "it is out of service (" + m.why + "): resume it first"
	case !m.SignedIn():
		why = "it is not signed in, so there is nothing to hand out"
	}
	if why != "" {
		m.reply(r, &StateError{State: m.state, Why: why})
		return
	}
	m.close(&StateError{State: Exported, Why: how})
	m.become(now, Exported, how, adviceOf[Exported], time.Time{})
	m.save(now, Changes{Account: true}, false)
	m.saved(r)
}

// TakeBack brings an account back into service whose session was handed out: its
// owner says that whoever had it has it no more. That is on disk before it is said,
// or its key is used: until then the account is handed out. other is as for Resume.
func (m *Machine) TakeBack(now time.Time, r Request, other string) {
	switch {
	case m.removal.erasing:
		m.reply(r, m.refusal())
	case m.state != Exported:
		m.reply(r, &StateError{State: m.state, Why: "its session was not handed out"})
	case other != "":
		m.reply(r, &StateError{State: m.state, Why: second(other)})
	default:
		m.save(now, Changes{Account: true}, true)
		m.live(now, "taken back")
		m.reply(r, nil)
		m.open()
	}
}

// handedOut refuses what would use the key of a session that was handed out.
func (m *Machine) handedOut() *StateError {
	if m.state != Exported && (m.state != Quarantined || m.back != Exported) {
		return nil
	}
	return &StateError{State: m.state, Why: "its session was handed out, and who has it may be using it: take it back first, when that copy is destroyed"}
}

// ImportFailed says that a session that was to be taken in is of no use: nothing
// of the account is kept. A sign-in that keeps its account fails by SignInFailed.
func (m *Machine) ImportFailed(now time.Time) {
	if m.state == SigningIn && !m.removal.erasing {
		m.erase(now)
		m.out[len(m.out)-1].Unasked = true
	}
}
