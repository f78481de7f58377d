package binding

import (
	"context"
	crand "crypto/rand"
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/mtfleet/mtfleet/actors/dcconn"
	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/actors/wire"
	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// crowd is one account whose callers are goroutines.
type crowd struct {
	mu    sync.Mutex // guards route
	route Route
	ref   Handle
	last  atomic.Uint64
}

func (w *crowd) hear(ev Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch ev := ev.(type) {
	case EventRoute:
		w.route = ev.Route
	case EventHeld, EventLost:
		w.route = Route{}
	}
}

// call asks testdc.echo until it is not given back.
func (w *crowd) call(takes time.Duration) error {
	ended := make(chan error, 2) // a second answer would be a fault of ours
	id := w.last.Add(1)
	q := echo.EchoRequest{ID: int64(id), DelayMs: int32(takes / time.Millisecond)}
	for {
		w.mu.Lock()
		route := w.route
		w.mu.Unlock()
		call := Call{ID: QueryID(w.last.Add(1)), Method: q.TypeName(), Body: q.Append(nil), Reply: func(_ []byte, err error, _ Where) { ended <- err }}
		if route.IsZero() {
			w.ref.Send(call)
		} else {
			route.Send(call)
		}
		err := <-ended
		if !errors.Is(err, dcconn.ErrClosed) || !errors.Is(err, ErrNotSent) {
			return err
		}
		time.Sleep(time.Millisecond)
	}
}

// TestCallsFromManyGoroutinesSurviveManyRotations runs on real sockets in
// virtual time, with keys that live for a minute.
func TestCallsFromManyGoroutinesSurviveManyRotations(t *testing.T) {
	rsaKey()
	group()
	synctest.Test(t, func(t *testing.T) {
		cluster, err := serve.Start(serve.Config{MemoryOnly: true, Core: dctest.Config{
			Keys: []*crypt.PrivateKey{rsaKey()}, Group: group(), AnonymousEcho: true,
		}})
		if err != nil {
			t.Fatal(err)
		}
		sys := runtime.NewSystem(runtime.Options{OnPanic: func(e *runtime.PanicError) { t.Errorf("%v\n%s", e, e.Stack) }})
		network := wire.New(wire.Config{Dialer: cluster.Dialer(), Rand: crand.Reader, RequireLoopback: true})
		table := dc.Table{Options: []dc.Option{{DC: 2, Addr: netip.MustParseAddrPort(cluster.Addr(2))}}}
		env, err := NewEnv(EnvConfig{
			Network: network, Governor: runtime.SpawnRoot[governor.Message](sys, governor.New(governor.Limits{}, nil)),
			Table: func() dc.Table { return table }, RSAKeys: []*crypt.PublicKey{rsaKey().Public()},
			Header: header(cluster.Descriptor().Apps[0].ID), TempLife: time.Minute,
			Observe: Observer{},
		})
		if err != nil {
			t.Fatal(err)
		}
		store := persistence.NewMemory()
		owner, err := store.Claim("crowd")
		if err != nil {
			t.Fatal(err)
		}
		w := &crowd{}
		root := runtime.SpawnRoot[stageMessage](sys, stage{})
		root.Send(func(c *runtime.Context[stageMessage]) {
			w.ref = Spawn(c, env, Config{
				Account: "alice", ID: ID{DC: 2}, Home: true, PFS: true, Keys: &Records{}, Notify: w.hear,
				Commit: func(commit persistence.Commit, _ bool, done func(error)) {
					commit.Owner = owner
					go func() { done(store.Commit(commit)) }()
				},
			})
		})
		synctest.Wait()
		end := time.Now().Add(5 * time.Minute)
		var callers sync.WaitGroup
		for i := range 4 {
			callers.Go(func() {
				for time.Now().Before(end) {
					if err := w.call(time.Duration(i) * 700 * time.Millisecond); err != nil {
						t.Errorf("a call ended with %v", err)
					}
					time.Sleep(200 * time.Millisecond)
				}
			})
		}
		callers.Wait()
		if n := cluster.Counts().TempKeys; n < 5 {
			t.Errorf("only %d temp keys were made", n)
		}
		if err := sys.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if err := network.Wait(context.Background()); err != nil {
			t.Error(err)
		}
		if err := cluster.Close(); err != nil {
			t.Error(err)
		}
	})
}
