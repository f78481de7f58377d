//go:build unix

package endtoend

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/bench"
	"github.com/mtfleet/mtfleet/persistence"
)

// nowhere takes spans and does nothing with them.
type nowhere struct{}

func (nowhere) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error { return nil }
func (nowhere) Shutdown(context.Context) error                             { return nil }

// telemetries are what a manager may be told to tell, each with what the one before it has.
var telemetries = []struct {
	name string
	set  func(*testing.B, *actors.Options)
}{
	{"off", func(*testing.B, *actors.Options) {}},
	{"metrics", func(_ *testing.B, o *actors.Options) {
		o.MeterProvider = metric.NewMeterProvider(metric.WithReader(metric.NewManualReader()))
	}},
	{"spans", func(b *testing.B, o *actors.Options) {
		o.MeterProvider = metric.NewMeterProvider(metric.WithReader(metric.NewManualReader()))
		spans := sdktrace.NewTracerProvider(sdktrace.WithBatcher(nowhere{}))
		o.TracerProvider = spans
		b.Cleanup(func() { _ = spans.Shutdown(context.Background()) })
	}},
}

// BenchmarkCallTelemetry is a call of 64 bytes by three managers: one without telemetry, one with metrics, one with
// metrics and a span of each call. They take turns of formTurn calls, so that what the machine does besides falls on all
// alike.
func BenchmarkCallTelemetry(b *testing.B) {
	for _, atOnce := range []int{1, 64} {
		b.Run(fmt.Sprintf("at-once=%d", atOnce), func(b *testing.B) {
			all := make([]*actors.Account, len(telemetries))
			for i, telemetry := range telemetries {
				w := newWorld(b, persistence.NewMemory(), func(o *actors.Options) { telemetry.set(b, o) })
				all[i] = w.signIn(b, 1, 1, actors.AccountOptions{})[0]
			}
			meters := make([]bench.Meter, len(telemetries))
			calls := 0
			b.ResetTimer()
			for ; calls < b.N; calls += formTurn {
				for i := range telemetries {
					at := (i + calls/formTurn) % len(telemetries)
					meters[at].Start()
					var begun atomic.Int64
					var wg sync.WaitGroup
					for range atOnce {
						wg.Go(func() { callUntil(b, all[at], &begun, formTurn) })
					}
					wg.Wait()
					meters[at].Stop()
				}
			}
			for i, telemetry := range telemetries {
				b.ReportMetric(1e3*ms(meters[i].Sum.CPU, calls), telemetry.name+"-cpu-us/call")
				b.ReportMetric(float64(meters[i].Sum.Mallocs)/float64(calls), telemetry.name+"-allocs/call")
				if i > 0 {
					b.ReportMetric(float64(meters[i].Sum.CPU)/float64(meters[0].Sum.CPU), telemetry.name+"/off")
				}
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}
