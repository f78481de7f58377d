package handshake

import (
	"bytes"
	"testing"

	"github.com/mtfleet/mtfleet/tl/mt"
)

// transcript is one honest handshake with what both sides looked like before each packet.
type transcript struct {
	toClient, toServer [][]byte // bodies
	clients            []Client // before each of toClient
	servers            []exchange
	inner              [][]byte // decrypted objects of the two DH messages
}

func record(t testing.TB) *transcript {
	tr := new(transcript)
	p := newPair(t, clientConfig(80), serverConfig(81))
	p.toClient = func(packet []byte) [][]byte {
		tr.toClient = append(tr.toClient, packet[plainHeader:])
		tr.clients = append(tr.clients, *p.client)
		return [][]byte{packet}
	}
	p.toServer = func(packet []byte) [][]byte {
		tr.toServer = append(tr.toServer, packet[plainHeader:])
		var x exchange
		if now := p.server.exchanges[p.client.nonce]; now != nil {
			x = *now
		}
		tr.servers = append(tr.servers, x)
		return [][]byte{packet}
	}
	p.run().wantKey()

	key, iv := tr.clients[2].tmpKey, tr.clients[2].tmpIV
	var ok mt.ServerDHParamsOk
	var set mt.SetClientDHParamsRequest
	var serverInner mt.ServerDHInnerData
	var clientInner mt.ClientDHInnerData
	if _, err := parse(tr.toClient[1], &ok); err != nil {
		t.Fatal(err)
	}
	if _, err := parse(tr.toServer[2], &set); err != nil {
		t.Fatal(err)
	}
	if openHashed(ok.EncryptedAnswer, &key, &iv, &serverInner) != nil || openHashed(set.EncryptedData, &key, &iv, &clientInner) != nil {
		t.Fatal("the transcript does not decrypt")
	}
	tr.inner = [][]byte{serverInner.Append(nil), clientInner.Append(nil)}
	return tr
}

// FuzzClient gives a client, at each step, any packet; at the second step also any object inside a well-made envelope.
// The client must end with a StepError, wait, or take the one right answer.
func FuzzClient(f *testing.F) {
	tr := record(f)
	for i, body := range tr.toClient {
		f.Add(uint8(i), false, answerPacket(body))
	}
	f.Add(uint8(1), true, tr.inner[0])
	f.Add(uint8(0), false, []byte{})
	f.Add(uint8(2), false, answerPacket((&mt.DHGenRetry{Nonce: tr.clients[2].nonce, ServerNonce: tr.clients[2].serverNonce}).Append(nil)))
	f.Fuzz(func(t *testing.T, step uint8, sealed bool, data []byte) {
		i := int(step) % len(tr.clients)
		c := tr.clients[i]
		c.cfg.Rand = seeded(82)
		c.out = nil
		if c.key != nil { // failing wipes the key
			k := *c.key
			c.key = &k
		}
		if sealed {
			encrypted, err := sealHashed(data, &c.tmpKey, &c.tmpIV, seeded(83))
			if err != nil {
				t.Fatal(err)
			}
			data = answerPacket((&mt.ServerDHParamsOk{Nonce: c.nonce, ServerNonce: c.serverNonce, EncryptedAnswer: encrypted}).Append(nil))
		}
		before := c.state
		c.Receive(start, bytes.Clone(data))
		outs := 0
		for out, ok := c.Next(); ok; out, ok = c.Next() {
			outs++
			switch {
			case out.Kind == OutFailed && c.state == clientOver:
				wantStep(t, "client", out.Err, before.step(), nil)
			case out.Kind == OutWork && (c.state == clientFactoring || c.state == clientAgreeing):
			case out.Kind == OutDone && c.state == clientOver && before == clientAwaitDHGen:
			default:
				t.Errorf("output %d in state %d", out.Kind, c.state)
			}
		}
		if outs > 1 || outs == 0 && c.state != before {
			t.Errorf("%d outputs, state %d -> %d", outs, before, c.state)
		}
	})
}

// FuzzServer gives a server, at each step of a handshake, any packet; at the third also any object inside a well-made
// envelope. It must answer, put out work, or refuse.
func FuzzServer(f *testing.F) {
	tr := record(f)
	for i, body := range tr.toServer {
		f.Add(uint8(i), false, appendPlain(nil, 4, body))
	}
	f.Add(uint8(2), true, tr.inner[1])
	f.Add(uint8(0), false, []byte{})
	f.Fuzz(func(t *testing.T, step uint8, sealed bool, data []byte) {
		i := int(step) % len(tr.servers)
		s := mustServer(t, serverConfig(84))
		x := tr.servers[i]
		if i > 0 {
			x.created = start
			s.remember(&x)
		}
		if sealed {
			encrypted, err := sealHashed(data, &x.tmpKey, &x.tmpIV, seeded(85))
			if err != nil {
				t.Fatal(err)
			}
			data = appendPlain(nil, 4, (&mt.SetClientDHParamsRequest{Nonce: x.nonce, ServerNonce: x.serverNonce, EncryptedData: encrypted}).Append(nil))
		}
		r := s.Receive(start, bytes.Clone(data))
		if r.Result != nil || (r.Packet == nil) != (r.Work != nil || r.Err != nil) {
			t.Errorf("reply %+v", r)
		}
		if r.Err != nil && r.Code != CodeRefused {
			t.Errorf("code %d", r.Code)
		}
		if s.Pending() > 2 {
			t.Errorf("%d handshakes remembered", s.Pending())
		}
	})
}
