package dcconn

import (
	"cmp"
	"slices"

	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/mtproto"
)

// call is a call under way.
type call struct {
	id     mtproto.QueryID
	method string
	reply  func([]byte, error)
}

// find returns where a call is among those under way, which are in the order of
// their ids, or where it belongs. They are a slice because a connection has few
// of them, most often one: a map's first group is larger than the whole call.
func (n *conn) find(id mtproto.QueryID) (at int, there bool) {
	return slices.BinarySearchFunc(n.calls, id, func(k call, id mtproto.QueryID) int { return cmp.Compare(k.id, id) })
}

func (n *conn) onCall(c *ctx, m Call) {
	at, double := n.find(m.ID)
	if double || n.session == nil || n.drain != drainNone {
		giveBack(m)
		return
	}
	if len(n.calls) == 0 {
		n.hurry()
	}
	n.calls = slices.Insert(n.calls, at, call{m.ID, m.Method, m.Reply})
	n.session.Send(c.Now(), m.ID, m.Body, m.Policy)
	n.gathered++
}

// gatherMost is how many calls that wait in the mailbox go out together, in a
// packet or two: with all of them before the first would leave, the DC would have
// nothing to do meanwhile.
const gatherMost = 32

// sendGathered sends the calls that have come since the last pump, with the last
// that waits.
func (n *conn) sendGathered(c *ctx) {
	if n.gathered > 0 && n.session != nil && (n.gathered >= gatherMost || !c.More()) {
		n.pump(c)
	}
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
	for _, k := range slices.Clone(n.calls) {
		if (m.Method == "" || m.Method == k.method) && n.session.Unsent(k.id) {
			n.reply(c, k.id, nil, notSent())
			n.session.Cancel(c.Now(), k.id)
		}
	}
	n.pump(c)
}

// giveBack ends a call that was not taken.
func giveBack(m Call) { m.Reply(nil, notSent()) }

func notSent() error { return &mtproto.QueryError{Reason: mtproto.ErrClosed, Fate: mtproto.ErrNotSent} }

// reply answers a call, once.
func (n *conn) reply(c *ctx, id mtproto.QueryID, body []byte, err error) {
	at, there := n.find(id)
	if !there {
		return
	}
	f := n.calls[at].reply
	if n.calls = slices.Delete(n.calls, at, at+1); len(n.calls) == 0 {
		n.calls, n.quiet = nil, c.Now() // an idle connection keeps no memory for calls
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
