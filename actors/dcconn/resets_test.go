package dcconn

import (
	"fmt"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/mtproto"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
)

// TestAServerThatAcceptsNothingIsNotHammered: each message is refused with a
// bad_msg that ends the session, on every socket there is. The connection comes
// back at its backoff, also if each socket lived for a while.
func TestAServerThatAcceptsNothingIsNotHammered(t *testing.T) {
	for _, code := range []int{16, 18, 20, 33, 35, 64} {
		for _, delay := range []time.Duration{0, 11 * time.Second} {
			t.Run(fmt.Sprintf("%d, %v away", code, delay), func(t *testing.T) {
				run(t, func(w *world) {
					w.violations = 1 << 30
					p := w.spawn()
					p.runPerm()
					call := p.call(1, 0, mtproto.Once)
					w.wantEcho(call, 1)
					time.Sleep(time.Minute)
					w.fault(dctest.Fault{Kind: dctest.FaultBadMsg, Code: code, Count: 1_000_000})
					if delay > 0 {
						w.fault(dctest.Fault{Kind: dctest.FaultDelay, Delay: dctest.Duration(delay)})
					}
					before, written := w.dials.counts()
					p.call(2, 0, mtproto.Repeatable)
					const lasts = 20 * time.Minute
					time.Sleep(lasts)
					after, all := w.dials.counts()
					t.Logf("%d dials, %d bytes", len(after)-len(before), all-written)
					if n := len(after) - len(before); n > 200 {
						t.Errorf("%d dials in %v", n, lasts)
					}
					if n := all - written; n > 2_000_000 {
						t.Errorf("%d bytes were sent in %v", n, lasts)
					}
				})
			})
		}
	}
}
