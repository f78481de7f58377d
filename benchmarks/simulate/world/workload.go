package world

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/tl"
)

// workload is the actor that does what callers and operators do.
type workload struct {
	w         *world
	rand      *rand.Rand
	coming    *rand.Rand
	operators *rand.Rand
	resting   bool // nothing new but what leads everybody home
}

// message is what the workload handles.
type message interface{ message() }

type (
	signInDue struct{ u *user }
	signedIn  struct {
		u   *user
		err error
	}
	revoked  struct{ u *user }
	callDue  struct{ u *user }
	pauseDue struct{}
	nightDue struct{}
	paused   struct {
		u   *user
		d   time.Duration // for how long
		err error
	}
	resumeDue struct{ u *user }
	resumed   struct {
		u   *user
		err error
	}
	// rest ends calls, pauses and restarts.
	rest struct{}
	// home ends everything.
	home struct{}
)

func (signInDue) message() {}
func (signedIn) message()  {}
func (revoked) message()   {}
func (callDue) message()   {}
func (pauseDue) message()  {}
func (nightDue) message()  {}
func (paused) message()    {}
func (resumeDue) message() {}
func (resumed) message()   {}
func (rest) message()      {}
func (home) message()      {}

// Timers: four for the whole, and two for each user.
const (
	timerPause = iota
	timerCome
	timerNight
	timerOperate
	timersOfAll
)

func timerSign(u *user) int { return timersOfAll + 2*u.index }
func timerCall(u *user) int { return timersOfAll + 2*u.index + 1 }

// patience is how long an operator waits for what he asked.
const patience = 2 * time.Minute

func newWorkload(w *world) *workload {
	return &workload{w: w, rand: stream(w.seed, "workload"), coming: stream(w.seed, "coming"), operators: stream(w.seed, "operators")}
}

type workCtx = runtime.Context[message]

// Started implements [runtime.Actor].
func (k *workload) Started(c *workCtx) {
	for _, u := range k.w.users {
		c.After(timerSign(u), k.upTo(20*time.Second), signInDue{u})
	}
	c.After(timerCome, comeMost, comeDue{})
	if !k.w.opts.Calm {
		c.After(timerPause, k.w.due(k.upTo(3*time.Minute)), pauseDue{})
	}
	if !k.w.opts.Calm {
		c.After(timerOperate, operateMost, operateDue{})
	}
	if k.w.opts.paced() {
		c.After(timerNight, nightFrom, nightDue{})
	}
}

// Stopping implements [runtime.Actor].
func (k *workload) Stopping(*workCtx) {}

// Receive implements [runtime.Actor].
func (k *workload) Receive(c *workCtx, m message) {
	switch m := m.(type) {
	case signInDue:
		m.u.busy = true
		how := m.u.mannerOf(k.operators)
		how.cancel = how.cancel && !k.resting && !k.w.opts.Calm
		c.GoIO(func() message { return signedIn{m.u, k.w.signIn(m.u, how)} })
	case signedIn:
		m.u.busy = false
		if m.err != nil {
			k.w.rec.line("signing %s in: %v", m.u.name, m.err)
			c.After(timerSign(m.u), time.Second+k.upTo(10*time.Second), signInDue{m.u})
			return
		}
		m.u.in = true
		k.w.judge.SignedIn(m.u.name, m.u.ID)
		k.w.judge.isBack(m.u.name, m.u.ID, k.w.sim.Now())
		c.After(timerCall(m.u), k.w.due(k.upTo(8*time.Second)), callDue{m.u})
	case revoked:
		m.u.in = false
		c.After(timerSign(m.u), time.Second+k.upTo(10*time.Second), signInDue(m))
	case callDue:
		if !m.u.in {
			return // signing in again comes back here
		}
		if !k.resting {
			k.call(m.u)
			c.After(timerCall(m.u), k.w.due(k.upTo(8*time.Second)), callDue{m.u})
		}
	case pauseDue:
		k.onPauseDue(c)
	case nightDue:
		k.onNightDue(c)
	case paused:
		k.w.rec.line("pausing %s: %v", m.u.name, m.err)
		if k.resting {
			m.d = min(m.d, time.Minute)
		}
		c.After(timerSign(m.u), m.d, resumeDue{m.u})
		m.u.asleep = m.d > time.Minute
	case resumeDue:
		m.u.asleep = false
		c.GoIO(func() message { return resumed{m.u, k.w.resume(m.u)} })
	case resumed:
		if m.err != nil {
			k.w.rec.line("resuming %s: %v", m.u.name, m.err)
			c.After(timerSign(m.u), time.Second+k.upTo(5*time.Second), resumeDue{m.u})
			return
		}
		m.u.busy = false
	case comeDue:
		k.onComeDue(c)
	case operateDue:
		k.onOperateDue(c)
	case operated:
		k.onOperated(c, m)
	case came:
		m.u.comes = false
	case rest:
		k.resting = true
		for _, u := range k.w.users {
			if u.asleep {
				u.asleep = false
				c.After(timerSign(u), k.upTo(time.Minute), resumeDue{u})
			}
		}
	case home:
		c.Stop()
	}
}

func (k *workload) upTo(d time.Duration) time.Duration { return time.Duration(k.rand.Int64N(int64(d))) }

// onPauseDue pauses somebody for a while.
func (k *workload) onPauseDue(c *workCtx) {
	if k.resting {
		return
	}
	c.After(timerPause, k.w.due(k.upTo(3*time.Minute)), pauseDue{})
	u := k.w.users[k.rand.IntN(len(k.w.users))]
	if !u.in || u.busy {
		return
	}
	k.pause(c, u, k.upTo(time.Minute))
}

func (k *workload) pause(c *workCtx, u *user, d time.Duration) {
	u.busy = true
	c.GoIO(func() message { return paused{u, d, k.w.pause(u)} })
}

// onNightDue pauses two thirds of the accounts until the morning, others each
// night: their keys may expire meanwhile.
func (k *workload) onNightDue(c *workCtx) {
	if k.resting {
		return
	}
	c.After(timerNight, day, nightDue{})
	night := int(k.w.sim.Now().Sub(k.w.rec.begun) / day)
	for _, u := range k.w.users {
		if u.in && !u.busy && (u.index+night)%3 != 0 {
			k.pause(c, u, day-nightFrom+k.upTo(10*time.Minute))
		}
	}
}

// call makes one call: once or repeatable, at home or elsewhere, for media or not,
// quick or slow.
func (k *workload) call(u *user) {
	w, r := k.w, k.rand
	p, a, err := w.callee(u)
	switch {
	case p == nil:
		return
	case err != nil && w.several():
		return // it moves
	case err != nil:
		w.judge.Complain("an account that was signed in is gone: %v", err)
		return
	}
	opts := []actors.CallOption{actors.WithPolicy(actors.Repeatable)}
	once := r.IntN(2) == 0
	if once {
		opts[0] = actors.WithPolicy(actors.Once)
	}
	if r.IntN(10) == 0 {
		opts = append(opts, actors.OnDC(dc.ID(1+r.IntN(w.opts.DCs))))
	}
	if r.IntN(8) == 0 {
		opts = append(opts, actors.Media())
	}
	q := &echo.EchoRequest{Payload: make([]byte, r.IntN(2000))}
	if r.IntN(4) == 0 {
		q.DelayMs = int32(r.IntN(15_000))
	}
	q.ID = w.judge.begin(p, u.name, once)
	cancel := a.Start(q, func(body tl.Raw, err error) {
		if once && errors.Is(err, actors.ErrMayHaveRun) && w.opts.Plant == PlantRepeatOnce {
			w.rec.line("plant: call %d is sent again", q.ID)
			a.Start(q, func(tl.Raw, error) {}, opts...)
		}
		w.judge.ended(u.name, q, body, err)
		w.plantWait(err)
		k.again(u, err)
	}, opts...)
	if r.IntN(4) > 0 {
		w.sim.AfterFunc(time.Second+k.upTo(10*time.Minute), func() {
			if slices.Contains(w.live(), p) {
				cancel()
			}
		})
	}
}

// What waits: it runs as work of the actor.

func (w *world) pause(u *user) error {
	ctx, cancel := w.within(patience)
	defer cancel()
	u.doubtful = true
	a, err := w.account(u)
	if err != nil {
		return err
	}
	return a.Pause(ctx)
}

// resume ends a pause, whether it came to one or not.
func (w *world) resume(u *user) error {
	ctx, cancel := w.within(patience)
	defer cancel()
	a, err := w.account(u)
	if err != nil {
		return err
	}
	switch st := a.Status(); {
	case st.State == actors.Paused:
		err := a.Resume(ctx)
		u.doubtful = u.doubtful && err != nil
		return err
	case st.State == actors.New && u.in:
		return errors.New("the account is not read from the store yet")
	}
	return nil
}

// hear records an event and lets the judge hear it.
func (w *world) hear(p *process, ev actors.Event) {
	w.rec.count.Events++
	text, err := json.Marshal(ev)
	if err != nil {
		panic(fmt.Sprintf("world: an event that JSON cannot write: %v", err))
	}
	w.rec.note(noteEvent, uint64(p.life), text)
	if w.opts.Plant == PlantTellSecret && ev.Kind == actors.EventState && w.life > len(w.nodes) {
		text = append(text, canary("")...)
		w.rec.line("plant: an event tells a secret")
	}
	w.holdSecrets("an event", string(text))
	if w.plants(p, ev) {
		return
	}
	w.judge.hear(p, ev)
	if ev.Kind == actors.EventState && !p.late(ev) {
		w.follow(ev)
	}
}

// user is who has an account.
func (w *world) user(account string) *user {
	return w.users[slices.IndexFunc(w.users, func(u *user) bool { return u.name == account })]
}

// follow notes what an account's state means for its user.
func (w *world) follow(ev actors.Event) {
	u := w.user(ev.Account)
	if over := ev.Status.State == actors.Revoked || u.misses(ev.Status.State); u.in && over {
		if u.forgotten {
			w.isGone(u)
		}
		w.work.Send(revoked{u})
	}
}

// roll asks after everybody when the weather has been good for long.
func (w *world) roll() {
	for _, u := range w.users {
		p, a, err := w.at(u)
		if err != nil {
			w.judge.Complain("%s: %v", u.name, err)
			continue
		}
		st := a.Status()
		if st.State != actors.Online {
			w.judge.Complain("%s is not online: %v since %v: %s", u.name, st.State, st.Since.Sub(w.rec.begun), st.Why)
			continue
		}
		if st.Bound != st.PFS {
			w.judge.Complain("%s is online with pfs %v and bound %v", u.name, st.PFS, st.Bound)
		}
		q := &echo.EchoRequest{ID: w.judge.begin(p, u.name, false)}
		a.Start(q, func(body tl.Raw, err error) {
			w.judge.ended(u.name, q, body, err)
			if err != nil {
				w.judge.Complain("%s is online and a call ended with %v", u.name, err)
			}
		})
		w.dcs.push(u.ID)
	}
	w.dcs.end()
}

// plants does to an event what a plant says; it reports whether the judge is not
// to hear of it now.
func (w *world) plants(p *process, ev actors.Event) bool {
	if ev.Kind != actors.EventUpdate {
		return false
	}
	w.judge.updates++
	if ev.Box.Kind == actors.BoxCommon {
		w.user(ev.Account).placed = true
	}
	post := ev.Box.Kind == actors.BoxChannel && ev.Pts != 0
	if post {
		w.judge.posts++
	}
	switch plant := w.opts.Plant; {
	case plant == PlantSwallowReturn && post && w.judge.back(w, ev) == 3:
		w.rec.line("plant: an update of %s is lost after it came back to %v", ev.Account, ev.Box)
		return true
	case plant == PlantSwallowUpdate && w.judge.updates%10 == 0, plant == PlantSwallowPost && post && w.judge.posts%10 == 0:
		w.rec.line("plant: an update of %s is lost", ev.Account)
		return true
	case plant == PlantTurnPosts && post && w.judge.posts == 10:
		w.rec.line("plant: an update of %s waits", ev.Account)
		w.judge.late = &ev
		return true
	case w.judge.late != nil && post && ev.Box == w.judge.late.Box && ev.Account == w.judge.late.Account:
		late := *w.judge.late
		w.judge.late = nil
		w.judge.hear(p, ev)
		w.judge.hear(p, late)
		return true
	}
	return false
}
