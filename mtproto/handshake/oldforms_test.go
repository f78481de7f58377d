package handshake

import (
	"bytes"
	"crypto/sha1"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"io"
	"math/big"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/mt"
)

// oldBlock is the RSA block of before RSA_PAD: SHA1(data), data and random bytes, 255 in all, as one number.
func oldBlock(t testing.TB, data []byte) []byte {
	t.Helper()
	block := make([]byte, 255)
	sum := sha1.Sum(data)
	copy(block, sum[:])
	if _, err := io.ReadFull(seeded(9), block[20+copy(block[20:], data):]); err != nil {
		t.Fatal(err)
	}
	return rawRSA(t, block)
}

// rawRSA is block^e mod n, by hand.
func rawRSA(t testing.TB, block []byte) []byte {
	t.Helper()
	der, _ := pem.Decode(privateKey().Public().PEM())
	pub, err := x509.ParsePKCS1PublicKey(der.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	c := new(big.Int).Exp(new(big.Int).SetBytes(block), big.NewInt(int64(pub.E)), pub.N)
	return c.FillBytes(make([]byte, 256))
}

// oldForm makes the pair's client send its inner data in another form.
func (p *pair) oldForm(seal func(testing.TB, []byte) []byte, form func(m *mt.PQInnerDataTempDC) tl.Object) {
	m := new(mt.ReqDHParamsRequest)
	p.toServer = rewrite(p.t, m, func() {
		in := &mt.PQInnerDataTempDC{PQ: minimal(p.client.pq), P: m.P, Q: m.Q, Nonce: m.Nonce, ServerNonce: m.ServerNonce,
			NewNonce: p.client.newNonce, DC: 2, ExpiresIn: 3600}
		m.EncryptedData = seal(p.t, form(in).Append(nil))
	})
}

func newBlock(t testing.TB, data []byte) []byte {
	t.Helper()
	c, err := crypt.RSAPad(seeded(1), privateKey().Public(), data)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var innerForms = map[string]func(m *mt.PQInnerDataTempDC) tl.Object{
	"p_q_inner_data": func(m *mt.PQInnerDataTempDC) tl.Object {
		return &mt.PQInnerData{PQ: m.PQ, P: m.P, Q: m.Q, Nonce: m.Nonce, ServerNonce: m.ServerNonce, NewNonce: m.NewNonce}
	},
	"p_q_inner_data_dc": func(m *mt.PQInnerDataTempDC) tl.Object {
		return &mt.PQInnerDataDC{PQ: m.PQ, P: m.P, Q: m.Q, Nonce: m.Nonce, ServerNonce: m.ServerNonce, NewNonce: m.NewNonce, DC: m.DC}
	},
	"p_q_inner_data_temp": func(m *mt.PQInnerDataTempDC) tl.Object {
		return &mt.PQInnerDataTemp{PQ: m.PQ, P: m.P, Q: m.Q, Nonce: m.Nonce, ServerNonce: m.ServerNonce, NewNonce: m.NewNonce, ExpiresIn: m.ExpiresIn}
	},
	"p_q_inner_data_temp_dc": func(m *mt.PQInnerDataTempDC) tl.Object { return m },
}

// The real DCs make keys for clients that never learned the forms of 2021: each inner data in each kind of RSA block
// (https://core.telegram.org/mtproto/auth_key, step 4, and the same page as it was before).
func TestOldFormsMakeAKey(t *testing.T) {
	blocks := map[string]func(testing.TB, []byte) []byte{"RSA_PAD": newBlock, "SHA1": oldBlock}
	for name, form := range innerForms {
		for block, seal := range blocks {
			t.Run(name+" in "+block, func(t *testing.T) {
				temp := name == "p_q_inner_data_temp" || name == "p_q_inner_data_temp_dc"
				cc := clientConfig(40)
				if temp {
					cc.Temp, cc.ExpiresIn = true, time.Hour
				}
				p := newPair(t, cc, serverConfig(41))
				p.oldForm(seal, form)
				p.run().wantKey()
				var old OldForms
				if name == "p_q_inner_data" || name == "p_q_inner_data_temp" {
					old |= OldInner
				}
				if block == "SHA1" {
					old |= OldRSA
				}
				if r := p.serverResult; r.Old != old || r.Temp != temp {
					t.Errorf("old forms %b, temp %v; want %b, %v", r.Old, r.Temp, old, temp)
				}
			})
		}
	}
}

// The old block proves what it carries too: its hash covers the object, neither more nor less.
func TestOldBlockIsChecked(t *testing.T) {
	lies := map[string]func(testing.TB, []byte) []byte{
		"hash of something else": func(t testing.TB, data []byte) []byte {
			block := make([]byte, 255)
			sum := sha1.Sum(data[1:])
			copy(block[20:], data)
			copy(block, sum[:])
			return rawRSA(t, block)
		},
		"hash over the padding": func(t testing.TB, data []byte) []byte {
			block := make([]byte, 255)
			copy(block[20:], data)
			sum := sha1.Sum(block[20:])
			copy(block, sum[:])
			return rawRSA(t, block)
		},
		"no hash at all": func(t testing.TB, data []byte) []byte {
			block := make([]byte, 255)
			copy(block, data)
			return rawRSA(t, block)
		},
	}
	for name, seal := range lies {
		t.Run(name, func(t *testing.T) {
			p := newPair(t, clientConfig(42), serverConfig(43))
			p.oldForm(seal, innerForms["p_q_inner_data"])
			p.run()
			if p.serverErr == nil || p.code != CodeRefused || p.serverResult != nil {
				t.Errorf("error %v, code %d, key %v", p.serverErr, p.code, p.serverResult != nil)
			}
		})
	}
}

// Plain msg_ids are not judged: shipped clients send 0 in their handshake, 1 in probes, and times of their own clock.
func TestPlainMessageIDsAreNotJudged(t *testing.T) {
	for _, id := range []uint64{0, 1, 3, 1 << 63, 1<<64 - 1} {
		p := newPair(t, clientConfig(44), serverConfig(45))
		p.toServer = func(packet []byte) [][]byte {
			packet = bytes.Clone(packet)
			binary.LittleEndian.PutUint64(packet[8:], id)
			return [][]byte{packet}
		}
		p.run().wantKey()
	}
}
