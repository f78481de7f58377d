package serve_test

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/mtproto/transport"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/mt"
	"github.com/mtfleet/mtfleet/tl/tg"
)

func TestOnlyLoopbackIsServed(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", "192.0.2.1:443", "[::]:0", ":0", "localhost:0", "127.0.0.1"} {
		_, err := serve.Start(serve.Config{Addrs: map[int][]string{1: {addr}}})
		var refused *serve.AddrError
		if !errors.As(err, &refused) || refused.DC != 1 || refused.Addr != addr {
			t.Errorf("%s: %v", addr, err)
		}
	}
	_, err := serve.Start(serve.Config{Addrs: map[int][]string{7: {"127.0.0.1:0"}}})
	if refused := (*serve.AddrError)(nil); !errors.As(err, &refused) {
		t.Errorf("a DC that does not exist: %v", err)
	}
}

func TestPortInUseIsAnError(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	_, err = serve.Start(serve.Config{Addrs: map[int][]string{2: {busy.Addr().String()}}})
	if refused := (*serve.AddrError)(nil); !errors.As(err, &refused) || refused.DC != 2 {
		t.Errorf("%v", err)
	}
}

func TestDescriptorIsJSON(t *testing.T) {
	s := start(t, serve.Config{Persons: 2, Bots: 1})
	b, err := json.Marshal(s.Descriptor())
	if err != nil {
		t.Fatal(err)
	}
	var d serve.Descriptor
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	if len(d.DCs) != 3 || len(d.Phones) != 2 || len(d.Bots) != 1 || len(d.Apps) != 1 || len(d.Layers) < 2 ||
		d.Phones[0].Code == "" || d.PublicKeys[0].Fingerprint != rsaKey().Public().Fingerprint() {
		t.Errorf("%s", b)
	}
}

func TestStoppedDCRefusesAndComesBackOnTheSamePort(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	s := start(t, serve.Config{Bots: 3})
	defer s.Close()
	bot := s.Descriptor().Bots[0]
	app := s.Descriptor().Apps[0]
	p := dialTCP(t, s, bot.DC, transport.Intermediate, false)
	perm := p.makeKey(bot.DC, false)
	p.bind(perm, p.makeKey(bot.DC, true))
	p.signInBot(bot.Token, app)
	addr := s.Addr(bot.DC)
	if err := s.StopDC(bot.DC, true); err != nil {
		t.Fatal(err)
	}
	if _, err := p.read(); err == nil {
		t.Error("the connection survived")
	}
	if _, err := net.Dial("tcp", addr); err == nil {
		t.Error("a stopped DC accepts connections")
	}
	if err := s.StartDC(bot.DC); err != nil {
		t.Fatal(err)
	}
	if s.Addr(bot.DC) != addr {
		t.Errorf("came back on %s, was on %s", s.Addr(bot.DC), addr)
	}
	again := dialTCP(t, s, bot.DC, transport.Intermediate, false)
	again.Client = p.Client
	if e := again.echo(1); e.UserID != bot.UserID {
		t.Errorf("echoed %+v", e)
	}
	if err := s.RestartDC(bot.DC, false, 10*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	third := dialTCP(t, s, bot.DC, transport.Intermediate, false)
	third.Client = p.Client
	if code := third.refusal(); code != -404 {
		t.Errorf("after a restart the temp key got %d, want -404", code)
	}
	if err := s.StartDC(9); err == nil {
		t.Error("a DC that does not exist was started")
	}
}

// refusal sends a ping and returns the transport error it gets.
func (p *peer) refusal() int32 {
	p.t.Helper()
	if err := p.write(p.Packet(p.Service(time.Now(), &mt.PingRequest{PingID: 1}))); err != nil {
		p.t.Fatal(err)
	}
	packet, err := p.read()
	if err != nil {
		p.t.Fatal(err)
	}
	code, _ := transport.ErrorCode(packet)
	if _, err := p.read(); !errors.Is(err, io.EOF) {
		p.t.Errorf("after the error: %v, want a clean end", err)
	}
	return code
}

func TestFaultsReachTheSocket(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	s := start(t, serve.Config{})
	defer s.Close()
	fault := func(f dctest.Fault) {
		t.Helper()
		if _, err := s.Fault(f); err != nil {
			t.Fatal(err)
		}
	}
	for _, kind := range []transport.Kind{transport.Abridged, transport.Intermediate, transport.Padded, transport.Full} {
		p := dialTCP(t, s, 1, kind, false)
		p.makeKey(1, false)
		fault(dctest.Fault{Kind: dctest.FaultTransport, Code: -429})
		if code := p.refusal(); code != -429 {
			t.Errorf("%v: transport error %d, want -429", kind, code)
		}
		fault(dctest.Fault{Kind: dctest.FaultCut, Bytes: 9})
		q := dialTCP(t, s, 1, kind, false)
		q.Client = p.Client
		if err := q.write(q.Packet(q.Service(time.Now(), &mt.PingRequest{PingID: 1}))); err != nil {
			t.Fatal(err)
		}
		if _, err := q.read(); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%v: a cut frame reads as %v", kind, err)
		}
	}
	fault(dctest.Fault{Kind: dctest.FaultRefuse, Count: 1})
	p := dialTCP(t, s, 1, transport.Abridged, false)
	if _, err := p.read(); !errors.Is(err, io.EOF) {
		t.Errorf("a refused connection reads as %v", err)
	}
	if _, err := s.Fault(dctest.Fault{Kind: "wish"}); err == nil {
		t.Error("a fault that does not exist was taken")
	}
}

func TestBrokenFramesAreRecorded(t *testing.T) {
	s := start(t, serve.Config{})
	p := dialTCP(t, s, 1, transport.Intermediate, false)
	p.makeKey(1, false)
	if _, err := p.conn.Write([]byte{0xff, 0xff, 0xff, 0x7f, 1, 2, 3, 4}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.read(); err == nil {
		t.Error("the connection goes on")
	}
	if list, n := s.Violations(); n != 1 || list[0].Rule != dctest.RuleFrame {
		t.Errorf("violations %v", list)
	}
}

func TestPauseBacksUpTheClient(t *testing.T) {
	rsaKey() // made outside the bubble
	group()
	synctest.Test(t, func(t *testing.T) {
		s := start(t, serve.Config{MemoryOnly: true})
		conn, err := s.Dialer().DialDC(1)
		if err != nil {
			t.Fatal(err)
		}
		p := dial(t, conn, transport.Config{Kind: transport.Intermediate})
		p.makeKey(1, false)
		const pause = 200 * time.Millisecond
		if _, err := s.Fault(dctest.Fault{Kind: dctest.FaultPause, For: dctest.Duration(pause)}); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		for range 3 { // one packet may already be on its way in
			if err := p.write(p.Packet(p.Service(time.Now(), &mt.PingRequest{PingID: 1}))); err != nil {
				t.Fatal(err)
			}
		}
		if d := time.Since(begin); d != pause {
			t.Errorf("three writes took %s", d)
		}
	})
}

func TestConnectionsAreBounded(t *testing.T) {
	s := start(t, serve.Config{MaxConns: 2, MemoryOnly: true})
	for i := range 3 {
		if _, err := s.Dialer().DialDC(1); (err == nil) != (i < 2) {
			t.Errorf("connection %d: %v", i, err)
		}
	}
	if n := s.ConnCount(); n != 2 {
		t.Errorf("%d connections open", n)
	}
}

func TestPushedUpdateReachesTheUser(t *testing.T) {
	s := start(t, serve.Config{Bots: 1})
	bot := s.Descriptor().Bots[0]
	p := dialTCP(t, s, bot.DC, transport.Intermediate, true)
	p.makeKey(bot.DC, false)
	p.signInBot(bot.Token, s.Descriptor().Apps[0])
	p.call((&tg.UpdatesGetStateRequest{}).Append(nil))
	pts, err := s.PushUpdate(bot.UserID)
	if err != nil {
		t.Fatal(err)
	}
	for {
		packet, err := p.read()
		if err != nil {
			t.Fatal(err)
		}
		_, list, err := p.Open(packet)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range list {
			if m.ID&3 == 3 {
				l := s.Ledger()
				if len(l.Updates) != 1 || l.Updates[0].Pts != pts {
					t.Errorf("updates in the ledger %+v, want pts %d", l.Updates, pts)
				}
				return
			}
		}
	}
}

func TestConfigListsTheAddresses(t *testing.T) {
	s := start(t, serve.Config{})
	p := dialTCP(t, s, 3, transport.Intermediate, false)
	p.makeKey(3, false)
	q := &tg.HelpGetConfigRequest{}
	r := tl.NewReader(p.call(wrapped(s, q)))
	c := q.ParseResult(r)
	if err := r.End(); err != nil {
		t.Fatal(err)
	}
	if c.ThisDC != 3 || len(c.DCOptions) != 3 {
		t.Fatalf("config of DC %d with %d options", c.ThisDC, len(c.DCOptions))
	}
	for _, o := range c.DCOptions {
		if _, port, _ := net.SplitHostPort(s.Addr(int(o.ID))); port == "" || o.IPAddress != "127.0.0.1" {
			t.Errorf("option %+v", o)
		}
	}
}

func TestCloseEndsEverythingAtOnce(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	s := start(t, serve.Config{})
	for range 5 {
		p := dialTCP(t, s, 1, transport.Abridged, false)
		p.makeKey(1, false)
		defer p.conn.Close()
	}
	mem, err := s.Dialer().DialDC(2)
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	begin := time.Now()
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	if d := time.Since(begin); d > 2*time.Second {
		t.Errorf("Close took %s", d)
	}
	if _, err := s.PushUpdate(1); !errors.Is(err, serve.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if n := s.Ledger().Counts.PermKeys; n != 5 {
		t.Errorf("after Close the ledger has %d keys", n)
	}
	if _, err := s.Dialer().DialDC(1); err == nil {
		t.Error("after Close a connection is accepted")
	}
	if err := s.StartDC(1); !errors.Is(err, serve.ErrClosed) {
		t.Errorf("StartDC after Close: %v", err)
	}
}

func TestManyClientsAtOnce(t *testing.T) {
	s := start(t, serve.Config{Bots: 20})
	d := s.Descriptor()
	var wg sync.WaitGroup
	for i, bot := range d.Bots {
		wg.Go(func() {
			p := dialTCP(t, s, bot.DC, transport.Intermediate, i%2 == 0)
			perm := p.makeKey(bot.DC, false)
			p.bind(perm, p.makeKey(bot.DC, true))
			p.signInBot(bot.Token, d.Apps[0])
			for n := range 20 {
				p.echo(int64(i*100 + n))
			}
		})
	}
	wg.Wait()
	if n := s.Counts(); n.Echoes != 400 || n.Repeated != 0 || n.Logins != 20 {
		t.Errorf("counts %+v", n)
	}
	noViolations(t, s)
}

func TestVirtualTime(t *testing.T) {
	rsaKey() // made outside the bubble
	group()
	synctest.Test(t, func(t *testing.T) {
		s := start(t, serve.Config{Bots: 1, MemoryOnly: true})
		defer s.Close()
		d := s.Descriptor()
		bot := d.Bots[0]
		conn, err := s.Dialer().DialDC(bot.DC)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		p := dial(t, conn, transport.Config{Kind: transport.Intermediate})
		perm := p.makeKey(bot.DC, false)
		temp := p.makeKey(bot.DC, true)
		p.bind(perm, temp)
		p.signInBot(bot.Token, d.Apps[0])
		time.Sleep(23 * time.Hour)
		if !s.KeyAlive(bot.DC, int64(temp.Key.ID())) {
			t.Error("the temp key is gone after 23 hours")
		}
		time.Sleep(time.Hour)
		if s.KeyAlive(bot.DC, int64(temp.Key.ID())) {
			t.Error("the temp key is alive after 24 hours")
		}
		if !s.KeyAlive(bot.DC, int64(perm.Key.ID())) {
			t.Error("the perm key is gone")
		}
	})
}

func TestAPIRunsOnTheOwner(t *testing.T) {
	s := start(t, serve.Config{})
	var id int64
	err := s.API(func(b *api.Backend, _ time.Time) {
		var err error
		if id, err = b.AddBot(2); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if bots := s.Descriptor().Bots; len(bots) != 1 || bots[0].UserID != id || bots[0].DC != 2 {
		t.Errorf("bots %+v", bots)
	}
}

func wrapped(s *serve.Cluster, q tl.Object) []byte { return wrap(s.Descriptor().Apps[0].ID, q) }
