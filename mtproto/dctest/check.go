package dctest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/mtfleet/mtfleet/tl/mt"
)

// Codes of bad_msg_notification (reference 6.8).
const (
	badMsgIDLow    int32 = 16
	badMsgIDHigh   int32 = 17
	badMsgIDParity int32 = 18
	badContainerID int32 = 19
	badMsgTooOld   int32 = 20
	badSeqNoLow    int32 = 32
	badSeqNoHigh   int32 = 33
	badSeqNoEven   int32 = 35 // odd expected; 34, even expected, is never sent
	badSalt        int32 = 48
	badContainer   int32 = 64
)

// The window for msg_ids against the DC's clock (reference 6.2).
const (
	maxAge    = 300 * time.Second
	maxFuture = 30 * time.Second
)

// badMsg refuses one message.
func (c *Cluster) badMsg(d *delivery, m message, code int32) {
	c.reply(d.now, d.s, &mt.BadMsgNotification{BadMsgID: m.msgID, BadMsgSeqno: m.seqNo, ErrorCode: code}, false)
}

// checkOuter checks the id of the outer message: parity, window, order; for containers also their seqno and whether
// the id is new. What it refuses is not remembered.
func (c *Cluster) checkOuter(d *delivery) bool {
	m := d.msg
	if f := c.hit(d.now, FaultBadMsg, d.place()); f != nil {
		c.badMsg(d, m, int32(f.Code))
		return false
	}
	if m.msgID&3 != 0 {
		c.violate(d.violation(RuleMsgID, m.msgID, "msg_id not divisible by 4"))
		c.badMsg(d, m, badMsgIDParity)
		return false
	}
	if at := time.Unix(m.msgID>>32, 0); at.Before(d.t.Add(-maxAge)) {
		c.violate(d.violation(RuleMsgID, m.msgID, fmt.Sprintf("msg_id %s behind the server", d.t.Sub(at).Round(time.Second))))
		c.badMsg(d, m, badMsgIDLow)
		return false
	} else if at.After(d.t.Add(maxFuture)) {
		c.violate(d.violation(RuleMsgID, m.msgID, fmt.Sprintf("msg_id %s ahead of the server", at.Sub(d.t).Round(time.Second))))
		c.badMsg(d, m, badMsgIDHigh)
		return false
	}
	c.checkOrder(d)
	if bodyID(m.body) != mt.MsgContainerID {
		return true
	}
	if in := d.s.received(m.msgID); in != nil {
		c.badMsg(d, m, badContainerID)
		return false
	}
	return c.checkSeqNo(d, m, kindContainer)
}

// checkOrder notes outer ids that do not grow on one connection; a repeated id is a resend and fine.
func (c *Cluster) checkOrder(d *delivery) {
	cn := d.conn
	key := sessionKey{d.key.id(), d.s.id}
	last := cn.last[key]
	if d.msg.msgID < last && d.s.received(d.msg.msgID) == nil {
		c.violate(d.violation(RuleOrder, d.msg.msgID, fmt.Sprintf("msg_id below %x on the same connection", last)))
	}
	if d.msg.msgID > last {
		if cn.last == nil {
			cn.last = make(map[sessionKey]int64)
		}
		cn.last[key] = d.msg.msgID
	}
}

// checkSeqNo compares a new message with its neighbours by msg_id: seqnos grow with ids, odd ones are used once
// (codes 32 and 33), and queries are odd (35). Containers and acknowledgements ought to be even: mtcute numbers its
// acknowledgements as content, and the real server takes them. Other service messages are right both ways.
func (c *Cluster) checkSeqNo(d *delivery, m message, kind messageKind) bool {
	code := int32(0)
	i, _ := d.s.find(m.msgID)
	odd := m.seqNo&1 == 1
	switch {
	case i > 0 && !seqNoAfter(d.s.window[i-1].seqNo, m.seqNo):
		code = badSeqNoLow
	case i < len(d.s.window) && !seqNoAfter(m.seqNo, d.s.window[i].seqNo):
		code = badSeqNoHigh
	case odd && (kind == kindContainer || kind == kindPlain):
		v := d.violation(RuleSeqNo, m.msgID, fmt.Sprintf("odd seqno %d of what asks for no acknowledgement", m.seqNo))
		v.Severity = SeverityNoted
		c.violate(v)
		return true
	case !odd && kind == kindQuery:
		code = badSeqNoEven
	default:
		return true
	}
	c.violate(d.violation(RuleSeqNo, m.msgID, fmt.Sprintf("seqno %d, code %d", m.seqNo, code)))
	c.badMsg(d, m, code)
	return false
}

// seqNoAfter tells whether seqno b may follow a: not lower, and not equal when a is odd.
func seqNoAfter(a, b int32) bool { return b > a || b == a && a&1 == 0 }

var (
	errContainerShort  = errors.New("a member reaches beyond the container")
	errContainerCount  = errors.New("member count out of range")
	errContainerLength = errors.New("a member's length is not a multiple of 4")
	errContainerRest   = errors.New("bytes left after the last member")
)

// splitContainer cuts a msg_container into its members without copying.
func splitContainer(body []byte) ([]message, error) {
	le := binary.LittleEndian
	if len(body) < 8 {
		return nil, errContainerShort
	}
	count, rest := int(int32(le.Uint32(body[4:]))), body[8:]
	if count < 0 || count > len(rest)/16 {
		return nil, errContainerCount
	}
	members := make([]message, 0, count)
	for range count {
		if len(rest) < 16 {
			return nil, errContainerShort
		}
		m := message{msgID: int64(le.Uint64(rest)), seqNo: int32(le.Uint32(rest[8:]))}
		n := int(int32(le.Uint32(rest[12:])))
		rest = rest[16:]
		if n < 4 || n > len(rest) {
			return nil, errContainerShort
		}
		if n%4 != 0 {
			return nil, errContainerLength
		}
		m.body, rest = rest[:n], rest[n:]
		members = append(members, m)
	}
	if len(rest) != 0 {
		return nil, errContainerRest
	}
	return members, nil
}

// openContainer checks the outer container and remembers its id. A container that breaks a rule is refused whole.
func (c *Cluster) openContainer(d *delivery) ([]message, bool) {
	members, err := splitContainer(d.msg.body)
	text := ""
	switch {
	case err != nil:
		text = err.Error()
	case len(members) == 0:
		text = "an empty container"
	case len(members) > maxContainer:
		text = fmt.Sprintf("%d members", len(members))
	default:
		for _, m := range members {
			if bodyID(m.body) == mt.MsgContainerID {
				text = "a container inside a container"
			} else if m.msgID >= d.msg.msgID {
				text = "a member's msg_id is not below the container's"
			}
		}
	}
	if text != "" {
		c.violate(d.violation(RuleContainer, d.msg.msgID, text))
		c.badMsg(d, d.msg, badContainer)
		return nil, false
	}
	d.s.insert(inbound{msgID: d.msg.msgID, seqNo: d.msg.seqNo, flags: inContainer})
	return members, true
}
