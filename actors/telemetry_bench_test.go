//go:build unix

package actors

import (
	"context"
	"syscall"
	"testing"

	"go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/persistence"
)

// BenchmarkTelemetryOfACall is what telemetry adds to each call, and nothing else of
// it: CPU time, which other work on the machine changes less than ns/op.
func BenchmarkTelemetryOfACall(b *testing.B) {
	for _, with := range []struct {
		name string
		set  func(*Options)
	}{
		{"off", func(*Options) {}},
		{"metrics", func(o *Options) {
			o.MeterProvider = metric.NewMeterProvider(metric.WithReader(metric.NewManualReader()))
		}},
		{"spans", func(o *Options) { o.TracerProvider = sdktrace.NewTracerProvider() }},
		{"spans, one in a hundred", func(o *Options) {
			o.TracerProvider = sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.TraceIDRatioBased(.01)))
		}},
	} {
		b.Run(with.name, func(b *testing.B) {
			o := Options{
				Store: persistence.NewMemory(), DCs: dc.Production(),
				App: App{APIID: 1 << 24, APIHash: "of nobody", DeviceModel: "a test", SystemVersion: "none", AppVersion: "0"},
			}
			with.set(&o)
			m, err := Open(o)
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = m.Close(context.Background()) }()
			a, err := m.Add(context.Background(), "robot", AccountOptions{})
			if err != nil {
				b.Fatal(err)
			}
			q := request{method: "users.getUsers"}
			b.ReportAllocs()
			begun, n := spent(b), 0
			for ; b.Loop(); n++ {
				_, seen := a.observe(context.Background(), q, 2)
				seen.ended(a, nil)
			}
			b.ReportMetric(float64(spent(b)-begun)/float64(n), "cpu-ns/op")
		})
	}
}

func spent(b *testing.B) (ns int64) {
	b.Helper()
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return r.Utime.Nano() + r.Stime.Nano()
}
