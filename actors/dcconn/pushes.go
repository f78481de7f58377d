package dcconn

import (
	"slices"
	"sync/atomic"
)

// pushesMost bounds what the server sent unasked and nobody has taken yet, in
// bytes, for each connection: four times what the reader of a socket may have
// delivered. Who takes updates does it as fast as they come, but for a moment;
// where one does not, memory would grow with all that the server has to say.
const pushesMost = 4 << 20

// Pushes are those updates of one connection that are on their way. It is safe
// for concurrent use.
type Pushes struct{ bytes atomic.Int64 }

// Taken says that an update of n bytes, of an EventUpdates, has arrived where it
// is handled, or was dropped. On nil it does nothing.
func (p *Pushes) Taken(n int) {
	if p != nil {
		p.bytes.Add(-int64(n))
	}
}

// onPush hands an update on. Beyond the bound it is dropped and a gap is told, as
// if the server had not sent it: it will be asked for. One gap is enough until
// the next update goes on, because it stands behind all that is on its way.
func (n *conn) onPush(body []byte) {
	size := int64(len(body))
	if now := n.pushes.bytes.Load(); now > 0 && now+size > pushesMost {
		if !n.dropping {
			n.dropping = true
			n.notify(Event{Kind: EventGap, Pushes: &n.pushes})
		}
		return
	}
	n.pushes.bytes.Add(size)
	n.notify(Event{Kind: EventUpdates, Updates: slices.Clone(body), Pushes: &n.pushes})
	if n.dropping {
		n.dropping = false
		n.notify(Event{Kind: EventGap, Pushes: &n.pushes})
	}
}
