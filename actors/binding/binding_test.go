package binding

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/pfs"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/storetest"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// last returns the newest event of a type.
func last[E Event](r *role) (ev E, ok bool) {
	for _, e := range slices.Backward(r.events) {
		if ev, ok = e.(E); ok {
			return ev, true
		}
	}
	return ev, false
}

// count is how often an event of a type came.
func count[E Event](r *role) (n int) {
	for _, e := range r.events {
		if _, ok := e.(E); ok {
			n++
		}
	}
	return n
}

func (p *play) want(r *role, ended ...string) {
	p.t.Helper()
	if got := slices.Sorted(slices.Values(r.ended)); !slices.Equal(got, slices.Sorted(slices.Values(ended))) {
		p.t.Errorf("the calls ended so: %q, want %q\n%s", got, ended, p.text.String())
	}
}

func TestKeysAreOnDiskBeforeAnythingElseHappens(t *testing.T) {
	p := newPlay(t, setting{})
	p.store.SetFail(storetest.FailFrom(1))
	home := p.open(2, true)
	p.call(home, "1", 0)
	p.run(18 * time.Second)
	if n := count[EventStoreFailed](home); n != 4 {
		t.Errorf("in 18 s it was told %d times that a commit was refused, want 4: at once, and every 5 s", n)
	}
	if strings.Contains(p.text.String(), "temp") {
		t.Errorf("something was done with a perm key that is on no disk:\n%s", p.text.String())
	}
	p.store.SetFail(nil)
	p.run(10 * time.Second)
	p.want(home, "1 answered")
	if records, err := p.store.Load("alice"); err != nil || len(records) != 2 {
		t.Errorf("%d records, %v; want two keys", len(records), err)
	}
}

func TestAPermitIsAskedForWithAConnectionAndOneAtATime(t *testing.T) {
	p := newPlay(t, setting{desk: true})
	p.deny = true
	home := p.open(2, true)
	p.run(time.Minute)
	if len(p.tickets) != 0 {
		t.Fatal("a permit is asked for while the DC is down")
	}
	if n := count[EventUnreachable](home); n != 1 {
		t.Errorf("the same words were told %d times", n)
	}
	p.deny = false
	p.run(time.Minute)
	if len(p.tickets) != 1 {
		t.Fatalf("%d permits are asked for", len(p.tickets))
	}
	p.act(func(*runtime.Context[stageMessage]) { p.tickets[0].Granted() })
	p.run(time.Second)
	if len(p.done) != 1 || p.done[0] != p.tickets[0] {
		t.Fatal("the permit of the perm key was not given back")
	}
	if len(p.tickets) != 2 {
		t.Fatalf("%d permits were asked for, want one more for the temp key", len(p.tickets))
	}
	// The machine changes its mind: the permit is as good for a perm key.
	p.act(func(*runtime.Context[stageMessage]) { home.handle.Send(Forget{}) })
	p.run(time.Second)
	if n := len(p.tickets) - len(p.done); n != 1 {
		t.Fatalf("%d permits are held or asked for", n)
	}
	p.act(func(*runtime.Context[stageMessage]) { p.tickets[len(p.tickets)-1].Granted() })
	p.run(time.Second)
	if home.actor.keys.Perm() == nil || home.actor.wants != pfs.Temp {
		t.Error("no perm key was made with it")
	}
	p.stop(home)
	if len(p.tickets) != len(p.done) {
		t.Errorf("%d permits were asked for, %d given back at the end", len(p.tickets), len(p.done))
	}
}

func TestWhatIsHeldIsBoundedAndGoesInOrder(t *testing.T) {
	p := newPlay(t, setting{desk: true})
	home := p.open(2, true)
	var order []string
	own := func(name string, isOwn bool) {
		p.act(func(*runtime.Context[stageMessage]) {
			home.handle.Send(Call{ID: p.id(), Method: name, Body: (&tg.HelpGetNearestDCRequest{}).Append(nil), Own: isOwn, Reply: func(_ []byte, err error, on Where) {
				order = append(order, fmt.Sprint(name, " ", err, " ", on.Key != 0))
			}})
		})
	}
	own("first", false)
	for range maxHeld - 1 {
		own("middle", false)
	}
	own("beyond", false)
	own("of an engine", true)
	var busy *BusyError
	if len(order) != 1 || order[0] != fmt.Sprint("beyond ", &BusyError{Limit: maxHeld}, " false") || !errors.As(error(&BusyError{}), &busy) || !busy.NotSent() {
		t.Fatalf("at the limit of what is held: %q", order)
	}
	order = nil
	p.act(func(*runtime.Context[stageMessage]) { home.handle.Send(Recall{Method: "middle"}) })
	if len(order) != maxHeld-1 || !strings.Contains(order[0], "session closed") {
		t.Fatalf("%d calls were recalled, the first: %q", len(order), order[:1])
	}
	order = nil
	own("second", false)
	for range 2 {
		p.run(time.Second)
		p.act(func(*runtime.Context[stageMessage]) { p.tickets[len(p.tickets)-1].Granted() })
	}
	p.run(5 * time.Second)
	if want := []string{"of an engine <nil> true", "first <nil> true", "second <nil> true"}; !slices.Equal(order, want) {
		t.Errorf("the order is %q, want %q", order, want)
	}
}

func TestACallNobodyWaitsForEndsWhereverItIs(t *testing.T) {
	p := newPlay(t, setting{})
	home := p.open(2, true)
	p.call(home, "held", 0)
	p.act(func(*runtime.Context[stageMessage]) { home.handle.Send(Cancel{ID: p.calls}) })
	if len(home.ended) != 1 || !strings.Contains(home.ended[0], "canceled") {
		t.Errorf("a held call: %q", home.ended)
	}
	p.run(5 * time.Second)
	p.call(home, "sent", time.Hour)
	p.run(time.Second)
	p.act(func(*runtime.Context[stageMessage]) { home.handle.Send(Cancel{ID: p.calls}) })
	p.run(time.Second)
	if len(home.ended) != 2 || !strings.Contains(home.ended[1], "may have run") {
		t.Errorf("a call that was sent: %q", home.ended)
	}
}

// TestWhatWaitsForAKeyIsRecalled: by its method, or with everything.
func TestWhatWaitsForAKeyIsRecalled(t *testing.T) {
	for name, recall := range map[string]Recall{"by its method": {Method: "asked"}, "with everything": {}} {
		t.Run(name, func(t *testing.T) {
			p := newPlay(t, setting{desk: true})
			home := p.open(2, true)
			var back []string
			call := func(own bool) Call {
				return Call{ID: p.id(), Method: "asked", Body: (&tg.HelpGetNearestDCRequest{}).Append(nil), Own: own, Reply: func(_ []byte, err error, on Where) {
					back = append(back, fmt.Sprint(errors.Is(err, ErrNotSent), " ", on.Key == 0))
				}}
			}
			p.act(func(*runtime.Context[stageMessage]) {
				home.handle.Send(call(false))
				home.handle.Send(call(true))
				home.handle.Send(Confirm{call(true)})
				home.handle.Send(Recall{Method: "another"})
			})
			if len(back) != 0 {
				t.Fatalf("by another method it recalled %q", back)
			}
			p.act(func(*runtime.Context[stageMessage]) { home.handle.Send(recall) })
			if want := []string{"true true", "true true", "true true"}; !slices.Equal(back, want) {
				t.Errorf("a call, one of an engine and a question came back so: %q", back)
			}
		})
	}
}

// TestAFailedConnectionIsMadeAnew: it panics, by a fault of the program; what
// can be asked meanwhile is asked, and waits.
func TestAFailedConnectionIsMadeAnew(t *testing.T) {
	p := newPlay(t, setting{})
	home := p.begin()
	p.planted = true
	p.call(home, "planted", 0) // which panics on its way out
	p.run(0)
	if home.actor.health != recovering {
		t.Fatalf("after a panic its health is %v", home.actor.health)
	}
	if ev, ok := last[EventLost](home); !ok || !strings.Contains(ev.Why, "started again") {
		t.Errorf("the account is told %+v", ev)
	}
	p.call(home, "held", 0)
	confirmed := ""
	p.act(func(*runtime.Context[stageMessage]) {
		home.handle.Send(Confirm{Call{ID: p.id(), Body: (&tg.HelpGetNearestDCRequest{}).Append(nil), Policy: Repeatable, Reply: func(_ []byte, err error, on Where) {
			confirmed = fmt.Sprint(err, " under ", p.key(on.Key))
		}}})
		home.handle.Send(Recall{Method: "nothing"})
		home.handle.Send(Unbound{1})
		home.handle.Send(Cancel{ID: 12345})
	})
	p.run(time.Minute)
	p.want(home, "planted unknown: it may have run", "held answered")
	if confirmed != "<nil> under T1" {
		t.Errorf("the confirmation ended so: %s", confirmed)
	}
	if strings.Contains(p.text.String(), "make a temp key") {
		t.Error("the panic of a connection cost a key")
	}
}

// TestWhileAConnectionIsAwayEverythingCanBeAsked: a failed one waits for its
// respawn.
func TestWhileAConnectionIsAwayEverythingCanBeAsked(t *testing.T) {
	for name, m := range map[string]Message{
		"forget": Forget{}, "unbound": Unbound{1}, "unauthorized": Unauthorized{errors.New("x")}, "home alive": HomeAlive{},
		"answered": Answered{ID: 1}, "recall": Recall{"x"}, "cancel": Cancel{1}, "stop": nil,
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlay(t, setting{})
			home := p.begin()
			p.planted = true
			p.call(home, "planted", 0)
			p.run(0)
			if m == nil {
				p.stop(home)
				return
			}
			p.act(func(*runtime.Context[stageMessage]) { home.handle.Send(m) })
			p.call(home, "1", 0)
			p.run(time.Minute)
			p.want(home, "planted unknown: it may have run", "1 answered")
		})
	}
}

func TestConnectionsThatFailTooOftenAreGivenUp(t *testing.T) {
	p := newPlay(t, setting{})
	home := p.begin()
	for range 8 {
		p.planted = true
		p.call(home, "planted", 0)
		p.run(90 * time.Second)
	}
	if _, broken := last[EventBroken](home); !broken || count[EventBroken](home) != 1 {
		t.Fatalf("eight panics within ten minutes: %d events say so\n%s", count[EventBroken](home), p.text.String())
	}
	p.run(time.Hour)
	if n := p.net.core.Conns(); n != 0 {
		t.Errorf("%d connections are left", n)
	}
	p.stop(home)
	if n := len(home.ended); n != 8 {
		t.Errorf("%d of 8 calls ended", n)
	}
}

// TestAPanicWhereverItHappensIsHealed plants one at each packet of the first
// minute of a binding's life.
func TestAPanicWhereverItHappensIsHealed(t *testing.T) {
	for at := range 14 {
		t.Run(fmt.Sprint("packet ", at), func(t *testing.T) {
			p := newPlay(t, setting{})
			home := p.open(2, true)
			p.call(home, "1", 0)
			p.net.plantAt = at + 1
			p.run(5 * time.Minute)
			p.call(home, "2", 0)
			p.run(time.Minute)
			if n := len(home.ended); n != 2 || home.ended[1] != "2 answered" {
				t.Errorf("the calls ended so: %q\n%s", home.ended, p.text.String())
			}
		})
	}
}

func TestAStoppedBindingGivesBackWhatItHolds(t *testing.T) {
	p := newPlay(t, setting{desk: true})
	home := p.open(2, true)
	var ended []error
	reply := func(_ []byte, err error, on Where) { ended = append(ended, err) }
	p.act(func(*runtime.Context[stageMessage]) {
		home.handle.Send(Call{ID: 1, Reply: reply})
		home.handle.Send(Call{ID: 2, Own: true, Reply: reply})
		home.handle.Send(Confirm{Call{ID: 3, Reply: reply}})
	})
	p.run(time.Second)
	p.stop(home)
	p.act(func(*runtime.Context[stageMessage]) {
		home.handle.Send(Call{ID: 4, Reply: reply})
		home.handle.Send(Confirm{Call{ID: 5, Reply: reply}})
		Route{}.Send(Call{ID: 6, Reply: reply})
	})
	p.run(time.Second)
	if len(ended) != 6 {
		t.Fatalf("%d of 6 calls were given back", len(ended))
	}
	for _, err := range ended {
		if !errors.Is(err, ErrNotSent) {
			t.Errorf("a call ended with %v", err)
		}
	}
}

func TestAConfirmationEndsInTimeAndMovesToTheNextKey(t *testing.T) {
	ask := func(p *play, r *role) *[]string {
		var ended []string
		p.act(func(*runtime.Context[stageMessage]) {
			r.handle.Send(Confirm{Call{ID: p.id(), Body: (&tg.HelpGetNearestDCRequest{}).Append(nil), Policy: Repeatable, Reply: func(_ []byte, err error, on Where) {
				ended = append(ended, fmt.Sprint(p.how(err), " under ", p.key(on.Key), " after ", p.sim.Now().Sub(p.start).Round(time.Second)))
			}}})
		})
		return &ended
	}
	t.Run("no answer comes", func(t *testing.T) {
		p := newPlay(t, setting{})
		home := p.begin()
		p.fault(dctest.Fault{Kind: dctest.FaultNoReply, Method: "help.getNearestDc", Count: 100})
		ended := ask(p, home)
		p.run(time.Minute)
		if want := []string{"unknown: it may have run under T1 after 41s"}; !slices.Equal(*ended, want) {
			t.Errorf("it ended so: %q, want %q", *ended, want)
		}
		if n := p.net.core.Conns(); n != 1 {
			t.Errorf("%d connections are left", n)
		}
	})
	t.Run("the key is replaced meanwhile", func(t *testing.T) {
		p := newPlay(t, setting{})
		home := p.begin()
		p.fault(dctest.Fault{Kind: dctest.FaultSlow, Method: "help.getNearestDc", Delay: dctest.Duration(20 * time.Second)})
		ended := ask(p, home)
		p.run(2 * time.Second)
		p.act(func(*runtime.Context[stageMessage]) { home.handle.Send(Unbound{home.route.Where().Key}) })
		p.run(time.Minute)
		if len(*ended) != 1 || !strings.HasPrefix((*ended)[0], "answered under T2") {
			t.Errorf("it ended so: %q", *ended)
		}
	})
}

func TestARouteThatWasGivenUpForAnotherKeyComesBack(t *testing.T) {
	p := newPlay(t, setting{})
	home := p.begin()
	p.act(func(*runtime.Context[stageMessage]) {
		home.route = Route{}
		home.handle.Send(Unbound{Key: 12345})
	})
	if ev, ok := last[EventRoute](home); !ok || !ev.Again || home.route.IsZero() {
		t.Errorf("after a word about another key the account is told %+v", ev)
	}
}

func TestARestartCostsNoKey(t *testing.T) {
	p := newPlay(t, setting{})
	home := p.begin()
	p.stop(home)
	made := len(p.names)
	home = p.open(2, true)
	p.call(home, "1", 0)
	p.run(time.Minute)
	p.want(home, "1 answered")
	if len(p.names) != made {
		t.Errorf("%d keys were made by a restart", len(p.names)-made)
	}
}

func TestALostSocketHoldsCallsUntilTheNext(t *testing.T) {
	p := newPlay(t, setting{})
	home := p.begin()
	p.deny = true
	p.fault(dctest.Fault{Kind: dctest.FaultCloseConns})
	p.run(time.Second)
	if !home.route.IsZero() {
		t.Fatal("there is a route without a socket")
	}
	p.call(home, "1", 0)
	p.run(time.Minute)
	if len(home.ended) != 0 {
		t.Errorf("the call ended so: %q", home.ended)
	}
	p.deny = false
	p.run(time.Minute)
	p.want(home, "1 answered")
}

func TestAPermKeyOfAnotherEnvironmentIsLeftAlone(t *testing.T) {
	p := newPlay(t, setting{})
	home := p.begin()
	p.stop(home)
	conns, records := p.net.last, p.recordsOf()
	home = p.open(2, true, func(c *Config) { c.Keys.Perm.Fingerprint++ })
	p.call(home, "1", 0)
	p.run(24 * time.Hour)
	var foreign *pfs.ForeignKeyError
	if ev, ok := last[EventForeign](home); !ok || !errors.As(ev.Err, &foreign) {
		t.Errorf("the account is told %v", ev.Err)
	}
	if p.net.last != conns {
		t.Errorf("%d connections were made", p.net.last-conns)
	}
	if now := p.recordsOf(); !slices.Equal(now, records) {
		t.Errorf("the records were %q and are %q", records, now)
	}
}

// recordsOf returns what is in the store, as text.
func (p *play) recordsOf() (all []string) {
	records, err := p.store.Load("alice")
	if err != nil {
		p.t.Fatal(err)
	}
	for _, r := range records {
		all = append(all, fmt.Sprintf("%v %x", r.Key, r.Data))
	}
	slices.Sort(all)
	return all
}

func TestARecordThatIsNoKeyIsRefused(t *testing.T) {
	p := newPlay(t, setting{})
	home := p.open(2, true, func(c *Config) { c.Keys.Perm = &persistence.PermKey{DC: 2, KeyID: 1} })
	p.call(home, "1", 0)
	p.run(time.Minute)
	var corrupt *persistence.CorruptError
	if ev, ok := last[EventUnusable](home); !ok || !errors.As(ev.Err, &corrupt) {
		t.Errorf("it is refused with %v", ev.Err)
	}
	if p.net.last != 0 {
		t.Error("a connection was made")
	}
	p.stop(home)
	p.want(home, "1 given back")
}

func TestAWaitOnBindsIsToldAndObeyedAfterARestart(t *testing.T) {
	p := newPlay(t, setting{})
	p.fault(dctest.Fault{Kind: dctest.FaultRPC, Method: "auth.bindTempAuthKey", Code: 420, Text: "FLOOD_WAIT_3600"})
	home := p.open(2, true)
	p.run(30 * time.Minute)
	ev, ok := last[EventRefused](home)
	e, refused := tgerr.As(ev.Err)
	if wait, _ := e.Wait(); !ok || !refused || wait != time.Hour || ev.Method != "auth.bindTempAuthKey" || count[EventRefused](home) != 1 {
		t.Errorf("within half an hour the account is told %d times, the last: %+v", count[EventRefused](home), ev)
	}
	p.stop(home)
	until := p.start.Add(time.Hour)
	again := p.open(2, true, func(c *Config) { c.BindAfter = until })
	p.call(again, "1", 0)
	p.run(until.Sub(p.sim.Now()) - time.Second)
	if len(again.ended) != 0 {
		t.Errorf("a bind was sent before the wait was over")
	}
	p.run(time.Minute)
	p.want(again, "1 answered")
}

var seeds = flag.Uint64("seeds", 12, "how many seeds of TestEveryCallEndsOnce to run")

// TestEveryCallEndsOnce runs calls through seeded trouble of every kind.
func TestEveryCallEndsOnce(t *testing.T) {
	for seed := range *seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			p := newPlay(t, setting{seed: seed, tempLife: 10 * time.Minute, core: dctest.Config{BindStrict: seed%2 == 1}})
			for _, r := range []dctest.Rule{dctest.RuleKey, dctest.RuleUnbound, dctest.RuleBind} {
				p.allowed[r] = true
			}
			home := p.begin()
			var bytes [4]byte
			ids := map[string]int64{}
			for i := range 60 {
				_, _ = p.sim.Read(bytes[:])
				switch bytes[0] % 12 {
				case 0:
					p.fault(dctest.Fault{Kind: dctest.FaultForgetTemp})
				case 1:
					p.fault(dctest.Fault{Kind: dctest.FaultCloseConns})
				case 2:
					p.fault(dctest.Fault{Kind: dctest.FaultRPC, Method: "testdc.echo", Code: 401, Text: "AUTH_KEY_PERM_EMPTY", Count: 2})
				case 3:
					p.fault(dctest.Fault{Kind: dctest.FaultRestart})
				case 4:
					p.planted = true
				case 5:
					p.store.SetFail(storetest.FailFrom(1))
				default:
					p.store.SetFail(nil)
				}
				ids[fmt.Sprint(i)] = p.call(home, fmt.Sprint(i), time.Duration(bytes[1])*100*time.Millisecond)
				p.run(time.Duration(bytes[2]) * 250 * time.Millisecond)
			}
			p.planted = false
			p.store.SetFail(nil)
			p.run(10 * time.Minute)
			if _, broken := last[EventBroken](home); broken {
				return // what was held is given back when the account closes it
			}
			if len(home.ended) != 60 {
				t.Errorf("%d of 60 calls ended\n%s", len(home.ended), p.text.String())
			}
			for _, how := range home.ended {
				name, how, _ := strings.Cut(how, " ")
				ran := p.net.core.Echo(ids[name])
				if !(how == "answered" && ran == 1 || how == "unknown: it may have run" && ran <= 1) {
					t.Errorf("call %s %s, and ran %d times", name, how, ran)
				}
			}
		})
	}
}

// TestTheSameSeedGivesTheSamePlay compares two runs line by line.
func TestTheSameSeedGivesTheSamePlay(t *testing.T) {
	once := func() string {
		p := rotation(t, true, false)
		return p.text.String()
	}
	if a, b := once(), once(); a != b {
		t.Errorf("one run:\n%s\nanother:\n%s", a, b)
	}
}
