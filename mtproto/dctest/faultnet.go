package dctest

import (
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
)

// activeFault is a fault that waits for its candidates.
type activeFault struct {
	Fault
	id    uint64
	left  int       // hits left; negative for no limit
	until time.Time // zero for no end
	seen  int       // candidates so far, for Every
}

// place is where a candidate happens.
type place struct {
	dc   int
	conn ConnID
	perm int64
}

func (f *activeFault) covers(p place) bool {
	return (f.DC == 0 || f.DC == p.dc) && (f.Conn == 0 || f.Conn == p.conn) && (f.Perm == 0 || f.Perm == p.perm)
}

// hit finds the first active fault of a kind for a candidate and counts it; nil if there is none.
func (c *Cluster) hit(now time.Time, kind FaultKind, p place) *activeFault {
	return c.hitIf(now, kind, p, func(*activeFault) bool { return true })
}

func (c *Cluster) hitIf(now time.Time, kind FaultKind, p place, also func(*activeFault) bool) *activeFault {
	if len(c.faults) == 0 {
		return nil
	}
	c.faults = slices.DeleteFunc(c.faults, func(f *activeFault) bool { return f.over(now) })
	for _, f := range c.faults {
		if f.Kind != kind || !f.covers(p) || !also(f) {
			continue
		}
		f.seen++
		if f.Every > 1 && f.seen%f.Every != 0 {
			continue
		}
		if f.left > 0 {
			f.left--
		}
		return f
	}
	return nil
}

func (c *Cluster) hitPacket(now time.Time, kind FaultKind, p place, dir Direction) *activeFault {
	return c.hitIf(now, kind, p, func(f *activeFault) bool { return f.Direction == "" || f.Direction == dir })
}

// held is what faults hold back of one direction of one connection.
type held struct {
	list []heldPacket // in order of arrival, each with its time
	swap *heldPacket  // waits for the next packet to overtake it
}

type heldPacket struct {
	packet   []byte
	quickAck bool
	due      time.Time
}

// swapTimeout is how long a packet waits to be overtaken.
const swapTimeout = time.Second

// filterIn passes a client's packet through the faults to accept.
func (c *Cluster) filterIn(now time.Time, cn *conn, packet []byte, quickAck bool) {
	if len(c.faults) == 0 && len(cn.in.list) == 0 && cn.in.swap == nil {
		c.accept(now, cn, packet, quickAck)
		return
	}
	p := place{cn.dc.id, cn.id, cn.perm()}
	if id, ok := crypt.PacketKeyID(packet); ok && id != 0 {
		if k := cn.dc.keys[id]; k != nil {
			p.perm = k.ownerID()
		}
	}
	c.filter(now, &cn.in, In, p, heldPacket{packet: slices.Clone(packet), quickAck: quickAck},
		func(now time.Time, h heldPacket) { c.accept(now, cn, h.packet, h.quickAck) })
}

// sendPacket passes a packet for a client through the faults to the outputs.
func (c *Cluster) sendPacket(now time.Time, cn *conn, packet []byte) {
	if cn.closing {
		return
	}
	if len(c.faults) == 0 && len(cn.outq.list) == 0 && cn.outq.swap == nil {
		c.emit(Output{Kind: OutPacket, Conn: cn.id, Packet: packet, Cut: -1})
		return
	}
	p := place{cn.dc.id, cn.id, cn.perm()}
	c.filter(now, &cn.outq, Out, p, heldPacket{packet: packet}, func(now time.Time, h heldPacket) {
		if cn.closing {
			return
		}
		if f := c.hit(now, FaultCut, p); f != nil {
			c.emit(Output{Kind: OutPacket, Conn: cn.id, Packet: h.packet, Cut: max(f.Bytes, 0)})
			cn.closing = true
			return
		}
		c.emit(Output{Kind: OutPacket, Conn: cn.id, Packet: h.packet, Cut: -1})
	})
}

// filter drops, doubles, delays or reorders one packet, or passes it on. Packets that are delayed keep their order.
func (c *Cluster) filter(now time.Time, q *held, dir Direction, p place, h heldPacket, pass func(time.Time, heldPacket)) {
	if c.hitPacket(now, FaultDrop, p, dir) != nil {
		return
	}
	h.due = now
	if f := c.hitPacket(now, FaultDelay, p, dir); f != nil {
		h.due = now.Add(time.Duration(f.Delay))
	}
	if f := c.hitPacket(now, FaultStall, p, dir); f != nil && f.until.After(h.due) {
		h.due = f.until
	}
	if n := len(q.list); n > 0 && q.list[n-1].due.After(h.due) {
		h.due = q.list[n-1].due
	}
	copies := 1
	if c.hitPacket(now, FaultDuplicate, p, dir) != nil {
		copies = 2
	}
	for range copies {
		c.filterOne(now, q, dir, p, h, pass)
	}
}

func (c *Cluster) filterOne(now time.Time, q *held, dir Direction, p place, h heldPacket, pass func(time.Time, heldPacket)) {
	switch {
	case len(q.list)+1 > maxHeld:
		return // more than anybody should wait for: lost
	case h.due.After(now) || len(q.list) > 0:
		q.list = append(q.list, h)
		c.timers.add(h.due, func(now time.Time) { release(now, q, pass) })
	case q.swap == nil && c.hitPacket(now, FaultReorder, p, dir) != nil:
		q.swap = &h
		c.timers.add(now.Add(swapTimeout), func(now time.Time) {
			if q.swap == &h {
				q.swap = nil
				pass(now, h)
			}
		})
	default:
		pass(now, h)
		if late := q.swap; late != nil {
			q.swap = nil
			pass(now, *late)
		}
	}
}

// release passes on what is due.
func release(now time.Time, q *held, pass func(time.Time, heldPacket)) {
	for len(q.list) > 0 && !q.list[0].due.After(now) {
		h := q.list[0]
		q.list = q.list[1:]
		pass(now, h)
	}
}

// transportFault tells whether a packet is to be answered with a transport error.
func (c *Cluster) transportFault(now time.Time, cn *conn, packet []byte) (code int32, ok bool) {
	if len(c.faults) == 0 {
		return 0, false
	}
	p := place{cn.dc.id, cn.id, cn.perm()}
	if id, known := crypt.PacketKeyID(packet); known && cn.dc.keys[id] != nil {
		p.perm = cn.dc.keys[id].ownerID()
	}
	if f := c.hit(now, FaultTransport, p); f != nil {
		return int32(f.Code), true
	}
	if cn.packets == 1 {
		if f := c.hit(now, FaultTransportConn, p); f != nil {
			return int32(f.Code), true
		}
	}
	return 0, false
}
