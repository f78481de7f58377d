package world

import (
	"io"
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dctest"
)

// socket and handler are dcconn.Socket and dcconn.Handler: names of unnamed
// types.
type (
	socket = interface {
		Start(handler)
		Send(packet []byte) error
		Room() int
		Release(n int)
		Close()
	}
	handler = interface {
		Packet(p []byte)
		Writable()
		Closed(err error)
	}
)

// link is one connection: the manager's socket on one end, the cluster on the
// other, and between them two pipes with packets under way.
type link struct {
	net *network
	id  dctest.ConnID
	dc  int
	by  *relay // nil: directly
	up  pipe   // to the DC
	dn  pipe   // to the client

	media  bool      // to an address for media alone
	nonce  [16]byte  // of the key that was begun last
	asked  time.Time // when that was, zero when it went on
	panics bool      // at the next packet: an actor's failure of the world's making

	handler handler
	held    int   // packets delivered and not released
	queued  int   // bytes sent and not arrived
	low     bool  // Room was seen smaller than its largest
	paused  bool  // the DC does not read
	reason  error // why the client's end is closed; nil while it is open
	told    bool  // the handler knows
}

// pipe is what is under way in one direction, in the order of its arrival.
type pipe struct {
	list []parcel
	last time.Time // when the latest arrives: packets keep their order
}

// parcel is a packet, or the end of the connection.
type parcel struct {
	at     time.Time
	packet []byte
	end    error // not nil: the end, and why
}

// latency is how long something takes from one end to the other.
func (l *link) latency() time.Duration {
	d := l.net.latency(l.dc)
	if l.by != nil {
		d += l.by.slow
	}
	return d
}

// put adds a parcel to a pipe and has it looked at when it arrives.
func (l *link) put(p *pipe, x parcel) {
	w := l.net.weather
	x.at = w.sim.Now().Add(l.latency())
	overtakes := x.end == nil && w.reorder > 0 && len(p.list) > 0 && p.list[len(p.list)-1].end == nil
	if x.at.Before(p.last) {
		x.at = p.last
	}
	p.last = x.at
	p.list = append(p.list, x)
	if overtakes { // the one before comes after it
		w.reorder--
		i := len(p.list) - 1
		p.list[i].packet, p.list[i-1].packet = p.list[i-1].packet, p.list[i].packet
	}
	if x.end == nil && w.duplicate > 0 {
		w.duplicate--
		p.list = append(p.list, parcel{at: x.at, packet: slices.Clone(x.packet)})
		if p == &l.up {
			l.queued += len(x.packet)
		}
	}
	w.sim.AfterFunc(x.at.Sub(w.sim.Now()), l.pump)
}

// pump delivers what has arrived.
func (l *link) pump() {
	w := l.net.weather
	now := w.sim.Now()
	if until := later(w.stalled[l.dc-1], l.net.unreached); now.Before(until) {
		w.sim.AfterFunc(until.Sub(now), l.pump)
		return
	}
	for len(l.up.list) > 0 && !l.up.list[0].at.After(now) && !l.paused {
		x := l.up.list[0]
		l.up.list = l.up.list[1:]
		if x.end != nil {
			w.forget(l)
			w.dcs.closed(l)
			break
		}
		l.queued -= len(x.packet)
		w.dcs.packet(l, x.packet)
		l.writable()
	}
	for len(l.dn.list) > 0 && !l.dn.list[0].at.After(now) {
		x := l.dn.list[0]
		if x.end != nil {
			l.dn.list = nil
			l.close(x.end)
			break
		}
		if l.reason == nil && (l.handler == nil || l.held >= creditsMost) {
			break // Start or Release comes back here
		}
		l.dn.list = l.dn.list[1:]
		if l.reason == nil && !l.net.dead {
			l.held++
			l.handler.Packet(x.packet)
		}
	}
}

func (l *link) writable() {
	if l.low && l.reason == nil && l.handler != nil && !l.net.dead {
		l.low = l.queued > 0
		l.handler.Writable()
	}
}

// The cluster's end.

func (l *link) toClient(p []byte) { l.put(&l.dn, parcel{packet: p}) }

func (l *link) codeToClient(code int32) { l.put(&l.dn, parcel{end: &codeError{code}}) }

func (l *link) endToClient() { l.put(&l.dn, parcel{end: io.EOF}) }

// The manager's end: it is a dcconn.Socket.

// Start begins to deliver.
func (l *link) Start(h handler) {
	l.handler = h
	l.net.sim.AfterFunc(0, func() {
		l.tell()
		l.pump()
	})
}

// Send puts a packet on its way.
func (l *link) Send(packet []byte) error {
	if l.net.dead {
		return errClosed
	}
	if l.panics {
		l.panics = false
		panic("world: as planned")
	}
	l.net.sends(l, packet)
	l.net.auditLease()
	if l.reason != nil {
		return l.reason
	}
	if l.queued+len(packet) > queueMost && l.queued > 0 {
		l.snap(errCut)
		return l.reason
	}
	l.queued += len(packet)
	l.low = true
	l.put(&l.up, parcel{packet: slices.Clone(packet)})
	return nil
}

// Room is how much the socket takes.
func (l *link) Room() int {
	l.low = l.low || l.queued > 0
	return queueRoom - l.queued
}

// Release gives back the credit of one packet.
func (l *link) Release(int) {
	l.held--
	if l.held == creditsMost-1 && len(l.dn.list) > 0 {
		l.net.sim.AfterFunc(0, l.pump)
	}
}

// Close ends the connection from the manager's side. What was sent arrives,
// however late.
func (l *link) Close() {
	if l.reason != nil {
		return
	}
	l.put(&l.up, parcel{end: errClosed})
	l.close(errClosed)
}

// close ends the manager's end.
func (l *link) close(reason error) {
	if l.reason != nil {
		return
	}
	l.reason = reason
	l.dn.list = nil
	l.net.sim.AfterFunc(0, l.tell)
	if reason != errClosed { // the DC hears of it, if it did not end it
		l.put(&l.up, parcel{end: errClosed})
	}
}

// snap ends both ends; what is under way is lost.
func (l *link) snap(reason error) {
	l.up.list, l.dn.list = nil, nil
	l.queued = 0
	w := l.net.weather
	w.forget(l)
	w.dcs.closed(l)
	if l.reason == nil {
		l.reason = reason
		w.sim.AfterFunc(0, l.tell)
	}
}

// tell lets the handler know of the end, once.
func (l *link) tell() {
	if l.reason != nil && l.handler != nil && !l.told && !l.net.dead {
		l.told = true
		l.handler.Closed(l.reason)
	}
}
