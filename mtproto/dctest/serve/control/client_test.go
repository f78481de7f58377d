package control_test

import (
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

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

// peer is a client by hand, over memory.
type peer struct {
	*raw.Client
	t     testing.TB
	rand  io.Reader
	dc    int
	conn  net.Conn
	codec *transport.Codec
	keys  []*crypt.PublicKey
	inbox []raw.Message
	app   serve.AppID
}

func connect(t testing.TB, s *serve.Cluster, key *crypt.PrivateKey, rand io.Reader, dc int) *peer {
	t.Helper()
	conn, err := s.Dialer().DialDC(dc)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	codec, err := transport.NewClient(transport.Config{Kind: transport.Intermediate, Rand: rand})
	if err != nil {
		t.Fatal(err)
	}
	return &peer{t: t, rand: rand, dc: dc, conn: conn, codec: codec, keys: []*crypt.PublicKey{key.Public()}, app: s.Descriptor().Apps[0]}
}

func (p *peer) write(packet []byte) error {
	b, err := p.codec.Encode(nil, packet)
	if err == nil {
		_, err = p.conn.Write(b)
	}
	return err
}

func (p *peer) read() ([]byte, error) {
	_ = p.conn.SetReadDeadline(time.Now().Add(time.Minute))
	return p.codec.ReadPacket(p.conn, nil)
}

// makeKey runs a handshake and begins a session under its key.
func (p *peer) makeKey(temp bool) *handshake.Result {
	p.t.Helper()
	r, err := raw.Handshake(time.Now(), handshake.ClientConfig{
		Rand: p.rand, Keys: p.keys, Group: crypt.WellKnownGroup(), DC: p.dc, Temp: temp,
	}, func(packet []byte) ([]byte, error) {
		if err := p.write(packet); err != nil {
			return nil, err
		}
		return p.read()
	})
	if err != nil {
		p.t.Fatal(err)
	}
	var b [8]byte
	_, _ = io.ReadFull(p.rand, b[:])
	p.Client = raw.New(r, p.rand, int64(binary.LittleEndian.Uint64(b[:])|1))
	return r
}

// bound makes a perm key and a temp key that is bound to it.
func (p *peer) bound() {
	p.t.Helper()
	perm := p.makeKey(false)
	temp := p.makeKey(true)
	id := p.NextID(time.Now())
	m := raw.Message{ID: id, SeqNo: p.Content*2 + 1, Body: p.Bind(perm.Key, id, 42, temp.ExpiresAt).Append(nil)}
	p.Content++
	if !tl.NewReader(p.exchange(m)).Bool() {
		p.t.Fatal("the bind was not answered with boolTrue")
	}
}

// exchange sends a message and waits for its result.
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
		_, list, err := p.Open(packet)
		if err != nil {
			p.t.Fatal(err)
		}
		p.inbox = append(p.inbox, list...)
	}
}

// call sends a query with its header; the text of an error is "" if there is none.
func (p *peer) call(q tl.Object) (*tl.Reader, string) {
	p.t.Helper()
	r := tl.NewReader(p.exchange(p.Message(time.Now(), raw.Wrap(tg.Layer, p.app.ID, q), true)))
	if r.PeekID() == mt.RPCErrorID {
		var e mt.RPCError
		e.Parse(r)
		return nil, e.ErrorMessage
	}
	return r, ""
}

// must is call of a query that must be answered.
func (p *peer) must(q tl.Object) *tl.Reader {
	p.t.Helper()
	r, text := p.call(q)
	if text != "" {
		p.t.Fatalf("%s: %s", q.TypeName(), text)
	}
	return r
}

// sendCode asks for a code and returns its hash.
func (p *peer) sendCode(phone string) string {
	p.t.Helper()
	q := &tg.AuthSendCodeRequest{PhoneNumber: phone, APIID: int32(p.app.ID), APIHash: p.app.Hash}
	sent, ok := q.ParseResult(p.must(q)).(*tg.AuthSentCode)
	if !ok {
		p.t.Fatal("no code was sent")
	}
	return sent.PhoneCodeHash
}

// showQR asks for the token of a QR code.
func (p *peer) showQR() []byte {
	p.t.Helper()
	q := &tg.AuthExportLoginTokenRequest{APIID: int32(p.app.ID), APIHash: p.app.Hash}
	token, ok := q.ParseResult(p.must(q)).(*tg.AuthLoginToken)
	if !ok {
		p.t.Fatal("no login token")
	}
	return token.Token
}

func (p *peer) echo(id int64) { p.must(&echo.EchoRequest{ID: id, Payload: []byte("hello")}) }
