package updates

import (
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/tl"
)

// Bounds of what a machine keeps while something is missing, in its three
// boxes together: 256 items, or 1 MiB of updates with the users and chats of
// their envelopes. A thousand accounts in trouble at once hold 1 GiB at the
// very worst and some 30 MiB as pushes go. Past the bound everything kept is
// dropped and the difference, which holds it all, is asked for.
const (
	boxItemsMost = 256
	boxBytesMost = 1 << 20
)

// item is one update, or the updates of an envelope that count by seq, kept
// or about to be delivered. It moves its sequence from start to end.
type item struct {
	start, end int64
	updates    []tl.Raw
	env        *envelope
}

func (i item) size() int {
	n := 64
	for _, u := range i.updates {
		n += len(u)
	}
	return n
}

// tally counts what is kept in all boxes of a machine. An envelope counts once,
// however many items share it, and for as long as one of them is kept.
type tally struct {
	items, bytes int
}

func (t *tally) cost(i item) int {
	if i.env.kept == 0 {
		return i.size() + i.env.bytes
	}
	return i.size()
}

// room reports whether one more item may be kept.
func (t *tally) room(i item) bool {
	return t.items < boxItemsMost && t.bytes+t.cost(i) <= boxBytesMost
}

func (t *tally) in(i item) {
	t.items++
	t.bytes += t.cost(i)
	i.env.kept++
}

func (t *tally) out(i item) {
	t.items--
	i.env.kept--
	t.bytes -= t.cost(i)
}

// box keeps the items of one sequence in the order of their start.
type box struct {
	items []item
	since time.Time // when the wait for what comes before items[0] began
	lost  int64     // the furthest end of what was dropped, 0 if nothing was
}

// add keeps an item. One that moves the sequence exactly like another is a
// duplicate and is not kept twice; one that moves nothing cannot be told from
// its like and is. It reports false when the bound is reached.
func (b *box) add(t *tally, i item) bool {
	// Behind all with the same start, so that ties stay in order of arrival.
	at, _ := slices.BinarySearchFunc(b.items, i.start, func(other item, start int64) int {
		if other.start <= start {
			return -1
		}
		return 1
	})
	if i.end > i.start {
		for j := at - 1; j >= 0 && b.items[j].start == i.start; j-- {
			if b.items[j].end == i.end {
				return true
			}
		}
	}
	if !t.room(i) {
		b.lost = max(b.lost, i.end)
		return false
	}
	b.items = slices.Insert(b.items, at, i)
	t.in(i)
	return true
}

// pop removes and returns the first item.
func (b *box) pop(t *tally) item {
	i := b.items[0]
	b.items[0] = item{}
	b.items = b.items[1:]
	t.out(i)
	if len(b.items) == 0 {
		b.items = nil // give the memory back
	}
	return i
}

// take removes and returns the item that continues the sequence at pos, after
// throwing away those that were overtaken.
func (b *box) take(t *tally, pos int64) (item, bool) {
	for len(b.items) > 0 && b.items[0].start <= pos {
		if i := b.pop(t); i.start == pos {
			return i, true
		}
	}
	return item{}, false
}

// drop forgets all items, and remembers how far they went.
func (b *box) drop(t *tally) {
	for len(b.items) > 0 {
		b.lost = max(b.lost, b.pop(t).end)
	}
	b.since = time.Time{}
}

// wait notes since when something is missing; the wait begins anew when the
// sequence has moved.
func (b *box) wait(now time.Time, moved bool) {
	switch {
	case b.empty():
		b.since = time.Time{}
	case moved || b.since.IsZero():
		b.since = now
	}
}

func (b *box) empty() bool { return len(b.items) == 0 }
