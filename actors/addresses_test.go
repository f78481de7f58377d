package actors_test

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/wire"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/persistence"
)

// router is a dialer to a cluster whose own addresses do not exist: others lead to
// it, as through forwarded ports.
type router struct {
	wire.Dialer
	mu      sync.Mutex
	to      map[string]string
	astray  int  // dials to addresses that lead nowhere
	swallow bool // which do not answer; else they refuse
}

func (r *router) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	r.mu.Lock()
	to, known := r.to[addr]
	if !known {
		r.astray++
	}
	swallow := r.swallow
	r.mu.Unlock()
	switch {
	case known:
		return r.Dialer.DialContext(ctx, network, to)
	case swallow:
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.EHOSTUNREACH}
}

func (r *router) strays() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.astray
}

// move makes the cluster reachable at addresses of another host alone.
func (r *router) move(o *actors.Options, host string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.to = map[string]string{}
	for i := range o.DCs.Options {
		inside := o.DCs.Options[i].Addr
		outside := netip.AddrPortFrom(netip.MustParseAddr(host), inside.Port())
		r.to[outside.String()] = inside.String()
		o.DCs.Options[i].Addr = outside
	}
}

// TestTheConfiguredAddressIsNotForgotten: the server names addresses that lead
// nowhere from here. The account comes back by those that were configured, again
// and again, and does not try the others first.
func TestTheConfiguredAddressIsNotForgotten(t *testing.T) {
	for _, tc := range []struct {
		name, host string
		swallow    bool
	}{
		{"forwarded ports, the others refuse", "127.0.0.9", false},
		{"forwarded ports, the others do not answer", "127.0.0.9", true},
		{"IPv6, where the server knows of IPv4 alone", "::1", false},
		{"IPv6, and IPv4 leads into nothing", "::1", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s, store := cluster(t, small), persistence.NewMemory()
				o := options(s, store)
				r := &router{Dialer: o.Wire.Dialer, swallow: tc.swallow}
				o.Wire.Dialer = r
				r.move(&o, tc.host)
				m := open(t, o)
				b := s.Descriptor().Bots[0]
				a := signInBot(t, m, "robot", b, actors.AccountOptions{})
				wait(t, a, actors.Online)
				for range 3 {
					time.Sleep(2 * time.Hour) // help.getConfig is asked once an hour
					call(t, a)
					before := r.strays()
					inject(t, s, dctest.Fault{Kind: dctest.FaultCloseConns})
					time.Sleep(10 * time.Second)
					if st := a.Status(); st.State != actors.Online || !st.Bound {
						t.Fatalf("the account is %v: %s", st.State, st.Why)
					}
					if n := r.strays() - before; n > 0 {
						t.Errorf("%d dials to addresses that lead nowhere", n)
					}
				}
				// A DC that was never seen is found too.
				call(t, a, actors.OnDC(dcID(b.DC%2+1)))
				verdict(t, s, store)
			})
		})
	}
}

// TestTheServersAddressesAreUsed: what was configured leads nowhere any more, and
// the server has named others since.
func TestTheServersAddressesAreUsed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		o := options(s, store)
		r := &router{Dialer: o.Wire.Dialer}
		o.Wire.Dialer = r
		r.move(&o, "127.0.0.9")
		m := open(t, o)
		a := signInBot(t, m, "robot", s.Descriptor().Bots[0], actors.AccountOptions{})
		wait(t, a, actors.Online)
		time.Sleep(time.Minute)
		r.mu.Lock()
		inside := map[string]string{}
		for _, to := range r.to {
			inside[to] = to
		}
		r.to = inside
		r.mu.Unlock()
		inject(t, s, dctest.Fault{Kind: dctest.FaultCloseConns})
		time.Sleep(time.Minute)
		if st := a.Status(); st.State != actors.Online || !st.Bound {
			t.Errorf("the account is %v: %s", st.State, st.Why)
		}
	})
}

// TestAShortageOfDescriptorsIsNamed: it is said once in the log, in the account's
// status for as long as it lasts, and is over by itself.
func TestAShortageOfDescriptorsIsNamed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		o := options(s, store)
		var log syncBuffer
		o.Logger = log.logger()
		d := &exhausted{Dialer: o.Wire.Dialer}
		o.Wire.Dialer = d
		m := open(t, o)
		a := signInBot(t, m, "robot", s.Descriptor().Bots[0], actors.AccountOptions{})
		wait(t, a, actors.Online)
		time.Sleep(time.Minute)
		d.set(true)
		inject(t, s, dctest.Fault{Kind: dctest.FaultCloseConns})
		time.Sleep(30 * time.Minute)
		if n := strings.Count(log.String(), "for want of file descriptors"); n != 1 {
			t.Errorf("said %d times in the log", n)
		}
		if st := a.Status(); st.State != actors.Connecting || !strings.Contains(st.Why, "ulimit -n") {
			t.Errorf("the account is %v: %s", st.State, st.Why)
		}
		census, err := m.Governor(soon(t))
		if err != nil {
			t.Fatal(err)
		}
		for _, dc := range census {
			if !dc.Up {
				t.Errorf("it is taken for the DC's: %+v", dc)
			}
		}
		d.set(false)
		time.Sleep(17 * time.Second)
		call(t, a)
		if st := a.Status(); st.State != actors.Online {
			t.Errorf("the account is %v: %s", st.State, st.Why)
		}
	})
}

// exhausted is a dialer that has no file descriptor for a while.
type exhausted struct {
	wire.Dialer
	mu  sync.Mutex
	now bool
}

func (d *exhausted) set(now bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now = now
}

func (d *exhausted) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	d.mu.Lock()
	now := d.now
	d.mu.Unlock()
	if now {
		return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.EMFILE}
	}
	return d.Dialer.DialContext(ctx, network, addr)
}
