package login

import (
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/tl"
)

// A world drives a machine as the account does: it carries out what the machine
// asks for, keeps a disk, and may be killed at any time. Beside it runs the dumb
// server, which knows who is signed in.
type world struct {
	t      interface{ Fatalf(string, ...any) }
	m      *Machine
	cfg    Config
	server dumb
	now    time.Time
	at     dc.ID

	disk     *Snapshot
	call     Output // under way
	work     Output
	moving   dc.ID
	waits    map[string]time.Time // what the server ordered, by what was asked
	done     *Authorization
	failed   *Error
	saved    []savedWorld
	calls    int
	refuseAt func(w *world) error // what the server refuses the call under way with
	forgets  bool                 // the human has forgotten the password
	log      []string
}

// savedWorld is a world at the moment of a commit.
type savedWorld struct {
	snapshot Snapshot
	server   dumb
	at       dc.ID
	now      time.Time
	query    tl.Object // that was sent next
}

func newWorld(t interface{ Fatalf(string, ...any) }, f Flow, d dumb, change func(*Config)) *world {
	d.auth = map[dc.ID]authorized{}
	if d.user = 42; f == FlowBot {
		d.user = botUser
	}
	w := &world{t: t, server: d, now: epoch, at: 2, cfg: testConfig(), waits: map[string]time.Time{}}
	w.cfg.PermKeyID = func(id dc.ID) (int64, bool) { return int64(id), true }
	w.cfg.Settings.AllowFirebase = true
	if change != nil {
		change(&w.cfg)
	}
	w.cfg.DC = w.at
	m, err := begin(w.cfg, f, d.home)
	if err != nil {
		t.Fatalf("%v: %v", f, err)
	}
	w.m = m
	return w
}

func (w *world) failf(format string, args ...any) {
	w.t.Fatalf(format+"\n%s", append(args, strings.Join(w.log, "\n"))...)
}

func (w *world) note(format string, args ...any) {
	w.log = append(w.log, fmt.Sprintf("%v: ", w.m.State())+fmt.Sprintf(format, args...))
}

func (w *world) over() bool { return w.done != nil || w.failed != nil }

// drain does what the machine asks for, and holds it to its promises.
func (w *world) drain() {
	for out, ok := w.m.Next(); ok; out, ok = w.m.Next() {
		if w.over() {
			w.failf("%v after the end", out)
		}
		w.note("%v", out)
		switch out.Kind {
		case OutSave:
			w.save(out.Snapshot)
		case OutCall:
			w.sent(out)
		case OutWork:
			w.work = out
		case OutMigrate:
			w.moving = out.DC
		case OutAsk:
			if out.Step.Message == "" || out.Step.Kind == "" || out.Step.Type == "" || out.Step.ID == "" {
				w.failf("a step says nothing: %+v", out.Step)
			}
		case OutDone:
			w.done = out.Authorization
			if w.server.auth[w.at] != whole {
				w.failf("signed in, and the server knows %v", w.server.auth[w.at])
			}
		case OutFailed:
			if w.failed = out.Err; out.Err.Message == "" || out.Err.Reason == "" || out.Step.Type != TypeFailed {
				w.failf("an error says nothing: %+v", out.Err)
			}
			if w.server.live() {
				w.failf("it came to nothing (%v) and left %v at the server", out.Err, w.server.auth)
			}
		}
	}
	w.waitsForSomething()
}

func (w *world) save(s Snapshot) {
	b, err := s.Encode()
	if err != nil {
		w.failf("%v", err)
	}
	if strings.Contains(string(b), "SECRET") || strings.Contains(string(b), `"12345"`) {
		w.failf("a secret is stored: %s", b)
	}
	w.disk = &s
	server := w.server
	server.auth = maps.Clone(w.server.auth)
	w.saved = append(w.saved, savedWorld{snapshot: s, server: server, at: w.at, now: w.now})
}

func (w *world) sent(out Output) {
	name := out.Query.TypeName()
	switch {
	case w.disk == nil || w.disk.State != w.m.State() || w.disk.Pending != w.m.s.Pending:
		w.failf("%v before the snapshot that describes it", out)
	case out.DC != w.at:
		w.failf("%v is for %v, and we are at %v", out, out.DC, w.at)
	case w.moving != 0:
		w.failf("%v on the way to %v", out, w.moving)
	}
	if until := w.waits[w.subject(name)]; w.now.Before(until) {
		w.failf("%v before the server's wait is over", out)
	}
	if strings.HasSuffix(strings.ToLower(name), "signup") && !w.cfg.AllowSignUp {
		w.failf("an account would be made where that is refused")
	}
	w.call = out
	w.calls++
	w.saved[len(w.saved)-1].query = out.Query
}

// subject is what a wait is about: another number is another subject.
func (w *world) subject(method string) string { return method + " " + w.m.s.Phone.Number }

// waitsForSomething holds that the machine is over, or waits for something that
// has a name: an answer, a work, a move, a time, a human.
func (w *world) waitsForSomething() {
	if !w.m.started {
		return
	}
	step, asks := w.m.Step()
	switch s := w.m.State(); {
	case s.over() != w.over():
		w.failf("it is at %v, and nobody was told", s)
	case s.over():
	case w.m.underWay(w.call.Call) && w.call.Kind != 0:
	case s == StateProving && w.work.Kind != 0:
	case s == StateMigrating && w.moving != 0:
	case !w.m.Deadline().IsZero():
	case asks && step.Type != TypeDone:
	default:
		w.failf("it hangs at %v", s)
	}
}

// crash kills the process and starts another from the disk.
func (w *world) crash() {
	if w.disk == nil || w.over() {
		return
	}
	b, _ := w.disk.Encode()
	s, err := DecodeSnapshot(b)
	if err != nil {
		w.failf("%v", err)
	}
	w.cfg.DC = w.at
	if w.m, err = Restore(w.cfg, s); err != nil {
		w.failf("%v", err)
	}
	w.call, w.work, w.moving = Output{}, Output{}, 0
	w.note("restarted from %v", s)
	w.m.Start(w.now)
	w.drain()
}

// helpfulStep does the next thing that leads on, with a server that answers and a
// human who knows.
func (w *world) helpfulStep() {
	switch {
	case w.m.State() == StateNew:
		w.m.Start(w.now)
	case w.m.underWay(w.call.Call) && w.call.Kind != 0:
		w.server.now = w.now
		var body []byte
		var err error
		if w.refuseAt != nil {
			err = w.refuseAt(w)
		}
		if err == nil {
			body, err = w.server.reply(w.at, w.call.Query)
		}
		w.note("answered: %v", err)
		if err != nil {
			w.m.Failed(w.now, w.call.Call, err)
		} else {
			w.m.Result(w.now, w.call.Call, body)
		}
	case w.m.State() == StateProving:
		w.m.Worked(w.now, w.work.Work.ID, worked(w.m.secret.password.want))
	case w.m.State() == StateMigrating:
		w.at, w.moving = w.moving, 0
		w.m.Migrated(w.now)
	default:
		w.human()
	}
	w.drain()
}

// human answers a step, or lets the time pass.
func (w *world) human() {
	step, ok := w.m.Step()
	a, knows := helpful(step, w.server.home)
	if !step.Supported && ok {
		a, knows = Answer{Kind: AnswerCancel}, true
	}
	if !ok || !knows {
		if d := w.m.Deadline(); !d.IsZero() {
			w.now = laterOf(w.now, d)
			w.m.Advance(w.now)
			return
		}
		w.failf("nobody knows what to do at %v", w.m.State())
	}
	if w.forgets && step.Kind == StepPassword && step.Recovery {
		w.forgets, a = false, Answer{Step: step.ID, Kind: AnswerForgot}
	}
	w.now = laterOf(laterOf(w.now, step.Until), step.ResendAt)
	if err := w.m.Input(w.now, a); err != nil {
		w.failf("the answer to %v is refused: %v", step, err)
	}
}

func laterOf(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// finish leads it to its end.
func (w *world) finish() {
	for range 200 {
		if w.over() {
			return
		}
		w.helpfulStep()
	}
	w.failf("it comes to no end")
}
