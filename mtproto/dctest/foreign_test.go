package dctest_test

import (
	"bytes"
	"compress/zlib"
	"crypto/rand"
	"crypto/sha1"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"io"
	"math/big"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/internal/raw"
	"github.com/mtfleet/mtfleet/mtproto/handshake"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/mt"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// This file holds what shipped clients do that ours does not. Each of them works with the real servers.

// noncer is a source of randomness that remembers the new_nonce a handshake drew: its first 32 bytes in one read.
type noncer struct {
	io.Reader
	newNonce [32]byte
	drawn    bool
}

func (n *noncer) Read(b []byte) (int, error) {
	c, err := io.ReadFull(n.Reader, b)
	if len(b) == 32 && !n.drawn {
		n.drawn = true
		copy(n.newNonce[:], b)
	}
	return c, err
}

// oldKey runs a handshake as Telethon's synchronous branch and @mtproto/core do: p_q_inner_data without a DC, in an RSA
// block of SHA1, data and random bytes, with plain msg_ids of 0.
func (p *peer) oldKey() (*handshake.Result, error) {
	source := &noncer{Reader: rand.Reader}
	var pq []byte
	return raw.Handshake(p.w.now, handshake.ClientConfig{
		Rand: source, Keys: []*crypt.PublicKey{rsaKey().Public()}, Group: group(), DC: p.dc,
	}, func(packet []byte) ([]byte, error) {
		const header = 20
		var req mt.ReqDHParamsRequest
		if binary.LittleEndian.Uint32(packet[header:]) == mt.ReqDHParamsRequestID {
			if err := tl.Unmarshal(packet[header:], &req); err != nil {
				return nil, err
			}
			inner := mt.PQInnerData{PQ: pq, P: req.P, Q: req.Q, Nonce: req.Nonce, ServerNonce: req.ServerNonce, NewNonce: source.newNonce}
			req.EncryptedData = oldBlock(p.w.t, inner.Append(nil))
			packet = req.Append(packet[:header:header])
			binary.LittleEndian.PutUint32(packet[16:], uint32(len(packet)-header))
		}
		clear(packet[8:16])
		answer, err := p.plain(packet)
		if err == nil && pq == nil {
			var res mt.ResPQ
			if err := tl.Unmarshal(answer[header:], &res); err != nil {
				return nil, err
			}
			pq = res.PQ
		}
		return answer, err
	})
}

func oldBlock(t testing.TB, data []byte) []byte {
	block := make([]byte, 255)
	if _, err := rand.Read(block); err != nil {
		t.Fatal(err)
	}
	sum := sha1.Sum(data)
	copy(block[copy(block, sum[:]):], data)
	der, _ := pem.Decode(rsaKey().Public().PEM())
	pub, err := x509.ParsePKCS1PublicKey(der.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return new(big.Int).Exp(new(big.Int).SetBytes(block), big.NewInt(int64(pub.E)), pub.N).FillBytes(make([]byte, 256))
}

func TestAClientOfTheOldHandshakeGetsIn(t *testing.T) {
	w := newWorld(t, nil)
	p := w.connect(2)
	r, err := p.oldKey()
	if err != nil {
		t.Fatal(err)
	}
	p.Client, p.perm = raw.New(r, rand.Reader, random64()), r.Key
	if p.inited(); !p.echoed(3) {
		t.Error("no answer under the key")
	}
	w.noViolations()
	if !w.violatedAs(dctest.RuleOldForm, dctest.SeverityInfo) {
		t.Error("the old forms are not written down")
	}
}

func zlibPacked(body []byte) *mt.GzipPacked {
	var buf bytes.Buffer
	z := zlib.NewWriter(&buf)
	_, _ = z.Write(body)
	_ = z.Close()
	return &mt.GzipPacked{PackedData: buf.Bytes()}
}

// TDLib sends each bind as invokeWithLayer(initConnection(gzip_packed(auth.bindTempAuthKey))), with a zlib stream in it,
// and asks the next thing without a header.
func TestABindInsideInitConnectionIsOne(t *testing.T) {
	w := newWorld(t, nil)
	p, expires := w.unbound(0)
	m := p.bindMessage(expires)
	m.Body = raw.Wrap(tg.Layer, 1, zlibPacked(m.Body))
	p.Salt = 99 // a bind is let through under a wrong salt, wrapped or not
	p.send(m)
	if got := p.resultOf(m.ID); got != "true" {
		t.Fatalf("bind: %s", got)
	}
	var s mt.NewSessionCreated
	if created := p.take(mt.NewSessionCreatedID); created == nil || tl.Unmarshal(created.Body, &s) != nil {
		t.Fatal("no new_session_created")
	}
	p.Salt = s.ServerSalt
	if got := p.call(&tg.HelpGetConfigRequest{}); got != "true" {
		t.Errorf("the query after it: %s", got)
	}
	w.noViolations()
}

// A zlib stream (RFC 1950) is what TDLib and mtcute put into gzip_packed, anywhere.
func TestZlibIsUnpacked(t *testing.T) {
	w := newWorld(t, nil)
	p := w.withTemp(2).inited()
	if got := p.call(zlibPacked(echoOf(4).Append(nil))); got != "other" || w.c.Echo(4) != 1 {
		t.Errorf("a packed query: %s, ran %d times", got, w.c.Echo(4))
	}
	w.noViolations()
}

// TDLib drops its temp keys before anybody has signed in; to it a 401 is the end of its login.
func TestTempKeysAreDroppedBeforeASignIn(t *testing.T) {
	w := newWorld(t, nil)
	w.half.anonymous = true
	p := w.withTemp(2).inited()
	if got := p.call(&tg.AuthDropTempAuthKeysRequest{ExceptAuthKeys: []int64{int64(p.Key.ID())}}); got != "true" {
		t.Errorf("auth.dropTempAuthKeys: %s", got)
	}
	if !w.c.KeyAlive(w.now, 2, int64(p.Key.ID())) {
		t.Error("the key that was to stay is gone")
	}
	w.noViolations()
}

// mtcute numbers every acknowledgement as content, alone and in containers, and resets its session when it hears of 34.
func TestOddAcknowledgementsAreServed(t *testing.T) {
	w := newWorld(t, nil)
	p := w.withTemp(2).inited()
	ack := func(id int64) raw.Message {
		return p.Message(w.now, (&mt.MsgsAck{MsgIDs: []int64{id}}).Append(nil), true)
	}
	first := p.Query(w.now, echoOf(1))
	p.send(first)
	p.send(ack(1))
	second := p.Query(w.now, echoOf(2))
	p.send(p.Container(w.now, ack(2), second, ack(3)))
	if p.result(first.ID) == nil || p.result(second.ID) == nil || p.badMsg() != 0 {
		t.Error("a query beside odd acknowledgements was refused")
	}
	list, _ := w.c.Violations()
	for _, v := range list {
		if v.Severity != dctest.SeverityNoted || v.Rule != dctest.RuleSeqNo {
			t.Errorf("violation: %v", v)
		}
	}
	if len(list) != 3 {
		t.Errorf("%d violations noted, want one for each of 3 acknowledgements", len(list))
	}
}

// A key that the server took away is no fault of the client that still has it; one that never was is.
func TestAForgottenKeyIsNobodysFault(t *testing.T) {
	w := newWorld(t, nil)
	p := w.withTemp(2)
	w.fault(dctest.Fault{Kind: dctest.FaultForgetTemp, DC: 2})
	p.send(p.Query(w.now, echoOf(1)))
	w.noViolations()
	if !w.violatedAs(dctest.RuleKey, dctest.SeverityInfo) || w.c.Counts().Refused != 0 {
		t.Errorf("counts %+v", w.c.Counts())
	}
	q := w.withPerm(2)
	packet := q.Packet(q.Query(w.now.Add(time.Second), echoOf(2)))
	packet[3] ^= 1
	q.sendPacket(packet)
	if !w.violatedAs(dctest.RuleKey, dctest.SeverityRefused) || w.c.Counts().Refused != 1 {
		t.Errorf("counts %+v", w.c.Counts())
	}
}
