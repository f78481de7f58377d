package explore

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/guest"
	"github.com/mtfleet/mtfleet/mtproto/pfs"
	"github.com/mtfleet/mtfleet/mtproto/standing"
)

const (
	homeDC dc.ID = 2
	awayDC dc.ID = 4
)

var epoch = time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)

// A law is what a DC does that official sources disagree about, and what a plan
// of exploration leaves out.
type law struct {
	strict bool // a bind cuts the key bound before off
	guests bool // somebody calls another DC
	owner  bool // the owner logs out, or pauses and resumes
	plant  plant
}

// A plant is a fault put into the driver, which has to be found.
type plant uint8

const (
	noPlant     plant = iota
	dropEarly         // old temp keys are dropped before the successor is bound
	saveAfter         // what is to be on disk first is written after what follows
	resendsOnce       // a call that must not run twice is sent again when its answer is lost
	forgetsWait       // a wait of the server is not written down
)

// A world is one account, the disk, and the two DCs that it talks to.
type world struct {
	law
	now  time.Time     // the server's
	skew time.Duration // of this process's clock

	st   *standing.Machine
	home *slot
	away *slot // nil while nobody wants the other DC
	g    *guest.Machine

	disk    disk
	unsaved []disk // of saveAfter: what is to be on disk and is not yet
	servers [2]table
	queries []query
	calls   [2]tally
	waits   []wait // that the server has ordered

	faults  uint8 // left
	used    bool  // a fault was used
	asked   [2]bool
	asks    bool  // the engine of updates has a question left
	wished  uint8 // of the owner: 0 nothing, 1 paused, 2 over
	out     bool  // the owner logged out, or the server ended it
	clock   bool  // this process knows the server's time
	spare   uint16
	saves   int // of this step
	crashAt int // of this step: 2n before its n-th save, 2n+1 after it; 0 never
	crashed bool
	bad     string // a violation
}

// A wait is an order of one DC not to ask a method again before its end.
type wait struct {
	method string
	away   bool
	heard  bool // the step in which it came is over
	ends   time.Time
}

// A disk is what a process that was killed leaves.
type disk struct {
	standing   standing.Snapshot
	home, away pfs.Snapshot
	guest      guest.Snapshot
	retired    crypt.KeyID
}

// A slot is the keys of one DC, and what their driver does for them.
type slot struct {
	m        *pfs.Machine
	permit   bool // asked for and not given yet
	make     bool
	kind     pfs.KeyKind
	life     time.Duration
	bind     *bind
	prove    bool
	route    crypt.KeyID // calls go under it, 0 for none
	temp     bool
	held     bool
	wait     bool        // calls under way may finish first
	keep     bool        // what does not is kept
	draining bool        // Held is owed
	old      crypt.KeyID // replaced, and listened to still
	probe    crypt.KeyID
	drop     []crypt.KeyID // auth.dropTempAuthKeys is under way with these excepted
	dropping bool
}

// A bind is auth.bindTempAuthKey under way.
type bind struct {
	temp, perm crypt.KeyID
	reached    bool // the server; then says is its answer
	says       answer
}

// stage is where a query is.
type stage uint8

const (
	queryHeld   stage = iota // until its DC takes calls
	queryParked              // by standing
	querySent                // under key
	queryRun                 // the server has done it; the answer is under way
)

// A query is one call of somebody, or of an engine.
type query struct {
	call   standing.Call
	stage  stage
	away   bool
	key    crypt.KeyID
	errand guest.CallID
	caller int // 1 and 2 are callers', 0 is nobody's
}

// tally is what became of the two calls of callers.
type tally struct{ runs, ends uint8 }

// local is an error of the driver.
type local struct{ sent, back bool }

func (e *local) Error() string   { return fmt.Sprintf("sent %v, given back %v", e.sent, e.back) }
func (e *local) NotSent() bool   { return !e.sent }
func (e *local) GivenBack() bool { return e.back }

var (
	errUnknown = &local{sent: true} // the server may have executed it
	errLost    = errors.New("the connection was lost")
)

// pool are keys, by number.
var pool = func() (all [512]*crypt.AuthKey) {
	for i := range all {
		value := make([]byte, crypt.KeySize)
		value[0], value[1], value[255] = byte(i), byte(i>>8), 7
		k, err := crypt.NewAuthKey(value)
		if err != nil {
			panic(err)
		}
		all[i] = k
	}
	return all
}()

func (w *world) newKey() *crypt.AuthKey {
	w.spare++
	return pool[w.spare]
}

// local is this process's time.
func (w *world) local() time.Time { return w.now.Add(w.skew) }

func (w *world) failf(format string, args ...any) {
	if w.bad == "" {
		w.bad = fmt.Sprintf(format, args...)
	}
}

// newWorld is an account that has been signed in for two days, without a temp
// key, at the start of a process.
func newWorld(l law, faults int) *world {
	w := &world{law: l, now: epoch, faults: uint8(faults)}
	perm := w.newKey()
	w.servers[0].perms = []permAt{{perm.ID(), true}}
	w.disk = disk{
		standing: standing.Snapshot{State: standing.Online, UserID: 1, HomeDC: homeDC, Since: epoch},
		home:     pfs.Snapshot{Perm: &pfs.PermKey{Key: perm, Created: epoch.Add(-48 * time.Hour), LastBound: epoch.Add(-time.Hour)}},
	}
	w.boot()
	return w
}

// boot begins a process with what is on disk.
func (w *world) boot() {
	w.st = standing.Restore(standing.Config{HasDC: func(id dc.ID) bool { return id == homeDC || id == awayDC }, DefaultDC: homeDC}, w.disk.standing)
	w.home, w.away, w.g, w.clock, w.asks, w.unsaved = nil, nil, nil, false, false, nil
	for i := range w.queries {
		w.ended(&w.queries[i])
	}
	w.queries = nil
	// An order that came in the step in which the process was killed was heard by
	// nobody.
	w.waits = slices.DeleteFunc(slices.Clone(w.waits), func(o wait) bool { return !o.heard })
	w.st.Start(w.local())
	w.drain()
}

// ended notes that a caller is told how its call ended; the end of the process
// is one.
func (w *world) ended(q *query) {
	if q.caller == 0 {
		return
	}
	if w.calls[q.caller-1].ends++; w.calls[q.caller-1].ends > 1 {
		w.failf("call %d ended twice", q.caller)
	}
}

func (w *world) crash() {
	w.crashed = true
	w.crashAt, w.saves = 0, 0
	w.boot()
}

// keyConfig is what the account tells a binding of a DC.
func (w *world) keyConfig(at dc.ID) pfs.Config {
	k := w.st.KeyWaits(w.local(), at)
	return pfs.Config{PFS: true, BindAfter: k.Bind, BindDoubt: pfs.Doubt(k.Doubt)}
}

// openHome starts the keys of the home DC.
func (w *world) openHome() {
	if w.home == nil {
		w.home = &slot{m: pfs.New(w.keyConfig(homeDC), w.disk.home)}
		w.home.m.Start(w.local())
	}
}

// openAway starts the keys of the other DC, and its guest.
func (w *world) openAway() {
	if w.away == nil {
		w.away = &slot{m: pfs.New(w.keyConfig(awayDC), w.disk.away)}
		w.g = guest.New(guest.Config{DC: awayDC}, w.disk.guest)
		w.g.Start(w.local())
		w.away.m.Start(w.local())
	}
}

func (w *world) slot(away bool) *slot {
	if away {
		return w.away
	}
	return w.home
}

func (w *world) server(away bool) *table {
	if away {
		return &w.servers[1]
	}
	return &w.servers[0]
}

// query returns a query by its id.
func (w *world) query(id standing.CallID) *query {
	for i := range w.queries {
		if w.queries[i].call.ID == id {
			return &w.queries[i]
		}
	}
	return nil
}

func (w *world) forget(id standing.CallID) {
	w.queries = slices.DeleteFunc(w.queries, func(q query) bool { return q.call.ID == id })
}
