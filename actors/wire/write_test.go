package wire

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/transport"
)

// dialled returns a connection over TCP and its other end.
func dialled(t *testing.T, cfg Config) (*Conn, net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	cfg.Rand, cfg.RequireLoopback, cfg.Kind = rand.Reader, true, transport.Intermediate
	conn, err := New(cfg).dial(t.Context(), targets(l.Addr().String()), 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = far.Close(); conn.Close() })
	return conn, far
}

// idle reports whether the connection has no writer and no buffer.
func (c *Conn) idle() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.writing && c.out == nil && c.leaving == 0
}

func TestASocketThatIsFreeIsWrittenToAtOnce(t *testing.T) {
	conn, far := dialled(t, Config{})
	if plainTCP(conn.socket) == nil {
		t.Skip("here every write may wait")
	}
	size := 4 // the preamble
	for i := range 10 {
		if err := conn.Send(packet(40+16*i, byte(i))); err != nil {
			t.Fatal(err)
		}
		if !conn.idle() {
			t.Fatalf("packet %d waits for a writer", i)
		}
		size += 4 + 40 + 16*i
	}
	if _, err := io.ReadFull(far, make([]byte, size)); err != nil {
		t.Error(err)
	}
}

// The other end takes nothing at first: what it has no room for is queued behind
// what it has.
func TestWhatASocketDoesNotTakeGoesInOrder(t *testing.T) {
	conn, far := dialled(t, Config{QueueLimit: 64 << 20})
	const packets, size = 200, 40 << 10
	for i := range packets {
		if err := conn.Send(packet(size, byte(i))); err != nil {
			t.Fatal(err)
		}
	}
	if conn.idle() && plainTCP(conn.socket) != nil {
		t.Error("the socket took everything: the test shows nothing")
	}
	got := make([]byte, 4)
	if _, err := io.ReadFull(far, got); err != nil {
		t.Fatal(err)
	}
	for i := range packets {
		got = make([]byte, 4+size)
		if _, err := io.ReadFull(far, got); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got[4:], packet(size, byte(i))) {
			t.Fatalf("packet %d came in another's place", i)
		}
	}
	for deadline := time.Now().Add(time.Minute); !conn.idle(); {
		if time.Now().After(deadline) {
			t.Fatal("the writer does not end")
		}
		time.Sleep(time.Millisecond)
	}
}

func TestAWritersDeadlineDoesNotRefuseWhatFollows(t *testing.T) {
	conn, far := dialled(t, Config{})
	_ = conn.socket.SetWriteDeadline(time.Unix(1, 0)) // as if a writer had set it long ago
	conn.writing = true
	conn.write()
	if err := conn.Send(packet(40, 1)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(far, make([]byte, 4+4+40)); err != nil {
		t.Error(err)
	}
}

func TestTheFenceIsAskedBeforeEachWrite(t *testing.T) {
	var lost error
	conn, far := dialled(t, Config{Fence: func() error { return lost }})
	h := newSink()
	conn.Start(h)
	if err := conn.Send(packet(40, 1)); err != nil {
		t.Fatal(err)
	}
	lost = errors.New("lease lost")
	_ = conn.Send(packet(40, 2)) // who has a writer hears of it by Closed
	var fenced *FencedError
	if err := <-h.closed; !errors.As(err, &fenced) || !errors.Is(err, lost) {
		t.Errorf("closed with %v", err)
	}
	if all, _ := io.ReadAll(far); len(all) != 4+4+40 {
		t.Errorf("%d bytes were written, want those of the first packet", len(all))
	}
}

// server is a sink that has Serve.
type server struct {
	*sink
	served chan []byte
}

func (s server) Serve(p []byte) { s.served <- p }

func TestABusyConnectionsPacketsAreServedByItsReader(t *testing.T) {
	for name, serves := range map[string]bool{"a handler with Serve": true, "a handler without": false} {
		t.Run(name, func(t *testing.T) {
			conn, far := dialled(t, Config{})
			go echo(t, far)
			h := server{newSink(), make(chan []byte, 10)}
			if serves {
				conn.Start(h)
			} else {
				conn.Start(h.sink)
			}
			for i := range 3 {
				if err := conn.Send(packet(40, byte(i))); err != nil {
					t.Fatal(err)
				}
				select {
				case <-h.packets:
					if serves && i > 0 {
						t.Errorf("packet %d, soon after another, is not served", i)
					}
				case <-h.served:
					if i == 0 {
						t.Error("the first packet of an idle connection is served")
					}
				}
				conn.Release(40)
			}
		})
	}
}
