package dcconn

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/actors/wire"
	"github.com/mtfleet/mtfleet/mtproto"
	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/mtproto/handshake"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Made once: they cost more than all tests together.
var (
	rsaKey = sync.OnceValue(func() *crypt.PrivateKey {
		k, err := crypt.GeneratePrivateKey(rand.Reader)
		if err != nil {
			panic(err)
		}
		return k
	})
	group = sync.OnceValue(crypt.WellKnownGroup)
)

const home dc.ID = 2

// world is a test cluster, a governor and connections to the cluster, in
// virtual time.
type world struct {
	t       *testing.T
	cluster *serve.Cluster
	sys     *runtime.System
	gov     runtime.Ref[governor.Message]
	env     *Env
	network *wire.Network
	dials   *countingDialer
	start   time.Time

	violations int // how many the cluster will rightly note
}

// run runs f in a bubble and checks that nothing is left afterwards.
func run(t *testing.T, f func(w *world)) {
	t.Helper()
	rsaKey()
	group()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, start: time.Now()}
		cluster, err := serve.Start(serve.Config{MemoryOnly: true, Core: dctest.Config{
			Keys: []*crypt.PrivateKey{rsaKey()}, Group: group(), AnonymousEcho: true,
		}})
		if err != nil {
			t.Fatal(err)
		}
		w.cluster = cluster
		w.sys = runtime.NewSystem(runtime.Options{OnPanic: func(e *runtime.PanicError) { t.Errorf("%v\n%s", e, e.Stack) }})
		w.gov = runtime.SpawnRoot[governor.Message](w.sys, governor.New(governor.Limits{}, nil))
		w.dials = &countingDialer{Dialer: cluster.Dialer(), start: w.start}
		var table dc.Table
		for id := dc.ID(1); id <= 3; id++ {
			table.Options = append(table.Options, dc.Option{DC: id, Addr: netip.MustParseAddrPort(cluster.Addr(int(id)))})
		}
		w.network = wire.New(wire.Config{Dialer: w.dials, Rand: rand.Reader, RequireLoopback: true})
		w.env = &Env{
			Network:  w.network,
			Governor: w.gov,
			Table:    func() dc.Table { return table },
			RSAKeys:  []*crypt.PublicKey{rsaKey().Public()},
			Group:    group(),
		}
		f(w)
		if err := w.sys.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if err := w.network.Wait(context.Background()); err != nil {
			t.Error(err)
		}
		if list, n := cluster.Violations(); n > w.violations {
			t.Errorf("%d violations, the first: %v", n, list[0])
		}
		if err := cluster.Close(); err != nil {
			t.Error(err)
		}
	})
}

// peer is one connection and what it told its owner.
type peer struct {
	runtime.Ref[Message]
	w      *world
	events chan Event
	last   mtproto.QueryID
}

func (w *world) spawn() *peer {
	p := &peer{w: w, events: make(chan Event, 10_000)}
	n := newConn(w.env, Config{DC: home, Notify: func(e Event) { p.events <- e }})
	p.Ref = runtime.SpawnRoot[Message](w.sys, n)
	return p
}

// wait returns the next event of that kind; others are skipped unless they are
// failures nobody waits for.
func (p *peer) wait(kind EventKind) Event {
	p.w.t.Helper()
	timeout := time.After(10 * time.Minute)
	for {
		select {
		case e := <-p.events:
			if e.Kind == kind {
				return e
			}
			if e.Kind == EventKeyFailed || e.Kind == EventBindFailed {
				p.w.t.Fatalf("while waiting for %v: %v", kind, e)
			}
		case <-timeout:
			p.w.t.Fatalf("%v did not come", kind)
		}
	}
}

// seen returns the kinds of all events that are there.
func (p *peer) seen() (kinds []EventKind) {
	synctest.Wait()
	for {
		select {
		case e := <-p.events:
			kinds = append(kinds, e.Kind)
		default:
			return kinds
		}
	}
}

func (p *peer) makeKey(temp bool) *handshake.Result {
	p.w.t.Helper()
	p.Send(MakeKey{Temp: temp})
	return p.wait(EventKeyMade).Made
}

// runPerm makes a perm key and begins a session under it.
func (p *peer) runPerm() *handshake.Result {
	p.w.t.Helper()
	perm := p.makeKey(false)
	cfg := p.w.sessionConfig(perm)
	cfg.Perm = true
	p.Send(Run{Key: perm.Key, Session: cfg})
	return perm
}

func (w *world) sessionConfig(r *handshake.Result) mtproto.Config {
	app := w.cluster.Descriptor().Apps[0]
	query := make(tl.Raw, 4) // cut off again
	init := tg.InitConnectionRequest{
		APIID: int32(app.ID), DeviceModel: "test", SystemVersion: "1", AppVersion: "1",
		SystemLangCode: "en", LangCode: "en", Query: query,
	}
	layer := tg.InvokeWithLayerRequest{Layer: tg.Layer, Query: init.Append(nil)}
	header := layer.Append(nil)
	return mtproto.Config{
		Rand: rand.Reader, Header: header[:len(header)-len(query)], Salts: []mtproto.Salt{{Value: r.ServerSalt}}, TimeOffset: r.TimeOffset, OffsetKnown: true,
	}
}

// answer is how a call ended.
type answer struct {
	body []byte
	err  error
	at   time.Duration
}

// call sends testdc.echo.
func (p *peer) call(id int64, delay time.Duration, policy mtproto.Policy) chan answer {
	return p.callWith(id, delay, policy, []byte("payload"))
}

func (p *peer) callWith(id int64, delay time.Duration, policy mtproto.Policy, payload []byte) chan answer {
	p.last++
	ch := make(chan answer, 2) // a second answer would be a fault of ours
	q := echo.EchoRequest{ID: id, DelayMs: int32(delay / time.Millisecond), Payload: payload}
	p.Send(Call{ID: p.last, Body: q.Append(nil), Policy: policy, Reply: func(b []byte, err error) {
		ch <- answer{b, err, time.Since(p.w.start)}
	}})
	return ch
}

func (w *world) wantEcho(ch chan answer, id int64) answer {
	w.t.Helper()
	a := <-ch
	if a.err != nil {
		w.t.Errorf("echo %d: %v", id, a.err)
		return a
	}
	r := tl.NewReader(a.body)
	if e := (*echo.EchoRequest)(nil).ParseResult(r); r.End() != nil || e.ID != id || string(e.Payload) != "payload" {
		w.t.Errorf("echo %d answered with %+v, %v", id, e, r.End())
	}
	return a
}

func (w *world) fault(f dctest.Fault) {
	w.t.Helper()
	if _, err := w.cluster.Fault(f); err != nil {
		w.t.Fatal(err)
	}
}

// fate names what an error says about the call.
func fate(err error) string {
	switch {
	case err == nil:
		return "answered"
	case errors.Is(err, mtproto.ErrNotSent):
		return "not sent"
	case errors.Is(err, mtproto.ErrMayHaveRun):
		return "may have run"
	}
	return err.Error()
}

// countingDialer notes dials and what is written.
type countingDialer struct {
	*serve.Dialer
	start time.Time

	mu      sync.Mutex
	dials   []time.Duration
	addrs   []string
	written int
	rate    int // bytes a second that a socket takes; 0: no limit
}

func (d *countingDialer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	d.mu.Lock()
	d.dials = append(d.dials, time.Since(d.start))
	d.addrs = append(d.addrs, addr)
	d.mu.Unlock()
	c, err := d.Dialer.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &countingConn{c, d}, nil
}

// counts returns when was dialled, and how many bytes were written.
func (d *countingDialer) counts() ([]time.Duration, int) {
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]time.Duration(nil), d.dials...), d.written
}

type countingConn struct {
	net.Conn
	d *countingDialer
}

func (c *countingConn) Write(b []byte) (int, error) {
	c.d.mu.Lock()
	c.d.written += len(b)
	rate := c.d.rate
	c.d.mu.Unlock()
	if rate > 0 {
		time.Sleep(time.Duration(len(b)) * time.Second / time.Duration(rate))
	}
	return c.Conn.Write(b)
}
