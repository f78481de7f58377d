package handshake

import (
	"bytes"
	"encoding/binary"
	"math/big"
	"testing"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/mt"
)

// rewrite parses the body of a packet into m, lets change alter it, and packs it again with the old msg_id. Packets of
// other types pass as they are.
func rewrite[M tl.Object](t testing.TB, m M, change func()) func([]byte) [][]byte {
	return func(packet []byte) [][]byte {
		body := packet[plainHeader:]
		if bodyID(body) != m.TypeID() {
			return [][]byte{packet}
		}
		if _, err := parse(body, m); err != nil {
			t.Fatal(err)
		}
		change()
		return [][]byte{appendPlain(nil, int64(binary.LittleEndian.Uint64(packet[8:])), m.Append(nil))}
	}
}

// envelope changes the packet of the n-th message itself.
func envelope(n int, change func(packet []byte) []byte) func([]byte) [][]byte {
	count := 0
	return func(packet []byte) [][]byte {
		if count++; count-1 != n {
			return [][]byte{packet}
		}
		return [][]byte{change(bytes.Clone(packet))}
	}
}

// A server that lies at any step gets a typed error that names the step.
func TestServerLies(t *testing.T) {
	flip := func(b []byte) { b[len(b)-1] ^= 1 }
	resPQ := func(change func(p *pair, m *mt.ResPQ)) func(p *pair) {
		return func(p *pair) {
			m := new(mt.ResPQ)
			p.toClient = rewrite(p.t, m, func() { change(p, m) })
		}
	}
	params := func(change func(p *pair, m *mt.ServerDHParamsOk)) func(p *pair) {
		return func(p *pair) {
			m := new(mt.ServerDHParamsOk)
			p.toClient = rewrite(p.t, m, func() { change(p, m) })
		}
	}
	// inner changes what is inside server_DH_params_ok and encrypts it again.
	inner := func(change func(m *mt.ServerDHInnerData)) func(p *pair) {
		return params(func(p *pair, m *mt.ServerDHParamsOk) {
			var in mt.ServerDHInnerData
			if err := openHashed(m.EncryptedAnswer, &p.client.tmpKey, &p.client.tmpIV, &in); err != nil {
				p.t.Fatal(err)
			}
			change(&in)
			m.EncryptedAnswer, _ = sealHashed(in.Append(nil), &p.client.tmpKey, &p.client.tmpIV, seeded(1))
		})
	}
	// raw changes the decrypted SHA1 ‖ answer ‖ padding.
	raw := func(change func(data []byte) []byte) func(p *pair) {
		return params(func(p *pair, m *mt.ServerDHParamsOk) {
			_ = crypt.DecryptIGE(&p.client.tmpKey, &p.client.tmpIV, m.EncryptedAnswer)
			m.EncryptedAnswer = change(m.EncryptedAnswer)
			_ = crypt.EncryptIGE(&p.client.tmpKey, &p.client.tmpIV, m.EncryptedAnswer)
		})
	}
	dhGen := func(change func(m *mt.DHGenOk)) func(p *pair) {
		return func(p *pair) {
			m := new(mt.DHGenOk)
			p.toClient = rewrite(p.t, m, func() { change(m) })
		}
	}
	instead := func(n int, o func(p *pair) tl.Object) func(p *pair) {
		return func(p *pair) {
			p.toClient = envelope(n, func([]byte) []byte { return answerPacket(o(p).Append(nil)) })
		}
	}
	bytesOf := func(n int, change func([]byte) []byte) func(p *pair) {
		return func(p *pair) { p.toClient = envelope(n, change) }
	}
	prime := wellKnown().Prime()
	plus := func(x []byte, d int64) []byte {
		return new(big.Int).Add(new(big.Int).SetBytes(x), big.NewInt(d)).Bytes()
	}
	// A number of the right form that is not prime: RFC 3526's prime plus 24·35, for which 3 still is a legal generator.
	composite := plus(group14(t, 2).Prime(), 24*35)
	notSafe := new(big.Int).SetBytes(prime)
	for notSafe.Add(notSafe, big.NewInt(24)); !notSafe.ProbablyPrime(0); notSafe.Add(notSafe, big.NewInt(24)) {
	}

	tests := []struct {
		name  string
		lie   func(p *pair)
		step  Step
		cause error
	}{
		{"resPQ: key id is not 0", bytesOf(0, func(p []byte) []byte { p[0] = 1; return p }), StepResPQ, ErrEnvelope},
		{"resPQ: msg_id of a client", bytesOf(0, func(p []byte) []byte { p[8] &^= 3; return p }), StepResPQ, ErrMsgID},
		{"resPQ: msg_id of a push", bytesOf(0, func(p []byte) []byte { p[8] |= 3; return p }), StepResPQ, ErrMsgID},
		{"resPQ: msg_id 0", bytesOf(0, func(p []byte) []byte { clear(p[8:16]); return p }), StepResPQ, ErrMsgID},
		{"resPQ: length 0", bytesOf(0, func(p []byte) []byte { clear(p[16:20]); return p }), StepResPQ, ErrEnvelope},
		{"resPQ: length too large", bytesOf(0, func(p []byte) []byte { p[17]++; return p }), StepResPQ, ErrEnvelope},
		{"resPQ: length negative", bytesOf(0, func(p []byte) []byte { p[19] = 0x80; return p }), StepResPQ, ErrEnvelope},
		{"resPQ: length cuts the object", bytesOf(0, func(p []byte) []byte { p[16] -= 4; return p }), StepResPQ, tl.ErrLength},
		{"resPQ: an empty packet", bytesOf(0, func([]byte) []byte { return nil }), StepResPQ, ErrEnvelope},
		{"resPQ: a huge packet", bytesOf(0, func(p []byte) []byte { return append(p, make([]byte, maxPlain)...) }), StepResPQ, ErrEnvelope},
		{"resPQ: nonce", resPQ(func(_ *pair, m *mt.ResPQ) { m.Nonce[15] ^= 1 }), StepResPQ, ErrNonce},
		{"resPQ: pq empty", resPQ(func(_ *pair, m *mt.ResPQ) { m.PQ = nil }), StepResPQ, ErrPQ},
		{"resPQ: pq prime", resPQ(func(_ *pair, m *mt.ResPQ) { m.PQ = minimal(2305843009213693951) }), StepResPQ, ErrPQ},
		{"resPQ: pq even", resPQ(func(_ *pair, m *mt.ResPQ) { m.PQ = minimal(2 * 1000003) }), StepResPQ, ErrPQ},
		{"resPQ: pq a square", resPQ(func(_ *pair, m *mt.ResPQ) { m.PQ = minimal(2147483647 * 2147483647) }), StepResPQ, ErrPQ},
		{"resPQ: pq of 64 bits", resPQ(func(_ *pair, m *mt.ResPQ) { m.PQ = bytes.Repeat([]byte{0xff}, 8) }), StepResPQ, ErrPQ},
		{"resPQ: pq of 72 bits", resPQ(func(_ *pair, m *mt.ResPQ) { m.PQ = bytes.Repeat([]byte{1}, 9) }), StepResPQ, ErrPQ},
		{"resPQ: no fingerprints", resPQ(func(_ *pair, m *mt.ResPQ) { m.ServerPublicKeyFingerprints = nil }), StepResPQ, ErrNoKey},
		{"resPQ: unknown fingerprints", resPQ(func(_ *pair, m *mt.ResPQ) { m.ServerPublicKeyFingerprints = []int64{1, 2} }), StepResPQ, ErrNoKey},
		{"resPQ: another message", instead(0, func(p *pair) tl.Object { return &mt.DHGenOk{Nonce: p.client.nonce} }), StepResPQ, ErrUnexpected},
		{"resPQ: the client's own message", instead(0, func(p *pair) tl.Object { return &mt.ReqPQMultiRequest{Nonce: p.client.nonce} }), StepResPQ, ErrUnexpected},

		{"server_DH_params: nonce", params(func(_ *pair, m *mt.ServerDHParamsOk) { m.Nonce[0] ^= 1 }), StepServerDHParams, ErrNonce},
		{"server_DH_params: server_nonce", params(func(_ *pair, m *mt.ServerDHParamsOk) { m.ServerNonce[0] ^= 1 }), StepServerDHParams, ErrServerNonce},
		{"server_DH_params: nothing encrypted", params(func(_ *pair, m *mt.ServerDHParamsOk) { m.EncryptedAnswer = nil }), StepServerDHParams, ErrEncrypted},
		{"server_DH_params: a broken block", params(func(_ *pair, m *mt.ServerDHParamsOk) { m.EncryptedAnswer = m.EncryptedAnswer[:591] }), StepServerDHParams, ErrEncrypted},
		{"server_DH_params: a block missing", params(func(_ *pair, m *mt.ServerDHParamsOk) { m.EncryptedAnswer = m.EncryptedAnswer[:576] }), StepServerDHParams, ErrEncrypted},
		{"server_DH_params: too much encrypted", params(func(_ *pair, m *mt.ServerDHParamsOk) { m.EncryptedAnswer = make([]byte, 8192) }), StepServerDHParams, ErrEncrypted},
		{"server_DH_params: a changed byte", params(func(_ *pair, m *mt.ServerDHParamsOk) { m.EncryptedAnswer[300] ^= 1 }), StepServerDHParams, ErrEncrypted},
		{"server_DH_params: wrong hash", raw(func(d []byte) []byte { d[0] ^= 1; return d }), StepServerDHParams, ErrEncrypted},
		{"server_DH_params: 24 bytes of padding", raw(func(d []byte) []byte { return append(d, make([]byte, 16)...) }), StepServerDHParams, ErrEncrypted},
		{"server_DH_params: another object inside", raw(func(d []byte) []byte { d[20] ^= 1; return d }), StepServerDHParams, ErrEncrypted},
		{"server_DH_params: inner nonce", inner(func(m *mt.ServerDHInnerData) { m.Nonce[3] ^= 1 }), StepServerDHParams, ErrNonce},
		{"server_DH_params: inner server_nonce", inner(func(m *mt.ServerDHInnerData) { m.ServerNonce[3] ^= 1 }), StepServerDHParams, ErrServerNonce},
		{"server_DH_params: server_time 0", inner(func(m *mt.ServerDHInnerData) { m.ServerTime = 0 }), StepServerDHParams, ErrServerTime},
		{"server_DH_params: g = 2 does not fit", inner(func(m *mt.ServerDHInnerData) { m.G = 2 }), StepServerDHParams, crypt.ErrGenerator},
		{"server_DH_params: g = 1", inner(func(m *mt.ServerDHInnerData) { m.G = 1 }), StepServerDHParams, crypt.ErrGenerator},
		{"server_DH_params: g negative", inner(func(m *mt.ServerDHInnerData) { m.G = -3 }), StepServerDHParams, crypt.ErrGenerator},
		{"server_DH_params: g = 8", inner(func(m *mt.ServerDHInnerData) { m.G = 8 }), StepServerDHParams, crypt.ErrGenerator},
		{"server_DH_params: p of 2047 bits", inner(func(m *mt.ServerDHInnerData) { m.DHPrime = new(big.Int).Rsh(new(big.Int).SetBytes(prime), 1).Bytes() }), StepServerDHParams, crypt.ErrPrimeSize},
		{"server_DH_params: p of 3000 bits", inner(func(m *mt.ServerDHInnerData) { m.DHPrime = append(bytes.Clone(prime), prime...) }), StepServerDHParams, crypt.ErrPrimeSize},
		{"server_DH_params: p empty", inner(func(m *mt.ServerDHInnerData) { m.DHPrime = nil }), StepServerDHParams, crypt.ErrPrimeSize},
		{"server_DH_params: p even", inner(func(m *mt.ServerDHInnerData) { m.DHPrime = plus(prime, 1) }), StepServerDHParams, crypt.ErrNotSafePrime},
		{"server_DH_params: p composite", inner(func(m *mt.ServerDHInnerData) { m.DHPrime = composite }), StepServerDHParams, crypt.ErrNotSafePrime},
		{"server_DH_params: p prime, but not safe", inner(func(m *mt.ServerDHInnerData) { m.DHPrime = notSafe.Bytes() }), StepServerDHParams, crypt.ErrNotSafePrime},
		{"server_DH_params: g_a = 0", inner(func(m *mt.ServerDHInnerData) { m.GA = nil }), StepServerDHParams, crypt.ErrPublicValue},
		{"server_DH_params: g_a = 1", inner(func(m *mt.ServerDHInnerData) { m.GA = []byte{1} }), StepServerDHParams, crypt.ErrPublicValue},
		{"server_DH_params: g_a small", inner(func(m *mt.ServerDHInnerData) { m.GA = m.GA[9:] }), StepServerDHParams, crypt.ErrPublicValue},
		{"server_DH_params: g_a = p - 1", inner(func(m *mt.ServerDHInnerData) { m.GA = plus(prime, -1) }), StepServerDHParams, crypt.ErrPublicValue},
		{"server_DH_params: g_a = p", inner(func(m *mt.ServerDHInnerData) { m.GA = prime }), StepServerDHParams, crypt.ErrPublicValue},
		{"server_DH_params: g_a larger", inner(func(m *mt.ServerDHInnerData) { m.GA = append([]byte{1}, m.GA...) }), StepServerDHParams, crypt.ErrPublicValue},
		{"server_DH_params: fail with proof", instead(1, func(p *pair) tl.Object {
			return &mt.ServerDHParamsFail{Nonce: p.client.nonce, ServerNonce: p.client.serverNonce, NewNonceHash: crypt.FailNonceHash(&p.client.newNonce)}
		}), StepServerDHParams, ErrDeclined},
		{"server_DH_params: fail without proof", instead(1, func(p *pair) tl.Object {
			return &mt.ServerDHParamsFail{Nonce: p.client.nonce, ServerNonce: p.client.serverNonce}
		}), StepServerDHParams, ErrNewNonceHash},
		{"server_DH_params: another message", instead(1, func(p *pair) tl.Object { return &mt.DHGenRetry{Nonce: p.client.nonce} }), StepServerDHParams, ErrUnexpected},
		{"server_DH_params: another resPQ", instead(1, func(p *pair) tl.Object { return &mt.ResPQ{Nonce: p.client.nonce} }), StepServerDHParams, ErrUnexpected},

		{"dh_gen: nonce", dhGen(func(m *mt.DHGenOk) { m.Nonce[1] ^= 1 }), StepDHGen, ErrNonce},
		{"dh_gen: server_nonce", dhGen(func(m *mt.DHGenOk) { m.ServerNonce[1] ^= 1 }), StepDHGen, ErrServerNonce},
		{"dh_gen: hash", dhGen(func(m *mt.DHGenOk) { flip(m.NewNonceHash1[:]) }), StepDHGen, ErrNewNonceHash},
		{"dh_gen: ok with the hash of retry", instead(2, func(p *pair) tl.Object {
			return &mt.DHGenOk{Nonce: p.client.nonce, ServerNonce: p.client.serverNonce,
				NewNonceHash1: crypt.NewNonceHash(2, &p.client.newNonce, p.client.key.AuxHash())}
		}), StepDHGen, ErrNewNonceHash},
		{"dh_gen: retry with a wrong hash", instead(2, func(p *pair) tl.Object {
			return &mt.DHGenRetry{Nonce: p.client.nonce, ServerNonce: p.client.serverNonce}
		}), StepDHGen, ErrNewNonceHash},
		{"dh_gen: fail with a wrong hash", instead(2, func(p *pair) tl.Object {
			return &mt.DHGenFail{Nonce: p.client.nonce, ServerNonce: p.client.serverNonce}
		}), StepDHGen, ErrNewNonceHash},
		{"dh_gen: fail for another nonce", instead(2, func(p *pair) tl.Object { return &mt.DHGenFail{} }), StepDHGen, ErrNonce},
		{"dh_gen: cut", bytesOf(2, func(p []byte) []byte { p[16] -= 8; return p[:len(p)-8] }), StepDHGen, tl.ErrShort},
		{"dh_gen: another message", bytesOf(2, func(p []byte) []byte { p[20] ^= 1; return p }), StepDHGen, ErrUnexpected},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := newPair(t, clientConfig(30), serverConfig(31))
			test.lie(p)
			p.run()
			wantStep(t, "client", p.clientErr, test.step, test.cause)
			if p.clientResult != nil {
				t.Error("the client has a key")
			}
			if !bytes.Equal(p.client.newNonce[:], make([]byte, 32)) || p.client.key != nil {
				t.Error("secrets are left")
			}
		})
	}
}

// A client that lies gets -404, whatever the lie, and -444 for another DC; the server's log has the step and the cause.
func TestClientLies(t *testing.T) {
	req := func(change func(p *pair, m *mt.ReqDHParamsRequest)) func(p *pair) {
		return func(p *pair) {
			m := new(mt.ReqDHParamsRequest)
			p.toServer = rewrite(p.t, m, func() { change(p, m) })
		}
	}
	// inner replaces the encrypted inner data.
	inner := func(make func(p *pair, m *mt.PQInnerDataTempDC) tl.Object) func(p *pair) {
		return req(func(p *pair, m *mt.ReqDHParamsRequest) {
			in := &mt.PQInnerDataTempDC{PQ: minimal(p.client.pq), P: m.P, Q: m.Q, Nonce: m.Nonce, ServerNonce: m.ServerNonce,
				NewNonce: p.client.newNonce, DC: 2, ExpiresIn: 3600}
			m.EncryptedData, _ = crypt.RSAPad(seeded(1), privateKey().Public(), make(p, in).Append(nil))
		})
	}
	set := func(change func(p *pair, m *mt.SetClientDHParamsRequest)) func(p *pair) {
		return func(p *pair) {
			m := new(mt.SetClientDHParamsRequest)
			p.toServer = rewrite(p.t, m, func() { change(p, m) })
		}
	}
	setInner := func(change func(m *mt.ClientDHInnerData)) func(p *pair) {
		return set(func(p *pair, m *mt.SetClientDHParamsRequest) {
			var in mt.ClientDHInnerData
			if err := openHashed(m.EncryptedData, &p.client.tmpKey, &p.client.tmpIV, &in); err != nil {
				p.t.Fatal(err)
			}
			change(&in)
			m.EncryptedData, _ = sealHashed(in.Append(nil), &p.client.tmpKey, &p.client.tmpIV, seeded(1))
		})
	}
	bytesOf := func(n int, change func([]byte) []byte) func(p *pair) {
		return func(p *pair) { p.toServer = envelope(n, change) }
	}
	prime := wellKnown().Prime()

	tests := []struct {
		name  string
		lie   func(p *pair)
		step  Step
		cause error
	}{
		{"an encrypted packet", bytesOf(0, func(p []byte) []byte { p[7] = 1; return p }), StepReqPQ, ErrEnvelope},
		{"an unknown message", bytesOf(0, func(p []byte) []byte { p[20] ^= 1; return p }), StepReqPQ, ErrUnexpected},
		{"a message of a server", bytesOf(0, func(p []byte) []byte { return appendPlain(nil, 4, new(mt.ResPQ).Append(nil)) }), StepReqPQ, ErrUnexpected},
		{"half a nonce", bytesOf(0, func(p []byte) []byte { p[16] -= 8; return p }), StepReqPQ, tl.ErrShort},

		{"req_DH_params: nonce", req(func(_ *pair, m *mt.ReqDHParamsRequest) { m.Nonce[0] ^= 1 }), StepReqDHParams, ErrUnknown},
		{"req_DH_params: server_nonce", req(func(_ *pair, m *mt.ReqDHParamsRequest) { m.ServerNonce[0] ^= 1 }), StepReqDHParams, ErrServerNonce},
		{"req_DH_params: p and q exchanged", req(func(_ *pair, m *mt.ReqDHParamsRequest) { m.P, m.Q = m.Q, m.P }), StepReqDHParams, ErrFactors},
		{"req_DH_params: p with a zero", req(func(_ *pair, m *mt.ReqDHParamsRequest) { m.P = append([]byte{0}, m.P...) }), StepReqDHParams, ErrFactors},
		{"req_DH_params: q with a zero", req(func(_ *pair, m *mt.ReqDHParamsRequest) { m.Q = append([]byte{0}, m.Q...) }), StepReqDHParams, ErrFactors},
		{"req_DH_params: q wrong", req(func(_ *pair, m *mt.ReqDHParamsRequest) { m.Q[3] ^= 2 }), StepReqDHParams, ErrFactors},
		{"req_DH_params: fingerprint", req(func(_ *pair, m *mt.ReqDHParamsRequest) { m.PublicKeyFingerprint++ }), StepReqDHParams, ErrNoKey},
		{"req_DH_params: RSA block of 255 bytes", req(func(_ *pair, m *mt.ReqDHParamsRequest) { m.EncryptedData = m.EncryptedData[1:] }), StepReqDHParams, ErrEncrypted},
		{"req_DH_params: RSA block changed", req(func(_ *pair, m *mt.ReqDHParamsRequest) { m.EncryptedData[200] ^= 1 }), StepReqDHParams, ErrEncrypted},
		{"req_DH_params: inner pq", inner(func(_ *pair, m *mt.PQInnerDataTempDC) tl.Object { m.PQ = append([]byte{0}, m.PQ...); return m }), StepReqDHParams, ErrFactors},
		{"req_DH_params: inner p", inner(func(_ *pair, m *mt.PQInnerDataTempDC) tl.Object { m.P = []byte{3}; return m }), StepReqDHParams, ErrFactors},
		{"req_DH_params: inner q", inner(func(_ *pair, m *mt.PQInnerDataTempDC) tl.Object { m.Q = []byte{5}; return m }), StepReqDHParams, ErrFactors},
		{"req_DH_params: inner nonce", inner(func(_ *pair, m *mt.PQInnerDataTempDC) tl.Object { m.Nonce[0] ^= 1; return m }), StepReqDHParams, ErrNonce},
		{"req_DH_params: inner server_nonce", inner(func(_ *pair, m *mt.PQInnerDataTempDC) tl.Object { m.ServerNonce[0] ^= 1; return m }), StepReqDHParams, ErrServerNonce},
		{"req_DH_params: another DC", inner(func(_ *pair, m *mt.PQInnerDataTempDC) tl.Object { m.DC = 4; return m }), StepReqDHParams, ErrDC},
		{"req_DH_params: another environment", inner(func(_ *pair, m *mt.PQInnerDataTempDC) tl.Object { m.DC += 10000; return m }), StepReqDHParams, ErrDC},
		{"req_DH_params: expires_in 0", inner(func(_ *pair, m *mt.PQInnerDataTempDC) tl.Object { m.ExpiresIn = 0; return m }), StepReqDHParams, ErrExpiry},
		{"req_DH_params: expires_in negative", inner(func(_ *pair, m *mt.PQInnerDataTempDC) tl.Object { m.ExpiresIn = -1; return m }), StepReqDHParams, ErrExpiry},
		{"req_DH_params: something else inside", inner(func(p *pair, _ *mt.PQInnerDataTempDC) tl.Object { return &mt.ReqPQRequest{} }), StepReqDHParams, ErrUnexpected},

		{"set_client_DH_params first", func(p *pair) {
			p.toServer = envelope(1, func([]byte) []byte {
				return appendPlain(nil, 8, (&mt.SetClientDHParamsRequest{Nonce: p.client.nonce, ServerNonce: p.client.serverNonce}).Append(nil))
			})
		}, StepSetClientDHParams, ErrUnexpected},
		{"set_client_DH_params: nonce", set(func(_ *pair, m *mt.SetClientDHParamsRequest) { m.Nonce[0] ^= 1 }), StepSetClientDHParams, ErrUnknown},
		{"set_client_DH_params: server_nonce", set(func(_ *pair, m *mt.SetClientDHParamsRequest) { m.ServerNonce[0] ^= 1 }), StepSetClientDHParams, ErrServerNonce},
		{"set_client_DH_params: nothing encrypted", set(func(_ *pair, m *mt.SetClientDHParamsRequest) { m.EncryptedData = nil }), StepSetClientDHParams, ErrEncrypted},
		{"set_client_DH_params: changed", set(func(_ *pair, m *mt.SetClientDHParamsRequest) { m.EncryptedData[50] ^= 1 }), StepSetClientDHParams, ErrEncrypted},
		{"set_client_DH_params: inner nonce", setInner(func(m *mt.ClientDHInnerData) { m.Nonce[0] ^= 1 }), StepSetClientDHParams, ErrNonce},
		{"set_client_DH_params: inner server_nonce", setInner(func(m *mt.ClientDHInnerData) { m.ServerNonce[0] ^= 1 }), StepSetClientDHParams, ErrServerNonce},
		{"set_client_DH_params: retry_id", setInner(func(m *mt.ClientDHInnerData) { m.RetryID = 1 }), StepSetClientDHParams, ErrRetryID},
		{"set_client_DH_params: g_b = 1", setInner(func(m *mt.ClientDHInnerData) { m.GB = []byte{1} }), StepSetClientDHParams, crypt.ErrPublicValue},
		{"set_client_DH_params: g_b = p", setInner(func(m *mt.ClientDHInnerData) { m.GB = prime }), StepSetClientDHParams, crypt.ErrPublicValue},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := newPair(t, clientConfig(32), serverConfig(33))
			test.lie(p)
			p.run()
			wantStep(t, "server", p.serverErr, test.step, test.cause)
			want := CodeRefused
			if test.cause == ErrDC {
				want = CodeWrongDC
			}
			if p.code != want || p.serverResult != nil {
				t.Errorf("code %d, result %v", p.code, p.serverResult != nil)
			}
		})
	}
	// retry_id must be the aux hash of the refused key, not a counter (P48).
	t.Run("retry_id after a retry", func(t *testing.T) {
		p := newPair(t, clientConfig(32), serverConfig(33))
		p.server.Force(Forced{Retries: 2})
		setInner(func(m *mt.ClientDHInnerData) {
			if m.RetryID != 0 {
				m.RetryID = 1
			}
		})(p)
		p.run()
		wantStep(t, "server", p.serverErr, StepSetClientDHParams, ErrRetryID)
	})
}

// A server refuses alike whatever was wrong, and after a lie the handshake is gone.
func TestAfterALieNothingIsLeft(t *testing.T) {
	p := newPair(t, clientConfig(34), serverConfig(35))
	m := new(mt.ReqDHParamsRequest)
	var first []byte
	p.toServer = rewrite(t, m, func() { first = m.Append(nil); m.Q[3] ^= 2 })
	p.run()
	wantStep(t, "server", p.serverErr, StepReqDHParams, ErrFactors)
	if p.server.Pending() != 0 {
		t.Error("still remembered")
	}
	r := p.server.Receive(start, appendPlain(nil, 4, first))
	wantStep(t, "server", r.Err, StepReqDHParams, ErrUnknown)
}
