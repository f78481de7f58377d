package world

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/foreign"
)

// Options say what kind of run it is. The zero value is five accounts, three
// DCs and five minutes.
type Options struct {
	Accounts int           // people and bots; zero: 5
	DCs      int           // zero: 3
	Duration time.Duration // of what people and faults do, in virtual time; zero: 5 min
	Dense    bool          // one storm, however long it lasts: an hour of 10 accounts costs 5 s of CPU
	Calm     bool          // nothing goes wrong, and nobody crashes
	// Harsh adds what no client can help: a DC that forgets its sessions reads
	// afterwards what it got before, a packet from a connection that the manager
	// has given up, with a call whose copy has run. It knows the msg_id no more,
	// and the call runs twice.
	Harsh bool
	Plant Plant // a fault to be found
	// Only are the gusts that come, by their numbers; nil: all. The others leave
	// no trace but that the work goes on otherwise without them.
	Only []int

	// Trace, if set, is told of everything that goes into the hash: two runs
	// that should be one part at the first note that differs.
	Trace func(Note)
}

// Plant is a fault of the world's own making.
type Plant uint8

// The plants.
const (
	PlantNone Plant = iota
	// PlantRepeatOnce sends a call that must not run twice again when it may
	// have run.
	PlantRepeatOnce
	// PlantForgetRecord lets the disk forget one perm key at a crash.
	PlantForgetRecord
	// PlantSwallowUpdate loses an update between the manager and who listens.
	PlantSwallowUpdate
	// PlantSwallowPost loses a message of a channel there.
	PlantSwallowPost
	// PlantTurnPosts tells two messages of a channel in the wrong order.
	PlantTurnPosts
	// PlantSwallowReturn loses a message of a channel to which an account has come
	// back.
	PlantSwallowReturn
	// PlantForgetWait ends the process when an account was told to wait, and lets
	// the disk forget it.
	PlantForgetWait
	// PlantTellSecret puts a secret into events.
	PlantTellSecret
	// PlantNoBudget lets the manager connect as often as it likes.
	PlantNoBudget
	// PlantNoKeyBudget lets it make keys as often as it likes.
	PlantNoKeyBudget
	// PlantNoTurns lets it begin sign-ins as often as it likes.
	PlantNoTurns
	// PlantHurtOthers has something that happens to one account happen to another too.
	PlantHurtOthers
	// PlantKeepSocket leaves a socket open when the process has ended.
	PlantKeepSocket
	// PlantKeepKeys has the DCs refuse to drop old temp keys, in words that say that
	// asking again is of no use, and operators rotate without saying so. While a DC has
	// trouble with it, the manager binds no third key.
	PlantKeepKeys
)

// Result is what a run came to.
type Result struct {
	Seed       uint64
	Hash       string   // of every packet, record, event and end of a call
	Complaints []string // promises that were broken; none is a good run
	Timeline   []string // what happened, up to the last 4,000 lines
	Counts     Counts
	Virtual    time.Duration
	Stories    map[string]string // the timeline of each account at the end, as text
}

const defaultDuration = 5 * time.Minute

// paced tells whether the run has quiet hours.
func (o Options) paced() bool { return !o.Dense && o.Duration > denseMost }

// world is one run.
type world struct {
	opts Options
	seed uint64
	sim  *runtime.Sim
	rec  *recorder
	dcs  *cluster
	sky  *weather
	disk *disk
	sys  *runtime.System // the world's own actors: they outlive a crash

	users   []*user
	secrets secrets
	judge   *judge
	tide    tide

	stories map[string]string // the timelines of the accounts, as text, at the end
	work    runtime.Ref[message]
	boot    runtime.Ref[boot]

	life  int // counts managers
	m     *actors.Manager
	net   *network
	store *store
}

// user is one account and who uses it.
type user struct {
	api.User
	index int
	name  string
	pfs   bool
	in    bool // signed in

	placed   bool   // an update has come: where it stands in the server's log is known
	busy     bool   // somebody pauses, resumes or signs in
	password string // of two steps; empty: none
	passkeys []string
	tries    int              // to make one
	session  *foreign.Session // that the operator has in his hands
	imported bool             // its session was taken in
	proxy    string           // it is added with
	asleep   bool             // paused until the morning
	comes    bool             // its account is joining or leaving a channel
}

// newUser is who has an account: two thirds have temp keys, a quarter goes
// through a proxy at first.
func newUser(of api.User, index int, name string) *user {
	u := &user{User: of, index: index, name: name, pfs: index%3 != 2}
	if index%4 == 1 {
		u.proxy = someProxy(index / 4 % proxies)
	}
	if index == 0 {
		u.password = canary("password")
	}
	return u
}

// Run plays one run. It is one goroutine's; several runs may go on at once.
func Run(seed uint64, o Options) (Result, error) {
	def(&o.Accounts, 5)
	def(&o.DCs, 3)
	def(&o.Duration, defaultDuration)
	w, err := newWorld(seed, o)
	if err != nil {
		return Result{}, err
	}
	w.play()
	return Result{
		Seed: seed, Hash: w.rec.sum(), Complaints: w.judge.Complaints(), Timeline: w.rec.timeline(),
		Counts: w.rec.count, Virtual: w.sim.Now().Sub(w.rec.begun), Stories: w.stories,
	}, nil
}

func def[T int | time.Duration](v *T, to T) {
	if *v <= 0 {
		*v = to
	}
}

func newWorld(seed uint64, o Options) (*world, error) {
	sim := runtime.NewSim(seed)
	rec := newRecorder(sim.Now)
	rec.trace = o.Trace
	dcs, err := newCluster(sim, rec, seed, o)
	if err != nil {
		return nil, err
	}
	w := &world{
		stories: map[string]string{},
		opts:    o, seed: seed, sim: sim, rec: rec, dcs: dcs,
		sky:   newWeather(sim, rec, dcs, seed),
		disk:  &disk{rec: rec, image: persistence.NewMemory(), plant: o.Plant},
		sys:   runtime.NewSystem(runtime.Options{Sim: sim}),
		judge: newJudge(rec, seed%2 == 1),
	}
	w.judge.Floors = !o.Calm && floors(seed)
	w.judge.Left = dcs.left
	w.judge.came = dcs.core.EchoCame
	w.judge.waitEnd = func(account string) time.Time { return dcs.core.WaitEnd(w.user(account).ID, echoMethod) }
	w.sky.complain, w.sky.plant = w.judge.Complain, o.Plant
	if o.paced() {
		w.tide = newTide(stream(seed, "tide"), sim.Now(), o.Duration)
	}
	w.disk.crash = func() { w.crash("at a commit") }
	rec.hold = func(text string) {
		if !strings.Contains(text, "COMPLAINT") {
			w.holdSecrets("words", text)
		}
	}
	w.boot = runtime.SpawnRoot[boot](w.sys, starter{w})
	for i, u := range dcs.api.Users() {
		name := fmt.Sprintf("person-%d", i)
		if u.BotToken != "" {
			name = fmt.Sprintf("robot-%d", i)
		}
		w.users = append(w.users, newUser(u, i, name))
	}
	return w, nil
}

// tempLife is how long a temp key lives: a short one is rotated in a storm.
func (w *world) tempLife() time.Duration {
	if w.seed%3 != 0 && !w.opts.paced() {
		return 12 * time.Minute
	}
	return day
}

// skewed tells whether the DCs' clocks are wrong in this run.
func (w *world) skewed() bool { return w.judge.Skewed }

// open starts a manager.
func (w *world) open() {
	w.life++
	w.store, w.net = w.disk.open(), &network{weather: w.sky, paced: newPaced(Limits(w.seed), w.sim.Now())}
	w.judge.Opened()
	store, net, life := w.store, w.net, w.life
	app := w.dcs.api.Apps()[0]
	o := actors.Options{
		AllowExport: true, Store: store, Network: net, Sim: w.sim, DCs: w.dcs.table(), Limits: Limits(w.seed), Logger: w.logger(),
		App: actors.App{APIID: app.ID, APIHash: app.Hash, DeviceModel: "mtfleet simulation", SystemVersion: "none", AppVersion: "0"},
		OnEvent: func(ev actors.Event) {
			if !net.dead {
				w.hear(life, ev)
			}
		},
	}
	switch fast := (governor.Rate{PerSecond: 1e6, Burst: 1e6}); w.opts.Plant {
	case PlantNoBudget:
		o.Limits.ConnectsPerDC, o.Limits.Connects = fast, fast
		w.rec.line("plant: connects are not paced")
	case PlantNoKeyBudget:
		o.Limits.KeysPerDC, o.Limits.Keys = fast, fast
		w.rec.line("plant: keys are not paced")
	case PlantNoTurns:
		o.Limits.SignInsPerDC, o.Limits.SignIns = fast, fast
		w.rec.line("plant: sign-ins are not paced")
	}
	if life := w.tempLife(); life < day {
		o.TempKeyLife = life
	}
	m, err := actors.Open(o)
	if err != nil {
		w.judge.Complain("the manager does not open: %v", err)
		return
	}
	w.m = m
	w.rec.line("manager %d is up", life)
}

// openIn has a manager start some time later.
func (w *world) openIn(d time.Duration) { w.sim.AfterFunc(d, func() { w.boot.Send(bootDue) }) }

// starter is the actor that starts managers: to open one is to wait for it.
type starter struct{ w *world }

// boot is what it handles.
type boot uint8

const (
	bootDue boot = iota
	bootDone
)

// Started implements [runtime.Actor].
func (starter) Started(*runtime.Context[boot]) {}

// Receive implements [runtime.Actor].
func (s starter) Receive(c *runtime.Context[boot], b boot) {
	if b == bootDue {
		c.GoIO(func() boot { s.w.open(); return bootDone })
	}
}

// Stopping implements [runtime.Actor].
func (starter) Stopping(*runtime.Context[boot]) {}

// crash ends the manager's process, and starts another some time later.
func (w *world) crash(when string) {
	if w.m == nil {
		return
	}
	w.rec.count.Crashes++
	w.rec.line("manager %d crashes %s", w.life, when)
	w.store.dead = true
	w.net.kill()
	w.m.Crash()
	w.m = nil
	w.disk.crashed()
	w.judge.Died()
	w.openIn(time.Second + w.sky.latency(1)*100)
}

// restart ends the manager in order and starts another. It waits.
func (w *world) restart() {
	m := w.m
	if m == nil {
		return
	}
	w.rec.count.Restarts++
	w.rec.line("manager %d closes", w.life)
	ctx, cancel := w.within(time.Minute)
	defer cancel()
	err := m.Close(ctx)
	if w.m != m {
		return // it crashed meanwhile
	}
	if err != nil {
		w.judge.Complain("the manager does not close: %v", err)
	}
	w.net.kill()
	w.judge.Unended(w.dcs.core.Echo)
	w.m = nil
	w.openIn(time.Second)
}

// due is when work is due that takes d in a storm.
func (w *world) due(d time.Duration) time.Duration { return w.tide.until(w.sim.Now(), d) }

// within is a context that ends in virtual time.
func (w *world) within(d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	t := w.sim.AfterFunc(d, cancel)
	return ctx, func() {
		t.Stop()
		cancel()
	}
}

// play is the run: a storm, good weather, and the judgement.
func (w *world) play() {
	w.open()
	if w.opts.Plant == PlantKeepKeys {
		w.rec.line("plant: no temp key is dropped")
		w.dcs.fault(dctest.Fault{Kind: dctest.FaultRPC, Method: "auth.dropTempAuthKeys", Code: 400, Text: "PEER_ID_INVALID", Count: 1000})
	}
	if w.opts.Plant == PlantForgetWait {
		w.sim.AfterFunc(90*time.Second, func() {
			w.dcs.fault(dctest.Fault{Kind: dctest.FaultRPC, Method: echoMethod, Wait: dctest.Duration(time.Minute), Count: 1})
		})
	}
	w.work = runtime.SpawnRoot[message](w.sys, newWorkload(w))
	storm := runtime.Ref[gust]{}
	if !w.opts.Calm {
		storm = runtime.SpawnRoot[gust](w.sys, newStorm(w))
	}
	w.sim.RunFor(w.opts.Duration)
	storm.Stop()
	w.work.Send(rest{})
	w.clear()
	w.rec.line("the storm is over")
	w.sim.RunFor(15 * time.Minute) // the longest pauses are over
	w.awaitProofs()
	w.isolate()
	w.roll()
	w.sim.RunFor(12 * time.Minute) // and the longest calls, and 10 s for the updates
	w.work.Send(home{})
	w.close()
	w.audit()
	w.sys.Crash()
}

// proofsMost is how long the proof that a perm key is gone may take in good
// weather. While the storm lasted DCs may have answered -404 to others too: they
// are heard for 15 min after it, a question comes every 5 min, and two
// answers 5 min apart are the proof; a sign-in follows. Twice that is plenty.
const proofsMost = time.Hour

// proofsLong is how long it may take in a long run: a key that has worked for a
// day is not doubted for another, see mtproto/pfs.
const proofsLong = 25*time.Hour + proofsMost

// awaitProofs lets the good weather last until those whose home key was
// forgotten have found it out and are signed in again.
func (w *world) awaitProofs() {
	begun, most := w.sim.Now(), proofsMost
	if w.opts.Duration > day {
		most = proofsLong
	}
	for w.proving() && w.sim.Now().Sub(begun) < most {
		w.sim.RunFor(time.Minute)
	}
}

// proving tells whether somebody whose home key was forgotten is not online.
func (w *world) proving() bool {
	return slices.ContainsFunc(w.users, func(u *user) bool {
		a, err := w.account(u)
		return w.judge.doomed[u.name] && err == nil && a.Status().State != actors.Online
	})
}

// clear ends everything that goes wrong.
func (w *world) clear() {
	w.disk.fuse = 0
	w.sky.clear()
	w.dcs.clearFaults()
	// An answer that the server has lost for good never comes, and it says so
	// only when the session is begun anew.
	w.dcs.fault(dctest.Fault{Kind: dctest.FaultSkew})
	w.forgetSessions(dctest.Fault{Kind: dctest.FaultForgetSessions})
}

// forgetSessions makes a fault that makes DCs forget sessions.
func (w *world) forgetSessions(f dctest.Fault) {
	if !w.opts.Harsh {
		w.sky.unread(f.DC)
	}
	w.dcs.fault(f)
}

// close ends the last manager.
func (w *world) close() {
	if w.m == nil {
		w.judge.Complain("there is no manager at the end")
		return
	}
	ctx, cancel := w.within(time.Minute)
	defer cancel()
	w.auditBounds(ctx)
	for _, u := range w.users {
		w.stories[u.name] = w.story(u)
	}
	if err := w.m.Close(ctx); err != nil {
		w.judge.Complain("the manager does not close at the end: %v", err)
	}
	w.net.kill()
	w.judge.Unended(w.dcs.core.Echo)
}
