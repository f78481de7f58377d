package world

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/proxy"
)

// The errors of connections.
var (
	errRefused = errors.New("world: connection refused")
	errTimeout = errors.New("world: connecting took too long")
	errCut     = errors.New("world: connection reset")
	errClosed  = errors.New("world: connection closed")
)

// codeError is a transport error of the DC.
type codeError struct{ code int32 }

func (e *codeError) Error() string        { return fmt.Sprintf("world: the server answered %d", e.code) }
func (e *codeError) TransportCode() int32 { return e.code }

const (
	dialMost    = 8 * time.Second // after which a dial without an answer fails
	latencyMost = 60 * time.Millisecond
	queueRoom   = 128 << 10 // what Room is at most
	queueMost   = 4 << 20   // what a socket queues at most
	creditsMost = 32        // packets delivered and not released
)

// weather is the state of the network, for all lives of the manager.
type weather struct {
	sim   *runtime.Sim
	rec   *recorder
	rand  *rand.Rand
	dcs   *cluster
	plant Plant
	links []*link // open ones, in the order they were made

	// By DC - 1.
	slow    []time.Duration // added to each packet's way
	stalled []time.Time     // until when nothing arrives
	refused []time.Time     // until when dials are refused
	silent  []time.Time     // until when dials are not answered
	noMedia []time.Time     // until when the addresses for media refuse dials

	relays   [proxies]relay
	complain func(format string, args ...any)

	duplicate, reorder int // packets of both directions that it still happens to
}

func newWeather(sim *runtime.Sim, rec *recorder, dcs *cluster, seed uint64) *weather {
	n := len(dcs.down)
	return &weather{
		sim: sim, rec: rec, rand: stream(seed, "network"), dcs: dcs,
		slow: make([]time.Duration, n), stalled: make([]time.Time, n),
		refused: make([]time.Time, n), silent: make([]time.Time, n), noMedia: make([]time.Time, n),
	}
}

// clear makes good weather; packets that were held arrive.
func (w *weather) clear() {
	clear(w.slow)
	clear(w.stalled)
	clear(w.refused)
	clear(w.silent)
	clear(w.noMedia)
	clear(w.relays[:])
	w.duplicate, w.reorder = 0, 0
	for _, l := range slices.Clone(w.links) {
		l.pump()
	}
}

// network is what one life of the manager sees of it.
type network struct {
	*weather
	*process
	*paced
}

// latency is how long something takes to or from a DC.
func (w *weather) latency(dc int) time.Duration {
	return time.Millisecond + time.Duration(w.rand.Int64N(int64(latencyMost))) + w.slow[dc-1]
}

// Dial connects to the first target; the network has two addresses per DC, one of
// them for media.
func (n *network) Dial(targets []dc.Target, _ int, via *proxy.Via, done func(socket, error)) (cancel func()) {
	if n.dead {
		return func() {}
	}
	n.rec.count.Dials++
	over := false
	end := func(s socket, err error) {
		if !over && !n.dead {
			over = true
			done(s, err)
		}
	}
	cancel = func() {
		if !over {
			n.sim.AfterFunc(0, func() { end(nil, context.Canceled) })
		}
	}
	id := 0
	for i := range n.dcs.down {
		if len(targets) > 0 && targets[0].Addr == address(i+1, targets[0].Media) {
			id = i + 1
		}
	}
	if id == 0 {
		n.sim.AfterFunc(0, func() { end(nil, errRefused) })
		return cancel
	}
	if now := n.sim.Now(); now.Before(n.silent[id-1]) || now.Before(n.unreached) {
		n.sim.AfterFunc(dialMost, func() { end(nil, errTimeout) })
		return cancel
	}
	by, err := n.relayOf(via)
	l := &link{net: n, dc: id, by: by, media: targets[0].Media}
	if !n.connects.take(n.sim.Now(), way{id, by, l.media}) {
		n.complain("DC %d was dialled more often than the budget allows", id)
	}
	after := time.Duration(0)
	if by != nil {
		after, err = by.fails(n.sim.Now())
	}
	if err != nil { // and nobody goes around a proxy
		n.sim.AfterFunc(after, func() { end(nil, err) })
		return cancel
	}
	n.sim.AfterFunc(l.latency(), func() {
		if over || n.dead {
			return
		}
		now := n.sim.Now()
		if now.Before(n.refused[id-1]) || l.media && now.Before(n.noMedia[id-1]) || !n.dcs.accept(l) {
			end(nil, errRefused)
			return
		}
		n.links = append(n.links, l)
		n.sim.AfterFunc(l.latency(), func() {
			if over || n.dead {
				l.Close()
				return
			}
			end(l, nil)
		})
	})
	return cancel
}

// kill is what the network does when the manager's process ends.
func (n *network) kill() {
	n.auditKeys()
	for _, l := range slices.Clone(n.links) {
		if l.net == n {
			if n.plant == PlantKeepSocket {
				n.rec.line("plant: a socket stays")
				continue
			}
			l.Close()
		}
	}
}

// cut breaks every connection to a DC (0: to all) at once; what is under way is
// lost.
func (w *weather) cut(dc int) {
	for _, l := range slices.Clone(w.links) {
		if dc == 0 || l.dc == dc {
			l.snap(errCut)
		}
	}
}

// cutMedia breaks every connection for media to a DC.
func (w *weather) cutMedia(dc int) {
	for _, l := range slices.Clone(w.links) {
		if l.media && l.dc == dc {
			l.snap(errCut)
		}
	}
}

// unread loses what a DC (0: all) has not read of connections that the manager
// has given up.
func (w *weather) unread(dc int) {
	for _, l := range w.links {
		if l.reason != nil && (dc == 0 || l.dc == dc) {
			l.up.list = slices.DeleteFunc(l.up.list, func(x parcel) bool { return x.end == nil })
			l.queued, l.paused = 0, false
		}
	}
}

func (w *weather) forget(l *link) {
	if i := slices.Index(w.links, l); i >= 0 {
		w.links = slices.Delete(w.links, i, i+1)
	}
}
