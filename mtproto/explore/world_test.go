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

// A place is where the keys of one slot are for: the home DC, another one, and
// media on the home DC, on addresses and under temp keys of its own.
type place uint8

const (
	atHome place = iota
	atAway
	atMedia
	places
)

var placeNames = [places]string{"home", "away", "media"}

func (p place) String() string { return placeNames[p] }

// dc numbers the DC of a place.
func (p place) dc() int {
	if p == atAway {
		return 1
	}
	return 0
}

func (p place) id() dc.ID { return [...]dc.ID{homeDC, awayDC}[p.dc()] }

// slot is what the engine of keys calls it.
func (p place) slot() pfs.Slot {
	if p == atMedia {
		return pfs.MediaSlot
	}
	return pfs.MainSlot
}

var epoch = time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)

// A law is what a DC does that official sources disagree about, and what a plan
// of exploration leaves out.
type law struct {
	strict bool // a bind cuts the key bound before off
	guests bool // somebody calls another DC
	ready  bool // and has before: its authorization was carried there
	owner  bool // the owner logs out, or pauses and resumes
	bulk   bool // somebody calls for media
	told   bool // other accounts have found out what a bind does to keys bound before
	asks   int  // so often the owner asks for a rotation
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
	dropsMedia        // the order of the main slot to drop temp keys does not name those for media
	bindsAnyway       // a key is bound while an order of the other slot is on its way that does not name it
	sweepsNot         // a slot for media begins beside keys that processes before have left
)

// A world is one account, the disk, and the two DCs that it talks to.
type world struct {
	law
	now  time.Time     // the server's
	skew time.Duration // of this process's clock

	st       *standing.Machine
	slots    [places]*slot // nil while nobody wants one
	g        *guest.Machine
	media    media
	readings [2]pfs.Reading // what this process has learnt of the DCs

	disk    disk
	unsaved []disk // of saveAfter: what is to be on disk and is not yet
	servers [2]table
	queries []query
	calls   [3]tally
	waits   []wait // that the server has ordered

	rotations [2]rotation // that the owner has asked for
	rotating  rotating

	faults  uint8 // left
	used    bool  // a fault was used
	asked   [3]bool
	again   bool  // the engine of updates has a question left
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
	dc     int
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

// A slot is the keys for one place, and what their driver does for them.
type slot struct {
	at       place
	m        *pfs.Machine
	permit   bool // asked for and not given yet
	make     bool
	kind     pfs.KeyKind
	life     time.Duration
	bind     *bind
	prove    bool
	route    crypt.KeyID // calls go under it, 0 for none
	up       bool        // its connection stands
	binds    crypt.KeyID // of the connection that has bound a key, or does
	held     bool
	wait     bool        // calls under way may finish first
	keep     bool        // what does not is kept
	draining bool        // Held is owed
	old      crypt.KeyID // replaced, and listened to still
	listens  time.Time   // until then at most
	probe    crypt.KeyID
	orders   []order   // to drop temp keys, under way
	noDrops  time.Time // until then the DC wants none
}

// open reports whether calls may go.
func (s *slot) open() bool { return s != nil && s.route != 0 && s.up && !s.held }

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
)

// A query is one call of somebody, or of an engine.
type query struct {
	call   standing.Call
	stage  stage
	at     place // that it was sent to
	media  bool  // it goes by the slot for media where there is one
	key    crypt.KeyID
	errand guest.CallID
	caller int // 1 to 3 are callers', 0 is nobody's
}

// tally is what became of a caller's call.
type tally struct{ runs, ends uint8 }

// local is an error of the driver.
type local struct{ sent, back bool }

func (e *local) Error() string   { return fmt.Sprintf("sent %v, given back %v", e.sent, e.back) }
func (e *local) NotSent() bool   { return !e.sent }
func (e *local) GivenBack() bool { return e.back }

var (
	errUnknown = &local{sent: true} // the server may have executed it
	errLost    = errors.New("the connection was lost")
	errClosed  = errors.New("the connections were closed")
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
// key, at the start of a process. Where somebody calls for media the processes
// before, killed both, have left a key for that.
func newWorld(l law, faults int) *world {
	w := &world{law: l, now: epoch, faults: uint8(faults)}
	perm := w.newKey()
	w.servers[0].perms = []permAt{{perm.ID(), true}}
	if w.bulk && !w.strict {
		for range 2 {
			w.servers[0].temps = append(w.servers[0].temps, tempAt{id: w.newKey().ID(), perm: perm.ID(), media: true, ends: epoch.Add(20 * time.Hour)})
		}
	}
	w.disk = disk{
		standing: standing.Snapshot{State: standing.Online, UserID: 1, HomeDC: homeDC, Since: epoch},
		home:     pfs.Snapshot{Perm: &pfs.PermKey{Key: perm, Created: epoch.Add(-48 * time.Hour), LastBound: epoch.Add(-time.Hour)}},
	}
	w.boot()
	if w.ready {
		return w.withGuest()
	}
	return w
}

// boot begins a process with what is on disk.
func (w *world) boot() {
	w.st = standing.Restore(standing.Config{HasDC: func(id dc.ID) bool { return id == homeDC || id == awayDC }, DefaultDC: homeDC}, w.disk.standing)
	w.slots, w.g, w.clock, w.again, w.unsaved = [places]*slot{}, nil, false, false, nil
	w.media, w.readings, w.rotating = media{}, [2]pfs.Reading{}, rotating{}
	if w.told {
		w.readings[0] = w.whatBindsDo()
	}
	for i := range w.queries {
		w.ended(&w.queries[i])
	}
	w.queries = nil
	for i := range w.rotations {
		w.rotations[i].end() // with the process
	}
	// An order that came in the step in which the process was killed was heard by
	// nobody.
	w.waits = slices.DeleteFunc(slices.Clone(w.waits), func(o wait) bool { return !o.heard })
	w.st.Start(w.local())
	w.drain()
}

// whatBindsDo is the truth about this world's DCs.
func (w *world) whatBindsDo() pfs.Reading {
	if w.strict {
		return pfs.ReadingCut
	}
	return pfs.ReadingBoth
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

// openSlot starts the keys of a place with what there is of them.
func (w *world) openSlot(at place, s pfs.Snapshot) {
	now := w.local()
	k := w.st.KeyWaits(now, at.id())
	cfg := pfs.Config{PFS: true, Slot: at.slot(), Reading: w.readings[at.dc()], BindAfter: k.Bind, BindDoubt: pfs.Doubt(k.Doubt)}
	w.slots[at] = &slot{at: at, m: pfs.New(cfg, s), noDrops: k.Drop}
	w.slots[at].m.Start(now)
}

// openHome starts the keys of the home DC.
func (w *world) openHome() {
	if w.slots[atHome] == nil {
		w.media.noBinds, w.media.noDrops = time.Time{}, time.Time{} // it is told of waits when it begins
		w.openSlot(atHome, w.disk.home)
	}
}

// openAway starts the keys of the other DC, and its guest.
func (w *world) openAway() {
	if w.slots[atAway] == nil {
		w.g = guest.New(guest.Config{DC: awayDC}, w.disk.guest)
		w.g.Start(w.local())
		w.openSlot(atAway, w.disk.away)
	}
}

func (w *world) server(at place) *table { return &w.servers[at.dc()] }

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
