package dcconn

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
)

// attended makes a connection that the governor may ask.
func (w *world) attended() (p *peer, told chan governor.Message, witness *governor.Witness) {
	g := granter(make(chan governor.Message, 10_000))
	w.env.Governor = runtime.SpawnRoot[governor.Message](w.sys, g)
	p = &peer{w: w, events: make(chan Event, 10_000)}
	p.Ref = runtime.SpawnRoot[Message](w.sys, newConn(w.env, Config{DC: home, Who: 7, Notify: func(e Event) { p.events <- e }}))
	p.runPerm()
	for {
		if attend, ok := (<-g).(governor.Attend); ok {
			return p, g, attend.Witness
		}
	}
}

// granter grants everything and notes the rest.
type granter chan governor.Message

func (granter) Started(*runtime.Context[governor.Message])  {}
func (granter) Stopping(*runtime.Context[governor.Message]) {}

func (g granter) Receive(_ *runtime.Context[governor.Message], m governor.Message) {
	if want, ok := m.(governor.Want); ok {
		want.Ticket.Granted()
		return
	}
	g <- m
}

// kinds returns what the governor was told, without the outcomes of sockets.
func kinds(told chan governor.Message) (list []string) {
	synctest.Wait()
	for len(told) > 0 {
		switch m := (<-told).(type) {
		case governor.Done, governor.Report:
		case governor.Asked:
			list = append(list, fmt.Sprintf("asked %d", m.Round))
		case governor.Took:
			list = append(list, fmt.Sprintf("took %v", m.Time))
		default:
			list = append(list, fmt.Sprintf("%T", m))
		}
	}
	return list
}

func TestAConnectionThatIsAskedPings(t *testing.T) {
	run(t, func(w *world) {
		_, told, witness := w.attended()
		time.Sleep(10 * time.Second)
		kinds(told)
		w.fault(dctest.Fault{Kind: dctest.FaultDelay, Delay: dctest.Duration(200 * time.Millisecond), Direction: dctest.Out, Count: 1})
		witness.Ask(5)
		if got := fmt.Sprint(kinds(told)); got != "[asked 5]" {
			t.Errorf("asked: %v", got)
		}
		witness.Ask(6) // the ping is out: another one would begin its time anew
		time.Sleep(time.Second)
		if got := fmt.Sprint(kinds(told)); got != "[asked 6 took 200ms]" {
			t.Errorf("answered: %v", got)
		}
	})
}

// Asking closes nothing before its time, and puts nothing off.
func TestAskingKeepsTheLimitsOfASession(t *testing.T) {
	for _, tc := range []struct {
		lasts time.Duration
		lost  bool
	}{{14 * time.Second, false}, {time.Hour, true}} {
		t.Run(tc.lasts.String(), func(t *testing.T) {
			run(t, func(w *world) {
				p, told, witness := w.attended()
				time.Sleep(10 * time.Second)
				kinds(told)
				p.seen()
				w.fault(dctest.Fault{Kind: dctest.FaultStall, For: dctest.Duration(tc.lasts)})
				for range 15 {
					witness.Ask(1)
					time.Sleep(time.Second)
				}
				synctest.Wait()
				lost := false
				for _, k := range p.seen() {
					lost = lost || k == EventDown
				}
				if lost != tc.lost {
					t.Errorf("the socket is lost: %v", lost)
				}
				left := false
				for _, k := range kinds(told) {
					left = left || k == "governor.Leave"
				}
				if left != tc.lost {
					t.Errorf("the governor was told that it cannot be asked: %v", left)
				}
				p.Stop()
				<-p.Done()
			})
		})
	}
}

// Who pauses before the next dial does not pause when the DC is back.
func TestADCThatIsBackIsDialledAtOnce(t *testing.T) {
	run(t, func(w *world) {
		p, _, _ := w.attended()
		w.fault(dctest.Fault{Kind: dctest.FaultRefuse, For: dctest.Duration(5 * time.Minute)})
		w.fault(dctest.Fault{Kind: dctest.FaultCloseConns})
		time.Sleep(2 * time.Minute)
		p.Send(Check{}) // of one without a socket: nothing
		before, _ := w.dials.counts()
		p.Send(Check{Back: true})
		after, _ := w.dials.counts()
		if n := len(after) - len(before); n != 1 {
			t.Errorf("%d dials", n)
		}
		p.Send(Check{Back: true})
		time.Sleep(time.Second)
		if again, _ := w.dials.counts(); len(again) < len(after)+2 {
			t.Errorf("the pauses did not begin anew: %d dials", len(again)-len(after))
		}
		p.Stop()
		<-p.Done()
	})
}
