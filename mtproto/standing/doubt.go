package standing

import (
	"errors"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl/tg"
)

const (
	// confirmPause is the first pause after a confirmation that got no answer;
	// it doubles up to confirmPauseMost. Each takes a socket of its own.
	confirmPause     = 5 * time.Second
	confirmPauseMost = 10 * time.Minute
)

// doubt is a 401 at home that waits for its second proof: one broken answer
// must not end an account.
type doubt struct {
	err    error // the 401; nil for no doubt
	round  uint32
	asking bool
	parked bool      // until the time is known
	at     time.Time // of the next try; zero for at once
	tries  int       // that got no answer
}

// pausing reports whether the next try only waits for its time.
func (d *doubt) pausing() bool { return d.err != nil && !d.asking && !d.parked }

// doubtHome asks users.getUsers(self) on a second connection whether the login
// is alive.
func (m *Machine) doubtHome(now time.Time, err error) {
	if m.doubt.err != nil || !liveStates.has(m.state) || m.removal.erasing {
		return
	}
	m.doubt = doubt{err: err, round: m.doubt.round}
	m.showDoubt(now, "asking on a second connection whether that is so")
	m.confirm(now)
}

// Suspect says that the server told in other words than a 401 that our
// authorization has ended; what is those words. They prove nothing: the login is
// doubted, as after a 401, and given up for the server's refusals alone. An empty
// text is nothing told.
func (m *Machine) Suspect(now time.Time, what string) {
	if what != "" {
		m.doubtHome(now, errors.New(what))
	}
}

// showDoubt tells that the login is doubted, and why.
func (m *Machine) showDoubt(now time.Time, what string) {
	why := serverWords(m.doubt.err) + "; " + what
	if m.state == Online {
		m.become(now, Connecting, why, "", time.Time{})
		return
	}
	m.note(now, why, "")
}

// confirm asks when it may.
func (m *Machine) confirm(now time.Time) {
	d := &m.doubt
	if d.err == nil || d.asking || !m.routed || now.Before(d.at) || !liveStates.has(m.state) || m.state == Waiting {
		return
	}
	query := &tg.UsersGetUsersRequest{ID: []tg.AnyInputUser{&tg.InputUserSelf{}}}
	c := Call{Purpose: ForConfirm, Method: query.TypeName(), Repeatable: true}
	until, parked := m.waits.holds(now, &c)
	if d.parked = parked; parked {
		return
	}
	if d.at = until; !until.IsZero() {
		return
	}
	d.round++
	d.asking, c.Round = true, d.round
	m.emit(Output{Kind: OutCall, Call: c, Query: query})
}

// onConfirmed takes what became of the question.
func (m *Machine) onConfirmed(now time.Time, c *Call, at Where, err error) {
	e, refused := tgerr.As(err)
	length, wait := e.Wait()
	var until time.Time
	if wait {
		until = m.waitFor(now, c, e, length)
	}
	d := &m.doubt
	if d.err == nil || !d.asking || c.Round != d.round {
		return // of an earlier doubt
	}
	d.asking = false
	switch {
	case err == nil:
		what := "a 401"
		if _, was := tgerr.As(d.err); !was {
			what = "what the server told"
		}
		m.alive()
		m.note(now, what+" was not confirmed: the login is alive", "")
		m.sync()
	case refused && e.Class() == tgerr.ClassRevoked:
		m.revoke(now, serverWords(err))
	case refused && (e.IsUnauthorized() || e.Class() == tgerr.ClassDuplicated):
		m.terminal(now, e)
	case wait:
		d.at = until
		m.showDoubt(now, "it may be asked whether that is so at "+until.UTC().Format(time.RFC3339))
	default:
		// Nothing is proved: a lost temp key is replaced, a broken connection
		// comes back, then it is asked again.
		if refused && e.Class() == tgerr.ClassUnbound && at.Temp {
			m.emit(Output{Kind: OutUnbound, Where: at})
		}
		m.confirmLater(now, err)
	}
}

func (m *Machine) confirmLater(now time.Time, err error) {
	d := &m.doubt
	pause := min(confirmPause<<min(d.tries, 10), confirmPauseMost)
	d.tries++
	if m.cfg.Rand != nil {
		pause = pause/2 + time.Duration(m.cfg.Rand()*float64(pause/2))
	}
	d.at = now.Add(pause)
	m.showDoubt(now, "whether that is so could not be asked: "+serverWords(err))
}

// alive ends a doubt.
func (m *Machine) alive() {
	if m.doubt.err != nil {
		m.doubt = doubt{round: m.doubt.round}
		m.emit(Output{Kind: OutHomeAlive})
	}
}

// revoke ends an account whose authorization is gone: two proofs agreed, or
// the perm key is proved gone. The key is kept sealed for a while, apart from
// one in use.
func (m *Machine) revoke(now time.Time, why string) {
	m.giveUp(now, Revoked, why, adviceOf[Revoked])
	m.emit(Output{Kind: OutRetire, DC: m.Home(), Must: true})
}
