package dctest

import (
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
)

// conn is one transport connection.
type conn struct {
	id     ConnID
	dc     *dcState
	media  bool // it came to an address for media alone
	remote string

	sessions []*session           // whose packets go out here
	key      *authKey             // of the last packet that decrypted
	last     map[sessionKey]int64 // highest outer msg_id, for the order check
	closing  bool                 // OutClose was given; nothing more goes in or out
	packets  int                  // received

	closeAt  time.Time // ping_delay_disconnect; zero if not armed
	heardAt  time.Time
	in, outq held // packets that faults hold back
}

// sessionKey names a session on a connection, for the order check.
type sessionKey struct {
	key     crypt.KeyID
	session int64
}

// perm is the perm key the connection was last used for, 0 if unknown.
func (cn *conn) perm() int64 {
	if cn.key == nil {
		return 0
	}
	return cn.key.ownerID()
}

// Open reports a new connection to a DC. remote is its address, as the API half may show it. A connection to a DC that
// does not exist is closed.
func (c *Cluster) Open(now time.Time, id ConnID, dc int, remote string) {
	c.open(now, id, dc, false, remote)
}

// OpenMedia is Open for a connection to an address that a DC has for media alone, see Config.Media.
func (c *Cluster) OpenMedia(now time.Time, id ConnID, dc int, remote string) {
	c.open(now, id, dc, true, remote)
}

func (c *Cluster) open(now time.Time, id ConnID, dc int, media bool, remote string) {
	d := c.dc(dc)
	if d == nil {
		c.emit(Output{Kind: OutClose, Conn: id})
		return
	}
	if c.conns[id] != nil {
		return
	}
	cn := &conn{id: id, dc: d, media: media, remote: remote, heardAt: now}
	c.conns[id] = cn
	if c.hit(now, FaultRefuse, place{dc: dc, conn: id}) != nil {
		c.closeConn(cn)
	}
	c.armIdle(now, cn)
	c.settle(now)
}

// Closed reports that a connection is gone, whoever closed it.
func (c *Cluster) Closed(now time.Time, id ConnID) {
	cn := c.conns[id]
	if cn == nil {
		return
	}
	c.dropConn(now, cn)
	c.settle(now)
}

func (c *Cluster) dropConn(now time.Time, cn *conn) {
	delete(c.conns, cn.id)
	cn.closing = true
	for _, s := range cn.sessions {
		c.lostConnection(now, s)
	}
	cn.sessions = nil
	cn.in, cn.outq = held{}, held{}
}

// closeConn asks for a close. The connection counts as open until Closed comes, but nothing goes through any more.
func (c *Cluster) closeConn(cn *conn) {
	if cn == nil || cn.closing {
		return
	}
	cn.closing = true
	c.emit(Output{Kind: OutClose, Conn: cn.id})
}

// transportError sends a transport error code and closes, as the real server does.
func (c *Cluster) transportError(cn *conn, code int32) {
	if cn.closing {
		return
	}
	c.emit(Output{Kind: OutError, Conn: cn.id, Code: code})
	c.closeConn(cn)
}

// Transport error codes (reference 2.6).
const (
	codeUnknownKey int32 = -404
	codeWrongDC    int32 = -444
	codeFlood      int32 = -429
)

// TransportDC reports the DC id that an obfuscated header names. Only a wrong one is of interest: it is written down,
// not answered, since a DC reached directly ignores it.
func (c *Cluster) TransportDC(now time.Time, id ConnID, wire int) {
	cn := c.conns[id]
	if cn == nil || wire == 0 || c.accepts(cn.dc, wire, cn.media) {
		return
	}
	c.violate(Violation{At: now, DC: cn.dc.id, Conn: id, Rule: RuleTransportDC, Text: "obfuscated header names another DC"})
}

// accepts tells whether a DC id on the wire means a DC, and the kind of address that it came to. Without addresses for
// media the sign is no matter.
func (c *Cluster) accepts(d *dcState, wire int, media bool) bool {
	if c.cfg.Media && media != (wire < 0) {
		return false
	}
	if wire < 0 {
		wire = -wire
	}
	if c.cfg.Test {
		return wire == d.id+10000
	}
	return wire == d.id
}

// Packet reports one packet of a connection. quickAck says that the transport asked for a quick ack. The packet may be
// reused when Packet returns.
func (c *Cluster) Packet(now time.Time, id ConnID, packet []byte, quickAck bool) {
	cn := c.conns[id]
	if cn == nil || cn.closing {
		return
	}
	cn.heardAt = now
	c.filterIn(now, cn, packet, quickAck)
	c.settle(now)
}

// Malformed reports that a connection's bytes break the rules of its transport; text says how. The caller closes it.
func (c *Cluster) Malformed(now time.Time, id ConnID, text string) {
	if cn := c.conns[id]; cn != nil && !cn.closing {
		c.violate(Violation{At: now, DC: cn.dc.id, Conn: id, Rule: RuleFrame, Text: text})
	}
}

// accept handles a packet that passed the faults.
func (c *Cluster) accept(now time.Time, cn *conn, packet []byte, quickAck bool) {
	if cn.closing {
		return
	}
	cn.packets++
	if code, ok := c.transportFault(now, cn, packet); ok {
		c.transportError(cn, code)
		return
	}
	id, ok := crypt.PacketKeyID(packet)
	switch {
	case !ok:
		c.violate(Violation{At: now, DC: cn.dc.id, Conn: cn.id, Rule: RuleFrame, Text: "a packet of less than 8 bytes"})
		c.transportError(cn, codeUnknownKey)
	case id == 0:
		c.plain(now, cn, packet)
	default:
		c.encrypted(now, cn, id, packet, quickAck)
	}
}

// armIdle closes a connection that has been silent for Config.IdleTimeout.
func (c *Cluster) armIdle(now time.Time, cn *conn) {
	if c.cfg.IdleTimeout <= 0 {
		return
	}
	c.timers.add(cn.heardAt.Add(c.cfg.IdleTimeout), func(now time.Time) {
		if cn.closing {
			return
		}
		if now.Sub(cn.heardAt) >= c.cfg.IdleTimeout {
			c.closeConn(cn)
			return
		}
		c.armIdle(now, cn)
	})
}

// disconnectAfter arms ping_delay_disconnect: the connection closes unless another one comes in time.
func (c *Cluster) disconnectAfter(now time.Time, cn *conn, d time.Duration) {
	at := now.Add(d)
	earlier := cn.closeAt.IsZero() || at.Before(cn.closeAt)
	cn.closeAt = at
	if earlier {
		c.armDisconnect(cn, at)
	}
}

// armDisconnect looks at the connection at a time; when the moment has been put off meanwhile it looks again then.
func (c *Cluster) armDisconnect(cn *conn, at time.Time) {
	c.timers.add(at, func(now time.Time) {
		switch {
		case cn.closing:
		case now.Before(cn.closeAt):
			c.armDisconnect(cn, cn.closeAt)
		default:
			c.closeConn(cn)
		}
	})
}
