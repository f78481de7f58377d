//go:build unix

package endtoend

import (
	"fmt"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/bench"
	"github.com/mtfleet/mtfleet/persistence"
)

// idleWindow is how long idle accounts are watched: one interval of pings.
const idleWindow = time.Minute

// BenchmarkIdle is what an account costs that is online and does nothing, with
// PFS: memory, goroutines, and CPU. Figures are differences to a manager with
// one account.
func BenchmarkIdle(b *testing.B) {
	for _, n := range []int{500, 2000} {
		b.Run(fmt.Sprintf("accounts=%d", n), func(b *testing.B) {
			w := newWorld(b, persistence.NewMemory())
			w.signIn(b, 1, 1, actors.AccountOptions{})
			before := takeStock()
			for b.Loop() {
				w.signIn(b, n, 8, actors.AccountOptions{})
			}
			came := takeStock().Since(before)
			cpu := bench.CPU()
			time.Sleep(idleWindow)
			cpu = bench.CPU() - cpu
			count := float64(b.N * n)
			b.ReportMetric(float64(came.RSS)/count/1024, "rss-KiB/account")
			b.ReportMetric(float64(came.Heap+came.Stacks)/count/1024, "heap+stack-KiB/account")
			b.ReportMetric(float64(came.Goroutines)/count, "goroutines/account")
			b.ReportMetric(cpu.Seconds()/idleWindow.Minutes()*1000/count, "cpu-s/1000-accounts/min")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// takeStock waits until what was begun has ended.
func takeStock() bench.Stock {
	time.Sleep(5 * time.Second)
	return bench.TakeStock()
}
