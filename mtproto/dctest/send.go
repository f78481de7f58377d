package dctest

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/mt"
)

// Kinds of server message ids: the low two bits.
const (
	idReply int64 = 1
	idPush  int64 = 3
)

// queue adds one message to what the session sends at the end of this input. Content-related messages are kept until
// the client acknowledges them.
func (c *Cluster) queue(now time.Time, s *session, body []byte, content bool, kind int64) *outbound {
	m := &outbound{msgID: s.key.dc.nextMsgID(now, kind), seqNo: s.content * 2, body: body}
	if content {
		m.seqNo++
		s.content++
		s.unacked = append(s.unacked, m)
		s.size += len(body)
	}
	s.batch = append(s.batch, m)
	c.touch(s)
	c.bound(s)
	return m
}

// reply queues an object that is no rpc_result.
func (c *Cluster) reply(now time.Time, s *session, o tl.Object, content bool) {
	c.queue(now, s, o.Append(nil), content, idReply)
}

// bound enforces the limits on unacknowledged messages: a client that never acknowledges loses the oldest.
func (c *Cluster) bound(s *session) {
	for len(s.unacked) > maxUnacked || s.size > maxUnackedSize && len(s.unacked) > 1 {
		c.dropUnacked(s, 0)
	}
}

func (c *Cluster) dropUnacked(s *session, i int) {
	s.size -= len(s.unacked[i].body)
	s.unacked = slices.Delete(s.unacked, i, i+1)
}

// touch puts the session on the list of those that send at the end of the input.
func (c *Cluster) touch(s *session) {
	if !s.dirty {
		s.dirty = true
		c.dirty = append(c.dirty, s)
	}
}

// flush sends the batch. Without a connection only the content-related messages survive, in unacked.
func (c *Cluster) flush(now time.Time, s *session) {
	batch := s.batch
	s.batch = nil
	if s.conn == nil {
		return
	}
	if len(batch) == 0 && !c.ackDue(now, s) {
		c.armAck(now, s)
		return
	}
	if ack := c.takeAcks(now, s); ack != nil {
		batch = append(batch, ack)
	}
	slices.SortFunc(batch, func(a, b *outbound) int {
		if a.msgID < b.msgID {
			return -1
		}
		return 1
	})
	for len(batch) > 0 && s.conn != nil {
		n, size := 1, len(batch[0].body)
		for n < len(batch) && n < maxContainer && size+len(batch[n].body)+16 <= maxPacketOut {
			size += len(batch[n].body) + 16
			n++
		}
		c.sendBatch(now, s, batch[:n])
		batch = batch[n:]
	}
	c.armResend(now, s)
}

func (c *Cluster) sendBatch(now time.Time, s *session, batch []*outbound) {
	for _, m := range batch {
		m.conn, m.sentAt = s.conn.id, now
	}
	if len(batch) == 1 {
		m := batch[0]
		c.sendMessage(now, s, m.msgID, m.seqNo, m.body)
		return
	}
	body := tl.AppendUint32(nil, mt.MsgContainerID)
	body = tl.AppendInt32(body, int32(len(batch)))
	for _, m := range batch {
		body = tl.AppendInt64(body, m.msgID)
		body = tl.AppendInt32(body, m.seqNo)
		body = tl.AppendInt32(body, int32(len(m.body)))
		body = append(body, m.body...)
	}
	c.sendMessage(now, s, s.key.dc.nextMsgID(now, idReply), s.content*2, body)
}

// sendMessage encrypts one message and sends it on the session's connection.
func (c *Cluster) sendMessage(now time.Time, s *session, msgID int64, seqNo int32, body []byte) {
	b := binary.LittleEndian.AppendUint64(c.scratch[:0], uint64(c.saltAt(s.key, s.key.dc.clock(now))))
	b = binary.LittleEndian.AppendUint64(b, uint64(s.id))
	b = binary.LittleEndian.AppendUint64(b, uint64(msgID))
	b = binary.LittleEndian.AppendUint32(b, uint32(seqNo))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(body)))
	b = append(b, body...)
	c.scratch = b
	packet, err := crypt.AppendEncrypted(make([]byte, 0, len(b)+320), s.key.key, crypt.Server, b, c.rand)
	if err != nil {
		// No randomness, no packet: the peer sees a dead server.
		c.closeConn(s.conn)
		return
	}
	c.sendPacket(now, s.conn, packet)
}

// resendLost queues again, under their old ids, the messages whose connection is gone.
func (c *Cluster) resendLost(now time.Time, s *session) {
	for _, m := range s.unacked {
		if m.sentAt.IsZero() || c.conns[m.conn] == nil {
			c.resend(now, s, m)
		}
	}
}

// resend queues a message again, or only announces it when it is big.
func (c *Cluster) resend(now time.Time, s *session, m *outbound) {
	if slices.Contains(s.batch, m) {
		return
	}
	if c.cfg.DetailedOver > 0 && len(m.body) > c.cfg.DetailedOver && !m.sentAt.IsZero() {
		m.sentAt = now
		m.conn = s.conn.id
		c.announce(now, s, m)
		return
	}
	s.batch = append(s.batch, m)
	c.touch(s)
}

func (c *Cluster) announce(now time.Time, s *session, m *outbound) {
	if m.request != 0 {
		c.reply(now, s, &mt.MsgDetailedInfo{MsgID: m.request, AnswerMsgID: m.msgID, Bytes: int32(len(m.body))}, false)
		return
	}
	c.reply(now, s, &mt.MsgNewDetailedInfo{AnswerMsgID: m.msgID, Bytes: int32(len(m.body))}, false)
}

// armResend sets the timer that repeats unacknowledged messages on a live connection.
func (c *Cluster) armResend(now time.Time, s *session) {
	if len(s.unacked) == 0 || !s.resendAt.IsZero() {
		return
	}
	s.resendAt = now.Add(c.cfg.ResendAfter)
	c.timers.add(s.resendAt, func(now time.Time) { c.resendDue(now, s) })
}

func (c *Cluster) resendDue(now time.Time, s *session) {
	s.resendAt = time.Time{}
	if s.gone || s.conn == nil {
		return
	}
	for _, m := range s.unacked {
		if now.Sub(m.sentAt) >= c.cfg.ResendAfter {
			c.resend(now, s, m)
		}
	}
	c.armResend(now, s)
}

// unackedIndex returns the position of an outgoing message by its id, -1 if it is not kept any more.
func (s *session) unackedIndex(msgID int64) int {
	return slices.IndexFunc(s.unacked, func(m *outbound) bool { return m.msgID == msgID })
}

// acked handles one id of the client's msgs_ack.
func (c *Cluster) acked(s *session, msgID int64) {
	if i := s.unackedIndex(msgID); i >= 0 {
		c.dropUnacked(s, i)
	}
}

// oweAck remembers that a received message wants an acknowledgement.
func (c *Cluster) oweAck(now time.Time, s *session, msgID int64) {
	if len(s.acks) == 0 {
		s.ackAt = now.Add(c.cfg.AckDelay)
	}
	s.acks = append(s.acks, msgID)
	c.touch(s)
}

// armAck sets the timer for acknowledgements that nothing carried.
func (c *Cluster) armAck(now time.Time, s *session) {
	if len(s.acks) == 0 || s.ackArmed {
		return
	}
	s.ackArmed = true
	c.timers.add(s.ackAt, func(now time.Time) {
		s.ackArmed = false
		if !s.gone && len(s.acks) > 0 {
			c.touch(s)
		}
	})
}

// ackDue tells whether acknowledgements have waited long enough to go alone.
func (c *Cluster) ackDue(now time.Time, s *session) bool {
	return len(s.acks) >= 16 || len(s.acks) > 0 && !now.Before(s.ackAt)
}

// takeAcks makes one msgs_ack of everything owed, except queries whose answer goes out: that answer acknowledges.
func (c *Cluster) takeAcks(now time.Time, s *session) *outbound {
	ids := s.acks
	s.acks = nil
	if len(ids) > maxIDs {
		ids = ids[:maxIDs]
	}
	kept := ids[:0]
	for _, id := range ids {
		if in := s.received(id); in != nil {
			if in.flags&inDone != 0 {
				in.flags |= inAcked
				continue
			}
			in.flags |= inAcked
		}
		kept = append(kept, id)
	}
	if len(kept) == 0 {
		return nil
	}
	body := (&mt.MsgsAck{MsgIDs: kept}).Append(nil)
	return &outbound{msgID: s.key.dc.nextMsgID(now, idReply), seqNo: s.content * 2, body: body}
}
