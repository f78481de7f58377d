package wire

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dc"
)

// TestBothFamilies dials DCs with addresses of both, from machines that can use
// one of them or both.
func TestBothFamilies(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	noWay := &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ENETUNREACH}
	const never = time.Hour
	for _, tc := range []struct {
		name  string
		to    []string
		fails func(addr string) error
		takes func(addr string) time.Duration
		want  string // the address that wins; empty: none
		after time.Duration
		miss  dc.Families
	}{
		{"both work: the first one", []string{"192.0.2.1:443", "[2001:db8::1]:443"}, nil, nil, "192.0.2.1:443", 0, 0},
		{
			"IPv4 leads into nothing: IPv6 a head start later", []string{"192.0.2.1:443", "[2001:db8::1]:443"}, nil,
			func(a string) time.Duration { return map[bool]time.Duration{true: never}[a[0] != '['] },
			"[2001:db8::1]:443", 300 * time.Millisecond, 0, // it was outrun, and may have been slow
		},
		{
			"there is no IPv6 here: that costs no time and none of the three tries",
			[]string{"[2001:db8::1]:443", "[2001:db8::2]:443", "[2001:db8::3]:443", "[2001:db8::4]:443", "192.0.2.1:443"},
			func(a string) error {
				if a[0] == '[' {
					return noWay
				}
				return nil
			}, nil, "192.0.2.1:443", 0, 0,
		},
		{
			"there is no IPv4 here", []string{"192.0.2.1:443", "192.0.2.2:443", "192.0.2.3:443", "192.0.2.4:443", "[2001:db8::1]:443"},
			func(a string) error {
				if a[0] != '[' {
					return noWay
				}
				return nil
			}, nil, "[2001:db8::1]:443", 0, 0,
		},
		{
			"three refusals are three tries", []string{"192.0.2.1:443", "192.0.2.2:443", "192.0.2.3:443", "[2001:db8::1]:443"},
			func(a string) error { return refused }, nil, "", 0, dc.IPv4,
		},
		{
			"there is no network here", []string{"192.0.2.1:443", "[2001:db8::1]:443"},
			func(a string) error { return noWay }, nil, "", 0, 0,
		},
		{
			"IPv6 refuses, then IPv4 answers", []string{"[2001:db8::1]:443", "192.0.2.1:443"},
			func(a string) error {
				if a[0] == '[' {
					return refused
				}
				return nil
			}, nil, "192.0.2.1:443", 0, dc.IPv6,
		},
		{
			"nobody answers in time", []string{"[2001:db8::1]:443", "192.0.2.1:443"}, nil,
			func(string) time.Duration { return never }, "", defaultConnectTimeout, dc.IPv4 | dc.IPv6,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &pipeDialer{fail: tc.fails, delay: tc.takes}
				w := New(Config{Rand: rand.Reader, Dialer: d})
				begun := time.Now()
				conn, err := w.dial(t.Context(), targets(tc.to...), 2, nil)
				if took := time.Since(begun); took != tc.after {
					t.Errorf("it took %v, want %v", took, tc.after)
				}
				var failed *DialError
				switch {
				case tc.want == "" && !errors.As(err, &failed):
					t.Errorf("the dial ended with %v", err)
				case tc.want == "" && strings.Contains(tc.name, "three") && d.count() != 3:
					t.Errorf("%d tries", d.count())
				case tc.want != "" && err != nil:
					t.Fatal(err)
				case tc.want != "" && conn.Dialed().Addr.String() != tc.want:
					t.Errorf("%v won", conn.Dialed().Addr)
				}
				missed := dc.Families(0)
				if conn != nil {
					missed = conn.Missed()
				} else if failed != nil {
					missed = failed.Missed()
				}
				if missed != tc.miss {
					t.Errorf("the families that failed are %b, want %b", missed, tc.miss)
				}
				if conn != nil {
					conn.Close()
				}
				synctest.Wait()                   // what was given up has to end first
				if n := w.sockets.Load(); n > 1 { // one that hangs is given up below
					t.Errorf("%d sockets are counted and none is there", n)
				}
				time.Sleep(2 * never)
				if n := w.sockets.Load(); n != 0 {
					t.Errorf("%d sockets are counted in the end", n)
				}
			})
		})
	}
}

// TestIPv6OnLoopback dials a real socket.
func TestIPv6OnLoopback(t *testing.T) {
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skipf("this machine has no IPv6 on its loopback: %v", err)
	}
	defer l.Close()
	go func() {
		for {
			s, err := l.Accept()
			if err != nil {
				return
			}
			go echo(t, s)
		}
	}()
	silent, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = silent.Close() // its address refuses
	to := targets(silent.Addr().String(), l.Addr().String())
	conn, err := New(Config{Rand: rand.Reader, RequireLoopback: true}).dial(t.Context(), to, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := newSink()
	conn.Start(s)
	if err := conn.Send(packet(100, 'x')); err != nil {
		t.Fatal(err)
	}
	if p := <-s.packets; len(p) != 100 {
		t.Errorf("%d bytes came back", len(p))
	}
	if !conn.Dialed().Addr.Addr().Is6() {
		t.Errorf("it leads to %v", conn.Dialed().Addr)
	}
	conn.Close()
	<-s.closed
}

// TestATargetThatIsNoLoopback: IPv6 is no way around the promise of a load.
func TestATargetThatIsNoLoopback(t *testing.T) {
	d := &pipeDialer{}
	for _, addr := range []string{"[2001:db8::1]:443", "[::ffff:192.0.2.1]:443", "[fe80::1]:443"} {
		_, err := New(Config{Rand: rand.Reader, Dialer: d, RequireLoopback: true}).dial(context.Background(),
			[]dc.Target{{Addr: netip.MustParseAddrPort(addr)}}, 2, nil)
		var no *NotLoopbackError
		if !errors.As(err, &no) {
			t.Errorf("%s: %v", addr, err)
		}
	}
	if d.count() != 0 {
		t.Error(fmt.Sprint(d.dials, " were dialled"))
	}
}
