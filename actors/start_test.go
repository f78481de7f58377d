package actors_test

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/tl"
)

// callEnd is what the done of a call was given, and how often it was called.
type callEnd struct {
	body  tl.Raw
	err   error
	times int
}

func (e *callEnd) done(body tl.Raw, err error) {
	e.body, e.err, e.times = body, err, e.times+1
}

// A call that is started ends exactly once, whatever becomes of it, and never
// from within Start.
func TestStartedCallsEndOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var starting sync.Mutex
		s := cluster(t, serve.Config{Bots: 1})
		o := options(s, persistence.NewMemory())
		o.MaxCallsPerAccount = 2
		m := open(t, o)
		a := signInBot(t, m, "robot", s.Descriptor().Bots[0], actors.AccountOptions{})
		wait(t, a, actors.Online)

		start := func(e *callEnd, id int64, delay time.Duration) (cancel func()) {
			starting.Lock()
			defer starting.Unlock()
			return a.Start(&echo.EchoRequest{ID: id, DelayMs: int32(delay / time.Millisecond)}, func(body tl.Raw, err error) {
				starting.Lock() // from within Start it would never come
				defer starting.Unlock()
				e.done(body, err)
			})
		}
		want := func(name string, e *callEnd, is error) {
			t.Helper()
			if e.times != 1 || !errors.Is(e.err, is) {
				t.Errorf("%s: %d ends, %v; want %v once", name, e.times, e.err, is)
			}
		}
		var quick, slow, busy, after callEnd
		start(&quick, 1, 0)
		synctest.Wait()
		time.Sleep(time.Second)
		synctest.Wait()
		want("a call", &quick, nil)
		if len(quick.body) == 0 {
			t.Error("a call without a result")
		}

		cancel := start(&slow, 2, time.Hour)
		var last callEnd
		start(&last, 3, time.Hour)
		start(&busy, 4, 0)
		time.Sleep(time.Second)
		synctest.Wait()
		want("a call beyond the bound", &busy, actors.ErrNotSent)
		if full := (*actors.BusyError)(nil); !errors.As(busy.err, &full) || full.Limit != 2 {
			t.Errorf("a call beyond the bound ended with %v", busy.err)
		}
		if slow.times != 0 {
			t.Errorf("a call ended early: %v", slow.err)
		}
		cancel()
		time.Sleep(time.Second)
		synctest.Wait()
		want("a call that was given up", &slow, actors.ErrMayHaveRun)
		cancel()
		closeManager(t, m)
		synctest.Wait()
		want("a call under way at the end", &last, actors.ErrMayHaveRun)
		start(&after, 5, 0)
		synctest.Wait()
		want("a call after the end", &after, actors.ErrClosed)
		want("a call after the end", &after, actors.ErrNotSent)
		if n := s.EchoCount(5); n != 0 {
			t.Errorf("a call after the end ran %d times", n)
		}
	})
}

// Who may not wait is told of every event, in order.
func TestOnEventHearsEverything(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := cluster(t, serve.Config{Bots: 1})
		o := options(s, persistence.NewMemory())
		var heard []actors.Event
		o.OnEvent = func(ev actors.Event) { heard = append(heard, ev) }
		m := open(t, o)
		a := signInBot(t, m, "robot", s.Descriptor().Bots[0], actors.AccountOptions{})
		wait(t, a, actors.Online)
		closeManager(t, m)
		if len(heard) == 0 || heard[len(heard)-1].Status.State != actors.Online {
			t.Fatalf("heard %d events and not the last state", len(heard))
		}
		for i, ev := range heard {
			if ev.Seq != uint64(i+1) {
				t.Errorf("event %d has the number %d", i+1, ev.Seq)
			}
		}
	})
}
