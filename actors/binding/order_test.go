package binding

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/pfs"
)

// TestOneSessionSpeaksAfterTheOther rotates under each of what a DC makes of a
// replaced key and what is known of it, with calls under way and calls held.
// The order of messages differs with the seed; that of the sessions must not.
func TestOneSessionSpeaksAfterTheOther(t *testing.T) {
	for seed := range uint64(24) {
		strict, learnt := seed&1 != 0, seed&2 != 0
		p := newPlay(t, setting{seed: seed, core: dctest.Config{BindStrict: strict}, tempLife: time.Hour})
		p.allowed[dctest.RuleKey] = strict
		home := p.begin()
		p.quiet = true
		if learnt {
			p.run(time.Hour)
		}
		p.run(home.actor.keys.Deadline().Sub(p.sim.Now()) - 100*time.Millisecond)
		p.call(home, "of 2 s", 2*time.Second)
		p.call(home, "of 15 s", 15*time.Second)
		for range 40 {
			p.call(home, "short", 0)
			p.run(10 * time.Millisecond)
		}
		p.run(time.Minute)
		p.fault(dctest.Fault{Kind: dctest.FaultRPC, Method: "testdc.echo", Code: 401, Text: "AUTH_KEY_PERM_EMPTY", Count: 1})
		p.call(home, "finds the binding lost", 0)
		p.run(time.Minute)
		if len(home.ended) != 43 {
			t.Errorf("seed %d: only these calls ended: %q", seed, home.ended)
		}
		if n := p.net.core.Counts().TempKeys; n < 3 {
			t.Errorf("seed %d: only %d temp keys were made", seed, n)
		}
		for _, o := range p.net.core.Ledger().Verdict(nil, nil, p.sim.Now()).Overlaps {
			t.Errorf("seed %d: an older session spoke %.6f s after the first query of a newer: %+v",
				seed, float64(o.OlderMax-o.NewerMin)/(1<<32), o)
		}
	}
}

// TestABindingHasOneConnectionWhenAllIsDone counts them: whoever made a key or
// was replaced serves or is closed.
func TestABindingHasOneConnectionWhenAllIsDone(t *testing.T) {
	for name, c := range map[string]struct {
		noPFS bool
		then  func(p *play, r *role) *role // what is left is counted
	}{
		"a first key without PFS": {noPFS: true},
		"a first key":             {},
		"a socket lost without PFS": {noPFS: true, then: func(p *play, r *role) *role {
			p.fault(dctest.Fault{Kind: dctest.FaultCloseConns})
			return r
		}},
		"a rotation": {then: func(p *play, r *role) *role {
			p.run(r.actor.keys.Deadline().Sub(p.sim.Now()))
			return r
		}},
		"a rotation whose bind is refused once": {then: func(p *play, r *role) *role {
			p.allowed[dctest.RuleBind] = true
			p.fault(dctest.Fault{Kind: dctest.FaultBindInvalid, Count: 1})
			p.run(r.actor.keys.Deadline().Sub(p.sim.Now()))
			return r
		}},
		"a forgotten temp key": {then: func(p *play, r *role) *role {
			p.allowed[dctest.RuleKey] = true
			p.fault(dctest.Fault{Kind: dctest.FaultForgetTemp})
			p.call(r, "1", 0)
			return r
		}},
		"a new beginning": {then: func(_ *play, r *role) *role {
			r.handle.Send(Forget{})
			return r
		}},
		"a restart": {then: func(p *play, r *role) *role {
			p.stop(r)
			return p.open(2, true)
		}},
		"a restart without PFS": {noPFS: true, then: func(p *play, r *role) *role {
			p.stop(r)
			return p.open(2, true, func(c *Config) { c.PFS = false })
		}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlay(t, setting{})
			r := p.open(2, true, func(cfg *Config) { cfg.PFS = !c.noPFS })
			p.run(time.Minute)
			if c.then != nil {
				r = c.then(p, r)
			}
			p.run(10 * time.Minute)
			if n := len(r.actor.children); n != 1 || len(p.net.socks) != 1 || r.route.IsZero() {
				t.Errorf("%d connections, %d sockets, a route %v\n%s", n, len(p.net.socks), !r.route.IsZero(), p.text.String())
			}
		})
	}
}

// TestALostSocketSaysNothingOfAReplacedKey loses it when the connection is
// silent and not asked yet. What the DC makes of such keys is learnt at the next
// rotation.
func TestALostSocketSaysNothingOfAReplacedKey(t *testing.T) {
	p := newPlay(t, setting{})
	home := p.begin()
	next := func() { p.run(home.actor.keys.Deadline().Sub(p.sim.Now())) }
	next()
	for home.actor.keys.Stage() != pfs.StageBinding {
		p.run(time.Millisecond)
	}
	p.fault(dctest.Fault{Kind: dctest.FaultCloseConns})
	p.run(time.Minute)
	if got, n := p.env.readings.of(2), p.net.core.Counts().TempKeys; got != pfs.ReadingUnknown || len(home.actor.children) != 1 {
		t.Errorf("%v was learnt; %d temp keys, %d connections\n%s", got, n, len(home.actor.children), p.text.String())
	}
	next()
	p.run(time.Minute)
	if got := p.env.readings.of(2); got != pfs.ReadingBoth {
		t.Errorf("%v was learnt\n%s", got, p.text.String())
	}
}

func TestADropThatIsRefusedIsLogged(t *testing.T) {
	p := newPlay(t, setting{})
	home := p.begin()
	var log strings.Builder
	p.env.Logger = slog.New(slog.NewTextHandler(&log, nil))
	p.fault(dctest.Fault{Kind: dctest.FaultRPC, Method: "auth.dropTempAuthKeys", Code: 400, Text: "API_ID_INVALID"})
	p.run(home.actor.keys.Deadline().Sub(p.sim.Now()) + time.Minute)
	if n := count[EventRefused](home); n != 0 || !strings.Contains(log.String(), "not dropped") || !strings.Contains(log.String(), "API_ID_INVALID") {
		t.Errorf("%d refusals are told to the account, and logged is %q", n, log.String())
	}
}
