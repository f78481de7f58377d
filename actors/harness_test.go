package actors_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
)

// rsaKey is made once: every cluster of a test run may have the same.
var rsaKey = sync.OnceValue(func() []byte {
	key, err := crypt.GeneratePrivateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	return key.PEM()
})

// cluster starts a test cluster without sockets.
func cluster(t *testing.T, cfg serve.Config) *serve.Cluster {
	t.Helper()
	cfg.MemoryOnly = true
	if cfg.RSAKey == nil && cfg.Core.Keys == nil {
		cfg.RSAKey = rsaKey()
	}
	s, err := serve.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// options are those of a manager for the cluster.
func options(s *serve.Cluster, store persistence.Store) actors.Options {
	d := s.Descriptor()
	table, err := d.Table()
	if err != nil {
		panic(err) // the cluster's own addresses
	}
	o := actors.Options{
		Store: store, DCs: table,
		App: actors.App{APIID: 20000, APIHash: "test", DeviceModel: "mtfleet test", SystemVersion: "none", AppVersion: "0"},
		// Tests pay for arithmetic and not for waiting.
		Limits: governor.Limits{
			ConnectsPerDC: governor.Rate{PerSecond: 1000, Burst: 1000}, Connects: governor.Rate{PerSecond: 1000, Burst: 1000},
			KeysPerDC: governor.Rate{PerSecond: 1000, Burst: 1000}, Keys: governor.Rate{PerSecond: 1000, Burst: 1000},
			SignInsPerDC: governor.Rate{PerSecond: 1000, Burst: 1000}, SignIns: governor.Rate{PerSecond: 1000, Burst: 1000},
		},
	}
	if len(d.Apps) > 0 {
		o.App.APIID, o.App.APIHash = d.Apps[0].ID, d.Apps[0].Hash
	}
	o.Wire.Dialer = s.Dialer()
	if os.Getenv("MTFLEET_TEST_LOG") != "" {
		o.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	return o
}

// open opens a manager that is closed with the test.
func open(t *testing.T, o actors.Options) *actors.Manager {
	t.Helper()
	m, err := actors.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeManager(t, m) })
	return m
}

func closeManager(t *testing.T, m *actors.Manager) {
	t.Helper()
	ctx, cancel := actors.CloseGrace()
	defer cancel()
	if err := m.Close(ctx); err != nil {
		t.Errorf("closing the manager: %v", err)
	}
}

// soon is a context for what should not take long. Its time is virtual: an
// idle connection notices what happened to its key at its next ping.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// wait waits until the account is in the state.
func wait(t *testing.T, a *actors.Account, want actors.State) {
	t.Helper()
	ctx := soon(t)
	events := a.Events(ctx)
	if a.Status().State == want {
		return
	}
	for ev := range events {
		if ev.Kind == actors.EventState && ev.Status.State == want {
			return
		}
	}
	t.Fatalf("account %s never became %v: it is %+v", a.ID(), want, a.Status())
}

// signInPhone signs a person of the cluster in.
func signInPhone(t *testing.T, m *actors.Manager, id string, p serve.Phone, o actors.AccountOptions) *actors.Account {
	t.Helper()
	ctx := soon(t)
	a, err := m.Add(ctx, id, o)
	if err != nil {
		t.Fatal(err)
	}
	step, err := a.SignIn(ctx, actors.Phone(p.Number))
	if err != nil || step == nil || step.Kind != "code" {
		t.Fatalf("sign-in by phone: step %+v, error %v; want a step that asks for the code", step, err)
	}
	if step, err = a.Answer(ctx, actors.Answer{Kind: actors.AnswerCode, Code: p.Code}); err != nil || step != nil {
		t.Fatalf("answering the code: step %+v, error %v; want to be signed in", step, err)
	}
	return a
}

// signInBot signs a bot of the cluster in.
func signInBot(t *testing.T, m *actors.Manager, id string, b serve.Bot, o actors.AccountOptions) *actors.Account {
	t.Helper()
	ctx := soon(t)
	a, err := m.Add(ctx, id, o)
	if err != nil {
		t.Fatal(err)
	}
	if step, err := a.SignIn(ctx, actors.BotToken(b.Token)); err != nil || step != nil {
		t.Fatalf("sign-in by bot token: step %+v, error %v; want to be signed in", step, err)
	}
	return a
}

func dcID(n int) dc.ID { return dc.ID(n) }

// syncBuffer is a log that may be written from everywhere.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func (b *syncBuffer) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug}))
}
