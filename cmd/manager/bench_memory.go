package main

import (
	"path/filepath"

	"github.com/mtfleet/mtfleet/cmd/manager/bench"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	dccontrol "github.com/mtfleet/mtfleet/mtproto/dctest/serve/control"
)

// inMemoryHelp explains --in-memory.
const inMemoryHelp = "the DCs in this process, without sockets, for more accounts than there are file descriptors; what is measured is then of both"

// startMemoryDC starts the test DCs in this process. Nothing leads out of it: their
// addresses are made up, and whoever dials another is refused.
func (w *benchWorld) startMemoryDC() error {
	cfg := serve.Config{Core: dctest.Config{DCs: w.plan.dcs}, Bots: w.plan.bots, MemoryOnly: true, MaxConns: w.plan.bots + maxBots}
	cfg.API.LoginsPerDay = -1
	for _, l := range floodLimits() {
		l.field(&cfg.API.Limits).Calls = -1
	}
	cluster, err := serve.Start(cfg)
	if err != nil {
		return err
	}
	w.closers = append(w.closers, cluster.Close)
	socket := filepath.Join(w.dir, "dc.sock")
	listener, err := control.Listen(socket)
	if err != nil {
		return err
	}
	server := dccontrol.Serve(cluster, listener)
	w.closers = append(w.closers, func() error { server.Close(); return nil })
	w.dc = &benchDC{Descriptor: cluster.Descriptor(), http: askingAt(socket)}
	w.line = bench.NewLineOver(cluster.Dialer(), false)
	return nil
}
