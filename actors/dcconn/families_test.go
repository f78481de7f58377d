package dcconn

import (
	"context"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
)

const four, six = governor.Families(1), governor.Families(2)

// TestTheGovernorHearsWhichFamilyAnswers: first IPv6 refuses and IPv4 answers, then
// it is the other way round, then nothing does.
func TestTheGovernorHearsWhichFamilyAnswers(t *testing.T) {
	run(t, func(w *world) {
		way := w.env.Table().Select(dc.Want{DC: home})[0].Addr.String()
		const v4, v6 = "10.0.0.1:1", "[fd00::1]:1"
		d := &crossroads{Dialer: w.dials, to: map[string]string{v4: way}, fail: &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}}
		w.dial(d, []dc.Option{
			{DC: home, Addr: netip.MustParseAddrPort(v6), ThisPortOnly: true}, {DC: home, Addr: netip.MustParseAddrPort(v4), ThisPortOnly: true},
		})
		leads := func(to map[string]string) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.to = to
		}
		status := func() governor.DCStatus {
			t.Helper()
			census, err := runtime.Ask(context.Background(), w.gov, func(r runtime.Reply[[]governor.DCStatus]) governor.Message {
				return governor.Census{Reply: r}
			})
			if err != nil || len(census) != 1 {
				t.Fatal(census, err)
			}
			return census[0]
		}
		tried := func() governor.Tried { t.Helper(); return status().Tried }
		// known tells by which families a ping was answered, and how many connections each lost.
		known := func() (by governor.Families, lost [2]uint64) {
			for i, trips := range status().Trips {
				if !trips.At.IsZero() && trips.Latest >= 0 && trips.Smoothed <= time.Second {
					by |= governor.Families(i + 1)
				}
				lost[i] = trips.Lost
			}
			return by, lost
		}
		p := w.spawn()
		p.wait(EventUp)
		p.runPerm()
		time.Sleep(healthy)
		if got := tried(); got.Reached != four || got.Missed != 0 && got.Missed != six { // the order of the first dial is drawn
			t.Errorf("IPv4 alone answers, and it heard %+v", got)
		}
		if by, lost := known(); by != four || lost != [2]uint64{} {
			t.Errorf("pings went by %d, and %v connections were lost", by, lost)
		}
		leads(map[string]string{v6: way})
		w.fault(dctest.Fault{Kind: dctest.FaultCloseConns})
		p.wait(EventDown)
		p.wait(EventUp)
		time.Sleep(healthy)
		if got := tried(); got != (governor.Tried{Reached: six, Missed: four}) {
			t.Errorf("IPv6 alone answers, and it heard %+v", got)
		}
		if by, lost := known(); by != four|six || lost != [2]uint64{1, 0} {
			t.Errorf("pings went by %d, and %v connections were lost", by, lost)
		}
		leads(nil)
		w.fault(dctest.Fault{Kind: dctest.FaultCloseConns})
		p.wait(EventDown)
		time.Sleep(time.Minute)
		if got := tried(); got != (governor.Tried{Missed: four | six}) {
			t.Errorf("nothing answers, and it heard %+v", got)
		}
		if _, lost := known(); lost != [2]uint64{1, 1} { // a dial that failed is not one
			t.Errorf("%v connections were lost", lost)
		}
	})
}

func TestWhatASocketsEndSaysOfFamilies(t *testing.T) {
	n := &conn{tried: governor.Tried{Reached: four, Missed: six}}
	for outcome, want := range map[governor.Outcome]governor.Tried{
		governor.Worked:   {Reached: four, Missed: six},
		governor.Answered: {Reached: four, Missed: six},
		governor.Flooded:  {Reached: four, Missed: six}, // it did answer
		governor.Failed:   {Missed: four | six},         // it was closed before the DC said anything
		governor.Unknown:  {Missed: six},
	} {
		if got := n.families(outcome); got != want {
			t.Errorf("%d: %+v, want %+v", outcome, got, want)
		}
	}
}
