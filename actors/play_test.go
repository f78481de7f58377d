package actors

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors/account"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/mtproto/proxy"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/tl"
)

// This file is a stage for plays of a whole account: a manager and the core of
// the test DCs under the seeded scheduler, and a network between them on which
// everything takes its time and nothing else happens. pen_test.go writes down
// what is said.

var rewrite = flag.Bool("rewrite", false, "rewrite the transcripts in testdata; read the diff before committing it")

// Made once: they cost more than all plays together.
var (
	playKey = sync.OnceValue(func() *crypt.PrivateKey {
		k, err := crypt.GeneratePrivateKey(rand.NewChaCha8([32]byte{1}))
		if err != nil {
			panic(err)
		}
		return k
	})
	playGroup = sync.OnceValue(crypt.WellKnownGroup)
)

const (
	playDCs = 4
	// latency is the way from here to a DC, or back.
	latency = 20 * time.Millisecond
)

// play is one play: one account, its owner, who calls, and the DCs.
type play struct {
	t     *testing.T
	sim   *runtime.Sim
	start time.Time
	net   *playNet
	api   *api.Backend
	disk  *persistence.Memory
	m     *Manager
	a     *Account

	pen
	allowed map[dctest.Rule]bool // what the test DC will rightly note
	echoes  int64
	ends    map[string]error // of calls, by their names
}

func newPlay(t *testing.T) *play {
	t.Helper()
	return newPlayOn(t, dctest.Config{})
}

// newPlayOn is newPlay on DCs with a configuration of their own, with addresses for
// media if it says so.
func newPlayOn(t *testing.T, dcs dctest.Config) *play {
	t.Helper()
	sim := runtime.NewSim(1)
	p := &play{
		t: t, sim: sim, start: sim.Now(), disk: persistence.NewMemory(),
		pen: newPen(sim), allowed: map[dctest.Rule]bool{}, ends: map[string]error{},
	}
	bytes := rand.NewChaCha8([32]byte{2})
	var err error
	if p.api, err = api.New(api.Config{DCs: playDCs, Seed: 1, Rand: bytes}); err == nil {
		err = p.api.Populate(playDCs, playDCs)
	}
	if err != nil {
		t.Fatal(err)
	}
	p.method = p.api.Method
	var ends []api.Endpoint
	for id := 1; id <= playDCs; id++ {
		a := playAddress(id)
		ends = append(ends, api.Endpoint{DC: id, IP: a.Addr().String(), Port: int(a.Port())})
		if dcs.Media {
			ends = append(ends, api.Endpoint{DC: id, IP: a.Addr().String(), Port: int(a.Port()) + 1, Media: true})
		}
	}
	p.api.SetEndpoints(ends)
	dcs.Rand, dcs.API, dcs.Keys, dcs.Group, dcs.DCs = bytes, &heardAPI{p.api, &p.pen}, []*crypt.PrivateKey{playKey()}, playGroup(), playDCs
	core, err := dctest.New(dcs)
	if err != nil {
		t.Fatal(err)
	}
	p.net = &playNet{sim: sim, core: core, socks: map[dctest.ConnID]*playSocket{}}
	p.open()
	t.Cleanup(p.close)
	return p
}

// open starts a manager on what the disk has.
func (p *play) open() {
	p.t.Helper()
	p.disk = p.disk.Reopen()
	app := p.api.Apps()[0]
	o := Options{
		Store: &heardStore{p.disk, &p.pen}, Sim: p.sim, Network: p.net, OnEvent: p.heardEvent, script: p.pen.trace(),
		DCs: dc.Table{Keys: []string{string(playKey().Public().PEM())}},
		App: App{APIID: app.ID, APIHash: app.Hash, DeviceModel: "test", SystemVersion: "none", AppVersion: "0"},
	}
	for id := 1; id <= playDCs; id++ {
		o.DCs.Options = append(o.DCs.Options, dc.Option{DC: dc.ID(id), Addr: playAddress(id), ThisPortOnly: true})
	}
	m, err := Open(o)
	if err != nil {
		p.t.Fatal(err)
	}
	p.m = m
	if all := m.Accounts(); len(all) == 1 {
		p.a = all[0]
	}
}

// stop closes the manager as an operator does.
func (p *play) stop() {
	p.t.Helper()
	if err := p.m.Close(context.Background()); err != nil {
		p.t.Error(err)
	}
}

func (p *play) close() {
	p.quiet = true
	p.stop()
	p.sim.RunFor(time.Second) // the DCs hear of it
	list, _ := p.net.core.Violations()
	for _, v := range list {
		if !p.allowed[v.Rule] {
			p.t.Errorf("the test DC notes: %v", v)
		}
	}
}

// run lets time pass.
func (p *play) run(d time.Duration) { p.sim.RunFor(d) }

// user returns somebody who lives on a DC.
func (p *play) user(home int, bot bool) api.User {
	p.t.Helper()
	for _, u := range p.api.Users() {
		if u.HomeDC == home && (u.BotToken != "") == bot {
			return u
		}
	}
	p.t.Fatalf("nobody lives on DC %d", home)
	return api.User{}
}

// add makes the account.
func (p *play) add() {
	p.t.Helper()
	p.write("owner", "adds the account")
	var err error
	if p.a, err = p.m.Add(context.Background(), "alice", AccountOptions{}); err != nil {
		p.t.Fatal(err)
	}
}

// bot adds the account and signs a bot in that lives on DC 2.
func (p *play) bot() api.User {
	p.t.Helper()
	p.add()
	u := p.user(2, true)
	p.write("owner", "signs in by bot token")
	if step, err := p.a.SignIn(context.Background(), BotToken(u.BotToken)); step != nil || err != nil {
		p.t.Fatalf("step %+v, error %v; want to be signed in", step, err)
	}
	p.write("owner", "is told: signed in")
	return u
}

// begin is bot and the seconds after it, of which nothing is written down.
func (p *play) begin() api.User {
	p.t.Helper()
	p.quiet = true
	u := p.bot()
	p.run(10 * time.Second)
	p.quiet = false
	return u
}

// wish is what the owner asks of the account, and waits for.
func (p *play) wish(what string, f func(ctx context.Context) error) error {
	p.write("owner", what)
	err := f(context.Background())
	if err != nil {
		p.write("owner", "is told: "+err.Error())
	} else {
		p.write("owner", "is told: done")
	}
	return err
}

// call is somebody's call; how it ends is written down when it does.
func (p *play) call(name string, query tl.Object, opts ...CallOption) {
	p.write("caller", fmt.Sprintf("%s: %s", name, query.TypeName()))
	p.a.Start(query, func(_ tl.Raw, err error) {
		p.ends[name] = err
		p.write("caller", name+" is "+p.how(err))
	}, opts...)
	p.run(0)
}

// echo is a call that takes so long.
func (p *play) echo(name string, takes time.Duration, opts ...CallOption) {
	p.echoes++
	p.call(name, &echo.EchoRequest{ID: p.echoes, DelayMs: int32(takes / time.Millisecond), Payload: []byte("payload")}, opts...)
}

// until lets time pass until something was heard.
func (p *play) until(heard func(what any) bool) {
	p.t.Helper()
	over := false
	p.listen = func(what any) { over = over || heard(what) }
	if !p.sim.Wait(func() bool { return over }) {
		p.t.Fatal("it never came")
	}
	p.listen = nil
}

// fault makes something go wrong at the DCs.
func (p *play) fault(f dctest.Fault) {
	p.t.Helper()
	if _, err := p.net.core.Fault(p.sim.Now(), f); err != nil {
		p.t.Fatal(err)
	}
	p.net.drain()
}

// playNet carries packets between the manager and the core of the test DCs.
type playNet struct {
	sim   *runtime.Sim
	core  *dctest.Cluster
	socks map[dctest.ConnID]*playSocket
	last  dctest.ConnID
	alarm runtime.Timer
}

func playAddress(at int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, byte(at)}), 443)
}

// Dial implements [account.Network].
func (n *playNet) Dial(targets []dc.Target, _ int, _ *proxy.Via, done func(playEnd, error)) (cancel func()) {
	over := false
	end := func(s playEnd, err error) {
		if !over {
			over = true
			done(s, err)
		}
	}
	n.sim.AfterFunc(2*latency, func() {
		if over {
			return
		}
		n.last++
		s := &playSocket{n: n, id: n.last}
		n.socks[s.id] = s
		open := n.core.Open
		if targets[0].Media {
			open = n.core.OpenMedia
		}
		open(n.sim.Now(), s.id, int(targets[0].Addr.Addr().As4()[3]), fmt.Sprint("play:", s.id))
		n.drain()
		end(s, nil)
	})
	return func() { n.sim.AfterFunc(0, func() { end(nil, context.Canceled) }) }
}

// drain carries out what the core wants.
func (n *playNet) drain() {
	for o, ok := n.core.Next(); ok; o, ok = n.core.Next() {
		s := n.socks[o.Conn]
		switch {
		case o.Kind == dctest.OutWork:
			n.sim.AfterFunc(time.Millisecond, func() {
				n.core.Done(n.sim.Now(), o.Work.Do())
				n.drain()
			})
		case s == nil:
		case o.Kind == dctest.OutPacket:
			n.sim.AfterFunc(latency, func() { s.deliver(o.Packet) })
		case o.Kind == dctest.OutError:
			n.sim.AfterFunc(latency, func() { s.end(playCode(o.Code)) })
		case o.Kind == dctest.OutClose:
			n.sim.AfterFunc(latency, func() { s.end(errors.New("connection closed")) })
		}
	}
	if n.alarm != nil {
		n.alarm.Stop()
		n.alarm = nil
	}
	if at := n.core.Deadline(); !at.IsZero() {
		n.alarm = n.sim.AfterFunc(max(at.Sub(n.sim.Now()), 0), func() {
			n.alarm = nil
			n.core.Advance(n.sim.Now())
			n.drain()
		})
	}
}

type playCode int32

func (e playCode) Error() string        { return fmt.Sprintf("the server answered %d", int32(e)) }
func (e playCode) TransportCode() int32 { return int32(e) }

// playEnd and playHandler are dcconn.Socket and dcconn.Handler.
type (
	playEnd = interface {
		Start(playHandler)
		Send(packet []byte) error
		Room() int
		Release(n int)
		Close()
	}
	playHandler = interface {
		Packet(p []byte)
		Writable()
		Closed(err error)
	}
)

var _ account.Network = (*playNet)(nil)

// playSocket is one connection.
type playSocket struct {
	n     *playNet
	id    dctest.ConnID
	h     playHandler
	early [][]byte
	over  bool
}

func (s *playSocket) Start(h playHandler) {
	s.h = h
	early := s.early
	s.early = nil
	for _, packet := range early {
		h.Packet(packet)
	}
}

func (s *playSocket) Send(packet []byte) error {
	if s.over {
		return errors.New("closed")
	}
	sent := slices.Clone(packet)
	s.n.sim.AfterFunc(latency, func() {
		if !s.over {
			s.n.core.Packet(s.n.sim.Now(), s.id, sent, false)
			s.n.drain()
		}
	})
	return nil
}

func (s *playSocket) deliver(packet []byte) {
	switch {
	case s.over:
	case s.h == nil:
		s.early = append(s.early, packet)
	default:
		s.h.Packet(packet)
	}
}

func (s *playSocket) Room() int   { return 128 << 10 }
func (s *playSocket) Release(int) {}
func (s *playSocket) Close()      { s.end(errors.New("closed by us")) }

// end ends the connection on both sides.
func (s *playSocket) end(err error) {
	if s.over {
		return
	}
	s.over = true
	delete(s.n.socks, s.id)
	s.n.sim.AfterFunc(0, func() {
		s.n.core.Closed(s.n.sim.Now(), s.id)
		s.n.drain()
		if s.h != nil {
			s.h.Closed(err)
		}
	})
}
