package actors_test

import (
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
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

// sleepOn is a machine that wakes up: our clock has stood still while the
// server's went on, and nobody told the sockets of it, which are dead.
func sleepOn(t *testing.T, s *serve.Cluster, dialled *dials, night time.Duration) {
	t.Helper()
	inject(t, s, dctest.Fault{Kind: dctest.FaultSkew, Delay: dctest.Duration(night)})
	inject(t, s, dctest.Fault{Kind: dctest.FaultForgetSessions})
	for id := int64(1); id <= dialled.n.Load(); id++ { // the test DC numbers connections from 1
		inject(t, s, dctest.Fault{Kind: dctest.FaultDrop, Conn: dctest.ConnID(id)})
	}
}

// TestASuspendedMachine: after a night asleep, home and guest are there again
// within two minutes, with what was pushed meanwhile and without a new login.
func TestASuspendedMachine(t *testing.T) {
	const night = 10 * time.Hour
	for name, life := range map[string]time.Duration{
		"a temp key that outlives the night": 24 * time.Hour,
		"a temp key that expires in it":      2 * time.Hour,
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s, store := cluster(t, small), persistence.NewMemory()
				o := options(s, store)
				dialled := &dials{Dialer: o.Wire.Dialer}
				o.Wire.Dialer, o.TempKeyLife = dialled, life
				m := open(t, o)
				b := s.Descriptor().Bots[0]
				a := signInBot(t, m, "robot", b, actors.AccountOptions{})
				wait(t, a, actors.Online)
				guest := actors.OnDC(dcID(b.DC%2 + 1))
				call(t, a, guest)
				time.Sleep(10 * time.Minute)
				updates, before := collect(t, a), s.Counts()

				sleepOn(t, s, dialled, night)
				if life < night {
					inject(t, s, dctest.Fault{Kind: dctest.FaultForgetTemp})
				}
				pushed, err := s.PushUpdate(b.UserID)
				if err != nil {
					t.Fatal(err)
				}
				woke := time.Now()
				call(t, a)
				call(t, a, guest)
				if took := time.Since(woke); took > 2*time.Minute {
					t.Errorf("calls went through %v after it woke", took)
				}
				wait(t, a, actors.Online)
				updates.want(t, []int32{pushed})

				time.Sleep(30 * time.Hour) // keys go on being replaced in time
				call(t, a)
				after := s.Counts()
				if after.Logins != before.Logins || after.PermKeys != before.PermKeys {
					t.Errorf("before %+v, after %+v; want no perm key and no login", before, after)
				}
			})
		})
	}
}
