package updates

import (
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// Bounds of what is kept while something is missing: 256 updates, or 1 MiB of
// them. A thousand accounts in trouble at once hold 1 GiB at the very worst
// and some 30 MiB as pushes go. Past the bound everything kept is dropped and
// the difference, which holds it all, is asked for.
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

// envelope is what updates of one push share.
type envelope struct {
	users []tg.AnyUser
	chats []tl.Raw
	date  int32
}

func (i item) size() int {
	n := 64
	for _, u := range i.updates {
		n += len(u)
	}
	return n
}

// box keeps the items of one sequence in the order of their start.
type box struct {
	items []item
	bytes int
	since time.Time // when the wait for what comes before items[0] began
}

// add keeps an item. One that moves the sequence exactly like another is a
// duplicate and is not kept twice; one that moves nothing cannot be told from
// its like and is. It reports false when the bound is reached.
func (b *box) add(i item) bool {
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
	if len(b.items) >= boxItemsMost || b.bytes+i.size() > boxBytesMost {
		return false
	}
	b.items = slices.Insert(b.items, at, i)
	b.bytes += i.size()
	return true
}

// take removes and returns the item that continues the sequence at pos, after
// throwing away those that were overtaken.
func (b *box) take(pos int64) (item, bool) {
	for len(b.items) > 0 && b.items[0].start <= pos {
		i := b.items[0]
		b.items[0] = item{}
		b.items = b.items[1:]
		b.bytes -= i.size()
		if len(b.items) == 0 {
			b.clear() // give the memory back
		}
		if i.start == pos {
			return i, true
		}
	}
	return item{}, false
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

func (b *box) clear() { *b = box{} }

func (b *box) empty() bool { return len(b.items) == 0 }
