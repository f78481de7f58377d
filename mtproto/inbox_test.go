package mtproto

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// dumbInbox remembers like inboxState, the slow way: it keeps everything in a set and looks at all of it each time.
type dumbInbox struct {
	ids   map[msgID]bool
	floor msgID
}

func (d *dumbInbox) check(id msgID) verdict {
	switch {
	case id <= d.floor:
		return seenTooOld
	case d.ids[id]:
		return seenBefore
	default:
		return seenNever
	}
}

func (d *dumbInbox) add(id msgID) {
	d.ids[id] = true
	sorted := slices.Sorted(maps.Keys(d.ids))
	if newest := sorted[len(sorted)-1]; newest >= inboxAge {
		d.floor = max(d.floor, newest-inboxAge)
	}
	if len(sorted) > inboxSize {
		d.floor = max(d.floor, sorted[len(sorted)-inboxSize-1])
	}
	maps.DeleteFunc(d.ids, func(id msgID, _ bool) bool { return id <= d.floor })
}

func TestInboxIsAsGoodAsADumbOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var clever inboxState
		dumb := dumbInbox{ids: map[msgID]bool{}}
		now := msgID(1_700_000_000) << 32
		dense := rapid.Bool().Draw(t, "dense")
		for range rapid.IntRange(1, 1500).Draw(t, "n") {
			step := msgID(1 << 30)
			if !dense {
				step = rapid.SampledFrom([]msgID{1 << 20, 1 << 32, 1 << 36, 400 << 32}).Draw(t, "step")
			}
			now += step
			id := now
			if rapid.IntRange(0, 3).Draw(t, "late") == 0 {
				id -= step * msgID(rapid.IntRange(0, 1200).Draw(t, "by"))
			}
			got, want := clever.check(id), dumb.check(id)
			if got != want {
				t.Fatalf("%x: %d, the dumb one says %d", id, got, want)
			}
			if got == seenNever {
				clever.add(id)
				dumb.add(id)
			}
			if len(clever.ids) > inboxSize || !slices.IsSorted(clever.ids) {
				t.Fatal("too many, or out of order")
			}
		}
	})
}

func TestInboxForgetsTheOldestForGood(t *testing.T) {
	var s inboxState
	first := msgID(1_700_000_000)<<32 | 1
	for i := range msgID(inboxSize + 1) {
		s.add(first + 4*i)
	}
	for i, want := range []verdict{seenTooOld, seenBefore, seenBefore} {
		if got := s.check(first + 4*msgID(i)); got != want {
			t.Errorf("message %d: %d, want %d", i, got, want)
		}
	}
	if s.check(first+4*(inboxSize+1)) != seenNever || s.check(first+2) != seenNever {
		t.Error("what was never received is new, even between the others")
	}
}
