package binding

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/guest"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
)

func TestAGuestWithACallPendingIsNotIdle(t *testing.T) {
	p := newPlay(t, setting{})
	p.begin()
	g := p.open(4, false)
	p.call(g, "short", 0)
	p.run(10 * time.Second)
	p.fault(dctest.Fault{Kind: dctest.FaultSlow, Method: "testdc.echo", Delay: dctest.Duration(7 * time.Minute)})
	p.call(g, "long", 0)
	p.run(7 * time.Minute)
	if n := count[EventIdle](g); n != 0 {
		t.Fatalf("it is idle with a call under way\n%s", p.text.String())
	}
	p.run(4 * time.Minute)
	if count[EventIdle](g) != 0 {
		t.Error("it is idle four minutes after an answer")
	}
	p.run(2 * time.Minute)
	if count[EventIdle](g) != 1 {
		t.Errorf("six minutes after the last answer it was idle %d times\n%s", count[EventIdle](g), p.text.String())
	}
	p.want(g, "short answered", "long answered")
}

func TestAWaitOfTheImportReachesWhoWaits(t *testing.T) {
	p := newPlay(t, setting{})
	p.begin()
	p.fault(dctest.Fault{Kind: dctest.FaultRPC, Method: "auth.exportAuthorization", Code: 420, Text: "FLOOD_WAIT_2400"})
	g := p.open(4, false)
	var ended []error
	ask := func() {
		p.act(func(*runtime.Context[stageMessage]) {
			g.handle.Send(Call{ID: p.id(), Method: "testdc.echo", Reply: func(_ []byte, err error, on Where) {
				ended = append(ended, err)
				if on.Key != 0 {
					t.Error("a call that was not sent was answered on a key")
				}
			}})
		})
		p.run(5 * time.Second)
	}
	ask()
	ask()
	if len(ended) != 2 {
		t.Fatalf("%d calls ended", len(ended))
	}
	for _, err := range ended {
		var wait *guest.WaitError
		var ours *GuestError
		if !errors.As(err, &wait) || wait.WaitUntil().Sub(p.sim.Now()) < 39*time.Minute || !errors.As(err, &ours) || !ours.NotSent() {
			t.Errorf("a call ended with %v", err)
		}
	}
	p.act(func(*runtime.Context[stageMessage]) { g.handle.Send(WaitCleared{}) })
	p.call(g, "after its owner has cleared the wait", 0)
	p.run(10 * time.Second)
	p.want(g, "after its owner has cleared the wait answered")
}

// TestAGuestKeyIsLoggedOutBeforeItIsThrownAway: two 401 in a row on a ready
// guest cost its key.
func TestAGuestKeyIsLoggedOutBeforeItIsThrownAway(t *testing.T) {
	p := newPlay(t, setting{})
	p.begin()
	g := p.open(4, false)
	p.call(g, "1", 0)
	p.run(10 * time.Second)
	refuse := func() {
		p.act(func(*runtime.Context[stageMessage]) {
			g.route = Route{}
			g.handle.Send(Unauthorized{tgerr.New(401, "SESSION_REVOKED")})
		})
		p.run(20 * time.Second)
	}
	refuse()
	if ev, ok := last[EventRoute](g); !ok || ev.Route.IsZero() || g.route.IsZero() {
		t.Fatal("the guest did not come back after the first")
	}
	before := g.route.Where().Key
	refuse()
	text := p.text.String()
	out := strings.LastIndex(text, "auth.logOut under")
	made := strings.LastIndex(text, "make a perm key")
	if out < 0 || made < out {
		t.Errorf("it is not logged out before another key is made:\n%s", text)
	}
	if g.route.IsZero() || g.route.Where().Key == before {
		t.Errorf("it does not go on under another key")
	}
}

func TestAHomeThatRefusesTheExportIsAskedAgainWhenItIsAlive(t *testing.T) {
	p := newPlay(t, setting{})
	p.begin()
	p.fault(dctest.Fault{Kind: dctest.FaultRPC, Method: "auth.exportAuthorization", Code: 401, Text: "SESSION_REVOKED"})
	g := p.open(4, false)
	p.call(g, "1", 0)
	p.run(10 * time.Second)
	if ev, ok := last[EventHomeLost](g); !ok || !tgerr.Is(ev.Err, "SESSION_REVOKED") || len(g.ended) != 0 {
		t.Fatalf("the account is told %v; calls ended: %q", ev.Err, g.ended)
	}
	p.act(func(*runtime.Context[stageMessage]) { g.handle.Send(HomeAlive{}) })
	p.run(10 * time.Second)
	p.want(g, "1 answered")
}

func TestAGuestThatHomeDoesNotKnowFails(t *testing.T) {
	p := newPlay(t, setting{})
	p.begin()
	p.fault(dctest.Fault{Kind: dctest.FaultRPC, Method: "auth.exportAuthorization", Code: 400, Text: "DC_ID_INVALID"})
	g := p.open(4, false)
	p.call(g, "1", 0)
	p.run(10 * time.Second)
	if _, failed := last[EventFailed](g); !failed || len(g.ended) != 1 || !strings.Contains(g.ended[0], "DC_ID_INVALID") {
		t.Errorf("calls ended: %q", g.ended)
	}
}

func TestAForgottenGuestKeyIsReplacedAndTheAuthorizationCarriedAgain(t *testing.T) {
	p := newPlay(t, setting{})
	for _, r := range []dctest.Rule{dctest.RuleKey, dctest.RuleUnbound, dctest.RuleBind} {
		p.allowed[r] = true
	}
	p.begin()
	g := p.open(4, false)
	p.call(g, "1", 0)
	p.run(2 * time.Hour)
	p.forgetPerm(g)
	p.call(g, "lost", 0)
	p.run(time.Second)
	p.call(g, "2", 0)
	p.run(10 * time.Minute)
	p.want(g, "1 answered", "lost unknown: it may have run", "2 answered")
}
