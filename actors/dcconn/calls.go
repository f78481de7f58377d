package dcconn

import (
	"maps"
	"slices"

	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/mtproto"
)

// call is a call under way.
type call struct {
	method string
	reply  func([]byte, error)
}

func (n *conn) onCall(c *ctx, m Call) {
	if _, double := n.calls[m.ID]; double || n.session == nil || n.drain != drainNone {
		giveBack(m)
		return
	}
	if n.calls == nil {
		n.calls = make(map[mtproto.QueryID]call)
		n.hurry()
	}
	n.calls[m.ID] = call{m.Method, m.Reply}
	n.session.Send(c.Now(), m.ID, m.Body, m.Policy)
	n.pump(c)
}

func (n *conn) onCancel(c *ctx, m Cancel) {
	if n.session != nil {
		n.session.Cancel(c.Now(), m.ID)
		n.pump(c)
	}
}

// onRecall gives back what of a method, or of all, waits to be sent.
func (n *conn) onRecall(c *ctx, m Recall) {
	if n.session == nil {
		return
	}
	for _, id := range n.pending() {
		if (m.Method == "" || m.Method == n.calls[id].method) && n.session.Unsent(id) {
			n.reply(c, id, nil, notSent())
			n.session.Cancel(c.Now(), id)
		}
	}
	n.pump(c)
}

// giveBack ends a call that was not taken.
func giveBack(m Call) { m.Reply(nil, notSent()) }

func notSent() error { return &mtproto.QueryError{Reason: mtproto.ErrClosed, Fate: mtproto.ErrNotSent} }

// pending returns the calls under way in the order of their ids: that of a map
// would not replay.
func (n *conn) pending() []mtproto.QueryID { return slices.Sorted(maps.Keys(n.calls)) }

// reply answers a call, once.
func (n *conn) reply(c *ctx, id mtproto.QueryID, body []byte, err error) {
	f := n.calls[id].reply
	if f == nil {
		return
	}
	if delete(n.calls, id); len(n.calls) == 0 {
		n.calls, n.quiet = nil, c.Now()
	}
	f(slices.Clone(body), err)
}

// onHurry puts the next dial before others.
func (n *conn) onHurry() {
	n.hurry()
	n.hurried = true
}

// hurry tells the governor that somebody has begun to wait.
func (n *conn) hurry() {
	if n.state == socketWaiting && !n.cfg.Active {
		n.env.Governor.Send(governor.Hurry{Ticket: n.ticket})
	}
}

// busy reports whether somebody waits for this connection.
func (n *conn) busy() bool { return n.hurried || len(n.calls) > 0 || n.wish != nil }

// onPoll tells how busy the connection is.
func (n *conn) onPoll(c *ctx) {
	ev := Event{Kind: EventPolled, Pending: n.pendingCalls()}
	if ev.Pending == 0 {
		ev.Quiet = c.Now().Sub(n.quiet)
	}
	n.notify(ev)
}
