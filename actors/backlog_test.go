package actors

import (
	"testing"

	"github.com/mtfleet/mtfleet/tl"
)

func TestABacklogIsBoundedByBytesToo(t *testing.T) {
	const mib = 1 << 20
	var b backlog
	add := func(ev Event) (gone int) {
		b.push(&told{Event: ev})
		for _, over := b.trim(); over; _, over = b.trim() {
			gone++
		}
		return gone
	}
	update := func(size int) Event { return Event{Kind: EventUpdate, Update: make(tl.Raw, size)} }
	for range 31 {
		if gone := add(update(mib)); gone != 0 {
			t.Fatalf("%d events are gone at %d bytes", gone, b.bytes)
		}
	}
	shared := update(8)
	shared.Users = []tl.Raw{make(tl.Raw, mib/2)}
	for range 100 {
		if gone := add(shared); gone != 0 {
			t.Fatalf("users of one envelope count for each of its updates: %d bytes", b.bytes)
		}
	}
	if gone := add(update(mib)); gone == 0 {
		t.Errorf("%d bytes are kept, and nothing went", b.bytes)
	}
	before := len(b.events)
	if gone := add(update(40 * mib)); gone != before || len(b.events) != 1 {
		t.Errorf("%d events went for one that fills the backlog, %d are left", gone, len(b.events))
	}
	if gone := add(update(8)); gone != 1 || b.bytes != eventBytes+8 {
		t.Errorf("%d events went, and the rest counts %d bytes", gone, b.bytes)
	}
	for range 3 * backlogMost {
		add(Event{})
	}
	if n := len(b.events); n != backlogMost || b.bytes != n*eventBytes {
		t.Errorf("%d events count %d bytes", n, b.bytes)
	}
}
