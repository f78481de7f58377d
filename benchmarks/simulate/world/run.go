package world

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/mtfleet/mtfleet/actors"
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
	Nodes    int           // managers that keep the accounts; zero: 1
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
	// PlantNoMargin has the database count a node's lease shorter than the node does,
	// and no grace after it.
	PlantNoMargin
	// PlantNoHold has accounts free at once after the database has failed over.
	PlantNoHold
	// PlantFenceOutside has the database take commits for accounts of whoever makes
	// them.
	PlantFenceOutside
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
	nodes []*node
	db    *database // of several nodes; nil for one
	moves *rand.Rand
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
	doubtful bool             // nobody knows whether it is paused

	forgotten bool // the database has forgotten something of its login
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
	def(&o.Nodes, 1)
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
	if o.Nodes > 1 {
		w.judge.Slack = clockError
	}
	w.judge.Floors = !o.Calm && floors(seed)
	w.judge.Left = dcs.left
	w.judge.came = dcs.core.EchoCame
	w.judge.waitEnd = func(account string) time.Time { return dcs.core.WaitEnd(w.user(account).ID, echoMethod) }
	w.sky.complain, w.sky.plant = w.judge.Complain, o.Plant
	if o.paced() {
		w.tide = newTide(stream(seed, "tide"), sim.Now(), o.Duration)
	}
	for i := range max(o.Nodes, 1) {
		w.nodes = append(w.nodes, &node{w: w, name: string(rune('a' + i))})
	}
	if w.several() {
		w.db = newDatabase(w)
		w.moves = stream(seed, "moves")
	}
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
	for _, n := range w.nodes {
		n.open()
	}
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
	w.recall()
	w.wake()
	w.awaitProofs()
	w.isolate()
	w.drainOne()
	w.roll()
	w.roster()
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
	w.db.clear()
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
