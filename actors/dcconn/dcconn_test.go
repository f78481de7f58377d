package dcconn

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/actors/wire"
	"github.com/mtfleet/mtfleet/mtproto"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/handshake"
)

func TestKeysBindAndCallsOnOneSocket(t *testing.T) {
	run(t, func(w *world) {
		p := w.spawn()
		perm := p.makeKey(false)
		temp := p.makeKey(true)
		p.Send(Run{Key: temp.Key, Session: w.sessionConfig(temp), Bind: &Bind{Perm: perm.Key, ExpiresAt: temp.ExpiresAt}})
		early := p.call(1, 0, mtproto.Once) // before the answer to the binding
		p.wait(EventBound)
		w.wantEcho(early, 1)
		for id := int64(2); id < 20; id++ {
			w.wantEcho(p.call(id, 0, mtproto.Once), id)
		}
		if dials, _ := w.dials.counts(); len(dials) != 1 {
			t.Errorf("%d dials, want one socket for everything", len(dials))
		}
		if n := w.cluster.Counts(); n.PermKeys != 1 || n.TempKeys != 1 || n.Binds != 1 || n.Echoes != 19 || n.Repeated != 0 {
			t.Errorf("ledger: %+v", n)
		}
	})
}

// A socket that is cut in the middle of a call is replaced, and the call ends
// once, having run once.
func TestCutMidCall(t *testing.T) {
	cuts := map[string]dctest.Fault{
		"closed":       {Kind: dctest.FaultCloseConns},
		"in a packet":  {Kind: dctest.FaultCut, Bytes: 20, Count: 1},
		"answer lost":  {Kind: dctest.FaultDrop, Direction: "out", Count: 1},
		"DC restarted": {Kind: dctest.FaultRestart, KeepTempKeys: true},
	}
	for name, fault := range cuts {
		t.Run(name, func(t *testing.T) {
			run(t, func(w *world) {
				p := w.spawn()
				p.runPerm()
				w.wantEcho(p.call(1, 0, mtproto.Once), 1)
				time.Sleep(11 * time.Second) // long enough to be healthy
				ch := p.call(2, 2*time.Second, mtproto.Once)
				time.Sleep(time.Second)
				cutAt := time.Since(w.start)
				w.fault(fault)
				a := <-ch
				switch {
				case name == "DC restarted" && fate(a.err) == "may have run":
					// The server forgot the session: nobody can tell.
				case a.err != nil:
					t.Errorf("the call ended with %v", a.err)
				case a.at-cutAt > 20*time.Second:
					t.Errorf("the answer took %v", a.at-cutAt)
				}
				if n := w.cluster.EchoCount(2); n != 1 {
					t.Errorf("the call ran %d times", n)
				}
				w.wantEcho(p.call(3, 0, mtproto.Once), 3)
				if len(ch) != 0 {
					t.Error("answered twice")
				}
			})
		})
	}
}

func TestReconnectAtOnceWhenHealthy(t *testing.T) {
	run(t, func(w *world) {
		p := w.spawn()
		p.runPerm()
		for range 3 {
			time.Sleep(11 * time.Second)
			before, _ := w.dials.counts()
			w.fault(dctest.Fault{Kind: dctest.FaultCloseConns})
			after, _ := w.dials.counts()
			if len(after) != len(before)+1 {
				t.Errorf("%d dials at once after a healthy connection", len(after)-len(before))
			}
		}
		if got, want := p.seen(), []EventKind{EventDown, EventUp}; !slices.Equal(only(got, want), []EventKind{
			EventDown, EventUp, EventDown, EventUp, EventDown, EventUp,
		}) {
			t.Errorf("events %v", got)
		}
	})
}

// only filters a list of kinds.
func only(list, kinds []EventKind) (out []EventKind) {
	for _, k := range list {
		if slices.Contains(kinds, k) {
			out = append(out, k)
		}
	}
	return out
}

// While a DC is down only probes reach it; afterwards the session goes on.
func TestDCDown(t *testing.T) {
	run(t, func(w *world) {
		var peers []*peer
		for range 30 {
			p := w.spawn()
			p.runPerm()
			peers = append(peers, p)
		}
		time.Sleep(15 * time.Second)
		before, _ := w.dials.counts()
		if err := w.cluster.StopDC(int(home), true); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // all know it, or a call could still be sent on a dead socket
		var calls []chan answer
		for i, p := range peers {
			calls = append(calls, p.call(int64(i), 0, mtproto.Once))
		}
		time.Sleep(30 * time.Second)
		during, _ := w.dials.counts()
		// 10 permits at once, then the probes at 1, 3, 7, 15, 23 s.
		if n := len(during) - len(before); n > 10+5 {
			t.Errorf("%d dials in 30 s of outage", n)
		}
		if err := w.cluster.StartDC(int(home)); err != nil {
			t.Fatal(err)
		}
		back := time.Since(w.start)
		for i, ch := range calls {
			if a := w.wantEcho(ch, int64(i)); a.at-back > 12*time.Second {
				t.Errorf("connection %d was back after %v", i, a.at-back)
			}
		}
		if n := w.cluster.Counts(); n.PermKeys != 30 || n.Repeated != 0 {
			t.Errorf("ledger: %+v", n)
		}
	})
}

func TestStopAnswersWhatIsOwed(t *testing.T) {
	run(t, func(w *world) {
		p := w.spawn()
		p.runPerm()
		w.wantEcho(p.call(1, 0, mtproto.Once), 1)
		var sent []chan answer
		for id := range int64(20) {
			sent = append(sent, p.call(100+id, time.Minute, mtproto.Once))
		}
		synctest.Wait()
		p.Stop()
		late := p.call(200, 0, mtproto.Once)
		<-p.Done()
		for i, ch := range sent {
			if a := <-ch; fate(a.err) != "may have run" || !errors.Is(a.err, mtproto.ErrClosed) || len(ch) > 0 {
				t.Errorf("call %d: %v", i, a.err)
			}
		}
		if a := <-late; fate(a.err) != "not sent" {
			t.Errorf("call to a stopped connection: %v", a.err)
		}
		time.Sleep(2 * time.Minute)
		if n := w.cluster.EchoCount(200); n != 0 {
			t.Errorf("a call that was not sent ran %d times", n)
		}
	})
}

func TestCallsBeforeRunAndTwice(t *testing.T) {
	run(t, func(w *world) {
		p := w.spawn()
		if a := <-p.call(1, 0, mtproto.Once); fate(a.err) != "not sent" {
			t.Errorf("call before Run: %v", a.err)
		}
		p.runPerm()
		slow := p.call(2, time.Second, mtproto.Once)
		p.last-- // the same id again
		if a := <-p.call(3, 0, mtproto.Once); fate(a.err) != "not sent" {
			t.Errorf("second call with an id in use: %v", a.err)
		}
		w.wantEcho(slow, 2)
		p.Send(MakeKey{})
		if e := <-p.events; e.Kind != EventKeyFailed {
			e = p.wait(EventKeyFailed)
			if !errors.Is(e.Err, ErrBusy) {
				t.Errorf("MakeKey under a session: %v", e)
			}
		}
		gone := p.call(4, time.Minute, mtproto.Once)
		p.Send(Cancel{p.last})
		if a := <-gone; !errors.Is(a.err, mtproto.ErrCanceled) {
			t.Errorf("canceled call: %v", a.err)
		}
	})
}

func TestKeyUnknown(t *testing.T) {
	run(t, func(w *world) {
		p := w.spawn()
		perm := p.makeKey(false)
		temp := p.makeKey(true)
		p.Send(Run{Key: temp.Key, Session: w.sessionConfig(temp), Bind: &Bind{perm.Key, temp.ExpiresAt}})
		p.wait(EventBound)
		time.Sleep(time.Second) // what follows a bind, acks and the first ping, has gone
		w.fault(dctest.Fault{Kind: dctest.FaultForgetTemp})
		w.violations = 1
		ch := p.call(1, 0, mtproto.Once)
		p.wait(EventKeyUnknown)
		before, _ := w.dials.counts()
		p.Send(Drain{})
		p.Send(Resume{})
		time.Sleep(time.Minute)
		if after, _ := w.dials.counts(); len(after) != len(before) {
			t.Errorf("%d dials after the key was unknown", len(after)-len(before))
		}
		p.Stop()
		if a := <-ch; fate(a.err) == "answered" {
			t.Error("answered under an unknown key")
		}
	})
}

// -429 on ten connections in a row: the gaps grow, and it recovers.
func TestFlood(t *testing.T) {
	run(t, func(w *world) {
		p := w.spawn()
		p.runPerm()
		w.wantEcho(p.call(1, 0, mtproto.Repeatable), 1)
		time.Sleep(15 * time.Second)
		w.fault(dctest.Fault{Kind: dctest.FaultTransportConn, Code: wire.CodeFlood, Count: 10})
		w.fault(dctest.Fault{Kind: dctest.FaultCloseConns})
		before, _ := w.dials.counts()
		w.wantEcho(p.call(2, 0, mtproto.Repeatable), 2)
		dials, _ := w.dials.counts()
		gaps := []time.Duration{}
		for i := len(before); i < len(dials); i++ {
			gaps = append(gaps, (dials[i] - dials[i-1]).Round(time.Second))
		}
		if len(gaps) != 10 {
			t.Fatalf("gaps %v, want 10 of them", gaps)
		}
		for i, g := range gaps {
			least := min(3*time.Second<<min(i, 5), time.Minute)
			if g < least || g > least+20*time.Second {
				t.Errorf("gap %d is %v, want at least %v and not much more", i, g, least)
			}
		}
	})
}

func TestHandshakeThatHangs(t *testing.T) {
	run(t, func(w *world) {
		p := w.spawn()
		p.wait(EventUp)
		w.fault(dctest.Fault{Kind: dctest.FaultDrop, Direction: "out", For: dctest.Duration(15 * time.Second)})
		p.Send(MakeKey{})
		var e Event
		for e = range p.events {
			if e.Kind == EventKeyFailed {
				break
			}
		}
		var step *handshake.StepError
		if !errors.As(e.Err, &step) || !errors.Is(e.Err, handshake.ErrTimeout) {
			t.Errorf("key failed with %v", e.Err)
		}
		if at := time.Since(w.start); at < 9*time.Second || at > 11*time.Second {
			t.Errorf("given up after %v", at)
		}
		time.Sleep(20 * time.Second)
		p.runPerm()
		w.wantEcho(p.call(1, 0, mtproto.Once), 1)
	})
}

// A handshake that ends with its socket or is refused says so; the next works.
func TestHandshakeThatIsBrokenOff(t *testing.T) {
	run(t, func(w *world) {
		p := w.spawn()
		p.wait(EventUp)
		w.fault(dctest.Fault{Kind: dctest.FaultTransport, Code: wire.CodeKeyUnknown, Count: 1})
		p.Send(MakeKey{Temp: true})
		var refused *handshake.RefusedError
		for e := range p.events {
			if e.Kind == EventKeyFailed {
				if !e.Temp || !errors.As(e.Err, &refused) || refused.Code != -404 {
					t.Errorf("key failed with %v", e)
				}
				break
			}
		}
		p.wait(EventUp)
		w.fault(dctest.Fault{Kind: dctest.FaultCut, Bytes: 10, Count: 1})
		p.Send(MakeKey{})
		for e := range p.events {
			if e.Kind == EventKeyFailed {
				break
			}
		}
		p.runPerm()
		w.wantEcho(p.call(1, 0, mtproto.Once), 1)
	})
}

// Drained means silent: not a byte more, not even to a lost socket's successor.
func TestDrain(t *testing.T) {
	run(t, func(w *world) {
		p := w.spawn()
		p.runPerm()
		w.wantEcho(p.call(1, 0, mtproto.Once), 1)
		quick := p.call(2, 2*time.Second, mtproto.Once)
		slow := p.call(3, time.Minute, mtproto.Once)
		synctest.Wait()
		asked := time.Since(w.start)
		p.Send(Drain{Limit: 10 * time.Second})
		if a := <-p.call(4, 0, mtproto.Once); fate(a.err) != "not sent" || !errors.Is(a.err, mtproto.ErrClosed) {
			t.Errorf("call while draining: %v", a.err)
		}
		w.wantEcho(quick, 2)
		if a := <-slow; fate(a.err) != "may have run" || !errors.Is(a.err, mtproto.ErrClosed) || a.at-asked != 10*time.Second {
			t.Errorf("call at the limit: %v after %v", a.err, a.at-asked)
		}
		p.wait(EventDrained)
		_, before := w.dials.counts()
		time.Sleep(3 * time.Minute)
		if _, after := w.dials.counts(); after != before {
			t.Errorf("%d bytes sent while silent", after-before)
		}
		p.Send(Drain{Limit: time.Minute}) // said again at once
		p.wait(EventDrained)
		w.fault(dctest.Fault{Kind: dctest.FaultCloseConns})
		d1, _ := w.dials.counts()
		time.Sleep(time.Minute)
		if d2, _ := w.dials.counts(); len(d2) != len(d1) {
			t.Error("a silent connection was replaced")
		}
		p.Send(Resume{})
		w.wantEcho(p.call(5, 0, mtproto.Once), 5)
	})
}

// Reader error, writer error, silence and stop at the same instant: one end,
// one successor at most.
func TestManyEndsAtOnce(t *testing.T) {
	run(t, func(w *world) {
		for i := range 50 {
			p := w.spawn()
			p.runPerm()
			ch := p.call(int64(i), time.Second, mtproto.Repeatable)
			synctest.Wait()
			var ends sync.WaitGroup
			ends.Go(func() { _, _ = w.cluster.Fault(dctest.Fault{Kind: dctest.FaultCloseConns}) })
			ends.Go(func() { p.Send(Cancel{p.last}) })
			if i%2 == 0 {
				ends.Go(p.Stop)
			}
			<-ch
			ends.Wait() // a late fault would hit the next connection
			p.Stop()
			<-p.Done()
			if len(ch) > 0 {
				t.Fatal("answered twice")
			}
		}
		synctest.Wait()
		if n := w.cluster.ConnCount(); n != 0 {
			t.Errorf("%d connections left", n)
		}
	})
}

// Connections that stop while they wait, dial or shake hands give back what
// they hold.
func TestStopAtAnyMoment(t *testing.T) {
	run(t, func(w *world) {
		for i := range 200 {
			p := w.spawn()
			p.Send(MakeKey{Temp: i%2 == 0})
			time.Sleep(time.Duration(i%20) * 200 * time.Microsecond)
			p.Stop()
			<-p.Done()
		}
		time.Sleep(time.Minute)
		census, err := runtime.Ask(context.Background(), w.gov, func(r runtime.Reply[[]governor.DCStatus]) governor.Message {
			return governor.Census{Reply: r}
		})
		if err != nil || len(census) != 1 || census[0].Waiting != [3]int{} || !census[0].Up {
			t.Errorf("governor: %+v, %v", census, err)
		}
		if n := w.cluster.ConnCount(); n != 0 {
			t.Errorf("%d connections left", n)
		}
	})
}

func TestMakeKeyWhileTheDCIsDown(t *testing.T) {
	run(t, func(w *world) {
		if err := w.cluster.StopDC(int(home), true); err != nil {
			t.Fatal(err)
		}
		p := w.spawn()
		p.Send(MakeKey{})
		for e := range p.events {
			if e.Kind == EventKeyFailed {
				if e.Err == nil {
					t.Error("no reason given")
				}
				break
			}
		}
		if err := w.cluster.StartDC(int(home)); err != nil {
			t.Fatal(err)
		}
		p.wait(EventUp)
		p.makeKey(false)
	})
}
