package binding

import (
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dctest"
)

func TestTranscriptFirstKey(t *testing.T) {
	p := newPlay(t, setting{})
	home := p.open(2, true)
	p.call(home, "1", 0)
	p.run(10 * time.Second)
	p.note("Ten seconds later: another call goes by the route.")
	p.call(home, "2", 0)
	p.run(time.Second)
	p.end("first_key")
}

// rotation plays one under what a DC makes of a replaced key. Two calls are
// under way when it begins, others come while calls are held.
func rotation(t *testing.T, strict, learnt bool) *play {
	p := newPlay(t, setting{core: dctest.Config{BindStrict: strict}})
	p.allowed[dctest.RuleKey] = strict && !learnt
	home := p.begin()
	p.quiet = true
	if learnt {
		p.run(23 * time.Hour) // one rotation has found out
	}
	p.allowed[dctest.RuleKey] = strict
	p.run(home.actor.keys.Deadline().Sub(p.sim.Now()) - 500*time.Millisecond)
	p.quiet = false
	p.call(home, "of 2 s", 2*time.Second)
	p.call(home, "of 15 s", 15*time.Second)
	p.run(1200 * time.Millisecond)
	for _, name := range []string{"a", "b", "c"} {
		p.call(home, name, 0)
		p.run(200 * time.Millisecond)
	}
	p.run(2 * time.Minute)
	return p
}

func TestTranscriptRotation(t *testing.T) {
	t.Run("nothing is known", func(t *testing.T) { rotation(t, false, false).end("rotation_unknown") })
	t.Run("both keys live", func(t *testing.T) { rotation(t, false, true).end("rotation_both") })
	t.Run("nothing is known and the bind cuts", func(t *testing.T) { rotation(t, true, false).end("rotation_unknown_cut") })
	t.Run("the bind cuts", func(t *testing.T) { rotation(t, true, true).end("rotation_cut") })
}

func TestTranscriptRotationGivenUp(t *testing.T) {
	p := newPlay(t, setting{})
	p.allowed[dctest.RuleBind] = true
	home := p.begin()
	p.quiet = true
	p.run(home.actor.keys.Deadline().Sub(p.sim.Now()) - 100*time.Millisecond)
	p.quiet = false
	p.note("The bind of the successor will be refused.")
	p.fault(dctest.Fault{Kind: dctest.FaultBindInvalid, Count: 1})
	p.run(350 * time.Millisecond)
	p.call(home, "1", 0)
	p.run(2 * time.Minute)
	p.end("rotation_given_up")
}

func TestTranscriptTempKeyForgotten(t *testing.T) {
	p := newPlay(t, setting{})
	p.allowed[dctest.RuleKey] = true
	home := p.begin()
	p.note("The DC has forgotten the temp key. A call finds out.")
	p.fault(dctest.Fault{Kind: dctest.FaultForgetTemp})
	p.call(home, "1", 0)
	p.run(50 * time.Millisecond)
	p.call(home, "2", 0)
	p.run(time.Minute)
	p.end("temp_key_forgotten")
}

func TestTranscriptUnboundKey(t *testing.T) {
	p := newPlay(t, setting{})
	home := p.begin()
	p.call(home, "of 3 s", 3*time.Second)
	p.run(100 * time.Millisecond)
	p.note("The DC has lost the binding of the temp key: it refuses two calls.")
	p.fault(dctest.Fault{Kind: dctest.FaultRPC, Method: "testdc.echo", Code: 401, Text: "AUTH_KEY_PERM_EMPTY", Count: 2})
	p.call(home, "1", 0)
	p.call(home, "2", 0)
	p.run(time.Minute)
	p.end("unbound_key")
}

// forgetPerm makes the DC forget the perm key of a binding.
func (p *play) forgetPerm(r *role) {
	p.fault(dctest.Fault{Kind: dctest.FaultForgetPerm, Perm: int64(r.actor.keys.Perm().ID())})
}

func TestTranscriptPermKeyGone(t *testing.T) {
	t.Run("of one account", func(t *testing.T) {
		p := newPlay(t, setting{})
		p.allowed[dctest.RuleKey], p.allowed[dctest.RuleBind], p.allowed[dctest.RuleUnbound] = true, true, true
		home := p.begin()
		p.run(2 * time.Hour)
		p.note("The DC has forgotten the perm key.")
		p.forgetPerm(home)
		p.call(home, "1", 0)
		p.run(time.Hour)
		p.end("perm_key_gone")
	})
	t.Run("of every account", func(t *testing.T) {
		p := newPlay(t, setting{})
		p.allowed[dctest.RuleKey], p.allowed[dctest.RuleBind], p.allowed[dctest.RuleUnbound] = true, true, true
		home := p.begin()
		p.quiet = true
		other := p.open(2, true, func(c *Config) { c.Account, c.Keys = "bob", &Records{} })
		p.run(2 * time.Hour)
		p.note("The DC has forgotten the perm keys of two accounts, one after the other.")
		p.forgetPerm(other)
		p.call(other, "of bob", 0)
		p.run(20 * time.Second)
		p.quiet = false
		p.forgetPerm(home)
		p.call(home, "1", 0)
		p.run(20 * time.Minute)
		p.end("perm_keys_gone")
	})
}

func TestTranscriptGuest(t *testing.T) {
	p := newPlay(t, setting{})
	p.begin()
	guest := p.open(4, false)
	p.call(guest, "1", 0)
	p.run(10 * time.Second)
	p.note("Six minutes later nobody needs it any more.")
	p.run(6 * time.Minute)
	p.end("guest")
}

func TestTranscriptGuestRefused(t *testing.T) {
	p := newPlay(t, setting{})
	p.begin()
	p.fault(dctest.Fault{Kind: dctest.FaultRPC, Method: "auth.importAuthorization", Code: 400, Text: "AUTH_BYTES_INVALID", Count: 1000})
	guest := p.open(4, false)
	p.call(guest, "1", 0)
	p.run(20 * time.Second)
	p.note("The next call is told at once.")
	p.call(guest, "2", 0)
	p.run(time.Second)
	p.end("guest_refused")
}
