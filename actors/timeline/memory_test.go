package timeline

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
)

// memoryMost is what the timeline of one account may have of memory, in bytes.
const memoryMost = 1536

// rotations adds what so many rotations note, with a loss of the connection and
// its cause in every third.
func rotations(r *Recorder, n int) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for i := range n {
		before, after := KeyOf(int64(i)), KeyOf(int64(i+1))
		at = at.Add(24 * time.Hour)
		for _, e := range []Entry{{Kind: TempMade, Key: after}, {Kind: Bound, Key: after}, {Kind: Replaced, Key: before}, {Kind: Used, Key: after}, {Kind: Closed, Key: before}} {
			e.At, e.DC, e.Media = at, 2, i%2 == 1
			r.Add(e)
		}
		if i%3 == 0 {
			r.Add(Entry{At: at, Kind: Disconnected, DC: 2, Key: after, Why: "read tcp 127.0.0.1:40312->127.0.0.1:20001: read: connection reset by peer"})
		}
	}
}

// memoryOf is the heap that each of n accounts' timelines has after so many
// rotations, in bytes; the accounts' names are not counted, which they have anyway.
func memoryOf(n, after int) (each float64, entries int) {
	ids, all := make([]persistence.AccountID, n), make([]*Recorder, n)
	for i := range ids {
		ids[i] = persistence.AccountID(fmt.Sprint("account-", i))
	}
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // what the first has only marked as free
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	for i, id := range ids {
		all[i] = New(id)
		rotations(all[i], after)
	}
	each = float64(int64(heap()-before)) / float64(n)
	entries = len(all[0].Entries())
	runtime.KeepAlive(ids)
	return each, entries
}

func TestAFullTimelineHasNoMoreMemoryThanIsSaid(t *testing.T) {
	if each, entries := memoryOf(2000, 50); each > memoryMost || entries < 60 {
		t.Errorf("%.0f bytes for %d entries, at most %d are said", each, entries, memoryMost)
	}
}

// BenchmarkMemoryOfAnAccount says what the timeline of one account has of memory:
// before anything has happened, after two rotations, and full.
func BenchmarkMemoryOfAnAccount(b *testing.B) {
	for _, c := range []struct {
		name      string
		rotations int
	}{{"new", 0}, {"two rotations", 2}, {"full", 50}} {
		b.Run(c.name, func(b *testing.B) {
			var each float64
			var entries int
			for b.Loop() {
				each, entries = memoryOf(10_000, c.rotations)
			}
			b.ReportMetric(each, "B/account")
			b.ReportMetric(float64(entries), "entries")
			b.ReportMetric(0, "ns/op") // the time says nothing
			if each > memoryMost {
				b.Errorf("%.0f bytes for an account, at most %d are said", each, memoryMost)
			}
		})
	}
}
