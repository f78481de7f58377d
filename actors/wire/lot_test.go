package wire

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	goruntime "runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/transport"
)

// meadow is a network with connections over TCP that echo.
type meadow struct {
	t     *testing.T
	net   *Network
	conns []*Conn
	sinks []*sink
	far   []net.Conn
}

func newMeadow(t *testing.T, n int) *meadow {
	t.Helper()
	if _, err := newPoller(); errors.Is(err, errors.ErrUnsupported) {
		t.Skip("here a goroutine waits for each connection")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	m := &meadow{t: t, net: New(Config{Rand: rand.Reader, RequireLoopback: true, Kind: transport.Intermediate})}
	for range n {
		c, err := m.net.dial(t.Context(), targets(l.Addr().String()), 2, nil)
		if err != nil {
			t.Fatal(err)
		}
		far, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		go echo(t, far)
		s := newSink()
		c.Start(s)
		m.conns, m.sinks, m.far = append(m.conns, c), append(m.sinks, s), append(m.far, far)
	}
	t.Cleanup(func() {
		for i, c := range m.conns {
			c.Close()
			_ = m.far[i].Close()
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := m.net.Wait(ctx); err != nil {
			t.Error(err)
		}
		m.net.idle.mu.Lock()
		defer m.net.idle.mu.Unlock()
		if n := len(m.net.idle.parked); n > 0 || m.net.idle.looks {
			t.Errorf("%d connections are parked in the end, and somebody waits: %v", n, m.net.idle.looks)
		}
	})
	return m
}

// echo has a connection hear a packet.
func (m *meadow) echo(i int) {
	m.t.Helper()
	if err := m.conns[i].Send(packet(40, byte(i))); err != nil {
		m.t.Fatal(err)
	}
	<-m.sinks[i].packets
	m.conns[i].Release(40)
}

// rest waits until a connection is parked, and has it forget how long ago it heard
// something: it is not busy when it hears the next.
func (m *meadow) rest(i int) {
	m.t.Helper()
	c := m.conns[i]
	for begun := time.Now(); ; goruntime.Gosched() {
		c.mu.Lock()
		parked := c.parked != 0
		if parked {
			c.in.at = time.Time{}
		}
		c.mu.Unlock()
		if parked {
			return
		}
		if time.Since(begun) > 10*time.Second {
			m.t.Fatalf("connection %d is not parked", i)
		}
	}
}

func TestIdleConnectionsHaveNoGoroutines(t *testing.T) {
	const n = 200
	m := newMeadow(t, n)
	for range 3 { // of which the first makes them known to the poller
		for i := range n {
			m.echo(i)
		}
		for i := range n {
			m.rest(i)
		}
	}
	// One goroutine serves each connection at its other end.
	if have := goruntime.NumGoroutine(); have > n+20 {
		t.Errorf("%d goroutines with %d connections and as many ends", have, n)
	}
}

// frail is a poller that can fail.
type frail struct {
	poller
	failed atomic.Bool
}

func (f *frail) wait(buf []uint64) ([]uint64, error) {
	list, err := f.poller.wait(buf)
	if f.failed.Load() {
		err = io.ErrUnexpectedEOF
	}
	return list, err
}

func TestAParkedConnectionHearsOfItsEnd(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(m *meadow)
		want error
	}{
		"closed here":  {func(m *meadow) { m.conns[0].Close() }, ErrClosed},
		"closed there": {func(m *meadow) { _ = m.far[0].Close() }, io.EOF},
		"closed here by a queue that overflows": {func(m *meadow) {
			m.conns[0].close(&QueueError{})
		}, &QueueError{}},
		"the poller fails": {func(m *meadow) {
			f := m.net.idle.poll.(*frail)
			f.failed.Store(true)
			f.interrupt()
			m.echo(0) // by a goroutine, from now on
			m.conns[0].Close()
		}, ErrClosed},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMeadow(t, 2)
			m.net.idle.open()
			m.net.idle.poll = &frail{poller: m.net.idle.poll}
			for i := range 2 {
				m.echo(i)
				m.rest(i)
			}
			c.end(m)
			err := <-m.sinks[0].closed
			if queue := (*QueueError)(nil); !errors.Is(err, c.want) && !(errors.As(c.want, &queue) && errors.As(err, &queue)) {
				t.Errorf("ended with %v, want %v", err, c.want)
			}
			m.echo(1) // the other goes on
		})
	}
}

// Packets, ends and new connections come at any moment: none is lost, and each
// connection ends once.
func TestParkedConnectionsAreTakenOutOnce(t *testing.T) {
	for range 20 {
		m := newMeadow(t, 20)
		var all sync.WaitGroup
		for i := range m.conns {
			m.echo(i)
			all.Go(func() {
				if i%3 == 0 {
					m.rest(i)
				}
				if i%2 == 0 {
					m.echo(i)
				}
				if i%5 == 0 {
					_ = m.far[i].Close()
				} else {
					m.conns[i].Close()
				}
				<-m.sinks[i].closed
			})
		}
		all.Wait()
		for i, s := range m.sinks {
			select {
			case err := <-s.closed:
				t.Errorf("connection %d ended twice, the second time with %v", i, err)
			default:
			}
		}
	}
}
