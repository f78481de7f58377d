package wire

import (
	"crypto/rand"
	"net"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mtfleet/mtfleet/actors/wire/proxytest"
	"github.com/mtfleet/mtfleet/mtproto/proxy"
)

// A path that is gone is noticed by the kernel, directly and through a proxy.
func TestSocketsEndWhereNothingIsAcknowledged(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p, err := proxytest.Connect("", "")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	_, web := webCluster(t, false, "wss")
	for name, v := range map[string]struct {
		via *proxy.Via
		web *WebSocket
	}{"directly": {}, "through a proxy": {via: &proxy.Via{Server: mustParse(t, p.URL())}}, "in a WebSocket": {web: web}} {
		conn, err := New(Config{Rand: rand.Reader, WebSocket: v.web}).dial(t.Context(), targets(l.Addr().String()), 2, v.via)
		if err != nil {
			t.Fatal(err)
		}
		socket := conn.socket
		if v.web != nil {
			socket = socket.(*webSocket).Conn
		}
		raw, err := socket.(*net.TCPConn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		_ = raw.Control(func(fd uintptr) {
			for option, want := range map[int]int{
				unix.TCP_USER_TIMEOUT: 30_000, unix.TCP_KEEPIDLE: 75, unix.TCP_KEEPINTVL: 10, unix.TCP_KEEPCNT: 3,
			} {
				if got, err := unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, option); got != want || err != nil {
					t.Errorf("%s: option %d is %d, want %d: %v", name, option, got, want, err)
				}
			}
			if on, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_KEEPALIVE); on == 0 || err != nil {
				t.Errorf("%s: no keep-alives, %v", name, err)
			}
		})
		conn.Close()
	}
}
