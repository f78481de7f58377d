package actors_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/wire"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/storetest"
)

// uplink is a node's way to the DCs, which the test may cut.
type uplink struct {
	wire.Dialer

	mu    sync.Mutex
	way   line
	turn  chan struct{} // closed when way changes
	conns map[*lineConn]struct{}
}

// line is what an uplink carries.
type line int

const (
	lineUp    line = iota
	lineDown       // connections are closed, and new ones are refused
	lineBlack      // connections stay and bring nothing, and new ones are not answered
)

var lineNames = [...]string{lineUp: "up", lineDown: "closed", lineBlack: "silent"}

func (u *uplink) set(l line) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.way = l
	close(u.turn)
	u.turn = make(chan struct{})
	if l == lineDown {
		for c := range u.conns {
			_ = c.Conn.Close()
		}
	}
}

func (u *uplink) now() (line, chan struct{}) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.way, u.turn
}

func (u *uplink) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	switch l, _ := u.now(); l {
	case lineDown:
		return nil, syscall.ECONNREFUSED
	case lineBlack:
		<-ctx.Done()
		return nil, ctx.Err()
	}
	conn, err := u.Dialer.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	c := &lineConn{Conn: conn, of: u, closed: make(chan struct{})}
	u.mu.Lock()
	u.conns[c] = struct{}{}
	u.mu.Unlock()
	return c, nil
}

type lineConn struct {
	net.Conn
	of     *uplink
	once   sync.Once
	closed chan struct{}
}

func (c *lineConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	for l, turn := c.of.now(); l == lineBlack; l, turn = c.of.now() {
		select {
		case <-c.closed:
			return 0, net.ErrClosed
		case <-turn:
		}
	}
	return n, err
}

func (c *lineConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	c.of.mu.Lock()
	delete(c.of.conns, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

// wired is a node whose uplink the test may cut.
type wired struct {
	*on
	*uplink
}

func (k *several) wired(name string, change ...func(*actors.Options)) wired {
	k.t.Helper()
	cut := &storetest.Cut{Cluster: k.store.Node()}
	o := k.options(name, cut)
	u := &uplink{Dialer: o.Wire.Dialer, turn: make(chan struct{}), conns: map[*lineConn]struct{}{}}
	o.Wire.Dialer = u
	for _, f := range change {
		f(&o)
	}
	return wired{&on{open(k.t, o), name, cut}, u}
}

// journeys counts the moves of each account, until it is stopped.
type journeys struct {
	stop  context.CancelFunc
	done  sync.WaitGroup
	moves map[persistence.AccountID]int
}

func (k *several) journeys(nodes ...*on) *journeys {
	ctx, cancel := context.WithCancel(k.t.Context())
	j := &journeys{stop: cancel, moves: map[persistence.AccountID]int{}}
	at := map[string]string{}
	look := func() {
		for _, n := range nodes {
			for _, a := range n.Accounts() {
				if was := at[a.ID()]; was != "" && was != n.name {
					j.moves[persistence.AccountID(a.ID())]++
				}
				at[a.ID()] = n.name
			}
		}
	}
	look()
	j.done.Go(func() {
		for ctx.Err() == nil {
			time.Sleep(20 * time.Millisecond)
			look()
		}
	})
	return j
}

// end returns the most moves of an account, and how many accounts moved.
func (j *journeys) end() (most, moved int) {
	j.stop()
	j.done.Wait()
	for _, n := range j.moves {
		most = max(most, n)
	}
	return most, len(j.moves)
}

// cutOff are the nodes that say they reach no DC.
func (k *several) cutOff() (names []string) {
	k.t.Helper()
	nodes, err := k.store.Node().Nodes(k.t.Context(), false)
	if err != nil {
		k.t.Fatal(err)
	}
	for _, n := range nodes {
		if n.CutOff {
			names = append(names, n.Name)
		}
	}
	return names
}

func until(t *testing.T, most time.Duration, what string, ok func() bool) time.Duration {
	t.Helper()
	for begun := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		if took := time.Since(begun); ok() {
			return took
		} else if took > most {
			t.Fatalf("after %v: %s", took, what)
		}
	}
}

func TestAccountsLeaveANodeThatReachesNoDCAndComeBack(t *testing.T) {
	for _, c := range []struct {
		line line
		bots int
		most time.Duration // until all are online elsewhere
	}{
		{lineDown, 12, 15 * time.Second},
		{lineBlack, 36, 18 * time.Second}, // a node has enough accounts to find out within two seconds
		{lineBlack, 9, 110 * time.Second}, // nobody calls, and each pings once a minute
	} {
		t.Run(lineNames[c.line], func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				k := openSeveral(t, c.bots)
				reader := metric.NewManualReader()
				a, b := k.wired("a"), k.wired("b")
				cc := k.wired("c", func(o *actors.Options) { o.MeterProvider = metric.NewMeterProvider(metric.WithReader(reader)) })
				k.fill(a.on)
				k.home(a.on, b.on, cc.on)
				time.Sleep(time.Minute)
				before, had := k.keys(), len(cc.Accounts())
				moves := k.journeys(a.on, b.on, cc.on)

				cc.uplink.set(c.line)
				took := until(t, c.most, "not all are online elsewhere", func() bool {
					return len(cc.Accounts()) == 0 && online(a.on, b.on) == c.bots
				})
				t.Logf("%d accounts were online elsewhere after %v", had, took)
				if names := k.cutOff(); !slices.Equal(names, []string{"c"}) {
					t.Errorf("%v say that they are cut off", names)
				}
				if n := sumOf(series(t, reader), "mtfleet.node.cut_off"); n != 1 {
					t.Errorf("the metric is %d", n)
				}
				for _, n := range []*on{a.on, b.on} {
					for _, acc := range n.Accounts() {
						call(t, acc)
					}
				}
				time.Sleep(10 * time.Minute) // it gets none meanwhile
				if n := len(cc.Accounts()); n != 0 {
					t.Errorf("it has %d accounts", n)
				}

				cc.uplink.set(lineUp)
				back := until(t, time.Minute, "it does not say that it is back", func() bool { return len(k.cutOff()) == 0 })
				k.home(a.on, b.on, cc.on)
				t.Logf("it was back after %v", back)
				if most, moved := moves.end(); most != 2 || moved != had {
					t.Errorf("%d accounts moved, %d times at most; %d belong to it", moved, most, had)
				}
				if n := sumOf(series(t, reader), "mtfleet.node.cut_off"); n != 0 {
					t.Errorf("the metric is %d", n)
				}
				k.same(before)
				verdict(t, k.s, k.store.Node())
			})
		})
	}
}

func online(nodes ...*on) (n int) {
	for _, at := range nodes {
		for _, a := range at.Accounts() {
			if a.Status().State == actors.Online {
				n++
			}
		}
	}
	return n
}

// When no node reaches the DCs it is they that are away, and nothing moves, whoever
// notices first.
func TestNothingMovesWhenTheDCsAreAwayFromEveryNode(t *testing.T) {
	for _, l := range []line{lineDown, lineBlack} {
		for _, apart := range []time.Duration{0, 2 * time.Second} {
			t.Run(lineNames[l]+" "+apart.String(), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					k := openSeveral(t, 9) // few: who is not told finds out a minute later
					nodes := []wired{k.wired("a"), k.wired("b"), k.wired("c")}
					all := []*on{nodes[0].on, nodes[1].on, nodes[2].on}
					k.fill(all[0])
					k.home(all...)
					time.Sleep(time.Minute)
					before := k.keys()
					moves := k.journeys(all...)
					for _, n := range nodes {
						n.uplink.set(l)
						time.Sleep(apart)
					}
					time.Sleep(10 * time.Minute)
					if names := k.cutOff(); len(names) != 3 {
						t.Errorf("%v say that they are cut off", names)
					}
					for _, n := range nodes {
						n.uplink.set(lineUp)
						time.Sleep(apart)
					}
					k.home(all...)
					until(t, time.Minute, "they say that they are cut off", func() bool { return len(k.cutOff()) == 0 })
					if most, moved := moves.end(); moved != 0 {
						t.Errorf("%d accounts moved, %d times at most", moved, most)
					}
					k.same(before)
					verdict(t, k.s, k.store.Node())
				})
			})
		}
	}
}

// A network that comes and goes costs an account a bounded number of moves, fewer
// and fewer.
func TestANetworkThatComesAndGoesMovesAnAccountRarely(t *testing.T) {
	bubble(t, func(t *testing.T) {
		k := openSeveral(t, 9)
		a, b := k.wired("a"), k.wired("b")
		k.fill(a.on)
		k.home(a.on, b.on)
		moves := k.journeys(a.on, b.on)
		const hours = 3
		for begun := time.Now(); time.Since(begun) < hours*time.Hour; {
			b.uplink.set(lineDown)
			time.Sleep(20 * time.Second)
			b.uplink.set(lineUp)
			time.Sleep(5 * time.Second)
			until(t, 2*time.Hour, "it is not back", func() bool { return len(k.cutOff()) == 0 })
			time.Sleep(10 * time.Second) // the accounts have begun to come
		}
		most, _ := moves.end()
		if most < 10 || most > 2*(7+hours) {
			t.Errorf("an account moved %d times in %d hours", most, hours)
		}
		verdict(t, k.s, k.store.Node())
	})
}

func TestACallOnANodeThatIsCutOffIsNotWaitedFor(t *testing.T) {
	bubble(t, func(t *testing.T) {
		k := openSeveral(t, 8)
		a, b := k.wired("a"), k.wired("b")
		k.fill(a.on)
		k.home(a.on, b.on)
		var wg sync.WaitGroup
		var ends [2]error
		var took [2]time.Duration
		invoke := func(i int, id int64) {
			begun, acc := time.Now(), b.Accounts()[0]
			wg.Go(func() {
				_, ends[i] = actors.Invoke(soon(t), acc, &echo.EchoRequest{ID: id, DelayMs: 600_000})
				took[i] = time.Since(begun)
			})
		}
		invoke(0, 1)
		time.Sleep(time.Second)
		b.uplink.set(lineDown)
		time.Sleep(time.Second)
		invoke(1, 2)
		wg.Wait()
		if !errors.Is(ends[0], actors.ErrMayHaveRun) {
			t.Errorf("the call under way ended with %v", ends[0])
		}
		if !errors.Is(ends[1], actors.ErrNotSent) {
			t.Errorf("the call that came later ended with %v", ends[1])
		}
		for _, d := range took {
			if d > 16*time.Second { // it found out, gave itself time, and waited for nobody
				t.Errorf("a call ended after %v", d)
			}
		}
		k.settle(a.on)
		verdict(t, k.s, k.store.Node())
	})
}

func TestADrainDoesNotWaitForCallsThatNobodyAnswersAnyMore(t *testing.T) {
	bubble(t, func(t *testing.T) {
		k := openSeveral(t, 8)
		a, b := k.wired("a"), k.wired("b")
		k.fill(a.on)
		k.home(a.on, b.on)
		var wg sync.WaitGroup
		for i, acc := range b.Accounts() {
			wg.Go(func() {
				_, err := actors.Invoke(soon(t), acc, &echo.EchoRequest{ID: int64(i + 1), DelayMs: 600_000})
				if !errors.Is(err, actors.ErrMayHaveRun) {
					t.Errorf("a call ended with %v", err)
				}
			})
		}
		time.Sleep(time.Second)
		b.uplink.set(lineDown)
		begun := time.Now()
		if err := b.Drain(soon(t)); err != nil {
			t.Error(err)
		}
		if took := time.Since(begun); took > 6*time.Second { // and not ten
			t.Errorf("it took %v", took)
		}
		wg.Wait()
		k.settle(a.on)
		verdict(t, k.s, k.store.Node())
	})
}

// What is away is no fault of the node's: one DC, or the proxies of accounts.
func TestANodeIsNotCutOffForADCOrProxiesThatAreAway(t *testing.T) {
	for _, c := range []struct {
		name string
		away func(t *testing.T, k *several, b wired)
	}{
		{"the home DC of all", func(t *testing.T, k *several, _ wired) {
			if err := k.s.StopDC(k.s.Descriptor().Bots[0].DC, true); err != nil {
				t.Fatal(err)
			}
		}},
		{"the proxies of all accounts of a node", func(t *testing.T, _ *several, b wired) {
			for _, acc := range b.Accounts() {
				if err := acc.SetProxy(soon(t), "socks5://127.0.0.1:1"); err != nil {
					t.Fatal(err)
				}
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				k := openSeveral(t, 8)
				a, b := k.wired("a"), k.wired("b")
				k.fill(a.on)
				k.home(a.on, b.on)
				moves := k.journeys(a.on, b.on)
				c.away(t, k, b)
				for range 300 {
					time.Sleep(time.Second)
					if names := k.cutOff(); names != nil {
						t.Fatalf("%v say that they are cut off", names)
					}
				}
				if most, moved := moves.end(); moved != 0 {
					t.Errorf("%d accounts moved, %d times at most", moved, most)
				}
			})
		})
	}
}
