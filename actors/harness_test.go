package actors_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/actorstest"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
)

// The tests of this package name the helpers they share in short.

// rsaKey is the key of every cluster of a test run.
func rsaKey() []byte { return actorstest.RSAKey() }

// small is a cluster of two DCs with one person and one bot.
var small = actorstest.Small()

func dcID(n int) dc.ID { return dc.ID(n) }

// bubble runs a test with virtual time.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	rsaKey() // made outside: it costs real arithmetic, not time
	actorstest.Bubble(t, f)
}

// cluster starts a test cluster without sockets.
func cluster(t *testing.T, cfg serve.Config) *serve.Cluster {
	t.Helper()
	return actorstest.Cluster(t, cfg)
}

// options are those of a manager for the cluster.
func options(s *serve.Cluster, store persistence.Store) actors.Options {
	return actorstest.Options(s, store)
}

// open opens a manager that is closed with the test.
func open(t *testing.T, o actors.Options) *actors.Manager {
	t.Helper()
	return actorstest.Open(t, o)
}

func closeManager(t *testing.T, m *actors.Manager) {
	t.Helper()
	actorstest.Close(t, m)
}

// soon is a context for what should not take long, in virtual time.
func soon(t *testing.T) context.Context { return actorstest.Soon(t) }

// wait waits until the account is in the state.
func wait(t *testing.T, a *actors.Account, want actors.State) {
	t.Helper()
	actorstest.Wait(t, a, want)
}

func add(t *testing.T, m *actors.Manager, id string) *actors.Account {
	t.Helper()
	return actorstest.Add(t, m, id, actors.AccountOptions{})
}

// signInPhone signs a person of the cluster in.
func signInPhone(t *testing.T, m *actors.Manager, id string, p serve.Phone, o actors.AccountOptions) *actors.Account {
	t.Helper()
	return actorstest.SignInPhone(t, m, id, p, o)
}

// signInBot signs a bot of the cluster in.
func signInBot(t *testing.T, m *actors.Manager, id string, b serve.Bot, o actors.AccountOptions) *actors.Account {
	t.Helper()
	return actorstest.SignInBot(t, m, id, b, o)
}

// call makes one echo call and fails the test if it fails.
func call(t *testing.T, a *actors.Account, opts ...actors.CallOption) *echo.Echoed {
	t.Helper()
	return actorstest.Call(t, a, opts...)
}

func inject(t *testing.T, s interface {
	Fault(dctest.Fault) (uint64, error)
}, f dctest.Fault) {
	t.Helper()
	actorstest.Inject(t, s, f)
}

func reason(t *testing.T, err error, want actors.SignInReason) *actors.SignInError {
	t.Helper()
	return actorstest.Reason(t, err, want)
}

func homePerm(t *testing.T, rows []api.Authorization, user int64) (dc int, perm int64) {
	t.Helper()
	return actorstest.HomePerm(t, rows, user)
}

// storeKeys lists the perm keys in a store, as the ledger compares them.
func storeKeys(t *testing.T, store persistence.Store) []dctest.StoreKey {
	t.Helper()
	keys, err := actorstest.StoreKeys(store)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// collector gathers the updates of an account.
type collector struct{ *actorstest.Collector }

func collect(t *testing.T, a *actors.Account, opts ...actors.StreamOption) *collector {
	return &collector{actorstest.Collect(t, a, opts...)}
}

// want checks that exactly these updates arrive, in order.
func (c *collector) want(t *testing.T, pts []int32) {
	t.Helper()
	c.Want(t, pts)
}

// syncBuffer is a log that may be written from everywhere.
type syncBuffer struct{ actorstest.Log }

func (b *syncBuffer) logger() *slog.Logger { return b.Logger() }
