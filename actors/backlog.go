package actors

import (
	"github.com/mtfleet/mtfleet/actors/account"
	"github.com/mtfleet/mtfleet/tl"
)

// Bounds of a backlog: 16,384 events, of which a manager of 10,000 accounts has
// three for each while it starts, and 32 MiB. An event takes at most 500 bytes
// but for an update with its users and chats, so that the number alone makes
// 8.2 MB; updates of 2 KB each reach both bounds at once. One more event than
// fits the bytes is kept: the newest, which a packet of the server bounds.
// Streams share the journal's events, and hold eight bytes of their own for each.
const (
	backlogMost      = 16384
	backlogBytesMost = 32 << 20
	eventBytes       = 500
)

// told is an event as it was published, which nobody changes any more.
type told struct {
	Event
	account *Account // nil for what is told of a stream itself
	// mark is the delivery of the engine of updates that it is a part of.
	mark account.Mark
	// delivery is who waits for consumers to acknowledge it; nil for nobody. Who
	// publishes sets it before any consumer is told.
	delivery *delivery
}

// A backlog keeps the newest events for who reads them later, bounded by number
// and by bytes. The zero backlog is empty. It has no lock.
type backlog struct {
	events []*told
	bytes  int
	bounds bounds
}

// bounds of a backlog; zero is backlogMost and backlogBytesMost, which only tests
// change.
type bounds struct{ most, bytesMost int }

func (b bounds) exceeded(n, bytes int) bool {
	if b.most == 0 {
		b = bounds{backlogMost, backlogBytesMost}
	}
	return n > b.most || bytes > b.bytesMost && n > 1
}

// push adds the newest event. trim is to be called until nothing is left to go.
func (b *backlog) push(ev *told) {
	var last *told
	if n := len(b.events); n > 0 {
		last = b.events[n-1]
	}
	b.bytes += weight(ev, last)
	b.events = append(b.events, ev)
}

// trim removes and returns the oldest event if the backlog is beyond its bounds.
func (b *backlog) trim() (gone *told, over bool) {
	if !b.bounds.exceeded(len(b.events), b.bytes) {
		return nil, false
	}
	gone = b.events[0]
	b.events[0] = nil
	b.events = b.events[1:]
	b.bytes -= weight(gone, b.events[0])
	return gone, true
}

// weight is what an event holds beyond what it shares with its neighbour: the
// updates of one envelope have one list of users and chats.
func weight(ev, neighbour *told) int {
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
