package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	promexporter "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/health"
	"github.com/mtfleet/mtfleet/config"
)

// metricsPage serves metrics in Prometheus's format, and what package health
// answers. A nil page serves nothing.
type metricsPage struct {
	provider *sdkmetric.MeterProvider
	health   health.Page
	listener net.Listener
	http     *http.Server
}

const (
	// scrapeLimit and scrapesAtOnce bound what scrapes hold up: one takes
	// milliseconds, unless the disk hangs, whose room is among the metrics.
	scrapeLimit   = 10 * time.Second
	scrapesAtOnce = 4
	// pageHeader is more than any scraper sends.
	pageHeader = 16 << 10
)

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
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: scrapesAtOnce, Timeout: scrapeLimit}))
	page := &metricsPage{
		provider: sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter)),
		listener: l,
		http: &http.Server{
			Handler: mux, MaxHeaderBytes: pageHeader,
			ReadTimeout: 10 * time.Second, WriteTimeout: scrapeLimit + 10*time.Second, IdleTimeout: 2 * time.Minute,
		},
	}
	page.health.Register(mux)
	return page, nil
}

// serve begins to answer.
func (p *metricsPage) serve() {
	if p != nil {
		go func() { _ = p.http.Serve(p.listener) }()
	}
}

// running tells the page of a manager whose control API is up.
func (p *metricsPage) running(m *actors.Manager, cfg *config.Config) {
	if p != nil {
		p.health.Running(healthOf(m, cfg))
	}
}

// healthOf is what a manager whose control API is up is asked, by the page and by
// systemd.
func healthOf(m *actors.Manager, cfg *config.Config) health.Sources {
	var live []health.Check
	for _, part := range m.Parts() {
		live = append(live, health.Check(part))
	}
	return health.Sources{
		Live: live,
		Ready: []health.Check{
			{Name: "claim on the store", Ask: func(context.Context) error { return m.Ready() }},
			{Name: "control API", Ask: func(ctx context.Context) error { return answersHTTP(ctx, cfg.Control.Socket) }},
		},
		Fleet: func() health.Fleet { return health.Fleet{States: m.States(), MinPercent: cfg.Fleet.OnlineMinPercent} },
	}
}

// waiting tells the page what the manager waits for before it can run.
func (p *metricsPage) waiting(text string) {
	if p != nil {
		p.health.Waiting(text)
	}
}

// stopping tells the page that the manager stops.
func (p *metricsPage) stopping() {
	if p != nil {
		p.health.Stopping()
	}
}

// answersHTTP reports whether anything answers at a socket, whatever it says: a
// question for nothing costs the API nothing.
func answersHTTP(ctx context.Context, socket string) error {
	var d net.Dialer
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return d.DialContext(ctx, "unix", socket) },
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://manager/", nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("nobody answers at %s: %w", socket, err)
	}
	return response.Body.Close()
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
