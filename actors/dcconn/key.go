package dcconn

import (
	"errors"

	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/handshake"
)

// ErrBusy is the error of a MakeKey that came while a key was being made, or
// after Run.
var ErrBusy = errors.New("dcconn: the connection is not free to make a key")

func (n *conn) onMakeKey(c *ctx, m MakeKey) {
	if n.session != nil || n.wish != nil {
		n.notify(Event{Kind: EventKeyFailed, Temp: m.Temp, Err: ErrBusy})
		return
	}
	n.wish = &m
	if n.state == socketUp {
		n.makeKey(c)
		return
	}
	n.hurry()
}

// makeKey begins the handshake on the socket that stands.
func (n *conn) makeKey(c *ctx) {
	n.client = handshake.NewClient(handshake.ClientConfig{
		Rand: c.Rand(), Keys: n.env.RSAKeys, Group: n.env.Group, Proven: n.env.Proven,
		DC:   dc.Wire(n.cfg.DC, n.env.Table().Test, n.cfg.Media),
		Temp: n.wish.Temp, ExpiresIn: n.wish.ExpiresIn,
	})
	n.client.Start(c.Now())
	n.pumpKey(c)
}

func (n *conn) onWorked(c *ctx, m worked) {
	if m.client == n.client && n.client != nil {
		n.client.Done(c.Now(), m.result)
		n.pumpKey(c)
	}
}

// pumpKey does what the handshake asks for.
func (n *conn) pumpKey(c *ctx) {
	client := n.client
	for out, ok := client.Next(); ok; out, ok = client.Next() {
		switch out.Kind {
		case handshake.OutPacket:
			_ = n.socket.Send(out.Packet) // if it fails, the socket is closing and says so
		case handshake.OutWork:
			work := out.Work
			c.Go(func() Message { return worked{client, work()} })
		case handshake.OutDone:
			temp := n.wish.Temp
			n.wish, n.client = nil, nil
			c.Cancel(timerSession)
			n.proved()
			n.notify(Event{Kind: EventKeyMade, Temp: temp, Made: out.Result})
			return
		case handshake.OutFailed:
			n.lost(c, out.Err) // the state of a failed handshake is not worth keeping, on either side
			return
		}
	}
	c.At(timerSession, client.Deadline(), due{})
}

// keyLost ends a key in the making with its socket.
func (n *conn) keyLost(c *ctx, err error) {
	if n.wish == nil {
		return
	}
	if client := n.client; client != nil {
		c.Cancel(timerSession)
		if code := CodeOf(err); code != 0 {
			client.Refused(c.Now(), code) // names the step
			for out, ok := client.Next(); ok; out, ok = client.Next() {
				if out.Kind == handshake.OutFailed {
					err = out.Err
				}
			}
		}
	}
	temp := n.wish.Temp
	n.wish, n.client = nil, nil
	n.notify(Event{Kind: EventKeyFailed, Temp: temp, Err: err})
}
