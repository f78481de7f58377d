package login

import (
	"errors"
	"fmt"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// A call is one of the queries the machine makes. The names are stored.
type call string

const (
	callNone   call = ""
	callProbe  call = "getUsers"
	callLogOut call = "logOut"
)

// method is what is to be known of a call. What is nil is the shell's default.
type method struct {
	// state is the one while it is under way.
	state State
	// repeatable: the server may run it twice. It reads, or the second time does
	// no more than the first.
	repeatable bool
	// signsIn: it may have signed us in although its answer is not known. Then
	// we ask who we are before anything else.
	signsIn bool
	// matters: its answer matters to a sign-in that was cancelled meanwhile, for it
	// holds the handle of what is to be undone. So does that of one that signs in.
	matters bool
	// moves: a migration moves the sign-in, and the call is repeated there. The
	// others belong to the DC that began them.
	moves bool
	// patient: it is repeated after a wait of any length, for nothing of it gets
	// old meanwhile.
	patient bool
	// query builds it; nil when a secret that it needs was not stored.
	query func(m *Machine) tl.Object
	// answer reads and takes its result, and reports whether it could be read.
	answer func(m *Machine, now time.Time, r *tl.Reader) bool
	// refused takes the refusals that belong to it. It is asked first, and says
	// whether it took them: what it leaves means the same for every call.
	refused func(m *Machine, now time.Time, e *tgerr.Error) bool
	// lost: no answer will come, and nobody is signed in by it.
	lost func(m *Machine, now time.Time)
	// forgotten: a secret that it needs was not stored. Nil: lost.
	forgotten func(m *Machine)
	// late: the server's wait is longer than anybody's patience. Nil: it ends.
	late func(m *Machine, until time.Time)
	// tired: the server keeps failing. Nil: it ends.
	tired func(m *Machine, e *tgerr.Error)
}

// reads makes an answer of a parser and of what takes the value.
func reads[T any](parse func(*tl.Reader) T, take func(m *Machine, now time.Time, v T)) func(*Machine, time.Time, *tl.Reader) bool {
	return func(m *Machine, now time.Time, r *tl.Reader) bool {
		v := parse(r)
		if r.End() != nil {
			return false
		}
		take(m, now, v)
		return true
	}
}

// repeat sends a call again after a backoff, for as long as it takes.
func repeat(c call) func(*Machine, time.Time) {
	return func(m *Machine, now time.Time) {
		m.s.Pending = string(c)
		m.again(now)
	}
}

// method returns what is to be known of a call, in the room it belongs to.
func (m *Machine) method(c call) (method, bool) {
	switch c {
	case callNone:
		return method{}, false
	case callProbe:
		return method{
			state: StateProbing, repeatable: true, patient: true, matters: true,
			query: func(*Machine) tl.Object {
				return &tg.UsersGetUsersRequest{ID: []tg.AnyInputUser{&tg.InputUserSelf{}}}
			},
			answer: reads((*tg.UsersGetUsersRequest)(nil).ParseResult, (*Machine).onProbed),
			lost:   (*Machine).again,
		}, true
	case callLogOut:
		return method{
			state: StateLoggingOut, repeatable: true, patient: true, matters: true,
			query:  func(*Machine) tl.Object { return &tg.AuthLogOutRequest{} },
			answer: func(m *Machine, _ time.Time, _ *tl.Reader) bool { m.onLoggedOut(); return true },
			lost:   (*Machine).again,
		}, true
	}
	for _, room := range []func(*Machine, call) (method, bool){
		(*Machine).phoneMethod, (*Machine).emailMethod, (*Machine).passwordMethod, (*Machine).qrMethod,
		(*Machine).botMethod, (*Machine).webMethod, (*Machine).passkeyMethod, (*Machine).pnvMethod, (*Machine).importMethod,
	} {
		if found, ok := room(m, c); ok {
			return found, true
		}
	}
	return method{}, false
}

// call saves the snapshot and sends the query it describes. The query is on
// record before it is on the wire: after a crash we know what to ask about.
func (m *Machine) call(c call) {
	what, ok := m.method(c)
	if !ok {
		m.fail(senseless())
		return
	}
	if what.state == StateSigningUp && !m.cfg.AllowSignUp {
		// Refused at the answer already; a snapshot could smuggle it in here.
		m.fail(signUpRefused(nil))
		return
	}
	q := what.query(m)
	if q == nil {
		m.s.LastError = restarted
		if what.forgotten == nil {
			m.fail(senseless())
			return
		}
		what.forgotten(m)
		return
	}
	if string(c) != m.s.Pending {
		m.s.Pending, m.s.Retries, m.s.Troubles = string(c), 0, 0
	}
	m.s.Until, m.s.Imposed = time.Time{}, false
	m.become(what.state)
	m.id++
	m.save()
	m.emit(Output{Kind: OutCall, Call: m.id, DC: m.s.DC, Query: q, Once: !what.repeatable})
}

// pending is what is to be known of the call under way.
func (m *Machine) pending() method {
	what, _ := m.method(call(m.s.Pending))
	return what
}

// underWay reports whether an answer belongs to the call under way.
func (m *Machine) underWay(id CallID) bool {
	what, ok := m.method(call(m.s.Pending))
	return ok && m.started && id == m.id && what.state == m.s.State
}

// Result says that a call was answered; body is the result's TL bytes.
func (m *Machine) Result(now time.Time, id CallID, body []byte) {
	if !m.underWay(id) {
		return
	}
	switch what := m.pending(); {
	case m.s.Canceled && !what.signsIn && !what.matters:
		m.endCanceled(nil)
	case !what.answer(m, now, tl.NewReader(body)):
		m.unreadable()
	}
}

// unreadable handles a result that cannot be parsed. It may have been a
// success, so the server is asked; when that answer cannot be read either,
// there is nothing more to try.
func (m *Machine) unreadable() {
	switch {
	case m.pending().signsIn:
		m.probe()
	case call(m.s.Pending) == callProbe:
		m.undo(nobodyKnows()) // somebody is signed in
	case m.s.Canceled:
		m.endCanceled(nil)
	default:
		m.fail(&Error{Reason: ReasonServer, Retry: true, Message: "the server's answer could not be read; try again, or with a newer version"})
	}
}

// Lost says that no answer to a call will come, and that the server may have
// executed it.
func (m *Machine) Lost(now time.Time, id CallID) {
	if m.underWay(id) {
		m.lost(now)
	}
}

func (m *Machine) lost(now time.Time) {
	what := m.pending()
	switch c := call(m.s.Pending); {
	case what.signsIn:
		m.probe()
	case c == callProbe, c == callLogOut:
		what.lost(m, now)
	case c == callCancelCode:
		m.onCanceled()
	case m.s.Canceled:
		m.endCanceled(nil)
	default:
		what.lost(m, now)
	}
}

// Failed says how a call came to nothing: err is the server's refusal
// (*tgerr.Error), a wait that is remembered of an earlier one (tgerr.Until), or
// our own. One of our own with a method NotSent that says no counts as Lost; any
// other kept the query from being sent.
func (m *Machine) Failed(now time.Time, id CallID, err error) {
	if !m.underWay(id) {
		return
	}
	e, refused := tgerr.As(err)
	until, waits := tgerr.Until(err, now)
	var fate interface{ NotSent() bool }
	switch {
	case waits:
		m.onWait(now, until, e)
	case !refused && errors.As(err, &fate) && !fate.NotSent():
		m.lost(now)
	case !refused:
		m.notSent(now)
	default:
		m.onRefused(now, e)
	}
}

// onWait obeys a wait; e is the server's word where it was said just now. It is
// never cut short. A long one outlives the code and the human's patience: then
// they begin again when it is over.
func (m *Machine) onWait(now, until time.Time, e *tgerr.Error) {
	what := m.pending()
	switch c := call(m.s.Pending); {
	case c == callCancelCode:
		m.onCanceled()
	case c == callLogOut, c == callProbe:
		m.waitUntil(now, until, true)
	case m.s.Canceled:
		m.endCanceled(e)
	case e.Class() == tgerr.ClassFlood:
		m.tooMany(until, e)
	case what.patient, until.Sub(now) <= patience:
		m.waitUntil(now, until, true)
	case what.late != nil:
		m.s.LastError = floodWait
		what.late(m, until)
	default:
		m.tooMany(until, e)
	}
}

// tooMany ends an attempt that the server does not want to hear of for a while.
func (m *Machine) tooMany(until time.Time, e *tgerr.Error) {
	err := &Error{Reason: ReasonFlood, Retry: true, Until: until, Message: "there were too many attempts; the server wants a pause before the next one"}
	if e.Class() == tgerr.ClassFlood {
		err.Message = "there were too many attempts; leave this account alone for a day"
	}
	if e != nil {
		err.Err = e
	}
	m.fail(err)
}

// notSent repeats a call after a local trouble, for as long as it lasts. A
// cancelled attempt does not wait for a connection, except to take an
// authorization back.
func (m *Machine) notSent(now time.Time) {
	c := call(m.s.Pending)
	switch {
	case !m.s.Canceled || c == callProbe || c == callLogOut:
		m.again(now)
	case c == callCancelCode:
		m.onCanceled()
	default:
		m.endCanceled(nil)
	}
}

// migrate moves the attempt to another DC and repeats the pending call there.
func (m *Machine) migrate(id dc.ID, e *tgerr.Error) {
	known := id.Valid() && (m.cfg.HasDC == nil || m.cfg.HasDC(id))
	why := func(err *Error) *Error {
		if e != nil {
			err.Err = e
		}
		return err
	}
	switch {
	case !known:
		m.fail(why(&Error{Reason: ReasonMigrate, Message: fmt.Sprintf("the server points to %v, which is not in the configuration", id)}))
	case m.s.Hops >= hopsMost:
		m.fail(why(&Error{Reason: ReasonMigrate, Retry: true, Message: fmt.Sprintf("the server sent the sign-in from DC to DC more than %d times; try later", hopsMost)}))
	default:
		m.s.Hops++
		m.s.Target = id
		m.become(StateMigrating)
		m.save()
		m.emit(Output{Kind: OutMigrate, DC: id})
	}
}

// moveFirst moves to the DC that the flow names before anything is sent.
func (m *Machine) moveFirst() {
	spec, _ := m.s.Flow.spec()
	m.s.Pending = string(spec.first)
	m.migrate(m.s.Web.DC, nil)
}
