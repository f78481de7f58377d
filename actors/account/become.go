package account

import (
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto/login"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/persistence"
)

// stateLoggingOut is stored while a logout is under way, so that a process
// that dies in the middle goes on with it.
const stateLoggingOut = "logging-out"

// become is the only way to another state; every call is an event.
func (a *account) become(c *ctx, s State, why, advice string) {
	a.change(c, Status{State: s, Why: why, Advice: advice})
}

// change takes over what is set of a status: state, why, advice, until, step.
func (a *account) change(c *ctx, to Status) {
	to.Since = a.status.Since
	if to.State != a.status.State || to.Since.IsZero() {
		to.Since = c.Now()
	}
	a.status = to
	a.publish(c)
}

// publish tells the present status.
func (a *account) publish(c *ctx) {
	a.status.UserID, a.status.Bot = a.rec.UserID, a.rec.Bot
	a.status.HomeDC, a.status.PFS, a.status.SignedIn = a.rec.HomeDC, a.rec.PFS, a.rec.SignedIn
	a.status.Bound = a.rec.PFS && a.home != nil && a.home.ready && a.home.conn != nil && a.home.conn.key != a.home.perm
	if a.status.HomeDC == 0 && a.home != nil {
		a.status.HomeDC = int(a.home.dc) // a sign-in is under way there
	}
	if a.status == a.told {
		return // nothing changed that anybody could see
	}
	a.told = a.status
	status := a.status
	a.env.Publish(Event{Account: string(a.id), At: c.Now(), Kind: EventState, Status: &status})
}

// becomeStep shows what a sign-in waits for.
func (a *account) becomeStep(c *ctx, step login.Step) {
	a.change(c, Status{State: SigningIn, Why: step.LastError, Advice: step.Message, Step: &step, Until: step.Until})
}

// becomeStored shows a state that a restart found, and that needs its owner.
func (a *account) becomeStored(c *ctx) {
	var s State
	if a.rec.State == "" || s.UnmarshalText([]byte(a.rec.State)) != nil || !s.final() {
		s = New
	}
	advice := map[State]string{
		New:         "sign it in",
		SignedOut:   "sign it in again, or remove it",
		Revoked:     "sign it in again, or remove it",
		Duplicated:  adviceDuplicated,
		Quarantined: "resume it to try again",
	}[s]
	a.status = Status{State: s, Since: a.rec.StateSince}
	a.become(c, s, a.rec.StateWhy, advice)
}

const adviceDuplicated = "find out who else uses this account's keys, end that, then sign it in again"

// end leads the account into a state that only its owner leads out of: it is
// written down, everything is closed, calls are answered.
//
// A sign-in or a logout under way ends too. The sign-in stays in the store: when
// the account is resumed it goes on.
func (a *account) end(c *ctx, s State, why, advice string) {
	err := &StateError{State: s, Why: why}
	login, leaving := a.login, a.leaving
	a.login, a.leaving = nil, nil
	a.closeAll(err)
	if s != Quarantined {
		a.rec.SignedIn = false
		a.dirty.updates = nil
	}
	a.rec.State, a.rec.StateSince, a.rec.StateWhy = s.String(), round(c.Now()), why
	a.become(c, s, why, advice)
	a.commit(c, persistence.Commit{Put: []persistence.Record{a.rec.Record()}}, nil)
	if login != nil {
		a.releaseLogin(login)
		login.answer(nil, err)
	}
	if leaving != nil {
		leaving.tell(err)
	}
}

// closeAll closes every link; calls that were not sent end with err. The
// engines go first: what ends here must not make them begin anything new.
func (a *account) closeAll(err error) {
	a.updates, a.synced, a.doubt = nil, false, nil
	var held []*Call
	for len(a.links) > 0 {
		held = append(held, a.closeLink(a.links[0])...)
	}
	retries := a.retries
	a.home, a.retries = nil, nil
	for _, call := range held {
		call.end(nil, joinNotSent(err))
	}
	for _, r := range retries {
		r.call.finish(nil, r.err)
	}
}

// onTerminal ends an account whose authorization the server has ended in a way
// that needs no second proof.
func (a *account) onTerminal(c *ctx, e *tgerr.Error) {
	switch e.Class() {
	case tgerr.ClassDuplicated:
		a.end(c, Duplicated, serverWords(e), adviceDuplicated)
	case tgerr.ClassDeactivated:
		a.end(c, Revoked, serverWords(e), "the account was deleted or banned: log in with an official app to see what can be done")
	}
}

func (a *account) onPause(c *ctx, m Pause) {
	refuse := func(why string) {
		m.Reply.Send(struct{}{}, &StateError{State: a.status.State, Why: why})
	}
	switch {
	case a.login != nil:
		refuse("a sign-in is under way: cancel it first")
		return
	case a.leaving != nil:
		refuse("a logout is under way")
		return
	case !a.rec.SignedIn:
		refuse("it is not signed in, so there is nothing to pause")
		return
	}
	a.rec.Paused = true
	a.closeAll(&StateError{State: Paused})
	a.rec.State, a.rec.StateSince, a.rec.StateWhy = Paused.String(), round(c.Now()), "by its owner"
	a.become(c, Paused, "by its owner", "resume it when it should connect again")
	a.commitThen(c, m.Reply)
}

func (a *account) onResume(c *ctx, m Resume) {
	switch a.status.State {
	case Paused, Quarantined:
	default:
		m.Reply.Send(struct{}{}, &StateError{State: a.status.State, Why: "it is not paused"})
		return
	}
	if a.rec.ID != "" { // otherwise its record could not be read, and is not to be written over
		a.rec.Paused = false
		a.rec.State, a.rec.StateSince, a.rec.StateWhy = "", round(c.Now()), ""
		a.commitThen(c, m.Reply)
	} else {
		m.Reply.Send(struct{}{}, nil)
	}
	// Everything is read again: what was wrong in the store may be right now.
	a.load(c)
}

// commitThen writes the account's record and answers when it is on disk.
func (a *account) commitThen(c *ctx, reply runtime.Reply[struct{}]) {
	a.commit(c, persistence.Commit{Put: []persistence.Record{a.rec.Record()}}, func(_ *ctx, err error) {
		if err != nil {
			a.storeFailed(err)
		}
		reply.Send(struct{}{}, err)
	})
}
