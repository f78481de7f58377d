package dcconn

import (
	"errors"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
)

func TestWhatWasNotSentCanBeRecalled(t *testing.T) {
	run(t, func(w *world) {
		p := w.spawn()
		p.runPerm()
		sent := p.call(1, 5*time.Second, mtproto.Once)
		p.seen()
		w.fault(dctest.Fault{Kind: dctest.FaultRefuse, For: dctest.Duration(time.Minute)})
		w.fault(dctest.Fault{Kind: dctest.FaultCloseConns})
		p.wait(EventDown)
		waiting := make(chan error, 2)
		for i, method := range []string{"testdc.echo", "another"} {
			p.Send(Call{ID: mtproto.QueryID(100 + i), Method: method, Body: []byte{1, 2, 3, 4}, Reply: func(_ []byte, err error) { waiting <- err }})
		}
		p.Send(Recall{Method: "testdc.echo"})
		err := <-waiting
		if !errors.Is(err, mtproto.ErrClosed) || !errors.Is(err, mtproto.ErrNotSent) {
			t.Errorf("what waited was recalled with %v", err)
		}
		p.seen()
		if len(waiting) != 0 {
			t.Error("a call of another method was recalled")
		}
		p.Send(Recall{}) // of every method
		if err := <-waiting; !errors.Is(err, mtproto.ErrClosed) || !errors.Is(err, mtproto.ErrNotSent) {
			t.Errorf("what waited was recalled with all else with %v", err)
		}
		w.wantEcho(sent, 1) // what was sent is not recalled
	})
}

func TestAPollTellsForHowLongNothingWasPending(t *testing.T) {
	run(t, func(w *world) {
		p := w.spawn()
		p.runPerm()
		answer := p.call(1, 5*time.Second, mtproto.Once)
		p.Send(Poll{})
		if ev := p.wait(EventPolled); ev.Pending != 1 {
			t.Errorf("with a call under way it says %+v", ev)
		}
		w.wantEcho(answer, 1)
		time.Sleep(3 * time.Minute)
		p.Send(Poll{})
		if ev := p.wait(EventPolled); ev.Pending != 0 || ev.Quiet != 3*time.Minute {
			t.Errorf("three minutes after the answer it says %v pending, quiet for %v", ev.Pending, ev.Quiet)
		}
	})
}

// witness notes what the governor is told of sockets.
type witness struct{ told chan governor.Message }

func (witness) Started(*runtime.Context[governor.Message])  {}
func (witness) Stopping(*runtime.Context[governor.Message]) {}

func (g witness) Receive(_ *runtime.Context[governor.Message], m governor.Message) {
	if want, ok := m.(governor.Want); ok && want.Ticket.Active {
		want.Ticket.Granted()
		return
	}
	g.told <- m
}

func TestTheGovernorLearnsWhoGetsAnswersAndWhoWaits(t *testing.T) {
	run(t, func(w *world) {
		g := witness{make(chan governor.Message, 100)}
		w.env.Governor = runtime.SpawnRoot[governor.Message](w.sys, g)
		p := &peer{w: w, events: make(chan Event, 100)}
		p.Ref = runtime.SpawnRoot[Message](w.sys, newConn(w.env, Config{DC: home, Who: 7, Notify: func(e Event) { p.events <- e }}))
		want := (<-g.told).(governor.Want) // nobody waits for it
		p.Send(Hurry{})
		if hurry, ok := (<-g.told).(governor.Hurry); !ok || hurry.Ticket != want.Ticket || want.Ticket.Who != 7 {
			t.Fatal("the governor does not learn that somebody waits")
		}
		want.Ticket.Granted()
		p.runPerm()
		w.wantEcho(p.call(1, 0, mtproto.Once), 1)
		if done, ok := (<-g.told).(governor.Done); !ok || done.Outcome != governor.Worked {
			t.Errorf("of a handshake's answer the governor is told %+v", done)
		}
		if report, ok := (<-g.told).(governor.Report); !ok || report.Outcome != governor.Answered || report.Who != 7 || report.Made.IsZero() {
			t.Errorf("of the first answer under a key the governor is told %+v", report)
		}
		if attend, ok := (<-g.told).(governor.Attend); !ok || attend.Witness.DC != int(home) || attend.Witness.Who != 7 {
			t.Errorf("of a connection that can be asked the governor is told %+v", attend)
		}
		w.wantEcho(p.call(2, 0, mtproto.Once), 2)
		if len(g.told) != 0 {
			t.Errorf("it is told again: %+v", <-g.told)
		}
	})
}

func TestCallsThatWaitInTheMailboxGoTogether(t *testing.T) {
	run(t, func(w *world) {
		p := w.spawn()
		p.runPerm()
		w.wantEcho(p.call(1, 0, mtproto.Once), 1) // with the header
		p.seen()
		_, before := w.dials.counts()
		w.wantEcho(p.call(2, 0, mtproto.Once), 2)
		_, after := w.dials.counts()
		alone := after - before

		busy, gate := make(chan struct{}), make(chan struct{})
		p.Send(Call{ID: 1000, Body: []byte{1}, Reply: func([]byte, error) { // no TL: it ends at once
			close(busy)
			<-gate
		}})
		<-busy
		var all []chan answer
		for i := range int64(10) {
			all = append(all, p.call(10+i, 0, mtproto.Once))
		}
		close(gate)
		for i, ch := range all {
			w.wantEcho(ch, 10+int64(i))
		}
		if _, n := w.dials.counts(); n-after > 7*alone {
			t.Errorf("ten calls took %d bytes, one alone %d", n-after, alone)
		}
	})
}
