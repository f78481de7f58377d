package wire

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	goruntime "runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sink is a Handler that keeps packets and releases them when told to.
type sink struct {
	packets  chan []byte
	closed   chan error
	writable chan struct{}
}

func newSink() *sink {
	return &sink{make(chan []byte, 1000), make(chan error, 2), make(chan struct{}, 1000)}
}

func (s *sink) Packet(p []byte)  { s.packets <- p }
func (s *sink) Closed(err error) { s.closed <- err }
func (s *sink) Writable()        { s.writable <- struct{}{} }

// pipeDialer makes in-memory connections; the other end goes to serve.
type pipeDialer struct {
	serve func(addr string, c net.Conn)
	fail  func(addr string) error
	delay func(addr string) time.Duration

	mu    sync.Mutex
	dials []string
}

func (d *pipeDialer) DialContext(ctx context.Context, _, addr string) (net.Conn, error) {
	d.mu.Lock()
	d.dials = append(d.dials, addr)
	d.mu.Unlock()
	if d.delay != nil {
		select {
		case <-time.After(d.delay(addr)):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if d.fail != nil {
		if err := d.fail(addr); err != nil {
			return nil, err
		}
	}
	c, s := net.Pipe()
	if d.serve == nil {
		go io.Copy(io.Discard, s)
	} else {
		go d.serve(addr, s)
	}
	return c, nil
}

func (d *pipeDialer) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.dials)
}

func targets(addrs ...string) (ts []dc.Target) {
	for _, a := range addrs {
		ts = append(ts, dc.Target{Addr: netip.MustParseAddrPort(a)})
	}
	return ts
}

func packet(n int, mark byte) []byte {
	p := bytes.Repeat([]byte{mark}, n)
	binary.LittleEndian.PutUint64(p, 0x1122334455667788)
	return p
}

// echo serves one connection: it answers each packet with itself.
func echo(t *testing.T, s net.Conn) {
	codec, err := transport.NewServer(transport.ServerConfig{Rand: rand.Reader})
	if err != nil {
		t.Error(err)
		return
	}
	defer s.Close()
	for {
		p, err := codec.ReadPacket(s, nil)
		if err != nil {
			return
		}
		out, err := codec.Encode(nil, p)
		if err != nil {
			t.Error(err)
			return
		}
		if _, err := s.Write(out); err != nil {
			return
		}
	}
}

func TestEchoOverEveryFraming(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
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
	for _, cfg := range []Config{
		{Kind: transport.Abridged}, {Kind: transport.Intermediate}, {Kind: transport.Padded}, {Kind: transport.Full},
		{Kind: transport.Abridged, Obfuscated: true}, {Obfuscated: true}, {Kind: transport.Padded, Obfuscated: true},
	} {
		cfg.Rand, cfg.RequireLoopback = rand.Reader, true
		conn, err := New(cfg).dial(t.Context(), targets(l.Addr().String()), 2, nil)
		if err != nil {
			t.Fatal(err)
		}
		h := newSink()
		conn.Start(h)
		for i := range 50 {
			want := packet(24+16*i*i, byte(i))
			if err := conn.Send(want); err != nil {
				t.Fatal(err)
			}
			got := <-h.packets
			conn.Release(len(got))
			if !bytes.Equal(got, want) {
				t.Fatalf("%v: packet %d came back as %d bytes", cfg.Kind, i, len(got))
			}
		}
		conn.Close()
		conn.Close()
		if err := <-h.closed; !errors.Is(err, ErrClosed) {
			t.Errorf("closed: %v", err)
		}
		if err := conn.Send(packet(40, 1)); !errors.Is(err, ErrClosed) {
			t.Errorf("send after close: %v", err)
		}
	}
}

func TestRaceOfAddresses(t *testing.T) {
	cases := []struct {
		name  string
		dead  string // refuses at once
		slow  string // answers after a minute
		want  string
		after time.Duration
	}{
		{"first answers", "", "", "127.0.0.1:1", 0},
		{"first refuses", "127.0.0.1:1", "", "127.0.0.1:2", 0},
		{"first is silent", "", "127.0.0.1:1", "127.0.0.1:2", 300 * time.Millisecond},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &pipeDialer{
					fail: func(a string) error {
						if a == c.dead {
							return errors.New("refused")
						}
						return nil
					},
					delay: func(a string) time.Duration {
						if a == c.slow {
							return time.Minute
						}
						return 0
					},
				}
				start := time.Now()
				conn, err := New(Config{Dialer: d}).dial(t.Context(), targets("127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"), 2, nil)
				if err != nil {
					t.Fatal(err)
				}
				if got := conn.Target.Addr.String(); got != c.want || time.Since(start) != c.after {
					t.Errorf("%s after %v, want %s after %v", got, time.Since(start), c.want, c.after)
				}
				conn.Close()
			})
		})
	}
}

func TestDialFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &pipeDialer{delay: func(string) time.Duration { return time.Hour }}
		start := time.Now()
		_, err := New(Config{Dialer: d}).dial(t.Context(), targets("127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3", "127.0.0.1:4"), 2, nil)
		var de *DialError
		if !errors.As(err, &de) || !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 8*time.Second || d.count() != 3 {
			t.Errorf("silent addresses: %v after %v, %d dials", err, time.Since(start), d.count())
		}
	})
	d := &pipeDialer{}
	_, err := New(Config{Dialer: d, RequireLoopback: true}).dial(t.Context(), targets("149.154.167.50:443", "10.0.0.1:443"), 2, nil)
	var nl *NotLoopbackError
	if !errors.As(err, &nl) || d.count() != 0 {
		t.Errorf("public address: %v, %d dials", err, d.count())
	}
	if _, err := New(Config{}).dial(t.Context(), nil, 2, nil); !errors.Is(err, ErrNoTarget) {
		t.Errorf("no target: %v", err)
	}
	fenced := errors.New("lease lost")
	_, err = New(Config{Dialer: d, Fence: func() error { return fenced }}).dial(t.Context(), targets("127.0.0.1:1"), 2, nil)
	if !errors.Is(err, fenced) || d.count() != 0 {
		t.Errorf("fenced: %v, %d dials", err, d.count())
	}
}

// open dials one in-memory connection whose server end is returned.
func open(t *testing.T, cfg Config) (*Conn, *sink, net.Conn) {
	t.Helper()
	ends := make(chan net.Conn, 1)
	cfg.Dialer = &pipeDialer{serve: func(_ string, s net.Conn) { ends <- s }}
	conn, err := New(cfg).dial(t.Context(), targets("127.0.0.1:1"), 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	h := newSink()
	conn.Start(h)
	return conn, h, <-ends
}

func TestErrorCode(t *testing.T) {
	_, h, server := open(t, Config{})
	if _, err := server.Write([]byte{4, 0, 0, 0, 0x6c, 0xfe, 0xff, 0xff}); err != nil {
		t.Fatal(err)
	}
	var code *CodeError
	if err := <-h.closed; !errors.As(err, &code) || code.Code != CodeKeyUnknown {
		t.Errorf("closed: %v", err)
	}
	server.Close()
}

func TestFenceSilencesWrites(t *testing.T) {
	var mu sync.Mutex
	var fence error
	lost := errors.New("lease lost")
	conn, h, server := open(t, Config{Fence: func() error { mu.Lock(); defer mu.Unlock(); return fence }})
	mu.Lock()
	fence = lost
	mu.Unlock()
	_ = conn.Send(packet(40, 1))
	n, _ := io.Copy(io.Discard, server)
	if err := <-h.closed; !errors.Is(err, lost) || n != 0 {
		t.Errorf("closed: %v, %d bytes sent", err, n)
	}
	server.Close()
}

// A peer that stops reading is given up: by the queue's bound when we have much
// to say, by the write deadline when little.
func TestPeerThatDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, h, server := open(t, Config{QueueLimit: 4000})
		var err error
		for i := 0; i < 100 && err == nil; i++ {
			err = conn.Send(packet(400, 1))
		}
		var q *QueueError
		if !errors.As(err, &q) {
			t.Errorf("send: %v", err)
		}
		if err := <-h.closed; !errors.As(err, &q) {
			t.Errorf("closed: %v", err)
		}
		server.Close()

		conn, h, server = open(t, Config{})
		start := time.Now()
		if err := conn.Send(packet(400, 1)); err != nil {
			t.Fatal(err)
		}
		var timeout net.Error
		if err := <-h.closed; !errors.As(err, &timeout) || !timeout.Timeout() || time.Since(start) != 15*time.Second {
			t.Errorf("closed: %v after %v", err, time.Since(start))
		}
		server.Close()
	})
}

func TestCreditsPushBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, h, server := open(t, Config{Credits: 4, CreditBytes: 1000})
		codec, err := transport.NewServer(transport.ServerConfig{})
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.Send(packet(40, 0))
		if _, err := codec.ReadPacket(server, nil); err != nil {
			t.Fatal(err)
		}
		go func() {
			for i := range 20 {
				size := 40
				if i == 19 {
					size = 4000 // larger than all credit: delivered alone
				}
				out, _ := codec.Encode(nil, packet(size, byte(i)))
				if _, err := server.Write(out); err != nil {
					return
				}
			}
		}()
		synctest.Wait()
		if n := len(h.packets); n != 4 {
			t.Errorf("%d packets delivered without release, the limit is 4", n)
		}
		for i := range 20 {
			p := <-h.packets
			if p[len(p)-1] != byte(i) {
				t.Errorf("packet %d is %d", i, p[len(p)-1])
			}
			conn.Release(len(p))
			synctest.Wait()
		}
		conn.Close()
		<-h.closed
		server.Close()
	})
}

// Whatever ends a connection, and however many things end it at once, its end
// is told once and no goroutine stays.
func TestManyEndsAtOnce(t *testing.T) {
	for range 1000 {
		conn, h, server := open(t, Config{Credits: 1})
		var wg sync.WaitGroup
		wg.Go(func() { server.Close() })
		wg.Go(func() { conn.Close() })
		wg.Go(func() { _ = conn.Send(packet(40, 1)) })
		wg.Go(conn.Close)
		wg.Wait()
		if err := <-h.closed; err == nil {
			t.Fatal("closed without a reason")
		}
		if len(h.closed) != 0 {
			t.Fatal("closed twice")
		}
	}
}

// BenchmarkIdleConns reports what an idle connection costs in heap and stack,
// with the test's server end of the socket (some 600 B).
func BenchmarkIdleConns(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	const n = 1000
	accepted := make(chan net.Conn, n)
	go func() {
		for {
			s, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- s
		}
	}()
	w := New(Config{Rand: rand.Reader})
	for b.Loop() {
		var servers []net.Conn
		var conns []*Conn
		h := newSink()
		h.closed = make(chan error, n)
		before := liveBytes()
		for range n {
			c, err := w.dial(context.Background(), targets(l.Addr().String()), 2, nil)
			if err != nil {
				b.Fatal(err)
			}
			servers = append(servers, <-accepted)
			c.Start(h)
			conns = append(conns, c)
		}
		liveBytes() // teaches the run-time how small these stacks are
		for i, s := range servers {
			_, _ = s.Write(append([]byte{40, 0, 0, 0}, packet(40, 1)...))
			conns[i].Release(len(<-h.packets))
		}
		time.Sleep(10 * time.Millisecond)
		b.ReportMetric(float64(int64(liveBytes()-before))/n, "B/conn")
		for i, c := range conns {
			c.Close()
			servers[i].Close()
			<-h.closed
		}
	}
}

func liveBytes() uint64 {
	goruntime.GC()
	goruntime.GC()
	var m goruntime.MemStats
	goruntime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

// panickingDialer is a dialer with a bug.
type panickingDialer struct{}

func (panickingDialer) DialContext(context.Context, string, string) (net.Conn, error) {
	panic("a secret")
}

func TestADialerThatPanicsFailsItsDialAlone(t *testing.T) {
	n := New(Config{Dialer: panickingDialer{}, Rand: rand.Reader})
	_, err := n.dial(context.Background(), []dc.Target{{Addr: netip.MustParseAddrPort("127.0.0.1:1")}}, 1, nil)
	var dial *DialError
	if !errors.As(err, &dial) || len(dial.Attempts) != 1 {
		t.Fatalf("the dial ended with %v", err)
	}
	var panicked *DialPanicError
	if !errors.As(dial.Attempts[0].Err, &panicked) || strings.Contains(err.Error(), "secret") {
		t.Errorf("the attempt ended with %v", dial.Attempts[0].Err)
	}
	if err := n.Wait(context.Background()); err != nil {
		t.Error(err)
	}
}
