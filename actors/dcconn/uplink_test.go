package dcconn

import (
	"crypto/rand"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mtfleet/mtfleet/mtproto"
)

// Sixteen file parts of half a megabyte are given at once to a connection with
// a thin uplink. Each arrives once, the connection stays, and calls made
// meanwhile are not behind all of them.
func TestPartsOverAThinUplink(t *testing.T) {
	for name, rate := range map[string]int{"16 KiB a second": 16 << 10, "128 KiB a second": 128 << 10, "4 MiB a second": 4 << 20} {
		t.Run(name, func(t *testing.T) {
			run(t, func(w *world) {
				p := w.spawn()
				p.runPerm()
				w.wantEcho(p.call(1, 0, mtproto.Once), 1)
				p.seen()
				w.dials.mu.Lock()
				w.dials.rate = rate
				w.dials.mu.Unlock()

				const parts, size = 16, 512 << 10
				payload := make([]byte, size)
				_, _ = rand.Read(payload) // what does not compress
				begun := time.Now()
				var calls []chan answer
				for i := range int64(parts) {
					calls = append(calls, p.callWith(100+i, 0, mtproto.Once, payload))
				}
				ideal := time.Duration(parts*size) * time.Second / time.Duration(rate)
				time.AfterFunc(2*ideal+time.Minute, p.Stop)
				for i, ch := range calls {
					if a := <-ch; a.err != nil {
						t.Errorf("part %d after %v: %v", i, time.Since(begun), a.err)
					}
				}
				if took := time.Since(begun); took > ideal+ideal/50+time.Second {
					t.Errorf("took %v, the uplink needs %v", took, ideal)
				}
				for i := range int64(parts) {
					if n := w.cluster.EchoCount(100 + i); n != 1 {
						t.Errorf("part %d ran %d times", i, n)
					}
				}
				if kinds := p.seen(); slices.Contains(kinds, EventDown) {
					t.Errorf("the connection was given up: %v", kinds)
				}
			})
		})
	}
}

// A peer that stops taking bytes in the middle of it is given up.
func TestAnUplinkThatStops(t *testing.T) {
	run(t, func(w *world) {
		p := w.spawn()
		p.runPerm()
		w.wantEcho(p.call(1, 0, mtproto.Once), 1)
		p.seen()
		w.dials.mu.Lock()
		w.dials.rate = 1 << 10 // 32 KiB take 32 s
		w.dials.mu.Unlock()
		payload := make([]byte, 512<<10)
		_, _ = rand.Read(payload) // what does not compress: a few KiB would be through in time
		begun := time.Now()
		for i := range int64(16) {
			p.callWith(100+i, 0, mtproto.Once, payload)
		}
		synctest.Wait()
		p.wait(EventDown)
		if took := time.Since(begun); took > 20*time.Second {
			t.Errorf("given up after %v", took)
		}
		w.dials.mu.Lock()
		w.dials.rate = 0
		w.dials.mu.Unlock()
	})
}
