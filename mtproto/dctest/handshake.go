package dctest

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/handshake"
	"github.com/mtfleet/mtfleet/tl/mt"
)

// newHandshake makes the DC's side of key creation.
func (c *Cluster) newHandshake(d *dcState) (*handshake.Server, error) {
	server, err := handshake.NewServer(handshake.ServerConfig{
		Rand:           c.rand,
		Keys:           c.cfg.Keys,
		Group:          c.cfg.Group,
		ShortExponents: c.cfg.ShortExponents,
		AcceptDC:       func(dc int) bool { return c.accepts(d, dc, d.atMedia) },
		Exists:         func(id crypt.KeyID) bool { return d.keys[id] != nil },
	})
	if err != nil {
		return nil, fmt.Errorf("dctest: dc %d: %w", d.id, err)
	}
	return server, nil
}

// plain handles a packet without auth key: a step of a handshake. A handshake belongs to its nonces, so it survives
// reconnects and lives beside encrypted traffic.
func (c *Cluster) plain(now time.Time, cn *conn, packet []byte) {
	retry := plainID(packet) == mt.SetClientDHParamsRequestID &&
		c.hit(now, FaultDHRetry, place{dc: cn.dc.id, conn: cn.id}) != nil
	cn.dc.atMedia = cn.media
	c.handshakeReply(now, cn, cn.dc.handshake.Receive(cn.dc.clock(now), packet), retry)
}

// handshakeReply does what the handshake server wants done.
func (c *Cluster) handshakeReply(now time.Time, cn *conn, r handshake.Reply, retry bool) {
	if r.Err != nil {
		c.violate(Violation{At: now, DC: cn.dc.id, Conn: cn.id, Rule: RuleHandshake, Text: r.Err.Error()})
	}
	if k := r.Result; k != nil {
		d := cn.dc
		c.noteOldForms(now, cn, k.Old)
		if cn.media && !k.Temp {
			c.violate(Violation{At: now, DC: d.id, Conn: cn.id, Key: int64(k.Key.ID()), Rule: RuleHandshake, Severity: SeverityNoted,
				Text: "a perm key made at an address for media"})
		}
		c.addKey(now, d, k.Key, k.ServerSalt, k.Temp, k.DC < 0, k.ExpiresAt.Sub(d.clock(now)))
	}
	if r.Packet != nil {
		c.sendPacket(now, cn, r.Packet)
	}
	if r.Code != 0 {
		c.transportError(cn, r.Code)
	}
	if r.Work == nil {
		return
	}
	do := func() any { return r.Work() }
	ok := c.work(do, func(now time.Time, value any) {
		if retry {
			cn.dc.handshake.Force(handshake.Forced{Retries: 1 << 30})
			defer cn.dc.handshake.Force(handshake.Forced{})
		}
		result, _ := value.(handshake.WorkResult)
		cn.dc.atMedia = cn.media
		c.handshakeReply(now, cn, cn.dc.handshake.Done(cn.dc.clock(now), result), false)
	})
	if !ok {
		c.transportError(cn, codeFlood)
	}
}

// noteOldForms writes down that a client sent what the auth_key page described before 2021.
func (c *Cluster) noteOldForms(now time.Time, cn *conn, old handshake.OldForms) {
	note := func(text string) {
		c.violate(Violation{At: now, DC: cn.dc.id, Conn: cn.id, Rule: RuleOldForm, Text: text})
	}
	if old&handshake.OldInner != 0 {
		note("inner data without a DC")
	}
	if old&handshake.OldRSA != 0 {
		note("an RSA block of before RSA_PAD")
	}
}

// plainID is the constructor id in a plain packet, 0 if there is none.
func plainID(packet []byte) uint32 {
	if len(packet) < 24 {
		return 0
	}
	return binary.LittleEndian.Uint32(packet[20:])
}
