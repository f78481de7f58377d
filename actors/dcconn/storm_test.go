package dcconn

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mtfleet/mtfleet/mtproto"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
)

// Whatever goes wrong on the way, every call ends exactly once, a Once call
// runs at most once, and what is said to be answered or not sent is true.
func TestEveryCallEndsOnceUnderFaults(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			run(t, func(w *world) { faultStorm(w, rand.New(rand.NewPCG(seed, 1))) })
		})
	}
}

func faultStorm(w *world, rng *rand.Rand) {
	t := w.t
	w.violations = 1 << 20 // faults make the client look odd; other tests look at that
	p := w.spawn()
	p.runPerm()
	type pending struct {
		id     int64
		policy mtproto.Policy
		ch     chan answer
	}
	var calls []pending
	for id := range int64(60) {
		policy := mtproto.Policy(rng.IntN(2))
		delay := time.Duration(rng.IntN(3000)) * time.Millisecond
		calls = append(calls, pending{id, policy, p.call(id, delay, policy)})
		time.Sleep(time.Duration(rng.IntN(1500)) * time.Millisecond)
		switch rng.IntN(8) {
		case 0:
			w.fault(dctest.Fault{Kind: dctest.FaultCloseConns})
		case 1:
			w.fault(dctest.Fault{Kind: dctest.FaultCut, Bytes: rng.IntN(100), Count: 1})
		case 2:
			w.fault(dctest.Fault{Kind: dctest.FaultDrop, Count: 1 + rng.IntN(3)})
		case 3:
			w.fault(dctest.Fault{Kind: dctest.FaultNewSalts})
		case 4:
			w.fault(dctest.Fault{Kind: dctest.FaultDuplicate, Count: 2})
		case 5:
			w.fault(dctest.Fault{Kind: dctest.FaultRefuse, Count: 2})
		}
	}
	time.Sleep(10 * time.Minute)
	synctest.Wait()
	p.Stop()
	<-p.Done()
	for _, c := range calls {
		if len(c.ch) != 1 {
			t.Errorf("call %d ended %d times", c.id, len(c.ch))
			continue
		}
		a, ran := <-c.ch, w.cluster.EchoCount(c.id)
		if errors.Is(a.err, mtproto.ErrClosed) {
			t.Errorf("call %d (%v) was still pending after ten quiet minutes: %v", c.id, c.policy, a.err)
		}
		switch f := fate(a.err); {
		case c.policy == mtproto.Once && ran > 1,
			f == "answered" && ran == 0,
			f == "not sent" && ran > 0,
			c.policy == mtproto.Repeatable && f != "answered":
			t.Errorf("call %d (%v) ran %d times and ended as %s", c.id, c.policy, ran, f)
		}
	}
}

// A peer that accepts everything and answers nothing is given up within ping
// and timeout, and sooner when somebody waits.
func TestBlackHole(t *testing.T) {
	for name, limit := range map[string]time.Duration{"idle": 140 * time.Second, "waiting": 10 * time.Second} {
		t.Run(name, func(t *testing.T) {
			run(t, func(w *world) {
				p := w.spawn()
				p.runPerm()
				w.wantEcho(p.call(1, 0, mtproto.Once), 1)
				p.seen()
				w.fault(dctest.Fault{Kind: dctest.FaultDrop, For: dctest.Duration(limit)})
				began := time.Now()
				var ch chan answer
				if name == "waiting" {
					ch = p.call(2, 0, mtproto.Once)
				}
				e := p.wait(EventDown)
				var timeout *mtproto.TimeoutError
				if took := time.Since(began); took > limit {
					t.Errorf("given up after %v: %v", took, e.Err)
				}
				if ch != nil {
					if !errors.As(e.Err, &timeout) {
						t.Errorf("given up for %v", e.Err)
					}
					w.wantEcho(ch, 2)
				}
			})
		})
	}
}
