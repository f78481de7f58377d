package actorstest

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
)

// Wait waits until the account is in the state.
func Wait(tb testing.TB, a *actors.Account, want actors.State) {
	tb.Helper()
	Await(Soon(tb), tb, a, want)
}

// Await is Wait for as long as ctx lasts: for tests in real time.
func Await(ctx context.Context, tb testing.TB, a *actors.Account, want actors.State) {
	tb.Helper()
	ctx, leave := context.WithCancel(ctx) // a stream that nobody reads would lose events
	defer leave()
	events := a.Events(ctx)
	if a.Status().State == want {
		return
	}
	for ev := range events {
		if ev.Kind == actors.EventState && ev.Status.State == want {
			return
		}
	}
	tb.Fatalf("account %s never became %v: it is %+v", a.ID(), want, a.Status())
}

// Add makes an account.
func Add(tb testing.TB, m *actors.Manager, id string, o actors.AccountOptions) *actors.Account {
	tb.Helper()
	a, err := m.Add(Soon(tb), id, o)
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

// SignInPhone makes an account and signs a person of the cluster in.
func SignInPhone(tb testing.TB, m *actors.Manager, id string, p serve.Phone, o actors.AccountOptions) *actors.Account {
	tb.Helper()
	a, ctx := Add(tb, m, id, o), Soon(tb)
	step, err := a.SignIn(ctx, actors.Phone(p.Number))
	if err != nil || step == nil || step.Kind != actors.StepCode {
		tb.Fatalf("sign-in by phone: step %+v, error %v; want a step that asks for the code", step, err)
	}
	if step, err = a.Answer(ctx, actors.Answer{Kind: actors.AnswerCode, Code: p.Code}); err != nil || step != nil {
		tb.Fatalf("answering the code: step %+v, error %v; want to be signed in", step, err)
	}
	return a
}

// SignInBot makes an account and signs a bot of the cluster in.
func SignInBot(tb testing.TB, m *actors.Manager, id string, b serve.Bot, o actors.AccountOptions) *actors.Account {
	tb.Helper()
	a := Add(tb, m, id, o)
	if step, err := a.SignIn(Soon(tb), actors.BotToken(b.Token)); err != nil || step != nil {
		tb.Fatalf("sign-in by bot token: step %+v, error %v; want to be signed in", step, err)
	}
	return a
}

var lastEcho atomic.Int64

// Call makes one echo call, with an id of its own, and fails the test if it
// fails.
func Call(tb testing.TB, a *actors.Account, opts ...actors.CallOption) *echo.Echoed {
	tb.Helper()
	id := lastEcho.Add(1)
	got, err := actors.Invoke(Soon(tb), a, &echo.EchoRequest{ID: id, Payload: []byte("payload")}, opts...)
	if err != nil {
		tb.Fatalf("echo as %s: %v", a.ID(), err)
	}
	if string(got.Payload) != "payload" || got.ID != id {
		tb.Fatalf("echo as %s answered %+v", a.ID(), got)
	}
	return got
}

// Reason returns the sign-in's error, which must be there for that reason.
func Reason(tb testing.TB, err error, want actors.SignInReason) *actors.SignInError {
	tb.Helper()
	var e *actors.SignInError
	if !errors.As(err, &e) || e.Reason != want {
		tb.Fatalf("got the error %v, want the reason %q", err, want)
	}
	return e
}

// HomePerm returns where a user is signed in, and the id of the perm key.
func HomePerm(tb testing.TB, rows []api.Authorization, user int64) (dc int, perm int64) {
	tb.Helper()
	for _, row := range rows {
		if row.UserID == user && row.Home && row.Ended.IsZero() {
			return row.DC, row.Perm
		}
	}
	tb.Fatalf("user %d has no authorization", user)
	return 0, 0
}

// StoreKeys lists the perm keys in a store, as the ledger compares them, in the
// order of the accounts.
func StoreKeys(store persistence.Store) ([]dctest.StoreKey, error) {
	ids, err := store.Accounts()
	if err != nil {
		return nil, err
	}
	var keys []dctest.StoreKey
	for _, id := range ids {
		records, err := store.Load(id)
		if err != nil {
			return nil, err
		}
		state, err := persistence.DecodeState(records)
		if err != nil {
			return nil, err
		}
		for _, p := range state.PermKeys {
			keys = append(keys, dctest.StoreKey{DC: p.DC, ID: p.KeyID})
		}
	}
	return keys, nil
}

// Collector gathers the updates of an account.
type Collector struct {
	// Pts brings the pts after each update, as they arrive.
	Pts <-chan int32
}

// maxCollected is how many updates may wait to be looked at; the account's
// stream holds what is more, up to its own bound.
const maxCollected = 1000

// Collect begins to gather updates, until the test ends.
func Collect(tb testing.TB, a *actors.Account, opts ...actors.StreamOption) *Collector {
	pts := make(chan int32, maxCollected)
	events := a.Events(tb.Context(), opts...)
	go func() {
		for ev := range events {
			if ev.Kind == actors.EventUpdate {
				pts <- ev.Pts
			}
		}
	}()
	return &Collector{Pts: pts}
}

// Want checks that exactly these updates arrive, in order, each within ten
// seconds.
func (c *Collector) Want(tb testing.TB, pts []int32) {
	tb.Helper()
	for i, want := range pts {
		select {
		case got := <-c.Pts:
			if got != want {
				tb.Fatalf("update %d has pts %d, want %d", i, got, want)
			}
		case <-time.After(10 * time.Second):
			tb.Fatalf("update %d (pts %d) did not arrive in ten seconds", i, want)
		}
	}
}
