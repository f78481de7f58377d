//go:build unix

package endtoend

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/bench"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/persistence"
)

// BenchmarkCall is a call of 64 bytes there and back. calls/s depends on the
// server, which shares the machine; cpu-us/call does not.
func BenchmarkCall(b *testing.B) {
	for _, c := range []struct {
		accounts, each int
	}{{1, 1}, {1, 64}, {100, 1}} {
		b.Run(fmt.Sprintf("accounts=%d,at-once=%d", c.accounts, c.accounts*c.each), func(b *testing.B) {
			w := newWorld(b, persistence.NewMemory())
			all := w.signIn(b, c.accounts, 8, actors.AccountOptions{})
			var next atomic.Int64
			var m bench.Meter
			b.ResetTimer()
			m.Start()
			var wg sync.WaitGroup
			for i := range c.accounts * c.each {
				wg.Go(func() { callUntil(b, all[i%len(all)], &next, int64(b.N)) })
			}
			wg.Wait()
			m.Stop()
			b.ReportMetric(1e3*ms(m.Sum.CPU, b.N), "cpu-us/call")
			b.ReportMetric(float64(b.N)/m.Sum.Wall.Seconds(), "calls/s")
			b.ReportMetric(float64(m.Sum.Mallocs)/float64(b.N), "allocs/call")
			b.ReportMetric(float64(m.Sum.Bytes)/float64(b.N), "B/call")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// callUntil makes calls until last of them were begun by all callers together.
func callUntil(b *testing.B, a *actors.Account, next *atomic.Int64, last int64) {
	payload := make([]byte, 64)
	for id := next.Add(1); id <= last; id = next.Add(1) {
		got, err := actors.Invoke(context.Background(), a, &echo.EchoRequest{ID: id, Payload: payload})
		if err != nil || got.ID != id || len(got.Payload) != len(payload) {
			b.Errorf("call %d answered %+v, %v", id, got, err)
			return
		}
	}
}
