package dctest

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/tl/mt"
)

// header is the first 32 bytes of a decrypted packet.
type header struct {
	salt, session, msgID int64
	seqNo, length        int32
}

const headerSize = 32

func parseHeader(b []byte) header {
	le := binary.LittleEndian
	return header{
		salt:    int64(le.Uint64(b)),
		session: int64(le.Uint64(b[8:])),
		msgID:   int64(le.Uint64(b[16:])),
		seqNo:   int32(le.Uint32(b[24:])),
		length:  int32(le.Uint32(b[28:])),
	}
}

// message is one client message: the packet's own, or a member of its container.
type message struct {
	msgID int64
	seqNo int32
	body  []byte
}

// delivery is one packet on its way through the checks.
type delivery struct {
	now  time.Time
	t    time.Time // the DC's clock
	conn *conn
	key  *authKey
	s    *session
	msg  message // the outer message

	inflated int // bytes that its gzip_packed have cost so far, see maxInflate
}

func (d *delivery) violation(rule Rule, msgID int64, text string) Violation {
	v := Violation{At: d.now, DC: d.conn.dc.id, Conn: d.conn.id, Key: int64(d.key.id()), MsgID: msgID, Rule: rule, Text: text}
	if d.s != nil {
		v.Session = d.s.id
	}
	return v
}

// encrypted handles a packet that names an auth key: key, decryption, header, salt, msg_id, session, content, in the
// order of auth.md 1.5. It works while a handshake is half done on the same connection (P40).
func (c *Cluster) encrypted(now time.Time, cn *conn, id crypt.KeyID, packet []byte, quickAck bool) {
	k := c.lookup(now, cn.dc, id)
	if k == nil {
		v := Violation{At: now, DC: cn.dc.id, Conn: cn.id, Key: int64(id), Rule: RuleKey, Text: "unknown auth key"}
		if cn.dc.gone[id] {
			v.Severity, v.Text = SeverityInfo, "an auth key that is gone"
		}
		c.violate(v)
		c.transportError(cn, codeUnknownKey)
		return
	}
	if c.cfg.Media && k.temp && k.media != cn.media {
		c.violate(Violation{At: now, DC: cn.dc.id, Conn: cn.id, Key: int64(id), Rule: RuleKey, Text: "a temp key made for the other kind of address"})
		c.transportError(cn, codeUnknownKey)
		return
	}
	d := delivery{now: now, t: cn.dc.clock(now), conn: cn, key: k}
	plain, err := crypt.Decrypt(nil, k.key, crypt.Client, packet)
	if err != nil {
		c.violate(d.violation(RuleMsgKey, 0, err.Error()))
		c.closeConn(cn)
		return
	}
	cn.key = k
	if quickAck {
		c.emit(Output{Kind: OutQuickAck, Conn: cn.id, Code: int32(crypt.QuickAckToken(k.key, crypt.Client, plain))})
	}
	h := parseHeader(plain)
	if h.session == 0 {
		c.violate(d.violation(RuleSession, h.msgID, "session id 0"))
		c.transportError(cn, codeUnknownKey)
		return
	}
	n := int(h.length)
	if n < 4 || n%4 != 0 || n > len(plain)-headerSize {
		c.violate(d.violation(RuleLength, h.msgID, fmt.Sprintf("length %d in a packet of %d bytes", n, len(plain))))
		c.closeConn(cn)
		return
	}
	if pad := len(plain) - headerSize - n; pad < 12 || pad > 1024 {
		c.violate(d.violation(RulePadding, h.msgID, fmt.Sprintf("%d bytes of padding", pad)))
		c.closeConn(cn)
		return
	}
	d.msg = message{h.msgID, h.seqNo, plain[headerSize : headerSize+n]}
	d.s = c.session(now, k, h.session)
	c.attach(now, d.s, cn)
	if !c.checkSalt(&d, h.salt) || !c.checkOuter(&d) {
		return
	}
	c.ledger.packet(k, d.s, h.msgID)
	c.deliver(&d)
}

// checkSalt answers a wrong salt with bad_server_salt. A bind is let through: clients cannot always resend it.
func (c *Cluster) checkSalt(d *delivery, value int64) bool {
	ok := c.saltOK(d.key, d.t, value)
	if (!ok || len(c.faults) > 0) && d.key.temp && carriesBind(d.msg.body) {
		if c.hit(d.now, FaultBindSalt, d.place()) == nil {
			return true
		}
		c.replaceSalts(d.key, d.t)
		ok = false
	}
	if ok {
		return true
	}
	c.reply(d.now, d.s, &mt.BadServerSalt{
		BadMsgID: d.msg.msgID, BadMsgSeqno: d.msg.seqNo, ErrorCode: badSalt, NewServerSalt: c.saltAt(d.key, d.t),
	}, false)
	return false
}

// carriesBind tells whether a body is auth.bindTempAuthKey, wrapped or not, or a container with one. It unpacks within a
// limit of its own, once the packet's.
func carriesBind(body []byte) bool {
	members := []message{{body: body}}
	if bodyID(body) == mt.MsgContainerID {
		members, _ = splitContainer(body)
	}
	var look delivery // with a budget of its own: what is unpacked here is unpacked again
	for _, m := range members {
		if w, err := look.unwrap(m.body); err == nil && bodyID(w.query) == mt.AuthBindTempAuthKeyRequestID {
			return true
		}
	}
	return false
}

// bodyID is the constructor id at the start of a body, 0 if it is too short.
func bodyID(b []byte) uint32 {
	if len(b) < 4 {
		return 0
	}
	return binary.LittleEndian.Uint32(b)
}

func (d *delivery) place() place {
	return place{dc: d.conn.dc.id, conn: d.conn.id, perm: d.key.ownerID()}
}

// deliver takes the outer message apart and hands its members on. First contact with a session is announced.
func (c *Cluster) deliver(d *delivery) {
	members := []message{d.msg}
	container := bodyID(d.msg.body) == mt.MsgContainerID
	if container {
		var ok bool
		if members, ok = c.openContainer(d); !ok {
			return
		}
	}
	c.announceSession(d, members)
	for _, m := range members {
		if d.s.gone || d.conn.closing {
			return
		}
		c.deliverOne(d, m, container)
	}
}

// announceSession sends new_session_created with the first packet of a session. first_msg_id is the lowest id of the
// packet, so that nothing in it counts as lost.
func (c *Cluster) announceSession(d *delivery, members []message) {
	s := d.s
	if s.announced {
		return
	}
	s.announced = true
	first := d.msg.msgID
	for _, m := range members {
		first = min(first, m.msgID)
	}
	s.born = first
	if c.cfg.FirstMsgIDLast {
		first = members[len(members)-1].msgID
	}
	c.ledger.sessionMade(d.now, d.key, s)
	c.reply(d.now, s, &mt.NewSessionCreated{
		FirstMsgID: first, UniqueID: s.unique, ServerSalt: c.saltAt(d.key, d.t),
	}, true)
}

// deliverOne checks one message, remembers it and acts on it.
func (c *Cluster) deliverOne(d *delivery, m message, inside bool) {
	if inside && m.msgID&3 != 0 {
		c.violate(d.violation(RuleMsgID, m.msgID, "msg_id of a member not divisible by 4"))
		c.badMsg(d, m, badMsgIDParity)
		return
	}
	if in := d.s.received(m.msgID); in != nil {
		c.duplicate(d, m, *in)
		return
	}
	if m.msgID <= d.s.evicted {
		c.badMsg(d, m, badMsgTooOld)
		return
	}
	body, err := d.inflate(m.body)
	if err != nil {
		c.violate(d.violation(RuleGzip, m.msgID, err.Error()))
		c.badMsg(d, m, badContainer)
		return
	}
	m.body = body
	kind := classify(bodyID(body))
	if !c.checkSeqNo(d, m, kind) {
		return
	}
	in := inbound{msgID: m.msgID, seqNo: m.seqNo}
	if m.seqNo&1 == 1 {
		in.flags |= inContent
		c.oweAck(d.now, d.s, m.msgID)
	}
	d.s.insert(in)
	if kind == kindQuery {
		c.query(d, m)
		return
	}
	c.service(d, m)
}

// duplicate answers a message that was received before: it is not executed again, its answer is sent again.
func (c *Cluster) duplicate(d *delivery, m message, in inbound) {
	if in.flags&inContainer != 0 {
		c.badMsg(d, m, badContainerID)
		return
	}
	if in.seqNo != m.seqNo {
		c.violate(d.violation(RuleDuplicate, m.msgID, "a repeated msg_id with another seqno"))
	}
	if in.answer != 0 {
		if i := d.s.unackedIndex(in.answer); i >= 0 {
			c.resend(d.now, d.s, d.s.unacked[i])
			return
		}
	}
	if in.flags&inContent != 0 {
		// Acknowledged again even when the answer has been: the first acknowledgement may be lost.
		c.reply(d.now, d.s, &mt.MsgsAck{MsgIDs: []int64{m.msgID}}, false)
	}
}
