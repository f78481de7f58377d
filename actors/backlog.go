package actors

import "github.com/mtfleet/mtfleet/tl"

// Bounds of a Backlog: 16,384 events, of which a manager of 10,000 accounts has
// three for each while it starts, and 32 MiB. An event takes at most 400 bytes
// but for an update with its users and chats, so that the number alone makes
// 6.5 MB; updates of 2 KB each reach both bounds at once. One more event than
// fits the bytes is kept: the newest, which a packet of the server bounds.
const (
	backlogMost      = 16384
	backlogBytesMost = 32 << 20
	eventBytes       = 400
)

// A Backlog keeps the newest events for who reads them later, bounded by number
// and by bytes. The zero Backlog is empty. It has no lock.
type Backlog struct {
	events []Event
	bytes  int
}

// Push adds the newest event. Trim is to be called until nothing is left to go.
func (b *Backlog) Push(ev Event) {
	var last *Event
	if n := len(b.events); n > 0 {
		last = &b.events[n-1]
	}
	b.bytes += weight(&ev, last)
	b.events = append(b.events, ev)
}

// Trim removes and returns the oldest event if the backlog is beyond its bounds.
func (b *Backlog) Trim() (gone Event, over bool) {
	if n := len(b.events); n <= backlogMost && (b.bytes <= backlogBytesMost || n == 1) {
		return Event{}, false
	}
	gone = b.events[0]
	b.events[0] = Event{}
	b.events = b.events[1:]
	b.bytes -= weight(&gone, &b.events[0])
	return gone, true
}

// Events are all that is kept, oldest first. They are read only and valid until
// the next call.
func (b *Backlog) Events() []Event { return b.events }

// weight is what an event holds beyond what it shares with its neighbour: the
// updates of one envelope have one list of users and chats.
func weight(ev, neighbour *Event) int {
	n := eventBytes + len(ev.Update)
	if neighbour == nil || !same(ev.Users, neighbour.Users) {
		n += total(ev.Users)
	}
	if neighbour == nil || !same(ev.Chats, neighbour.Chats) {
		n += total(ev.Chats)
	}
	return n
}

func same(a, b []tl.Raw) bool { return len(a) > 0 && len(b) > 0 && &a[0] == &b[0] }

func total(list []tl.Raw) (n int) {
	for _, raw := range list {
		n += len(raw)
	}
	return n
}
