package login

import (
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// phase says what an Attempt waits for that is not its machine's business.
type phase uint8

const (
	// phaseTurn: its turn, for sign-ins are paced. Nothing was sent. Left for
	// phaseRuns.
	phaseTurn phase = iota
	// phaseRuns: what the machine says is done as it is said.
	phaseRuns
	// phaseStores: what it said last is on its way to the disk. Left for
	// phaseRuns when it is there, however long that takes.
	phaseStores
	// phaseLooks: the waits about the phone number or the token are looked up,
	// before the first query about it. Left for phaseRuns.
	phaseLooks
	// phaseMoves: it goes on at another DC, which is being opened. Left for
	// phaseRuns.
	phaseMoves
	// phasePlaces: the server has signed us in and is asked where the updates
	// stand. Left for phaseOver by any answer.
	phasePlaces
	// phaseOver: it has an Outcome, or none and was dropped.
	phaseOver
)

// An Attempt is a sign-in as an account drives it: a [Machine], and what it has
// to wait for besides the server and the human. Its outputs are the machine's;
// each input here says which of them it answers.
//
//	a.Granted(now)                    when it is its turn
//	OutCall     and a.Looks(): look up the waits about a.About(), then run a.Known()
//	            otherwise run it; answer: a.Answered
//	OutWork     run it elsewhere; answer: a.Worked
//	OutSave     a.Saved() when it is on disk
//	OutMigrate  a.Migrated(now)
//	OutDone     ask updates.getState; answer: a.Answered, whatever it is
//	OutFailed   nothing
//
// When a.Over(), a.Outcome() is what to tell the account.
type Attempt struct {
	m     *Machine
	phase phase
	phone string
	fresh bool   // nothing that would be to undo was sent yet, not even by an earlier process
	ends  bool   // cancelled before its turn, for what an earlier process left
	about string // whose waits are known
	held  Output // the call that waits for phaseLooks
	step  *Step  // what it waits for
	auth  *Authorization
	place *tg.UpdatesState
	err   error
}

// Begin returns a sign-in that was not begun yet. It fails with an *Error, or
// with Config.HoldPhone's.
func Begin(cfg Config, start Start) (*Attempt, error) {
	m, err := start.machine(cfg)
	return attempt(m, true, err)
}

// Resume returns the sign-in of a stored snapshot, and fails as Begin does.
func Resume(cfg Config, stored []byte) (*Attempt, error) {
	snap, err := DecodeSnapshot(stored)
	if err != nil {
		return nil, err
	}
	m, err := Restore(cfg, snap)
	return attempt(m, err == nil && m.s.Flow.keeps(), err)
}

func attempt(m *Machine, fresh bool, err error) (*Attempt, error) {
	if err != nil {
		return nil, err
	}
	a := &Attempt{m: m, fresh: fresh, phone: m.s.Phone.Number}
	if m.s.Phone.Next != "" { // the number a code is asked for next
		a.phone = m.s.Phone.Next
	}
	if err := m.cfg.hold("", a.phone); err != nil {
		return nil, err
	}
	return a, nil
}

// ID tells it from every other sign-in, also after a restart: the ids of its
// steps begin with it.
func (a *Attempt) ID() string { return a.m.s.Attempt }

// Flow is the way to sign in, for records and metrics.
func (a *Attempt) Flow() Flow { return a.m.s.Flow }

// Phone is the number a code is asked for, digits only; empty for a flow that
// names none. One account at a time asks for codes for a number.
func (a *Attempt) Phone() string { return a.phone }

// Release gives the phone number back that the sign-in holds.
func (a *Attempt) Release() { _ = a.m.cfg.hold(a.phone, "") }

// phoneAfter is what the number is when an answer was taken. Whether it is one
// the machine says.
func (a *Attempt) phoneAfter(answer Answer) string {
	if digits, problem := normalPhone(answer.Phone); problem == "" && answer.Kind == AnswerPhone {
		return digits
	}
	return a.phone
}

// About is the number or the token that queries are about now, empty where they
// name nobody. It is a secret.
func (a *Attempt) About() string { return a.m.Subject() }

// Step is what it waits for, nil while that is not a human.
func (a *Attempt) Step() *Step { return a.step }

// Canceled reports whether it ends as soon as it is safe.
func (a *Attempt) Canceled() bool { return a.m.s.Canceled || a.ends }

// Over reports whether it has ended, and Looks whether the call of the last
// OutCall waits for Known.
func (a *Attempt) Over() bool  { return a.phase == phaseOver }
func (a *Attempt) Looks() bool { return a.phase == phaseLooks }

// Outcome is how it ended: with an authorization, and where the updates stood
// before it counts (nil when that is not known); with an error; or with nothing,
// when it was dropped.
func (a *Attempt) Outcome() (*Authorization, *tg.UpdatesState, error) { return a.auth, a.place, a.err }

// Granted says that it is its turn. It reports whether that was waited for.
func (a *Attempt) Granted(now time.Time) bool {
	if a.phase != phaseTurn {
		return false
	}
	a.fresh, a.phase = false, phaseRuns
	if a.m.Start(now); a.ends {
		_ = a.m.Input(now, Answer{Kind: AnswerCancel}) // which any state takes
		a.m.out = slices.DeleteFunc(a.m.out, func(o Output) bool { return o.Kind == OutAsk })
	}
	return true
}

// Next returns the next output of the machine, while nothing else is waited for.
func (a *Attempt) Next() (Output, bool) {
	if a.phase != phaseRuns {
		return Output{}, false
	}
	out, ok := a.m.Next()
	switch out.Kind {
	case OutCall:
		if about := a.About(); about != a.about && about != "" {
			a.about, a.held, a.phase = about, out, phaseLooks
		} else {
			a.step = nil
		}
	case OutMigrate:
		a.phase = phaseMoves
	case OutAsk:
		step := out.Step
		a.step = &step
	case OutSave:
		a.phase = phaseStores
	case OutDone:
		a.auth, a.phase = out.Authorization, phasePlaces
	case OutFailed:
		a.Fail(out.Err)
	}
	return out, ok
}

// Known says that the waits about the subject are known. It returns the call
// that waited for that; false when none did.
func (a *Attempt) Known() (Output, bool) {
	if a.phase != phaseLooks {
		return Output{}, false
	}
	a.phase, a.step = phaseRuns, nil
	return a.held, true
}

// Saved says that the last snapshot is on disk.
func (a *Attempt) Saved() {
	if a.phase == phaseStores {
		a.phase = phaseRuns
	}
}

// Migrated says that the DC of the last OutMigrate is home now.
func (a *Attempt) Migrated(now time.Time) {
	if a.phase == phaseMoves {
		a.phase = phaseRuns
		a.m.Migrated(now)
	}
}

// Deadline is when Advance is wanted, zero for never.
func (a *Attempt) Deadline() time.Time {
	if a.phase != phaseRuns {
		return time.Time{}
	}
	return a.m.Deadline()
}

// Advance does what the passing of time demands.
func (a *Attempt) Advance(now time.Time) { a.m.Advance(now) }

// Answered takes what became of a call, or of the question after an OutDone.
func (a *Attempt) Answered(now time.Time, call CallID, body []byte, err error) {
	switch {
	case a.phase == phaseOver:
	case a.phase == phasePlaces:
		a.placed(body)
	case err == nil:
		a.m.Result(now, call, body)
	default:
		a.m.Failed(now, call, err)
	}
}

// Worked takes what came of an OutWork, Pushed an update that came meanwhile, and
// Clock how far the server's clock is from ours.
func (a *Attempt) Worked(now time.Time, id CallID, r WorkResult) {
	if a.phase != phaseOver {
		a.m.Worked(now, id, r)
	}
}

func (a *Attempt) Pushed(now time.Time, body []byte) {
	if a.phase != phaseOver {
		a.m.Pushed(now, body)
	}
}

func (a *Attempt) Clock(offset time.Duration) { a.m.Clock(offset) }

// placed ends it well. An answer of no use leaves the place unknown.
func (a *Attempt) placed(body []byte) {
	a.phase = phaseOver
	var state tg.UpdatesState
	if tl.Unmarshal(body, &state) == nil {
		a.place = &state
	}
}

// Input is what the human said. An answer that does not fit is refused with an
// *Error, one with a number that another sign-in has with Config.HoldPhone's
// error, and changes nothing. Before its turn, which may be far away while a DC
// is down, a cancellation ends it at once, unless an earlier process left something
// at the server: then as soon as it is its turn.
func (a *Attempt) Input(now time.Time, answer Answer) error {
	if answer.Kind == AnswerCancel && a.fresh {
		a.Fail(&Error{Reason: ReasonCanceled, Retry: true, Message: "the sign-in was cancelled before it began"})
		return nil
	}
	switch {
	case a.phase != phaseTurn:
	case answer.Kind == AnswerCancel:
		a.ends = true
		return nil
	default:
		return &Error{Reason: ReasonEarly, Retry: true, Message: "the sign-in goes on when it is its turn; answer the step that it shows then"}
	}
	after := a.phoneAfter(answer)
	if err := a.m.cfg.hold(a.phone, after); err != nil {
		return err
	}
	if err := a.m.Input(now, answer); err != nil {
		_ = a.m.cfg.hold(after, a.phone)
		return err
	}
	a.phone = after
	return nil
}

// Cancel ends it for an account that is to be removed. A login that the server
// has granted already is kept: the removal is refused by that.
func (a *Attempt) Cancel(now time.Time) error {
	if a.phase == phasePlaces {
		a.placed(nil)
		return nil
	}
	return a.Input(now, Answer{Kind: AnswerCancel})
}

// Fail ends it with an error.
func (a *Attempt) Fail(err error) { a.phase, a.err = phaseOver, err }

// Drop ends it without an outcome: the account is out of service, and goes on
// with what is stored when it is back.
func (a *Attempt) Drop() {
	if a.phase != phaseOver {
		a.phase, a.auth = phaseOver, nil
	}
}
