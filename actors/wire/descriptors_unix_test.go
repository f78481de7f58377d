//go:build unix

package wire

import (
	"crypto/rand"
	"errors"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// TestAProcessWithoutDescriptors dials in a process of its own until there are
// none left, with no bound but the system's.
func TestAProcessWithoutDescriptors(t *testing.T) {
	const inside = "MTFLEET_TEST_FEW_DESCRIPTORS"
	if os.Getenv(inside) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestAProcessWithoutDescriptors$", "-test.v")
		cmd.Env = append(os.Environ(), inside+"=1")
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "--- PASS") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	const most = 64
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: most, Max: most}); err != nil {
		t.Skipf("the limit cannot be lowered: %v", err)
	}
	if limit, ok := DescriptorLimit(); !ok || limit != most {
		t.Errorf("the limit is %d, %v", limit, ok)
	}
	told := 0
	w := New(Config{Rand: rand.Reader, Dialer: &net.Dialer{}, OnShortage: func(*DescriptorError) { told++ }})
	to := targets(l.Addr().String())
	var conns []*Conn
	for {
		conn, err := w.dial(t.Context(), to, 2, nil)
		if err == nil {
			conns = append(conns, conn)
			continue
		}
		var short *DescriptorError
		if !errors.As(err, &short) || !errors.Is(err, syscall.EMFILE) || short.Limit != most || short.Sockets != len(conns) {
			t.Errorf("connection %d: %+v, %v", len(conns), short, err)
		}
		t.Log(err)
		break
	}
	if len(conns) == 0 || told != 1 {
		t.Errorf("%d connections, told %d times", len(conns), told)
	}
	conns[0].Close()
	if conns[0], err = w.dial(t.Context(), to, 2, nil); err != nil {
		t.Errorf("with a descriptor again: %v", err)
	}
	for _, conn := range conns {
		conn.Close()
	}
}
