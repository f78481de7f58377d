package dcconn

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mtfleet/mtfleet/mtproto"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
)

// timed waits for the next event of that kind and returns how long it took.
func (p *peer) timed(kind EventKind) (Event, time.Duration) {
	p.w.t.Helper()
	begun := time.Now()
	e := p.wait(kind)
	return e, time.Since(begun)
}

// wantGivenBack checks that a call came back with what the server may have done.
func (w *world) wantGivenBack(ch chan answer, want string) {
	w.t.Helper()
	a := <-ch
	if fate(a.err) != want || !errors.Is(a.err, mtproto.ErrClosed) {
		w.t.Errorf("given back with %v, want %s", a.err, want)
	}
}

// With Keep the calls under way outlive the limit, and are answered on the
// silent connection.
func TestDrainThatKeepsCalls(t *testing.T) {
	run(t, func(w *world) {
		p := w.spawn()
		p.runPerm()
		slow := p.call(1, 30*time.Second, mtproto.Once)
		never := p.call(2, time.Minute, mtproto.Once)
		synctest.Wait()
		p.Send(Drain{Limit: 10 * time.Second, Keep: true})
		w.wantGivenBack(p.call(3, 0, mtproto.Once), "not sent")
		if e, took := p.timed(EventDrained); e.Pending != 2 || took != 10*time.Second {
			t.Errorf("drained after %v with %d pending", took, e.Pending)
		}
		w.wantGivenBack(p.call(4, 0, mtproto.Once), "not sent")
		_, before := w.dials.counts()
		w.wantEcho(slow, 1)
		p.Send(Drain{Limit: 10 * time.Second})
		if e, took := p.timed(EventDrained); e.Pending != 0 || took != 10*time.Second {
			t.Errorf("drained again after %v with %d pending", took, e.Pending)
		}
		w.wantGivenBack(never, "may have run")
		time.Sleep(2 * time.Minute)
		if _, after := w.dials.counts(); after != before {
			t.Errorf("%d bytes sent while silent", after-before)
		}
		p.Send(Resume{})
		w.wantEcho(p.call(5, 0, mtproto.Once), 5)
	})
}

// Calls that were kept are asked about when the connection speaks again.
func TestResumeWithCallsThatWereKept(t *testing.T) {
	for _, name := range []string{"the socket stood", "the socket was lost"} {
		t.Run(name, func(t *testing.T) {
			run(t, func(w *world) {
				p := w.spawn()
				p.runPerm()
				slow := p.call(1, time.Minute, mtproto.Once)
				synctest.Wait()
				p.Send(Drain{Keep: true})
				if e := p.wait(EventDrained); e.Pending != 1 {
					t.Errorf("%d pending", e.Pending)
				}
				if name == "the socket was lost" {
					w.fault(dctest.Fault{Kind: dctest.FaultCloseConns})
				}
				time.Sleep(2 * time.Minute)
				p.Send(Resume{})
				w.wantEcho(slow, 1)
				if n := w.cluster.EchoCount(1); n != 1 {
					t.Errorf("the call ran %d times", n)
				}
			})
		})
	}
}

func TestListen(t *testing.T) {
	type listening struct {
		w    *world
		p    *peer
		slow chan answer // takes half a minute
	}
	for name, c := range map[string]struct {
		before  func(l *listening)
		during  func(l *listening)
		limit   time.Duration
		pending bool // the call was not answered
		took    time.Duration
	}{
		"until the last call has ended": {limit: time.Minute, took: 30 * time.Second},
		"until the limit":               {limit: 10 * time.Second, took: 10 * time.Second, pending: true},
		"until the socket is lost": {limit: time.Minute, took: 5 * time.Second, pending: true, during: func(l *listening) {
			time.Sleep(5 * time.Second)
			l.w.fault(dctest.Fault{Kind: dctest.FaultCloseConns})
		}},
		"after calls were kept": {limit: time.Minute, took: 20 * time.Second, before: func(l *listening) {
			l.p.Send(Drain{Limit: 10 * time.Second, Keep: true})
			l.p.wait(EventDrained)
		}},
		"not at all without a socket": {limit: time.Minute, pending: true, before: func(l *listening) {
			l.p.Send(Drain{Keep: true})
			l.p.wait(EventDrained)
			l.w.fault(dctest.Fault{Kind: dctest.FaultCloseConns})
			synctest.Wait()
		}},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(w *world) {
				p := w.spawn()
				p.runPerm()
				l := &listening{w, p, p.call(1, 30*time.Second, mtproto.Once)}
				synctest.Wait()
				if c.before != nil {
					c.before(l)
				}
				_, before := w.dials.counts()
				begun := time.Now()
				p.Send(Listen{Limit: c.limit})
				if e, took := p.timed(EventSilent); e.Last == 0 || took != 0 {
					t.Errorf("it says after %v that it is silent behind %x", took, e.Last)
				}
				w.wantGivenBack(p.call(2, 0, mtproto.Once), "not sent")
				if c.during != nil {
					c.during(l)
				}
				e := p.wait(EventDrained)
				if took := time.Since(begun); took.Round(time.Second) != c.took || e.Pending != 0 {
					t.Errorf("drained after %v with %d pending", took, e.Pending)
				}
				if c.pending {
					w.wantGivenBack(l.slow, "may have run")
				} else {
					w.wantEcho(l.slow, 1)
				}
				time.Sleep(3 * time.Minute)
				if _, after := w.dials.counts(); after != before {
					t.Errorf("%d bytes sent while silent", after-before)
				}
				if kinds := p.seen(); slices.Contains(kinds, EventDrained) {
					t.Errorf("drained twice: %v", kinds)
				}
			})
		})
	}
}

// A call that could not be sent before the connection fell silent need not wait
// for the limit.
func TestSilenceGivesBackWhatWasNotSent(t *testing.T) {
	run(t, func(w *world) {
		p := w.spawn()
		p.runPerm()
		w.wantEcho(p.call(1, 0, mtproto.Once), 1)
		if err := w.cluster.StopDC(int(home), true); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		queued := p.call(2, 0, mtproto.Once)
		p.Send(Drain{Limit: time.Second, Keep: true})
		if e := p.wait(EventDrained); e.Pending != 0 {
			t.Errorf("%d pending", e.Pending)
		}
		w.wantGivenBack(queued, "not sent")
		if err := w.cluster.StartDC(int(home)); err != nil {
			t.Fatal(err)
		}
	})
}

func TestProbe(t *testing.T) {
	for name, c := range map[string]struct {
		before   func(w *world, p *peer)
		answered bool
		took     time.Duration
	}{
		"of a connection that speaks": {answered: true},
		"of a silent connection": {answered: true, before: func(w *world, p *peer) {
			p.Send(Drain{})
			p.wait(EventDrained)
			time.Sleep(time.Minute) // after 75 s without a ping the server would close
		}},
		"of a key that the DC has forgotten": {before: func(w *world, p *peer) {
			p.Send(Drain{})
			p.wait(EventDrained)
			w.fault(dctest.Fault{Kind: dctest.FaultForgetTemp})
			w.violations = 1
		}},
		"of a socket that was lost": {before: func(w *world, p *peer) {
			p.Send(Drain{})
			p.wait(EventDrained)
			w.fault(dctest.Fault{Kind: dctest.FaultCloseConns})
			synctest.Wait()
		}},
		"of a DC that does not answer": {took: 10 * time.Second, before: func(w *world, p *peer) {
			p.Send(Drain{})
			p.wait(EventDrained)
			w.fault(dctest.Fault{Kind: dctest.FaultDrop, For: dctest.Duration(time.Minute)})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(w *world) {
				p := w.spawn()
				p.Send(Probe{Limit: time.Minute})
				if e := p.wait(EventProbed); e.Answered {
					t.Error("answered without a session")
				}
				perm := p.makeKey(false)
				temp := p.makeKey(true)
				p.Send(Run{Key: temp.Key, Session: w.sessionConfig(temp), Bind: &Bind{perm.Key, temp.ExpiresAt}})
				p.wait(EventBound)
				w.wantEcho(p.call(1, 0, mtproto.Once), 1)
				if c.before != nil {
					c.before(w, p)
				}
				begun := time.Now()
				p.Send(Probe{Limit: 10 * time.Second})
				if c.before != nil {
					if e, took := p.timed(EventSilent); e.Last == 0 || took != 0 {
						t.Errorf("it says after %v that it is silent behind %x", took, e.Last)
					}
				}
				e := p.wait(EventProbed)
				if took := time.Since(begun).Round(time.Second); e.Answered != c.answered || took != c.took {
					t.Errorf("answered %v after %v", e.Answered, took)
				}
				_, before := w.dials.counts()
				time.Sleep(30 * time.Second)
				if _, after := w.dials.counts(); after != before && name != "of a connection that speaks" {
					t.Errorf("%d bytes sent after the probe", after-before)
				}
				if kinds := p.seen(); slices.Contains(kinds, EventProbed) || slices.Contains(kinds, EventSilent) {
					t.Errorf("told twice: %v", kinds)
				}
			})
		})
	}
}

// Who learns the time learns it before the answers of the same packet.
func TestTheClockComesFirst(t *testing.T) {
	run(t, func(w *world) {
		p := w.spawn()
		perm := p.makeKey(false)
		cfg := w.sessionConfig(perm)
		cfg.Perm, cfg.TimeOffset, cfg.OffsetKnown = true, 0, false
		p.Send(Run{Key: perm.Key, Session: cfg})
		if e := p.wait(EventClock); e.Offset.Abs() > 2*time.Second {
			t.Errorf("an offset of %v", e.Offset)
		}
		p.seen()
		w.wantEcho(p.call(1, 0, mtproto.Once), 1)
		w.fault(dctest.Fault{Kind: dctest.FaultCloseConns})
		p.wait(EventUp)
		p.wait(EventClock)
		if kinds := p.seen(); slices.Contains(kinds, EventClock) {
			t.Errorf("the clock did not move and was told again: %v", kinds)
		}
	})
}
