package actorstest

import (
	"context"
	"crypto/rand"
	"log/slog"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
)

// RSAKey is the private key of every cluster of a test run, in PEM. It is made
// once, for it costs more than most tests.
var RSAKey = sync.OnceValue(func() []byte {
	key, err := crypt.GeneratePrivateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	return key.PEM()
})

// Bubble runs a test with virtual time.
func Bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	RSAKey() // made outside: it costs real arithmetic, not time
	synctest.Test(t, f)
}

// Small is a cluster of two DCs with one person and one bot.
func Small() serve.Config {
	return serve.Config{Core: dctest.Config{DCs: 2}, Persons: 1, Bots: 1}
}

// Cluster starts a cluster without sockets that is closed with the test.
func Cluster(tb testing.TB, cfg serve.Config) *serve.Cluster {
	tb.Helper()
	cfg.MemoryOnly = true
	return Start(tb, cfg)
}

// Start starts a cluster as it is configured, on loopback if need be, that is
// closed with the test.
func Start(tb testing.TB, cfg serve.Config) *serve.Cluster {
	tb.Helper()
	if cfg.RSAKey == nil && cfg.Core.Keys == nil {
		cfg.RSAKey = RSAKey()
	}
	s, err := serve.Start(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

// Unpaced are limits under which nothing waits for a permit: tests pay for
// arithmetic and not for waiting.
func Unpaced() governor.Limits {
	fast := governor.Rate{PerSecond: 1e6, Burst: 1e6}
	return governor.Limits{
		ConnectsPerDC: fast, Connects: fast, KeysPerDC: fast, Keys: fast, SignInsPerDC: fast, SignIns: fast,
	}
}

// Options are those of a manager for a cluster that is dialled in memory.
func Options(s *serve.Cluster, store persistence.Store) actors.Options {
	o := OptionsFor(s.Descriptor(), store)
	o.Wire.Dialer = s.Dialer()
	return o
}

// OptionsFor are those of a manager for what a descriptor names, on loopback.
// With MTFLEET_TEST_LOG in the environment the manager tells what it does.
func OptionsFor(d serve.Descriptor, store persistence.Store) actors.Options {
	table, err := d.Table()
	if err != nil {
		panic(err) // the cluster's own addresses
	}
	o := actors.Options{
		Store: store, DCs: table, Limits: Unpaced(),
		App: actors.App{APIID: 20000, APIHash: "test", DeviceModel: "mtfleet test", SystemVersion: "none", AppVersion: "0"},
	}
	if len(d.Apps) > 0 {
		o.App.APIID, o.App.APIHash = d.Apps[0].ID, d.Apps[0].Hash
	}
	if os.Getenv("MTFLEET_TEST_LOG") != "" {
		o.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	return o
}

// Open opens a manager that is closed with the test.
func Open(tb testing.TB, o actors.Options) *actors.Manager {
	tb.Helper()
	m, err := actors.Open(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { Close(tb, m) })
	return m
}

// Close closes a manager, which may be closed already.
func Close(tb testing.TB, m *actors.Manager) {
	tb.Helper()
	ctx, cancel := actors.CloseGrace()
	defer cancel()
	if err := m.Close(ctx); err != nil {
		tb.Errorf("closing the manager: %v", err)
	}
}

// Soon is a context for what should not take long. Ten minutes, for time may be
// virtual: an idle connection notices what happened to its key at its next ping.
func Soon(tb testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	tb.Cleanup(cancel)
	return ctx
}

// Inject begins a fault; its id ends it.
func Inject(tb testing.TB, s interface {
	Fault(dctest.Fault) (uint64, error)
}, f dctest.Fault) uint64 {
	tb.Helper()
	id, err := s.Fault(f)
	if err != nil {
		tb.Fatal(err)
	}
	return id
}
