package dcconn

import (
	"context"
	"crypto/rand"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/actors/wire"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
)

func TestTheOrderOfAddresses(t *testing.T) {
	target := func(s string) dc.Target { return dc.Target{Addr: netip.MustParseAddrPort(s)} }
	const a, b, c, six, gone = "10.0.0.1:443", "10.0.0.2:443", "10.0.0.3:443", "[fd00::1]:443", "10.9.9.9:443"
	table := []dc.Target{target(a), target(b), target(c), target(six)}
	at := addressesOf{dc: 2}
	for _, tc := range []struct {
		name string
		play func(x *addresses)
		skip uint32
		want []string
	}{
		{"nothing is known", func(*addresses) {}, 0, []string{a, six, b, c}},
		{"who proves a key begins elsewhere each time", func(*addresses) {}, 1, []string{six, b, c, a}},
		{"what worked is first", func(x *addresses) { x.proved(at, target(b)) }, 0, []string{b, six, a, c}},
		{"and its family", func(x *addresses) { x.proved(at, target(six)) }, 0, []string{six, a, b, c}},
		{"what worked last", func(x *addresses) { x.proved(at, target(b)); x.proved(at, target(c)) }, 0, []string{c, six, a, b}},
		{"after a dial that failed the next one is", func(x *addresses) { x.fail(at) }, 0, []string{six, b, c, a}},
		{"each is first in its turn", func(x *addresses) {
			for range 7 {
				x.fail(at)
			}
		}, 0, []string{c, a, six, b}},
		{"what worked is not forgotten by that", func(x *addresses) {
			x.proved(at, target(b))
			for range 4 {
				x.fail(at)
			}
		}, 0, []string{b, six, a, c}},
		{"nor with the table", func(x *addresses) { x.proved(at, target(gone)) }, 0, []string{gone, six, a, b, c}},
		{"another DC's say nothing", func(x *addresses) { x.proved(addressesOf{dc: 4}, target(b)); x.fail(addressesOf{dc: 4}) }, 0, []string{a, six, b, c}},
		{"nor those for media", func(x *addresses) { x.proved(addressesOf{dc: 2, media: true}, target(b)) }, 0, []string{a, six, b, c}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var x addresses
			tc.play(&x)
			var got []string
			for _, target := range x.order(at, table, tc.skip) {
				got = append(got, target.Addr.String())
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("%v\nwant %v", got, tc.want)
			}
		})
	}
	if got := (&addresses{}).order(at, nil, 3); len(got) != 0 {
		t.Errorf("of no addresses %v are tried", got)
	}
}

// crossroads is a dialer at which some addresses lead nowhere.
type crossroads struct {
	wire.Dialer
	to   map[string]string // the way of those that lead somewhere
	fail error             // nil: the others do not answer

	mu      sync.Mutex
	dialled []string
}

func (d *crossroads) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	d.mu.Lock()
	d.dialled = append(d.dialled, addr)
	way, fail := d.to[addr], d.fail
	d.mu.Unlock()
	switch {
	case way != "":
		return d.Dialer.DialContext(ctx, network, way)
	case fail == nil:
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return nil, fail
}

// take returns what was dialled since it was asked last.
func (d *crossroads) take() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := d.dialled
	d.dialled = nil
	return all
}

// dial has the home DC found at other addresses, through d.
func (w *world) dial(d wire.Dialer, options []dc.Option) {
	w.network = wire.New(wire.Config{Dialer: d, Rand: rand.Reader})
	w.env.Network = w.network
	w.env.Table = func() dc.Table { return dc.Table{Options: options} }
}

// TestADCIsFoundWhereverItIs gives a DC a list of addresses of which one leads to
// it: that one is found, and from then on it is the first.
func TestADCIsFoundWhereverItIs(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	for _, tc := range []struct {
		name  string
		addrs string
		right string
		fail  error
	}{
		{"the first", "10.0.0.1:443 10.0.0.2:443", "10.0.0.1:443", refused},
		{"the last of seven, all others refuse", "10.0.0.1:1 10.0.0.2:1 10.0.0.3:1 10.0.0.4:1 10.0.0.5:1 10.0.0.6:1 10.0.0.7:1", "10.0.0.7:1", refused},
		{"the last of five, nobody answers", "10.0.0.1:1 10.0.0.2:1 10.0.0.3:1 10.0.0.4:1 10.0.0.5:1", "10.0.0.5:1", nil},
		{"the one of IPv6", "10.0.0.1:1 10.0.0.2:1 10.0.0.3:1 [fd00::1]:1", "[fd00::1]:1", nil},
		{"the one of IPv4", "[fd00::1]:1 [fd00::2]:1 [fd00::3]:1 10.0.0.1:1", "10.0.0.1:1", refused},
		{"IPv6 alone", "[fd00::1]:1", "[fd00::1]:1", refused},
		{"at another port", "10.0.0.1:443", "10.0.0.1:5222", refused},
	} {
		t.Run(tc.name, func(t *testing.T) {
			run(t, func(w *world) {
				way := w.env.Table().Select(dc.Want{DC: home})[0].Addr.String()
				var options []dc.Option
				for addr := range strings.FieldsSeq(tc.addrs) {
					options = append(options, dc.Option{DC: home, Addr: netip.MustParseAddrPort(addr), ThisPortOnly: !strings.HasSuffix(addr, ":443")})
				}
				d := &crossroads{Dialer: w.dials, to: map[string]string{tc.right: way}, fail: tc.fail}
				w.dial(d, options)
				p := w.spawn()
				p.wait(EventUp)
				p.runPerm()
				if took := time.Since(w.start); took > 2*time.Minute {
					t.Errorf("found after %v", took)
				}
				time.Sleep(healthy)
				d.take()
				w.fault(dctest.Fault{Kind: dctest.FaultCloseConns})
				p.wait(EventDown)
				p.wait(EventUp)
				other := w.spawn()
				other.wait(EventUp)
				for _, addr := range d.take() {
					if addr != tc.right {
						t.Errorf("it worked at %s, and %s was dialled", tc.right, addr)
					}
				}
			})
		})
	}
}

// TestAShortageOfThisMachineIsNoFaultOfTheDC: without a file descriptor nobody is
// connected, and no DC is taken for down.
func TestAShortageOfThisMachineIsNoFaultOfTheDC(t *testing.T) {
	run(t, func(w *world) {
		way := w.env.Table().Select(dc.Want{DC: home})[0].Addr.String()
		d := &crossroads{Dialer: w.dials, to: map[string]string{}, fail: &net.OpError{Op: "dial", Net: "tcp", Err: syscall.EMFILE}}
		w.dial(d, []dc.Option{{DC: home, Addr: netip.MustParseAddrPort("10.0.0.1:1"), ThisPortOnly: true}})
		var all []*peer
		for range 20 {
			all = append(all, w.spawn())
		}
		time.Sleep(10 * time.Minute)
		// One connection tries every 16 s at most: twenty make 750 dials, and some more in the beginning.
		if n := len(d.take()); n < 20 || n > 2500 {
			t.Errorf("%d dials in ten minutes", n)
		}
		census, err := runtime.Ask(context.Background(), w.gov, func(r runtime.Reply[[]governor.DCStatus]) governor.Message {
			return governor.Census{Reply: r}
		})
		if err != nil || len(census) != 1 || !census[0].Up || !census[0].Since.IsZero() {
			t.Errorf("the DC is taken for down: %+v, %v", census, err)
		}
		d.mu.Lock()
		d.to["10.0.0.1:1"] = way
		d.mu.Unlock()
		begun := time.Now()
		for _, p := range all {
			p.wait(EventUp)
		}
		if took := time.Since(begun); took > 17*time.Second {
			t.Errorf("back after %v", took)
		}
	})
}
