package actors_test

import (
	"errors"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// takeout is invokeWithTakeout as tlgen writes it into a module that names it.
type takeout struct{ query tl.Raw }

func inTakeout(q tl.Object) *takeout { return &takeout{q.Append(nil)} }

func (*takeout) TypeID() uint32   { return 0xaca9fd2e }
func (*takeout) TypeName() string { return "invokeWithTakeout" }
func (q *takeout) Append(b []byte) []byte {
	b = tl.AppendInt64(tl.AppendUint32(b, q.TypeID()), 1)
	return tl.AppendRaw(b, q.query, "invokeWithTakeout", "query")
}
func (*takeout) Parse(*tl.Reader)                            {}
func (*takeout) ParseResult(r *tl.Reader) tl.Raw             { return r.OpenRaw() }
func (*takeout) AppendResult(b []byte, result tl.Raw) []byte { return append(b, result...) }

// A wrapper neither leads around a wait of the method inside, nor holds the other
// methods that are called in it.
func TestATypedCallInAWrapperIsOneOfTheMethodInside(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := cluster(t, small)
		m := open(t, options(s, persistence.NewMemory()))
		a := signInPhone(t, m, "alice", s.Descriptor().Phones[0], actors.AccountOptions{})
		wait(t, a, actors.Online)
		time.Sleep(time.Minute) // the account's own questions after a sign-in are over: they would get the fault
		state := &tg.UpdatesGetStateRequest{}
		waits := func(what, method string, err error) {
			t.Helper()
			var w *actors.WaitError
			if !errors.As(err, &w) || w.Method != method {
				t.Errorf("%s: %v, want a wait of %s", what, err, method)
			}
		}
		unsent := func(what, method string, call func() error) {
			t.Helper()
			queries := s.Counts().Queries
			waits(what, method, call())
			if n := s.Counts().Queries - queries; n != 0 {
				t.Errorf("%s: %d queries were sent", what, n)
			}
		}

		inject(t, s, dctest.Fault{Kind: dctest.FaultRPC, Code: 420, Text: "FLOOD_WAIT_1200", Count: 1})
		_, err := actors.Invoke(soon(t), a, inTakeout(state))
		waits("in a wrapper that is flooded", "updates.getState", err)
		unsent("then without one", "updates.getState", func() error {
			_, err := actors.Invoke(soon(t), a, state)
			return err
		})
		unsent("then in two of them", "updates.getState", func() error {
			_, err := actors.Invoke(soon(t), a, inTakeout(inTakeout(state)))
			return err
		})
		unsent("then by who may not wait", "updates.getState", func() error {
			ended := make(chan error, 1)
			a.Start(inTakeout(state), func(_ tl.Raw, err error) { ended <- err })
			return <-ended
		})
		// Another method in the same wrapper is sent, and only reads: after the server's own trouble again.
		queries := s.Counts().Queries
		inject(t, s, dctest.Fault{Kind: dctest.FaultRPC, Code: 500, Text: "RPC_CALL_FAIL", Count: 1})
		inject(t, s, dctest.Fault{Kind: dctest.FaultRPC, Code: 400, Text: "TAKEOUT_INVALID", Count: 1})
		if _, err := actors.Invoke(soon(t), a, inTakeout(&tg.HelpGetNearestDCRequest{})); !tgerr.Is(err, "TAKEOUT_INVALID") {
			t.Errorf("another method in the wrapper: %v", err)
		}
		if n := s.Counts().Queries - queries; n != 2 {
			t.Errorf("another method in the wrapper was sent %d times", n)
		}
	})
}
