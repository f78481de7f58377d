package serve_test

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/mtproto/dctest/internal/raw"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/mtproto/handshake"
	"github.com/mtfleet/mtfleet/mtproto/transport"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/mt"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// One RSA key and one DH group serve all tests: making them is what takes time.
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

func start(t *testing.T, cfg serve.Config) *serve.Cluster {
	t.Helper()
	cfg.Core.Keys = []*crypt.PrivateKey{rsaKey()}
	cfg.Core.Group = group()
	s, err := serve.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// peer is a raw client over one connection.
type peer struct {
	*raw.Client
	t     testing.TB
	conn  net.Conn
	codec *transport.Codec
	inbox []raw.Message
}

func dial(t testing.TB, conn net.Conn, cfg transport.Config) *peer {
	t.Helper()
	cfg.Rand = rand.Reader
	codec, err := transport.NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &peer{t: t, conn: conn, codec: codec}
}

func dialTCP(t testing.TB, s *serve.Cluster, dc int, kind transport.Kind, obfuscated bool) *peer {
	t.Helper()
	conn, err := net.Dial("tcp", s.Addr(dc))
	if err != nil {
		t.Fatal(err)
	}
	return dial(t, conn, transport.Config{Kind: kind, Obfuscated: obfuscated, DC: dc})
}

func (p *peer) write(packet []byte) error {
	b, err := p.codec.Encode(nil, packet)
	if err != nil {
		return err
	}
	_, err = p.conn.Write(b)
	return err
}

func (p *peer) read() ([]byte, error) {
	_ = p.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	return p.codec.ReadPacket(p.conn, nil)
}

func (p *peer) roundTrip(packet []byte) ([]byte, error) {
	if err := p.write(packet); err != nil {
		return nil, err
	}
	return p.read()
}

// makeKey runs a handshake and begins a session under its key.
func (p *peer) makeKey(dc int, temp bool) *handshake.Result {
	p.t.Helper()
	r, err := raw.Handshake(time.Now(), handshake.ClientConfig{
		Rand: rand.Reader, Keys: []*crypt.PublicKey{rsaKey().Public()}, Group: group(), DC: dc, Temp: temp,
	}, p.roundTrip)
	if err != nil {
		p.t.Fatal(err)
	}
	p.use(r)
	return r
}

func (p *peer) use(r *handshake.Result) {
	var b [8]byte
	_, _ = rand.Read(b[:])
	p.Client = raw.New(r, rand.Reader, int64(binary.LittleEndian.Uint64(b[:])|1))
}

// call sends a query and waits for its result.
func (p *peer) call(body []byte) []byte {
	p.t.Helper()
	m := p.Message(time.Now(), body, true)
	return p.exchange(m)
}

func (p *peer) exchange(m raw.Message) []byte {
	p.t.Helper()
	if err := p.write(p.Packet(m)); err != nil {
		p.t.Fatal(err)
	}
	for {
		for len(p.inbox) > 0 {
			in := p.inbox[0]
			p.inbox = p.inbox[1:]
			if req, result, ok := in.Result(); ok && req == m.ID {
				return result
			}
		}
		packet, err := p.read()
		if err != nil {
			p.t.Fatal(err)
		}
		if code, ok := transport.ErrorCode(packet); ok {
			p.t.Fatalf("transport error %d", code)
		}
		_, list, err := p.Open(packet)
		if err != nil {
			p.t.Fatal(err)
		}
		p.inbox = append(p.inbox, list...)
	}
}

func (p *peer) bind(perm *handshake.Result, temp *handshake.Result) {
	p.t.Helper()
	id := p.NextID(time.Now())
	body := p.Bind(perm.Key, id, 42, temp.ExpiresAt).Append(nil)
	m := raw.Message{ID: id, SeqNo: p.Content*2 + 1, Body: body}
	p.Content++
	if got := tl.NewReader(p.exchange(m)); !got.Bool() {
		p.t.Fatal("the bind was not answered with boolTrue")
	}
}

// signInBot signs the peer's key in as a bot.
func (p *peer) signInBot(token string, app serve.AppID) {
	p.t.Helper()
	q := &tg.AuthImportBotAuthorizationRequest{APIID: int32(app.ID), APIHash: app.Hash, BotAuthToken: token}
	r := tl.NewReader(p.call(raw.Wrap(tg.Layer, app.ID, q)))
	if r.PeekID() == mt.RPCErrorID {
		var e mt.RPCError
		e.Parse(r)
		p.t.Fatalf("sign-in: %d %s", e.ErrorCode, e.ErrorMessage)
	}
}

func (p *peer) echo(id int64) *echo.Echoed {
	p.t.Helper()
	q := &echo.EchoRequest{ID: id, Payload: []byte("hello")}
	r := tl.NewReader(p.call(q.Append(nil)))
	if r.PeekID() == mt.RPCErrorID {
		var e mt.RPCError
		e.Parse(r)
		p.t.Fatalf("echo: %d %s", e.ErrorCode, e.ErrorMessage)
	}
	e := q.ParseResult(r)
	if r.End() != nil {
		p.t.Fatal(r.End())
	}
	return e
}

func noViolations(t *testing.T, s *serve.Cluster) {
	t.Helper()
	list, _ := s.Violations()
	for _, v := range list {
		t.Errorf("violation: %s", v)
	}
}

func TestABotSignsInUnderABoundKeyOverEveryTransport(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	s := start(t, serve.Config{Bots: 8})
	defer s.Close()
	d := s.Descriptor()
	kinds := []struct {
		kind       transport.Kind
		obfuscated bool
	}{
		{transport.Abridged, false}, {transport.Intermediate, false}, {transport.Padded, false}, {transport.Full, false},
		{transport.Abridged, true}, {transport.Intermediate, true}, {transport.Padded, true},
	}
	for i, k := range kinds {
		t.Run(fmt.Sprint(k.kind, k.obfuscated), func(t *testing.T) {
			bot := d.Bots[i]
			p := dialTCP(t, s, bot.DC, k.kind, k.obfuscated)
			perm := p.makeKey(bot.DC, false)
			temp := p.makeKey(bot.DC, true)
			p.bind(perm, temp)
			p.signInBot(bot.Token, d.Apps[0])
			e := p.echo(int64(i) + 1)
			if e.UserID != bot.UserID || int(e.DC) != bot.DC || string(e.Payload) != "hello" {
				t.Errorf("echoed %+v, want user %d on DC %d", e, bot.UserID, bot.DC)
			}
			_ = p.conn.Close()
		})
	}
	l := s.Ledger()
	if n := len(kinds); l.Counts.PermKeys != n || l.Counts.TempKeys != n || l.Counts.Binds != n || l.Counts.Logins != n ||
		l.Counts.Echoes != n || l.Counts.Repeated != 0 {
		t.Errorf("counts %+v, want %d of each", l.Counts, n)
	}
	noViolations(t, s)
}

func TestDialerNeedsNoSocket(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	s := start(t, serve.Config{Bots: 1, MemoryOnly: true})
	defer s.Close()
	conn, err := s.Dialer().DialContext(context.Background(), "tcp", s.Addr(2))
	if err != nil {
		t.Fatal(err)
	}
	p := dial(t, conn, transport.Config{Kind: transport.Intermediate})
	p.makeKey(2, false)
	if _, err := s.Dialer().DialContext(context.Background(), "tcp", "127.0.0.1:1"); err == nil {
		t.Error("an unknown address was dialled")
	}
	noViolations(t, s)
	_ = conn.Close()
}

func wrap(app int, q tl.Object) []byte { return raw.Wrap(tg.Layer, app, q) }
