package handshake

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/tl/mt"
)

// Numbers that begin with zero bytes are where handshakes fail once in 256 times, and where young implementations have
// failed for years. These tests force the zero in each number that travels or is hashed.

// exponent is the n-th of a reproducible row of exponents.
func exponent(n int) []byte {
	e := make([]byte, 256)
	_, _ = rand.NewChaCha8([32]byte{byte(n), byte(n >> 8), 'e'}).Read(e)
	return e
}

// The exponents below were found by searching upwards from 0.
const (
	zeroPublic = 61 // g^exponent(zeroPublic) < 2^2040
	zeroKeyA   = 1  // g^(exponent(zeroKeyA) * exponent(zeroKeyB)) < 2^2040
	zeroKeyB   = 91
)

func withExponent(base io.Reader, n int) io.Reader {
	return &script{rest: base, bySize: map[int][][]byte{256: {exponent(n)}}}
}

func TestLeadingZerosOfGA(t *testing.T) {
	sc := serverConfig(40)
	sc.Rand = withExponent(sc.Rand, zeroPublic)
	p := newPair(t, clientConfig(41), sc).run()
	p.wantKey()
	if ga := p.client.ga; len(ga) != 256 || ga[0] != 0 {
		t.Errorf("g_a has %d bytes and begins with %x", len(ga), ga[0])
	}

	// Another server might send it without the zeros.
	p = newPair(t, clientConfig(41), func() ServerConfig {
		sc := serverConfig(40)
		sc.Rand = withExponent(sc.Rand, zeroPublic)
		return sc
	}())
	m := new(mt.ServerDHParamsOk)
	p.toClient = rewrite(t, m, func() {
		var in mt.ServerDHInnerData
		if err := openHashed(m.EncryptedAnswer, &p.client.tmpKey, &p.client.tmpIV, &in); err != nil {
			t.Fatal(err)
		}
		in.GA = bytes.TrimLeft(in.GA, "\x00")
		m.EncryptedAnswer, _ = sealHashed(in.Append(nil), &p.client.tmpKey, &p.client.tmpIV, seeded(1))
	})
	p.run().wantKey()
}

func TestLeadingZerosOfGB(t *testing.T) {
	for _, trimmed := range []bool{false, true} {
		cc := clientConfig(42)
		cc.Rand = withExponent(cc.Rand, zeroPublic)
		p := newPair(t, cc, serverConfig(43))
		m := new(mt.SetClientDHParamsRequest)
		seen := false
		p.toServer = rewrite(t, m, func() {
			var in mt.ClientDHInnerData
			if err := openHashed(m.EncryptedData, &p.client.tmpKey, &p.client.tmpIV, &in); err != nil {
				t.Fatal(err)
			}
			seen = len(in.GB) == 256 && in.GB[0] == 0
			if trimmed {
				in.GB = bytes.TrimLeft(in.GB, "\x00")
				m.EncryptedData, _ = sealHashed(in.Append(nil), &p.client.tmpKey, &p.client.tmpIV, seeded(1))
			}
		})
		p.run().wantKey()
		if !seen {
			t.Error("g_b has not 256 bytes with a zero first")
		}
	}
}

func TestLeadingZerosOfAuthKey(t *testing.T) {
	sc, cc := serverConfig(44), clientConfig(45)
	sc.Rand, cc.Rand = withExponent(sc.Rand, zeroKeyA), withExponent(cc.Rand, zeroKeyB)
	p := newPair(t, cc, sc).run()
	p.wantKey()
	key := p.clientResult.Key
	if key.Bytes()[0] != 0 {
		t.Fatal("the key does not begin with a zero")
	}
	// It must also work: one message there, as the id and the derivation hash all 256 bytes.
	packet, err := crypt.AppendEncrypted(nil, key, crypt.Client, make([]byte, 36), seeded(1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := crypt.Decrypt(nil, p.serverResult.Key, crypt.Client, packet); err != nil {
		t.Error(err)
	}
}

func TestLeadingZerosOfRSABlock(t *testing.T) {
	const found = 66 // by searching upwards from 0; searched again when the order of reads changes
	for seed := found; ; seed++ {
		cc := clientConfig(0)
		cc.Rand = rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), 'r'})
		p := newPair(t, cc, serverConfig(46))
		m := new(mt.ReqDHParamsRequest)
		zero := false
		p.toServer = func(packet []byte) [][]byte {
			out := rewrite(t, m, func() { zero = m.EncryptedData[0] == 0 })(packet)
			if bodyID(packet[plainHeader:]) == m.TypeID() && !zero {
				return nil
			}
			return out
		}
		if p.run(); !zero {
			continue
		}
		if seed != found {
			t.Logf("found at %d", seed)
		}
		if p.wantKey(); len(m.EncryptedData) != 256 {
			t.Errorf("block of %d bytes", len(m.EncryptedData))
		}
		return
	}
}

// p, q and pq travel in their shortest form, of whatever length that is.
func TestLeadingZerosOfPrimes(t *testing.T) {
	for _, test := range []struct{ p, q uint64 }{
		{3, 5}, {251, 257}, {65521, 65537}, {16777213, 16777259}, {16777213, 4294967291}, {251, 4294967291},
		{1048573, 1048583}, {268435399, 268435459}, {2147483629, 2147483647}, {2147483647, 4294967291},
	} {
		p := newPair(t, clientConfig(47), serverConfig(48))
		p.server.primes = func(io.Reader) (uint64, uint64, error) { return test.p, test.q, nil }
		m := new(mt.ReqDHParamsRequest)
		p.toServer = rewrite(t, m, func() {})
		p.run().wantKey()
		if m.P[0] == 0 || m.Q[0] == 0 || !sameNumber(m.P, test.p) || !sameNumber(m.Q, test.q) {
			t.Errorf("%d * %d travelled as %x * %x", test.p, test.q, m.P, m.Q)
		}
	}
}

// Products of every length from 40 to 63 bits (P1), and a resPQ that pads pq.
func TestAllLengthsOfPQ(t *testing.T) {
	r := rand.New(rand.NewChaCha8([32]byte{49}))
	prime := func(bits int) uint64 {
		for {
			if n := r.Uint64N(1<<(bits-1)) | 1<<(bits-1) | 1; n > 61 && smallPrime(uint32(n)) {
				return n
			}
		}
	}
	for bits := 40; bits <= 63; bits++ {
		var p, q uint64
		for p == q || p*q>>(bits-1) != 1 {
			p, q = prime(bits/2), prime(bits-bits/2)
		}
		pair := newPair(t, clientConfig(byte(bits)), serverConfig(50))
		pair.server.primes = func(io.Reader) (uint64, uint64, error) { return min(p, q), max(p, q), nil }
		m := new(mt.ResPQ)
		pair.toClient = rewrite(t, m, func() { m.PQ = append([]byte{0}, m.PQ...) })
		pair.run().wantKey()
	}
}

// Nonces and secrets that begin with zeros, or are nothing else.
func TestLeadingZerosOfNonces(t *testing.T) {
	zeros := func(sizes ...int) map[int][][]byte {
		m := map[int][][]byte{}
		for _, n := range sizes {
			m[n] = [][]byte{make([]byte, n)}
		}
		return m
	}
	sc, cc := serverConfig(51), clientConfig(52)
	sc.Rand = &script{rest: sc.Rand, bySize: zeros(16)}
	cc.Rand = &script{rest: cc.Rand, bySize: zeros(16, 32)}
	p := newPair(t, cc, sc).run()
	p.wantKey()
	if p.clientResult.ServerSalt != 0 {
		t.Errorf("salt %d", p.clientResult.ServerSalt)
	}
}
