package peers

import (
	"fmt"
	"runtime"
	"testing"
	"time"
)

// BenchmarkMemory is what whom an account has met takes in memory, while it is there at all.
func BenchmarkMemory(b *testing.B) {
	for _, n := range []int{0, 100, Limit} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			sets := make([]*Set, 0, b.N)
			before := heap()
			for b.Loop() {
				s := new(Set)
				for id := range n {
					s.See(time.Unix(1000, 0), Peer{Kind: User, ID: int64(id) + 1, AccessHash: 1, Username: "username"})
				}
				sets = append(sets, s)
			}
			b.ReportMetric(float64(heap()-before)/float64(len(sets)), "B/account")
			runtime.KeepAlive(sets)
		})
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
