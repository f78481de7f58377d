package wire

import (
	"crypto/rand"
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestConnectionsAreBoundedByDescriptors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []*DescriptorError
		w := New(Config{
			Rand: rand.Reader, Dialer: &pipeDialer{}, Sockets: 3,
			OnShortage: func(e *DescriptorError) { told = append(told, e) },
		})
		var conns []*Conn
		for range 3 {
			conn, err := w.dial(t.Context(), targets("192.0.2.1:443"), 2, nil)
			if err != nil {
				t.Fatal(err)
			}
			conns = append(conns, conn)
		}
		refused := func() {
			t.Helper()
			_, err := w.dial(t.Context(), targets("192.0.2.1:443", "192.0.2.2:443"), 2, nil)
			var short *DescriptorError
			if !errors.As(err, &short) || short.Sockets != 3 || short.System {
				t.Fatalf("a fourth connection: %v", err)
			}
			var blameless interface{ BlamesNobody() }
			if !errors.As(err, &blameless) {
				t.Error("the DC is blamed for it")
			}
			if text := err.Error(); !strings.Contains(text, "ulimit -n") || strings.Contains(text, "\n") {
				t.Errorf("it says %q", text)
			}
		}
		for range 100 { // one episode, however long
			refused()
			time.Sleep(30 * time.Second)
		}
		if len(told) != 1 {
			t.Errorf("told %d times in one episode", len(told))
		}
		conns[0].Close()
		conn, err := w.dial(t.Context(), targets("192.0.2.1:443"), 2, nil)
		if err != nil {
			t.Fatalf("with room again: %v", err)
		}
		conns[0] = conn
		time.Sleep(2 * time.Minute)
		refused()
		if len(told) != 2 {
			t.Errorf("told %d times in two episodes", len(told))
		}
		for _, conn := range conns {
			conn.Close()
			conn.Close()
		}
		if n := w.sockets.Load(); n != 0 {
			t.Errorf("%d sockets are counted in the end", n)
		}
	})
}

func TestWhoseLimitItIs(t *testing.T) {
	for _, tc := range []struct {
		name   string
		err    error
		system bool
		says   string
	}{
		{"the process's", syscall.EMFILE, false, "ulimit -n"},
		{"the machine's", syscall.ENFILE, true, "fs.file-max"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := &pipeDialer{fail: func(string) error { return &net.OpError{Op: "dial", Net: "tcp", Err: tc.err} }}
			_, err := New(Config{Rand: rand.Reader, Dialer: d}).dial(t.Context(), targets("192.0.2.1:443", "192.0.2.2:443"), 2, nil)
			var short *DescriptorError
			if !errors.As(err, &short) || short.System != tc.system || !errors.Is(err, tc.err) || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%+v: %v", short, err)
			}
			if d.count() != 1 {
				t.Errorf("%d addresses were tried, and there is no socket for any", d.count())
			}
		})
	}
}

func TestWhatIsLeftForOthers(t *testing.T) {
	for _, tc := range []struct{ limit, sockets int }{{16, 1}, {52, 8}, {64, 20}, {100, 50}, {128, 64}, {1024, 960}, {20000, 19936}} {
		if got := SocketsWithin(tc.limit); got != tc.sockets {
			t.Errorf("of %d descriptors %d are for connections, want %d", tc.limit, got, tc.sockets)
		}
	}
	if got := DescriptorsFor(10_000); got != 20_064 {
		t.Errorf("10,000 accounts need %d", got)
	}
}
