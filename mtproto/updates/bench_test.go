package updates

import (
	"testing"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// BenchmarkPush is an update that comes in order: alone, and while the differences of four hundred channels are wanted.
func BenchmarkPush(b *testing.B) {
	for name, waiting := range map[string]int64{"alone": 0, "while channels wait": 400} {
		b.Run(name, func(b *testing.B) {
			from := Snapshot{State: State{Pts: 1}, Known: true}
			var list []tl.Raw
			for id := range waiting {
				from.Channels = append(from.Channels, Channel{id + 1, 1, 10})
				list = append(list, channelTooLong(id+1, 0))
			}
			m := New(from)
			m.Start(epoch)
			m.Result(epoch, m.id, (&tg.UpdatesDifferenceEmpty{}).Append(nil))
			m.Push(epoch, withChats(nil, list...))
			b.ReportAllocs()
			for pts := int32(2); b.Loop(); pts++ {
				for _, ok := m.Next(); ok; _, ok = m.Next() {
				}
				raw := short(deleted(1, pts, 1))
				m.Push(epoch, raw)
			}
		})
	}
}

func TestToCutAValueUpCostsNoMemory(t *testing.T) {
	raw := short(deleted(1, 2, 1))
	if n := testing.AllocsPerRun(100, func() {
		if c, ok := cutUp(raw); !ok || c.int(fieldShortDate) != 1 {
			t.Fatal("it is not cut up")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
