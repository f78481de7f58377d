package wire

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// ended is how a Dial ended.
type ended struct {
	socket Socket
	err    error
}

func TestDialReturnsAtOnceAndEndsOnce(t *testing.T) {
	for name, c := range map[string]struct {
		fail   error
		cancel time.Duration // when the attempt is given up; 0: never
		after  time.Duration
		is     error
	}{
		"the address answers":       {after: time.Second},
		"the address refuses":       {fail: io.ErrUnexpectedEOF, after: time.Second, is: io.ErrUnexpectedEOF},
		"given up before an answer": {cancel: time.Millisecond, after: time.Millisecond, is: context.Canceled},
		"given up after the answer": {cancel: time.Minute, after: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &pipeDialer{
					delay: func(string) time.Duration { return time.Second },
					fail:  func(string) error { return c.fail },
				}
				w := New(Config{Dialer: d})
				ends := make(chan ended, 2)
				start := time.Now()
				cancel := w.Dial(targets("127.0.0.1:1"), 2, nil, func(s Socket, err error) { ends <- ended{s, err} })
				if len(ends) != 0 || time.Since(start) != 0 {
					t.Error("the dial was waited for")
				}
				if c.cancel > 0 {
					time.AfterFunc(c.cancel, cancel)
				}
				e := <-ends
				if !errors.Is(e.err, c.is) || (e.socket == nil) != (c.is != nil) || time.Since(start) != c.after {
					t.Errorf("ended with %v, %v after %v", e.socket, e.err, time.Since(start))
				}
				time.Sleep(2 * time.Minute)
				cancel()
				if len(ends) != 0 {
					t.Error("ended twice")
				}
				if e.socket != nil {
					if err := e.socket.Send(packet(40, 1)); err != nil {
						t.Errorf("giving up a dial that has ended closed its connection: %v", err)
					}
					e.socket.Close()
				}
				if err := w.Wait(context.Background()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestWhatIsNotTheDCsFaultSaysSo(t *testing.T) {
	d := &pipeDialer{}
	lost := errors.New("lease lost")
	for name, c := range map[string]struct {
		cfg  Config
		addr []string
	}{
		"no address":          {cfg: Config{Dialer: d}},
		"a fence":             {cfg: Config{Dialer: d, Fence: func() error { return lost }}, addr: []string{"127.0.0.1:1"}},
		"not on this machine": {cfg: Config{Dialer: d, RequireLoopback: true}, addr: []string{"10.0.0.1:1"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(c.cfg).dial(t.Context(), targets(c.addr...), 2, nil)
			var nobody interface {
				error
				BlamesNobody()
			}
			if !errors.As(err, &nobody) {
				t.Errorf("the dial ended with %v", err)
			}
		})
	}
	if d.count() != 0 {
		t.Errorf("%d dials", d.count())
	}
}

func TestAFenceThatPanicsFailsItsDialAlone(t *testing.T) {
	_, err := New(Config{Fence: func() error { panic("a secret") }}).dial(t.Context(), targets("127.0.0.1:1"), 2, nil)
	var panicked *DialPanicError
	if !errors.As(err, &panicked) {
		t.Errorf("the dial ended with %v", err)
	}
}

// thin is a net.Conn whose peer takes some bytes each second.
type thin struct {
	net.Conn
	perSecond int
}

func (c thin) Write(b []byte) (int, error) {
	time.Sleep(time.Duration(len(b)) * time.Second / time.Duration(c.perSecond))
	return len(b), nil
}

func (c thin) SetWriteDeadline(time.Time) error { return nil }

type thinDialer struct{ perSecond int }

func (d thinDialer) DialContext(context.Context, string, string) (net.Conn, error) {
	c, s := net.Pipe()
	go io.Copy(io.Discard, s)
	return thin{c, d.perSecond}, nil
}

// Who sends only while there is room keeps a thin uplink busy without a pause,
// whatever the sizes, and is told each time that there is more.
func TestRoomKeepsTheUplinkBusyAndTheQueueShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate = 64 << 10
		w := New(Config{Dialer: thinDialer{rate}})
		conn, err := w.dial(t.Context(), targets("127.0.0.1:1"), 2, nil)
		if err != nil {
			t.Fatal(err)
		}
		h := newSink()
		conn.Start(h)
		if got := conn.Room(); got != defaultQueue {
			t.Fatalf("room of an empty queue: %d", got)
		}
		start, total, worst := time.Now(), 0, 0
		for i := range 40 {
			for conn.Room() <= 0 {
				<-h.writable
			}
			n := 1000 + 13_000*i // up to half a megabyte
			if err := conn.Send(packet(n, 1)); err != nil {
				t.Fatal(err)
			}
			total += n
			worst = min(worst, conn.Room())
		}
		for conn.Room() < defaultQueue {
			<-h.writable
		}
		ideal := time.Duration(total) * time.Second / rate
		if took := time.Since(start); took > ideal+time.Second {
			t.Errorf("%d bytes took %v, the uplink needs %v", total, took, ideal)
		}
		if worst < -(520 << 10) {
			t.Errorf("%d bytes were queued beyond the limit", -worst)
		}
		synctest.Wait()
		if n := len(h.writable); n > 1 {
			t.Errorf("told %d times more than was asked", n)
		}
		conn.Close()
		<-h.closed
		if err := w.Wait(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// A packet that takes longer than the write timeout is not given up while its
// pieces leave.
func TestASlowPeerIsNotADeadOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, h, server := open(t, Config{})
		var all sync.WaitGroup
		all.Go(func() { // 16 KiB/s
			buf := make([]byte, 16<<10)
			for {
				if _, err := io.ReadFull(server, buf); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		})
		start := time.Now()
		if err := conn.Send(packet(1<<20, 1)); err != nil {
			t.Fatal(err)
		}
		for conn.Room() < defaultQueue {
			select {
			case <-h.writable:
			case err := <-h.closed:
				t.Fatalf("given up after %v: %v", time.Since(start), err)
			}
		}
		if took := time.Since(start); took < time.Minute {
			t.Errorf("the packet took %v only", took)
		}
		conn.Close()
		<-h.closed
		all.Wait()
	})
}
