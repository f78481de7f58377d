//go:build unix

package endtoend

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/bench"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// byHand is users.getUsers of oneself as somebody would write it who has no generated types.
type byHand struct{}

func (byHand) TypeID() uint32   { return tg.UsersGetUsersRequestID }
func (byHand) TypeName() string { return "users.getUsers" }
func (byHand) Append(b []byte) []byte {
	b = tl.AppendUint32(b, tg.UsersGetUsersRequestID)
	b = tl.AppendVectorHeader(b, 1)
	return tl.AppendUint32(b, tg.InputUserSelfID)
}
func (byHand) Parse(*tl.Reader) {}

var errNotMe = errors.New("another user was answered")

// callForms are the ways to ask for oneself, each with a look at the id that was answered: a query encoded by hand whose
// answer is cut open for the id, one whose answer is read whole, a typed call, which reads it whole too, and one by JSON.
var callForms = []struct {
	name string
	call func(ctx context.Context, a *actors.Account, me int64) error
}{
	{"hand", func(ctx context.Context, a *actors.Account, me int64) error {
		got, err := a.InvokeRaw(ctx, byHand{})
		if err != nil {
			return err
		}
		r := tl.NewReader(got)
		if r.VectorLen(4) != 1 || r.ID() != tg.UserID {
			return errNotMe
		}
		r.Uint32() // flags and flags2
		r.Uint32()
		if r.Int64() != me {
			return errNotMe
		}
		return r.Err()
	}},
	{"hand-read", func(ctx context.Context, a *actors.Account, me int64) error {
		got, err := a.InvokeRaw(ctx, byHand{})
		if err != nil {
			return err
		}
		r := tl.NewReader(got)
		users := (&tg.UsersGetUsersRequest{}).ParseResult(r)
		if err := r.End(); err != nil {
			return err
		}
		if user, ok := users[0].(*tg.User); !ok || user.ID != me {
			return errNotMe
		}
		return nil
	}},
	{"typed", func(ctx context.Context, a *actors.Account, me int64) error {
		got, err := actors.Invoke(ctx, a, &tg.UsersGetUsersRequest{ID: []tg.AnyInputUser{&tg.InputUserSelf{}}})
		if err != nil {
			return err
		}
		if user, ok := got[0].(*tg.User); !ok || user.ID != me {
			return errNotMe
		}
		return nil
	}},
	{"json", func(ctx context.Context, a *actors.Account, me int64) error {
		got, err := a.InvokeJSON(ctx, "users.getUsers", json.RawMessage(`{"id":[{"_":"inputUserSelf"}]}`))
		if err != nil {
			return err
		}
		var id [32]byte
		if !bytes.Contains(got, append(strconv.AppendInt(append(id[:0], `"id":"`...), me, 10), '"')) {
			return errNotMe
		}
		return nil
	}},
}

// BenchmarkCallForm is one call encoded by hand, typed, and by JSON, in turns of formTurn calls, so that what the
// machine does besides falls on all alike. Build it with go test -c and run it with GOMAXPROCS=1.
func BenchmarkCallForm(b *testing.B) {
	for _, atOnce := range []int{1, 64} {
		b.Run(fmt.Sprintf("at-once=%d", atOnce), func(b *testing.B) {
			w := newWorld(b, persistence.NewMemory())
			a := w.signIn(b, 1, 8, actors.AccountOptions{})[0]
			me := a.Status().UserID
			meters := make([]bench.Meter, len(callForms))
			calls := 0
			b.ResetTimer()
			for ; calls < b.N; calls += formTurn {
				for i := range callForms {
					at := (i + calls/formTurn) % len(callForms)
					meters[at].Start()
					formCalls(b, a, me, atOnce, callForms[at].call)
					meters[at].Stop()
				}
			}
			hand := ms(meters[0].Sum.CPU, calls)
			for i, form := range callForms {
				cpu := ms(meters[i].Sum.CPU, calls)
				b.ReportMetric(1e3*cpu, form.name+"-cpu-us/call")
				b.ReportMetric(float64(meters[i].Sum.Mallocs)/float64(calls), form.name+"-allocs/call")
				switch form.name {
				case "typed":
					b.ReportMetric(float64(meters[i].Sum.CPU)/float64(meters[i-1].Sum.CPU), "typed/hand-read")
				case "json":
					b.ReportMetric(cpu/hand, "json/hand")
				}
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// formTurn is how many calls one form makes before the next has its turn.
const formTurn = 500

// formCalls makes formTurn calls, so many at once.
func formCalls(b *testing.B, a *actors.Account, me int64, atOnce int, call func(context.Context, *actors.Account, int64) error) {
	var begun atomic.Int64
	var wg sync.WaitGroup
	for range atOnce {
		wg.Go(func() {
			for begun.Add(1) <= formTurn {
				if err := call(context.Background(), a, me); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}
