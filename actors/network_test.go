package actors_test

import (
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/persistence"
)

// This file is about connections that are of no use, though they stand or can be
// made.

// TestTransportErrorsToNewConnections: the DC sends everybody away for twenty
// minutes, whatever code it finds for it. Nothing is known of any key by that,
// and who has to wait dials seldom.
func TestTransportErrorsToNewConnections(t *testing.T) {
	const lasts, everyone = 20 * time.Minute, 1_000_000
	for name, x := range map[string]struct{ code, count int }{
		"a flood":                             {-429, everyone},
		"another DC's address":                {-444, everyone},
		"trouble with a proxy":                {-503, everyone},
		"trouble of its own":                  {-500, everyone},
		"a refusal":                           {-403, everyone},
		"a code nobody has heard of":          {-1, everyone},
		"a code that is not below zero":       {400, everyone},
		"one -404, which may be the server's": {-404, 1},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s, store := cluster(t, small), persistence.NewMemory()
				o := options(s, store)
				dialled := &dials{Dialer: o.Wire.Dialer}
				o.Wire.Dialer = dialled
				m := open(t, o)
				a := signInBot(t, m, "robot", s.Descriptor().Bots[0], actors.AccountOptions{})
				wait(t, a, actors.Online)
				time.Sleep(2 * time.Hour)

				before, dialledBefore := s.Counts(), dialled.n.Load()
				inject(t, s, dctest.Fault{Kind: dctest.FaultTransportConn, Code: x.code, Count: x.count, For: dctest.Duration(lasts)})
				inject(t, s, dctest.Fault{Kind: dctest.FaultCloseConns})
				time.Sleep(lasts)
				// A pause between dials grows to sixteen seconds, of which 75 fit. The
				// short ones that come before, and what jitter takes off, are within
				// the rest.
				if n := dialled.n.Load() - dialledBefore; n > 200 {
					t.Errorf("%d dials in %v", n, lasts)
				}

				over := time.Now()
				wait(t, a, actors.Online)
				call(t, a)
				if took := time.Since(over); took > 2*time.Minute {
					t.Errorf("back after %v", took)
				}
				after := s.Counts()
				if after.PermKeys != before.PermKeys || after.Logins != before.Logins {
					t.Errorf("before %+v, after %+v; no perm key was to be made and nobody to sign in", before, after)
				}
				if temp := after.TempKeys - before.TempKeys; x.code != -404 && temp != 0 {
					t.Errorf("%d temp keys", temp)
				}
				verdict(t, s, store)
			})
		})
	}
}
