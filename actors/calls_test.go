package actors_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/persistence"
)

func TestAFloodWaitIsToldRememberedAndObeyed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		m, err := actors.Open(options(s, store))
		if err != nil {
			t.Fatal(err)
		}
		a := signInBot(t, m, "robot", s.Descriptor().Bots[0], actors.AccountOptions{})
		wait(t, a, actors.Online)
		if _, err := s.Fault(dctest.Fault{Kind: dctest.FaultRPC, Method: "testdc.echo", Wait: dctest.Duration(10 * time.Minute), Count: 1}); err != nil {
			t.Fatal(err)
		}
		refused := func(a *actors.Account, when string) *actors.WaitError {
			_, err := actors.Invoke(soon(t), a, &echo.EchoRequest{ID: 1})
			var w *actors.WaitError
			if !errors.As(err, &w) || !errors.Is(err, actors.ErrNotSent) {
				t.Fatalf("%s the call ended with %v", when, err)
			}
			return w
		}
		w := refused(a, "with a flood wait")
		if left := time.Until(w.Until); left < 9*time.Minute || left > 11*time.Minute {
			t.Errorf("the wait ends in %v, want ten minutes", left)
		}
		queries := s.Counts().Queries
		refused(a, "during the wait")
		if got := s.Counts().Queries; got != queries {
			t.Error("a call was sent during the wait")
		}
		closeManager(t, m)
		time.Sleep(time.Second)
		m = open(t, options(s, store.Reopen()))
		if a, err = m.Account("robot"); err != nil {
			t.Fatal(err)
		}
		wait(t, a, actors.Online)
		refused(a, "after a restart")
		time.Sleep(10 * time.Minute)
		call(t, a)
	})
}

func TestARepeatableCallSurvivesTheServersTrouble(t *testing.T) {
	for name, f := range map[string]dctest.Fault{
		"internal errors":       {Kind: dctest.FaultRPC, Method: "testdc.echo", Code: 500, Text: "RPC_CALL_FAIL", Count: 3},
		"timeouts":              {Kind: dctest.FaultRPC, Method: "testdc.echo", Code: -503, Text: "Timeout", Count: 3},
		"a cut answer":          {Kind: dctest.FaultCut, Bytes: 5, Count: 1},
		"lost packets":          {Kind: dctest.FaultDrop, Direction: dctest.Out, Count: 2},
		"new salts":             {Kind: dctest.FaultNewSalts},
		"forgotten sessions":    {Kind: dctest.FaultForgetSessions},
		"forgotten temp keys":   {Kind: dctest.FaultForgetTemp},
		"a clock an hour ahead": {Kind: dctest.FaultSkew, Delay: dctest.Duration(time.Hour)},
		"a clock an hour late":  {Kind: dctest.FaultSkew, Delay: dctest.Duration(-time.Hour)},
		"a transport flood":     {Kind: dctest.FaultTransport, Code: -429, Count: 1},
		"closed connections":    {Kind: dctest.FaultCloseConns},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s, store := cluster(t, small), persistence.NewMemory()
				m := open(t, options(s, store))
				a := signInBot(t, m, "robot", s.Descriptor().Bots[0], actors.AccountOptions{})
				wait(t, a, actors.Online)
				time.Sleep(time.Minute)
				if _, err := s.Fault(f); err != nil {
					t.Fatal(err)
				}
				got, err := actors.Invoke(t.Context(), a, &echo.EchoRequest{ID: 1000, Payload: []byte("x")})
				if err != nil || string(got.Payload) != "x" {
					t.Fatalf("the call ended with %+v, %v", got, err)
				}
				for range 5 {
					call(t, a)
				}
			})
		})
	}
}

func TestAOnceCallWhoseAnswerIsLostEndsAsUnknownAndIsNotRepeated(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		m := open(t, options(s, store))
		a := signInBot(t, m, "robot", s.Descriptor().Bots[0], actors.AccountOptions{})
		wait(t, a, actors.Online)
		if _, err := s.Fault(dctest.Fault{Kind: dctest.FaultNoReply, Method: "testdc.echo", Count: 1}); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() {
			_, err := actors.Invoke(t.Context(), a, &echo.EchoRequest{ID: 2000}, actors.WithPolicy(actors.Once))
			done <- err
		}()
		time.Sleep(time.Second)
		for _, kind := range []dctest.FaultKind{dctest.FaultForgetTemp, dctest.FaultCloseConns} {
			if _, err := s.Fault(dctest.Fault{Kind: kind}); err != nil {
				t.Fatal(err)
			}
		}
		select {
		case err := <-done:
			if !errors.Is(err, actors.ErrMayHaveRun) {
				t.Errorf("the call ended with %v", err)
			}
		case <-time.After(10 * time.Minute):
			t.Fatal("the call did not end in ten minutes")
		}
		wait(t, a, actors.Online)
		if n := s.EchoCount(2000); n != 1 {
			t.Errorf("a call that must not run twice ran %d times", n)
		}
		verdict(t, s, store)
	})
}

func TestACanceledCallEndsAtOnceAndTheConnectionGoesOn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		m := open(t, options(s, store))
		a := signInBot(t, m, "robot", s.Descriptor().Bots[0], actors.AccountOptions{})
		wait(t, a, actors.Online)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		begun := time.Now()
		_, err := actors.Invoke(ctx, a, &echo.EchoRequest{ID: 3000, DelayMs: 30_000})
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, actors.ErrMayHaveRun) {
			t.Errorf("the canceled call ended with %v", err)
		}
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("canceling took %v", took)
		}
		call(t, a)
		verdict(t, s, store)
	})
}

func TestTheServersErrorReachesTheCaller(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		m := open(t, options(s, store))
		a := signInBot(t, m, "robot", s.Descriptor().Bots[0], actors.AccountOptions{})
		wait(t, a, actors.Online)
		if _, err := s.Fault(dctest.Fault{Kind: dctest.FaultRPC, Method: "testdc.echo", Code: 400, Text: "PEER_ID_INVALID", Count: 1}); err != nil {
			t.Fatal(err)
		}
		_, err := actors.Invoke(soon(t), a, &echo.EchoRequest{ID: 4000})
		e, ok := tgerr.As(err)
		if !ok || e.Code != 400 || e.Type != "PEER_ID_INVALID" {
			t.Errorf("the call ended with %v", err)
		}
		verdict(t, s, store)
	})
}

func TestClosingTheManagerEndsEveryCall(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		m, err := actors.Open(options(s, store))
		if err != nil {
			t.Fatal(err)
		}
		a := signInBot(t, m, "robot", s.Descriptor().Bots[0], actors.AccountOptions{})
		wait(t, a, actors.Online)
		ended := make(chan error, 100)
		for i := range 100 {
			go func() {
				_, err := actors.Invoke(context.Background(), a, &echo.EchoRequest{ID: int64(5000 + i), DelayMs: 60_000})
				ended <- err
			}()
		}
		time.Sleep(time.Second)
		closeManager(t, m)
		for range 100 {
			if err := <-ended; !errors.Is(err, actors.ErrMayHaveRun) && !errors.Is(err, actors.ErrNotSent) {
				t.Errorf("a call ended with %v, which does not say what the server may have done", err)
			}
		}
	})
}

func TestUpdatesOfADeadProcessArriveAfterItsRestart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		m, err := actors.Open(options(s, store))
		if err != nil {
			t.Fatal(err)
		}
		b := s.Descriptor().Bots[0]
		a := signInBot(t, m, "robot", b, actors.AccountOptions{})
		wait(t, a, actors.Online)
		seen := collect(t, a)
		push := func(n int) (pts []int32) {
			for range n {
				p, err := s.PushUpdate(b.UserID)
				if err != nil {
					t.Fatal(err)
				}
				pts = append(pts, p)
			}
			return pts
		}
		seen.want(t, push(5))
		time.Sleep(10 * time.Second) // the place is saved
		closeManager(t, m)
		missed := push(250)
		time.Sleep(time.Second)
		m = open(t, options(s, store.Reopen()))
		if a, err = m.Account("robot"); err != nil {
			t.Fatal(err)
		}
		seen = collect(t, a, actors.Replay)
		seen.want(t, missed)
		seen.want(t, push(5))
	})
}
