package dctest_test

import (
	"errors"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/internal/raw"
	"github.com/mtfleet/mtfleet/tl/mt"
)

func TestQuickAck(t *testing.T) {
	w := newWorld(t, nil)
	p := w.withPerm(2)
	packet := p.Packet(p.Service(w.now, pingOf(1)))
	plain, err := crypt.Decrypt(nil, p.Key, crypt.Client, packet)
	if err != nil {
		t.Fatal(err)
	}
	w.c.Packet(w.now, p.id, packet, true)
	w.settle()
	if got, want := uint32(p.wire().quick), crypt.QuickAckToken(p.Key, crypt.Client, plain); got != want || got>>31 != 1 {
		t.Errorf("token %08x, want %08x", got, want)
	}
}

func TestTestEnvironmentAndMediaIDs(t *testing.T) {
	w := newWorld(t, func(c *dctest.Config) { c.Test = true })
	for dc, ok := range map[int]bool{10002: true, -10002: true, 2: false, -2: false, 10003: false} {
		p := w.connect(2)
		p.dc = dc
		if _, err := p.tryKey(true, 0); (err == nil) != ok {
			t.Errorf("dc %d: %v", dc, err)
		}
	}
	media := 0
	for _, k := range w.c.Ledger().Keys {
		if k.Media {
			media++
		}
	}
	if media != 1 {
		t.Errorf("%d media keys, want 1", media)
	}
}

func TestObfuscatedHeaderOfAnotherDCIsRecorded(t *testing.T) {
	w := newWorld(t, nil)
	p := w.connect(2)
	for _, dc := range []int{0, 2, -2} {
		w.c.TransportDC(w.now, p.id, dc)
	}
	w.noViolations()
	w.c.TransportDC(w.now, p.id, 10002)
	if rules := w.violated(); len(rules) != 1 || rules[0] != dctest.RuleTransportDC {
		t.Errorf("violations %v", rules)
	}
}

func TestSilentConnectionsAreClosed(t *testing.T) {
	w := newWorld(t, func(c *dctest.Config) { c.IdleTimeout = time.Minute })
	p := w.withPerm(2)
	w.sleep(50 * time.Second)
	p.pings(1)
	w.sleep(50 * time.Second)
	if p.wire().closed {
		t.Error("closed although it spoke")
	}
	w.sleep(10 * time.Second)
	if !p.wire().closed {
		t.Error("not closed after a minute of silence")
	}
}

func TestSessionsWithoutConnectionAreForgotten(t *testing.T) {
	w := newWorld(t, nil)
	p := w.withPerm(2)
	p.pings(1)
	for i, absence := range []time.Duration{dctest.DefaultSessionTTL - time.Minute, dctest.DefaultSessionTTL + time.Minute} {
		p.drop()
		w.sleep(absence)
		p.open()
		p.Salt = freshSalt(t, p)
		if !p.pings(2) {
			t.Fatal("no pong")
		}
		if n := w.c.Counts().Sessions; n != i+1 {
			t.Errorf("after %s: %d sessions recorded, want %d", absence, n, i+1)
		}
	}
}

// freshSalt learns the current salt by a ping with a wrong one.
func freshSalt(t *testing.T, p *peer) int64 {
	t.Helper()
	p.Salt = 1
	p.send(p.Service(p.w.now, pingOf(99)))
	return parse(t, p.take(mt.BadServerSaltID), &mt.BadServerSalt{}).NewServerSalt
}

func TestSessionsPerKeyAreBounded(t *testing.T) {
	w := newWorld(t, nil)
	p := w.withPerm(2)
	for range 200 {
		p.Client = p.sibling()
		p.queue = nil
		if !p.pings(1) {
			t.Fatal("a new session does not work")
		}
		p.wire().packets = nil
	}
	if n := w.c.Counts().Sessions; n != 200 {
		t.Errorf("%d sessions recorded", n)
	}
	w.noViolations()
}

// sibling is another session under the same key.
func (p *peer) sibling() *raw.Client {
	return &raw.Client{Key: p.Key, Rand: p.Rand, Salt: p.Salt, Session: random64(), Last: p.Last}
}

func TestUnacknowledgedMessagesAreBounded(t *testing.T) {
	w := newWorld(t, nil)
	p := w.withPerm(2).inited()
	for i := range 2100 { // answers that nobody acknowledges
		p.send(p.Query(w.now, echoOf(int64(i))))
		p.wire().packets = nil
	}
	p.reconnect()
	p.send(p.Service(w.now, pingOf(1)))
	results := 0
	for _, m := range p.collect() {
		if _, _, ok := m.Result(); ok {
			results++
		}
	}
	if results != 2048 {
		t.Errorf("%d answers came again, want 2048", results)
	}
}

func TestWindowForgetsTheOldest(t *testing.T) {
	w := newWorld(t, nil)
	p := w.withPerm(2).inited()
	old := p.Query(w.now, echoOf(1))
	p.send(old)
	for i := range 1100 {
		p.send(p.Service(w.now, pingOf(int64(i))))
		p.wire().packets = nil
	}
	p.send(old)
	if got := p.badMsg(); got != 20 {
		t.Errorf("a message older than the window: bad_msg %d, want 20", got)
	}
	if n := w.c.Echo(1); n != 1 {
		t.Errorf("it ran %d times", n)
	}
}

func TestPushesToAnAbsentSessionEndInANewSession(t *testing.T) {
	w := newWorld(t, nil)
	p := w.withPerm(2).inited()
	p.drop()
	for range 1100 {
		w.c.Push(w.now, api.Push{DC: 2, Perm: int64(p.perm.ID()), Body: []byte{1, 0, 0, 0}})
	}
	p.open()
	p.send(p.Service(w.now, pingOf(1)))
	if p.take(mt.NewSessionCreatedID) == nil {
		t.Error("the client is not told that it missed something")
	}
	if n := len(p.queue); n > 10 {
		t.Errorf("%d messages besides", n)
	}
}

func TestConfigErrorsNameTheField(t *testing.T) {
	good := dctest.Config{Rand: zeroReader{}, API: &half{}, Keys: []*crypt.PrivateKey{rsaKey()}, Group: group()}
	for field, change := range map[string]func(*dctest.Config){
		"Rand": func(c *dctest.Config) { c.Rand = nil },
		"API":  func(c *dctest.Config) { c.API = nil },
		"Keys": func(c *dctest.Config) { c.Keys = nil },
		"DCs":  func(c *dctest.Config) { c.DCs = 101 },
	} {
		cfg := good
		change(&cfg)
		_, err := dctest.New(cfg)
		if bad := (*dctest.ConfigError)(nil); !errors.As(err, &bad) || bad.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestUnknownConnectionsAndDCsAreHarmless(t *testing.T) {
	w := newWorld(t, nil)
	w.c.Packet(w.now, 99, []byte{1}, false)
	w.c.Closed(w.now, 99)
	w.c.Done(w.now, dctest.WorkResult{})
	w.conns[5] = &wire{}
	w.c.Open(w.now, 5, 77, "nowhere")
	w.settle()
	if !w.conns[5].closed || w.c.Conns() != 0 || w.c.DCs() != 3 {
		t.Error("a connection to a DC that does not exist stays open")
	}
}
