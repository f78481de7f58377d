//go:build unix

package endtoend

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
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
			after := takeStock()
			cpu := cpuTime()
			time.Sleep(idleWindow)
			cpu = cpuTime() - cpu
			count := float64(b.N * n)
			b.ReportMetric(float64(after.rss-before.rss)/count/1024, "rss-KiB/account")
			b.ReportMetric(float64(after.live-before.live)/count/1024, "heap+stack-KiB/account")
			b.ReportMetric(float64(after.goroutines-before.goroutines)/count, "goroutines/account")
			b.ReportMetric(cpu.Seconds()/idleWindow.Minutes()*1000/count, "cpu-s/1000-accounts/min")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// stock is what a process holds.
type stock struct {
	rss, live  int64 // bytes; live is heap in use and stacks
	goroutines int
}

// takeStock waits until what was begun has ended and the garbage is gone.
func takeStock() stock {
	time.Sleep(5 * time.Second)
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return stock{rss: residentBytes(), live: int64(m.HeapAlloc + m.StackInuse), goroutines: runtime.NumGoroutine()}
}

// residentBytes reads /proc; where there is none the figure is 0.
func residentBytes() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, resident int64
	if _, err := fmt.Fscan(bytes.NewReader(text), &size, &resident); err != nil {
		return 0
	}
	return resident * int64(os.Getpagesize())
}
