package main

import (
	"context"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	promexporter "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
)

// metricsPage serves metrics in Prometheus's format on a loopback address. A nil
// page serves nothing.
type metricsPage struct {
	provider *sdkmetric.MeterProvider
	listener net.Listener
	http     *http.Server
}

// openMetrics listens on addr; "" means no page.
func openMetrics(addr string) (*metricsPage, error) {
	if addr == "" {
		return nil, nil
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, addrInUse("metrics.listen", addr, err)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	exporter, err := promexporter.New(promexporter.WithRegisterer(registry), promexporter.WithoutScopeInfo())
	if err != nil {
		_ = l.Close()
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	return &metricsPage{
		provider: sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter)),
		listener: l,
		http:     &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second},
	}, nil
}

// serve begins to answer.
func (p *metricsPage) serve() {
	if p != nil {
		go func() { _ = p.http.Serve(p.listener) }()
	}
}

// close ends the page at once: a scrape that is cut off is repeated.
func (p *metricsPage) close() {
	if p == nil {
		return
	}
	_ = p.http.Close()
	_ = p.listener.Close()
	_ = p.provider.Shutdown(context.Background())
}
