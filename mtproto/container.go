package mtproto

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/tl"
)

const (
	// maxMembers is how many messages one container holds; the server takes 1024.
	maxMembers = 1000
	// softContainer is the size in bytes from which nothing more is added to a container. A larger query travels alone.
	softContainer = 32 << 10
	// After more than maxSaltRejections in a row, with nothing accepted between them, nothing is sent for saltHold. A
	// server may change salts as it likes, so that is never fatal; but it is no reason for a storm.
	maxSaltRejections = 3
	saltHold          = time.Second
)

// packet is one packet being written: its messages one after another, with room in front for the salt, the session id and
// a container's own header.
type packet struct {
	s      *Session
	buf    []byte
	start  int      // of the message being written
	count  int      // messages
	first  msgID    // of the first new message
	lone   bool     // it has a bare copy, to which nothing may be added
	copies []*query // whose old msg_ids travel in it: a container, although it may have one member
}

// roomInFront is for salt, session_id, and msg_id, seqno, length, constructor and count of a container.
const roomInFront = innerHeaderSize + containerHeaderSize

// startPacket begins a packet in the session's buffer.
func (s *Session) startPacket() packet {
	return packet{s: s, buf: slices.Grow(s.plain[:0], roomInFront)[:roomInFront]}
}

// open begins a new message: msg_id and seqno are taken here and nowhere else, in the order in which messages travel.
func (p *packet) open(kind sentKind, q *query) msgID {
	s := p.s
	id := s.ids.next(s.clock.server(s.now))
	seqNo := s.seqs.next(kind == sentQuery || kind == sentBind)
	s.records.add(sentRecord{id: id, seqNo: seqNo, kind: kind, q: q})
	if p.first == 0 {
		p.first = id
	}
	p.header(id, seqNo)
	return id
}

// header begins a message with a given msg_id and seqno.
func (p *packet) header(id msgID, seqNo uint32) {
	p.start = len(p.buf)
	p.buf = tl.AppendInt64(p.buf, int64(id))
	p.buf = tl.AppendUint32(p.buf, seqNo)
	p.buf = tl.AppendUint32(p.buf, 0)
	p.count++
}

// close ends the message begun by open or header.
func (p *packet) close() {
	size := len(p.buf) - p.start - memberHeaderSize
	binary.LittleEndian.PutUint32(p.buf[p.start+memberHeaderSize-4:], uint32(size))
}

// full reports whether nothing more should be added.
func (p *packet) full() bool {
	return p.lone || p.count >= maxMembers || len(p.buf)-roomInFront >= softContainer
}

// seal makes one packet of what was written: the message itself if there is one, a container otherwise. nil: nothing was
// written, or randomness failed.
func (s *Session) seal(p *packet) []byte {
	s.plain = p.buf
	if p.count == 0 {
		return nil
	}
	plaintext := p.buf[memberHeaderSize+containerHeaderSize:]
	if p.count > 1 || len(p.copies) > 0 {
		plaintext = p.buf
		id := s.ids.next(s.clock.server(s.now))
		seqNo := s.seqs.next(false)
		first := p.first
		if first == 0 {
			first = id // nothing but copies: their records are elsewhere
		}
		s.records.add(sentRecord{id: id, first: first, seqNo: seqNo, kind: sentContainer, copies: len(p.copies) > 0})
		for _, q := range p.copies {
			q.carrier = id
		}
		h := p.buf[8+8 : roomInFront]
		binary.LittleEndian.PutUint64(h, uint64(id))
		binary.LittleEndian.PutUint32(h[8:], seqNo)
		binary.LittleEndian.PutUint32(h[12:], uint32(len(p.buf)-innerHeaderSize))
		binary.LittleEndian.PutUint32(h[16:], idMsgContainer)
		binary.LittleEndian.PutUint32(h[20:], uint32(p.count))
	}
	salt, _ := s.salts.current(s.clock.unix(s.now))
	binary.LittleEndian.PutUint64(plaintext, uint64(salt))
	binary.LittleEndian.PutUint64(plaintext[8:], uint64(s.sessionID))

	// Packets of one input stand one after another: each stays valid when the next is made.
	start := len(s.wire)
	wire, err := crypt.AppendEncrypted(s.wire, s.key, crypt.Client, plaintext, s.cfg.Rand)
	if err != nil {
		s.breakLink(err)
		return nil
	}
	s.wire = wire
	return wire[start:len(wire):len(wire)]
}

// nextPacket makes the next packet there is a reason to send, nil if there is none.
func (s *Session) nextPacket() []byte {
	var packet []byte
	switch {
	case s.link != linkUp:
		return nil
	case s.silent:
		packet = s.askedPacket()
	default:
		packet = s.spokenPacket()
	}
	s.flow.hand(len(packet))
	if s.ping.waiting && s.ping.mark == 0 {
		s.ping.mark = s.flow.handed
	}
	return packet
}

// spokenPacket is nextPacket on a connection that is up and not silent.
func (s *Session) spokenPacket() []byte {
	if s.bind.phase == bindSent {
		return nil
	}
	if s.now.Before(s.holdUntil) {
		return nil
	}
	if s.bind.phase == bindWanted {
		return s.bindPacket()
	}
	if !s.salted() {
		// One cheap message first, so that a burst of queries is not rejected for its salt: the answer tells the salt.
		if !s.ping.due(s.now) {
			return nil
		}
		p := s.startPacket()
		s.appendPing(&p)
		return s.seal(&p)
	}
	if !s.hasReason() {
		return nil
	}
	p := s.startPacket()
	s.appendService(&p)
	if len(s.chores.copies) == 0 { // what was sent before goes before
		s.appendQueries(&p)
	}
	return s.seal(&p)
}

// salted reports whether a salt is known.
func (s *Session) salted() bool { return len(s.salts.salts) > 0 }

// hasReason reports whether something must be sent now, and does not merely wait for a packet to travel with.
func (s *Session) hasReason() bool {
	return s.acks.due(s.now) || s.ping.due(s.now) || reached(s.now, s.states.at) || s.chores.pending(s.repeatable()) || s.sendable() > 0
}

// repeatable reports whether copies of queries may be sent now: they are as large as queries.
func (s *Session) repeatable() bool { return s.flow.open() && s.bind.phase == bindNone }

// sendable is how many queries may be sent now.
func (s *Session) sendable() int {
	if !s.flow.open() {
		return 0
	}
	return s.queued()
}

// queued is how many queries wait for nothing but room.
func (s *Session) queued() int {
	if s.bind.phase != bindNone {
		return 0
	}
	return max(0, min(len(s.queries.queue), s.cfg.MaxInFlight-s.queries.inFlight))
}

// appendService writes every service message there is something to say with. Acks travel with whatever goes.
func (s *Session) appendService(p *packet) {
	if len(s.acks.ids) > 0 {
		id := p.open(sentNotice, nil)
		p.buf = appendIDs(p.buf, idMsgsAck, s.acks.ids)
		p.close()
		s.acks.sent(id)
	}
	if s.ping.due(s.now) {
		s.appendPing(p)
	}
	if unix := s.clock.unix(s.now); s.salts.wantsMore(s.now, unix) {
		s.salts.asked = s.now
		s.salts.request = p.open(sentSalts, nil)
		p.buf = tl.AppendInt32(tl.AppendUint32(p.buf, idGetFutureSalts), askSalts)
		p.close()
	}
	if reached(s.now, s.states.at) {
		if ids := s.askable(); len(ids) > 0 {
			s.states.sent(p.open(sentStateReq, nil), ids)
			p.buf = appendIDs(p.buf, idMsgsStateReq, ids)
			p.close()
		}
	}
	if s.chores.pending(s.repeatable()) {
		s.appendChores(p)
	}
}

// appendPing writes a ping that also tells the server when to give this connection up.
func (s *Session) appendPing(p *packet) {
	id := p.open(sentPing, nil)
	nonce, delay := s.ping.sent(s.now, id, s.ids.rand)
	p.buf = tl.AppendUint32(p.buf, idPingDelayDisconnect)
	p.buf = tl.AppendInt64(p.buf, nonce)
	p.buf = tl.AppendInt32(p.buf, delay)
	p.close()
}

// appendChores writes what the server has made us owe.
func (s *Session) appendChores(p *packet) {
	c := &s.chores
	for i, id := range c.drops {
		if p.full() {
			c.drops = slices.Delete(c.drops, 0, i)
			return
		}
		p.open(sentDrop, nil)
		p.buf = tl.AppendInt64(tl.AppendUint32(p.buf, idRPCDropAnswer), int64(id))
		p.close()
	}
	for _, list := range []struct {
		id  uint32
		ids []msgID
	}{{idMsgResendReq, c.wants}, {idMsgResendAnsReq, c.answers}} {
		if len(list.ids) > 0 {
			p.open(sentNotice, nil)
			p.buf = appendIDs(p.buf, list.id, list.ids)
			p.close()
		}
	}
	for _, i := range c.infos {
		p.open(sentNotice, nil)
		p.buf = tl.AppendInt64(tl.AppendUint32(p.buf, idMsgsStateInfo), int64(i.request))
		p.buf = tl.AppendBytes(p.buf, i.info)
		p.close()
	}
	if c.destroy != 0 {
		p.open(sentNotice, nil)
		p.buf = tl.AppendInt64(tl.AppendUint32(p.buf, idDestroySession), c.destroy)
		p.close()
	}
	copies := c.copies
	c.reset()
	slices.Sort(copies)
	for i, id := range copies {
		if p.full() || !s.repeatable() || !s.appendCopy(p, id) {
			c.copies = copies[i:]
			return
		}
	}
}

// appendCopy writes a query again under its old msg_id and seqno, inside a container whose id is new; a bare one as it was.
// It reports false when that must wait for the next packet.
func (s *Session) appendCopy(p *packet, id msgID) bool {
	r := s.records.find(id)
	if r == nil || r.q == nil || r.q.msgID != id || r.q.phase == queryQueued {
		return true
	}
	q := r.q
	if p.count > 0 && (q.bare() || len(q.body)+len(p.buf) > softContainer) {
		return false
	}
	p.header(id, r.seqNo)
	s.appendBody(p, q, q.withHeader)
	p.close()
	s.queries.repeated(q, s.now)
	s.states.at = earliest(s.states.at, q.askAt)
	if q.bare() {
		p.lone = true
	} else {
		p.copies = append(p.copies, q)
	}
	return true
}

// appendQueries writes queries from the front of the queue, as many as fit.
func (s *Session) appendQueries(p *packet) {
	n := s.sendable()
	sent := 0
	for _, q := range s.queries.queue[:n] {
		if p.full() {
			break
		}
		withHeader := !s.headerKnown && len(s.cfg.Header) > 0
		large := len(q.body)+len(p.buf) > softContainer || q.alone
		if large && p.count > 0 {
			break
		}
		if q.prev != 0 {
			s.records.settle(q.prev) // two transmissions are remembered, not more
		}
		id := p.open(sentQuery, q)
		s.appendBody(p, q, withHeader)
		p.close()
		s.queries.sent(q, s.now, id, withHeader)
		sent++
		if large {
			break
		}
	}
	if sent > 0 {
		s.queries.taken(sent)
		s.states.watch(s.now)
		s.records.prune(s.clock.server(s.now), false)
	}
}

// appendBody writes a query as it travels: header, prefix, query.
func (s *Session) appendBody(p *packet, q *query, withHeader bool) {
	if withHeader {
		p.buf = append(p.buf, s.cfg.Header...)
	}
	p.buf = append(p.buf, s.cfg.Prefix...)
	p.buf = append(p.buf, q.body...)
}
