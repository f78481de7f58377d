package actors_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/actors/wire"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
)

// machine is one that can sleep: what timers and sockets wait for waits meanwhile,
// and the sockets of before are dead when it wakes up, which nobody tells.
type machine struct {
	clockOnTheWall
	dialer wire.Dialer

	mu     sync.Mutex
	asleep chan struct{} // closed when it wakes up; nil while it is awake
	conns  []*mortal
}

// run waits for as long as the machine sleeps.
func (m *machine) run() {
	m.mu.Lock()
	asleep := m.asleep
	m.mu.Unlock()
	if asleep != nil {
		<-asleep
	}
}

func (m *machine) AfterFunc(d time.Duration, f func()) runtime.Timer {
	return m.clockOnTheWall.AfterFunc(d, func() { m.run(); f() })
}

func (m *machine) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	m.run()
	conn, err := m.dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c := &mortal{Conn: conn, m: m, dead: make(chan struct{}), closed: make(chan struct{})}
	m.mu.Lock()
	m.conns = append(m.conns, c)
	m.mu.Unlock()
	return c, nil
}

// sleep sends it to sleep; wake wakes it up.
func (m *machine) sleep() (wake func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asleep = make(chan struct{})
	for _, c := range m.conns {
		close(c.dead)
	}
	m.conns = nil
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		close(m.asleep)
		m.asleep = nil
	}
}

// mortal is a connection that may die with neither end knowing.
type mortal struct {
	net.Conn
	m            *machine
	dead, closed chan struct{}
	once         sync.Once
}

func (c *mortal) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	select {
	case <-c.dead:
		<-c.closed
		return 0, net.ErrClosed
	default:
		c.m.run()
		return n, err
	}
}

func (c *mortal) Write(b []byte) (int, error) {
	select {
	case <-c.dead:
		return len(b), nil // into the dark
	default:
		return c.Conn.Write(b)
	}
}

func (c *mortal) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// TestAMachineThatSleptIsBackInSeconds: after a night asleep everybody has a
// connection again, also who is asked for nothing, with what was pushed meanwhile
// and without a new login.
func TestAMachineThatSleptIsBackInSeconds(t *testing.T) {
	const (
		night    = 10 * time.Hour
		accounts = 4 // too few for the governor's vigil
		within   = 15 * time.Second
	)
	for _, still := range []bool{true, false} {
		for _, life := range []time.Duration{24 * time.Hour, 2 * time.Hour} {
			t.Run(fmt.Sprintf("timers stand still %v, temp keys of %v", still, life), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					s, store := cluster(t, serve.Config{Core: dctest.Config{DCs: 2}, Bots: accounts}), persistence.NewMemory()
					o := options(s, store)
					box := &machine{clockOnTheWall: clockOnTheWall{Clock: runtime.RealClock()}, dialer: s.Dialer()}
					o.Clock, o.Wire.Dialer, o.TempKeyLife = box, box, life
					m := open(t, o)
					bots := s.Descriptor().Bots
					for i, b := range bots {
						wait(t, signInBot(t, m, fmt.Sprint("robot-", i), b, actors.AccountOptions{NoPFS: i > 1}), actors.Online)
					}
					one := m.Accounts()[0]
					guest := actors.OnDC(dcID(bots[0].DC%2 + 1))
					call(t, one, guest)
					time.Sleep(10 * time.Minute)
					updates, before := collect(t, one), s.Counts()
					conns := len(s.Connections())

					wake := box.sleep()
					if still { // only the server's time goes on, and the clock on the wall
						inject(t, s, dctest.Fault{Kind: dctest.FaultSkew, Delay: dctest.Duration(night)})
						inject(t, s, dctest.Fault{Kind: dctest.FaultForgetSessions})
						if life < night {
							inject(t, s, dctest.Fault{Kind: dctest.FaultForgetTemp})
						}
						box.by.Store(int64(night))
					} else {
						time.Sleep(night)
					}
					old := s.Connections()
					pushed, err := s.PushUpdate(bots[0].UserID)
					if err != nil {
						t.Fatal(err)
					}
					woke := time.Now()
					wake()
					for fresh := 0; fresh < conns; {
						time.Sleep(100 * time.Millisecond)
						if time.Since(woke) > within {
							t.Fatalf("%v after it woke there are %d of %d connections", within, fresh, conns)
						}
						fresh = 0
						for _, c := range s.Connections() {
							if c.Perm != 0 && !slices.ContainsFunc(old, func(o dctest.ConnRecord) bool { return o.ID == c.ID }) {
								fresh++
							}
						}
					}
					t.Logf("all have connections %v after it woke", time.Since(woke))
					for _, a := range m.Accounts() {
						wait(t, a, actors.Online)
						call(t, a)
					}
					call(t, one, guest)
					if took := time.Since(woke); took > within {
						t.Errorf("calls went through %v after it woke", took)
					}
					updates.want(t, []int32{pushed})

					time.Sleep(life + life/2) // keys go on being replaced in time
					for _, a := range m.Accounts() {
						call(t, a)
					}
					after := s.Counts()
					if after.Logins != before.Logins || after.PermKeys != before.PermKeys {
						t.Errorf("before %+v, after %+v; want no perm key and no login", before, after)
					}
				})
			})
		}
	}
}
