package dctest_test

import (
	"crypto/rand"
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/internal/raw"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/mt"
)

// seal encrypts a plaintext with exactly so much padding, which need not be legal.
func seal(t *testing.T, k *crypt.AuthKey, plaintext []byte, padding int) []byte {
	t.Helper()
	// AppendEncrypted pads by itself: a padding source that says "none extra" and a body that ends where wanted.
	body := append(append([]byte(nil), plaintext...), make([]byte, padding-12)...)
	p, err := crypt.AppendEncrypted(nil, k, crypt.Client, body, zeroReader{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

type zeroReader struct{}

func (zeroReader) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestEachStrictnessRuleIsAnsweredAndRecorded(t *testing.T) {
	ping := &mt.PingRequest{PingID: 5}
	type outcome struct {
		bad    int32 // code of bad_msg_notification
		code   int32 // transport error
		closed bool
		rule   dctest.Rule
		noted  bool // ... and answered all the same
	}
	cases := []struct {
		name string
		do   func(w *world, p *peer)
		want outcome
	}{
		{"session id 0", func(w *world, p *peer) {
			p.Session = 0
			p.send(p.Service(w.now, ping))
		}, outcome{code: -404, closed: true, rule: dctest.RuleSession}},
		{"unknown key", func(w *world, p *peer) {
			packet := p.Packet(p.Service(w.now, ping))
			packet[0] ^= 1
			p.sendPacket(packet)
		}, outcome{code: -404, closed: true, rule: dctest.RuleKey}},
		{"damaged packet", func(w *world, p *peer) {
			packet := p.Packet(p.Service(w.now, ping))
			packet[40] ^= 1
			p.sendPacket(packet)
		}, outcome{closed: true, rule: dctest.RuleMsgKey}},
		{"tiny packet", func(w *world, p *peer) { p.sendPacket([]byte{1, 2, 3, 4}) },
			outcome{code: -404, closed: true, rule: dctest.RuleFrame}},
		{"length beyond the packet", func(w *world, p *peer) {
			b := p.Plaintext(p.Service(w.now, ping))
			binary.LittleEndian.PutUint32(b[28:], 4000)
			p.sendPacket(seal(t, p.Key, b, 12))
		}, outcome{closed: true, rule: dctest.RuleLength}},
		{"length not a multiple of 4", func(w *world, p *peer) {
			b := p.Plaintext(p.Service(w.now, ping))
			binary.LittleEndian.PutUint32(b[28:], 11)
			p.sendPacket(seal(t, p.Key, b, 12))
		}, outcome{closed: true, rule: dctest.RuleLength}},
		{"padding above 1024", func(w *world, p *peer) {
			p.sendPacket(seal(t, p.Key, p.Plaintext(p.Service(w.now, ping)), 1100))
		}, outcome{closed: true, rule: dctest.RulePadding}},
		{"padding below 12", func(w *world, p *peer) {
			b := p.Plaintext(p.Service(w.now, ping))
			// The inner length swallows the padding down to 8 bytes.
			packet := seal(t, p.Key, b, 12)
			plain := len(packet) - 24
			binary.LittleEndian.PutUint32(b[28:], uint32(plain-32-8))
			p.sendPacket(seal(t, p.Key, b, 12))
		}, outcome{closed: true, rule: dctest.RulePadding}},
		{"msg_id not divisible by 4", func(w *world, p *peer) {
			m := p.Service(w.now, ping)
			m.ID |= 1
			p.send(m)
		}, outcome{bad: 18, rule: dctest.RuleMsgID}},
		{"msg_id 301 s old", func(w *world, p *peer) { p.send(p.Service(w.now.Add(-302*time.Second), ping)) },
			outcome{bad: 16, rule: dctest.RuleMsgID}},
		{"msg_id 31 s ahead", func(w *world, p *peer) { p.send(p.Service(w.now.Add(32*time.Second), ping)) },
			outcome{bad: 17, rule: dctest.RuleMsgID}},
		{"msg_id below an earlier one", func(w *world, p *peer) {
			m := p.Service(w.now, ping)
			p.send(p.Service(w.now, ping))
			p.send(m)
		}, outcome{rule: dctest.RuleOrder, noted: true}},
		{"seqno too low", func(w *world, p *peer) {
			p.send(p.Message(w.now, ping.Append(nil), true))
			p.Content = 0
			p.send(p.Message(w.now, ping.Append(nil), true))
		}, outcome{bad: 32, rule: dctest.RuleSeqNo}},
		{"seqno too high", func(w *world, p *peer) {
			early := p.Service(w.now, ping)
			p.send(p.Message(w.now, ping.Append(nil), true))
			early.SeqNo = 7
			p.send(early)
		}, outcome{bad: 33, rule: dctest.RuleSeqNo}},
		{"acknowledgement with odd seqno", func(w *world, p *peer) {
			p.send(p.Message(w.now, (&mt.MsgsAck{MsgIDs: []int64{1}}).Append(nil), true))
		}, outcome{rule: dctest.RuleSeqNo, noted: true}},
		{"container with odd seqno", func(w *world, p *peer) {
			m := p.Container(w.now, p.Service(w.now, ping))
			m.SeqNo++
			p.send(m)
		}, outcome{rule: dctest.RuleSeqNo, noted: true}},
		{"acknowledgement that does not parse", func(w *world, p *peer) {
			p.send(p.Message(w.now, tl.AppendUint32(nil, mt.MsgsAckID), false))
		}, outcome{rule: dctest.RuleTL, noted: true}},
		{"destroy_session of itself", func(w *world, p *peer) {
			p.send(p.Service(w.now, &mt.DestroySessionRequest{SessionID: p.Session}))
		}, outcome{rule: dctest.RuleSession, noted: true}},
		{"query with even seqno", func(w *world, p *peer) {
			p.send(p.Message(w.now, raw.Wrap(229, 1, echoOf(1)), false))
		}, outcome{bad: 35, rule: dctest.RuleSeqNo}},
		{"container in a container", func(w *world, p *peer) {
			inner := p.Container(w.now, p.Service(w.now, ping))
			p.send(p.Container(w.now, inner))
		}, outcome{bad: 64, rule: dctest.RuleContainer}},
		{"empty container", func(w *world, p *peer) { p.send(p.Container(w.now)) },
			outcome{bad: 64, rule: dctest.RuleContainer}},
		{"member id above the container's", func(w *world, p *peer) {
			m := p.Service(w.now, ping)
			m.ID += 1 << 20
			p.send(p.Container(w.now, m))
		}, outcome{bad: 64, rule: dctest.RuleContainer}},
		{"1025 members", func(w *world, p *peer) {
			var list []raw.Message
			for range 1025 {
				list = append(list, p.Service(w.now, ping))
			}
			p.send(p.Container(w.now, list...))
		}, outcome{bad: 64, rule: dctest.RuleContainer}},
		{"member reaching beyond the container", func(w *world, p *peer) {
			c := p.Container(w.now, p.Service(w.now, ping))
			binary.LittleEndian.PutUint32(c.Body[8+12:], 400)
			p.send(c)
		}, outcome{bad: 64, rule: dctest.RuleContainer}},
		{"member id not divisible by 4", func(w *world, p *peer) {
			m := p.Service(w.now, ping)
			m.ID |= 2
			p.NextID(w.now)
			p.send(p.Container(w.now, m))
		}, outcome{bad: 18, rule: dctest.RuleMsgID}},
		{"container sent twice", func(w *world, p *peer) {
			c := p.Container(w.now, p.Service(w.now, ping))
			p.send(c)
			p.collect()
			p.send(c)
		}, outcome{bad: 19}},
		{"ids over the limit", func(w *world, p *peer) {
			p.send(p.Service(w.now, &mt.MsgsAck{MsgIDs: make([]int64, 8193)}))
		}, outcome{code: -429, closed: true, rule: dctest.RuleIDList}},
		{"gzip that is none", func(w *world, p *peer) {
			p.send(p.Message(w.now, (&mt.GzipPacked{PackedData: []byte("not gzip")}).Append(nil), true))
		}, outcome{bad: 64, rule: dctest.RuleGzip}},
		{"plain message that is no handshake", func(w *world, p *peer) {
			b := make([]byte, 8)
			b = binary.LittleEndian.AppendUint64(b, uint64(p.NextID(w.now)))
			b = binary.LittleEndian.AppendUint32(b, 12)
			p.sendPacket(ping.Append(b))
		}, outcome{code: -404, closed: true, rule: dctest.RuleHandshake}},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, nil)
			p := w.withPerm(2)
			tc.do(w, p)
			end := p.wire()
			if end.code != tc.want.code || end.closed != tc.want.closed {
				t.Errorf("transport error %d, closed %v; want %d, %v", end.code, end.closed, tc.want.code, tc.want.closed)
			}
			if !end.closed {
				if got := p.badMsg(); got != tc.want.bad {
					t.Errorf("bad_msg_notification %d, want %d", got, tc.want.bad)
				}
			}
			severity := dctest.SeverityRefused
			if tc.want.noted {
				severity = dctest.SeverityNoted
			}
			if tc.want.rule != "" && !w.violatedAs(tc.want.rule, severity) {
				list, _ := w.c.Violations()
				t.Errorf("violations %v, want %s (%s)", list, tc.want.rule, severity)
			}
			if rules := w.violated(); tc.want.rule != "" && !slices.Contains(rules, tc.want.rule) {
				t.Errorf("violations %v, want %s", rules, tc.want.rule)
			} else if tc.want.rule == "" && len(rules) > 0 {
				t.Errorf("violations %v, want none", rules)
			}
		})
	}
}

func TestRefusedMessageIsNotRemembered(t *testing.T) {
	w := newWorld(t, nil)
	p := w.withPerm(2)
	right := p.Salt
	p.Salt = 12345
	m := p.Message(w.now, raw.Wrap(229, 1, echoOf(9)), true)
	p.send(m)
	notice := p.take(mt.BadServerSaltID)
	if notice == nil {
		t.Fatal("a wrong salt was not answered with bad_server_salt")
	}
	var bad mt.BadServerSalt
	if err := tl.Unmarshal(notice.Body, &bad); err != nil || bad.NewServerSalt != right || bad.BadMsgID != m.ID || bad.ErrorCode != 48 {
		t.Fatalf("bad_server_salt %+v, %v; want salt %x for %x", bad, err, right, m.ID)
	}
	p.Salt = right
	p.send(m) // the same msg_id: it was not registered
	if p.result(m.ID) == nil {
		t.Error("the message was not accepted with the right salt")
	}
	if n := w.c.Echo(9); n != 1 {
		t.Errorf("the query ran %d times", n)
	}
	w.noViolations()
}

func TestEncryptedPacketWhileAHandshakeIsHalfDone(t *testing.T) { // P40
	w := newWorld(t, nil)
	p := w.withPerm(2).inited()
	// Somebody probes with req_pq_multi on the same connection and never goes on.
	probe := make([]byte, 8)
	probe = binary.LittleEndian.AppendUint64(probe, uint64(p.NextID(w.now)))
	probe = binary.LittleEndian.AppendUint32(probe, 20)
	var nonce [16]byte
	_, _ = rand.Read(nonce[:])
	probe = (&mt.ReqPQMultiRequest{Nonce: nonce}).Append(probe)
	if _, err := p.plain(probe); err != nil {
		t.Fatal(err)
	}
	if !p.echoed(1) {
		t.Error("an encrypted packet was not served beside a handshake")
	}
	w.noViolations()
}

func TestHandshakeForAnotherDCIsRefused(t *testing.T) {
	w := newWorld(t, nil)
	p := w.connect(2)
	p.dc = 3 // what the client believes
	if _, err := p.tryKey(false, 0); err == nil {
		t.Fatal("a key was made with the wrong DC id")
	}
	if end := p.wire(); end.code != -444 || !end.closed {
		t.Errorf("transport error %d, closed %v; want -444 and a close", end.code, end.closed)
	}
}
