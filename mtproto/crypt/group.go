package crypt

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"

	"filippo.io/bigmod"
)

// The fixed-base table is a Lim-Lee comb. An exponent of 2048 bits is cut into combRows rows of 256 bits, each row into
// combBlocks blocks of combBits bits:
//
//	e = sum over row i, block j, bit k of  e[i,j,k] * 2^(256 i + 16 j + k)
//
// For each block the table holds the product of g^(2^(256 i + 16 j)) over every set of rows. Then for each k, from the
// top, one look-up per block multiplies in all eight rows at once, and one squaring moves to the next k: 256
// multiplications and 15 squarings instead of the 2048 and 512 of a general exponentiation.
//
// Memory: 16 blocks * 255 numbers * (256 + 24 bytes) = 1.1 MiB for each Group.
const (
	combRows   = 8
	combBlocks = 16
	combBits   = 8 * KeySize / combRows / combBlocks
	rowBytes   = KeySize / combRows
)

// Group is a Diffie-Hellman group: a 2048-bit safe prime p and a generator g, with what makes arithmetic in it fast.
// Immutable and safe to share; make it once per process. It takes 1.1 MiB and about 10 ms to make.
//
// Look-ups in the table of g depend on the exponent and so leak, through the cache, to somebody who runs on the same
// processor. Every exponent is used for one exponentiation of g and then forgotten, so there is nothing to accumulate.
type Group struct {
	prime   [KeySize]byte
	upper   [KeySize]byte // p - 2^1984: the largest public value that passes CheckPublic
	g       int
	modulus *bigmod.Modulus
	table   [combBlocks][1<<combRows - 1]*bigmod.Nat // [block][set of rows, minus the empty one]
}

// wellKnownPrime is the prime every Telegram DC has used so far, with g = 3. It is recognised by its bytes.
const wellKnownPrime = "C71CAEB9C6B1C9048E6C522F70F13F73980D40238E3E21C14934D037563D930F48198A0AA7C14058229493D22530F4DBFA336F6E0AC925139543AED44CCE7C37" +
	"20FD51F69458705AC68CD4FE6B6B13ABDC9746512969328454F18FAF8C595F642477FE96BB2A941D5BCD1D4AC8CC49880708FA9B378E3C4F3A9060BEE67CF9A4" +
	"A4A695811051907E162753B56B0F6B410DBA74D8A84B2A14B3144E0EF1284754FD17ED950D5965B4B9DD46582DB1178D169C6BC465B0D6FF9CA3928FEF5B9AE4" +
	"E418FC15E83EBEA0F87FA9FF5EED70050DED2849F47BF959D956850CE929851F0D8115F635B105EE2E4E15D04B2454BF6F4FADF034B10403119CD8E3B92FCC5B"

// WellKnownGroup makes the group every Telegram DC uses: the published prime with g = 3. Make it once and share it.
func WellKnownGroup() *Group {
	p, _ := new(big.Int).SetString(wellKnownPrime, 16)
	g, err := NewGroup(p.Bytes(), 3)
	if err != nil {
		panic("crypt: BUG: " + err.Error())
	}
	return g
}

// NewGroup makes a group and its table. It checks the form (2048 bits, odd, g fits p) but does not prove p prime: call
// CheckGroup first for a prime that is not known. About 10 ms.
func NewGroup(p []byte, g int) (*Group, error) {
	prime := new(big.Int).SetBytes(p)
	if err := checkForm(prime, g); err != nil {
		return nil, err
	}
	gr := &Group{g: g}
	prime.FillBytes(gr.prime[:])
	new(big.Int).Sub(prime, publicMargin()).FillBytes(gr.upper[:])
	var err error
	if gr.modulus, err = bigmod.NewModulus(gr.prime[:]); err != nil {
		return nil, err
	}
	gr.fillTable()
	return gr, nil
}

// fillTable computes about 4,000 products and 2,000 squarings.
func (gr *Group) fillTable() {
	m := gr.modulus
	base := bigmod.NewNat().SetUint(uint(gr.g)).ExpandFor(m)
	for row := range combRows {
		for block := range combBlocks {
			t := &gr.table[block]
			bit := 1 << row
			t[bit-1] = clone(base, m)
			for rest := 1; rest < bit; rest++ {
				t[bit+rest-1] = clone(base, m).Mul(t[rest-1], m)
			}
			base.ExpShortVarTime(clone(base, m), 1<<combBits, m)
		}
	}
}

func clone(x *bigmod.Nat, m *bigmod.Modulus) *bigmod.Nat {
	c := bigmod.NewNat().ExpandFor(m)
	copy(c.Bits(), x.Bits())
	return c
}

// Prime returns a copy of p, 256 bytes.
func (gr *Group) Prime() []byte { return append([]byte(nil), gr.prime[:]...) }

// HasPrime says whether p is this group's prime, by comparing bytes; zeros on the left of p do not matter.
func (gr *Group) HasPrime(p []byte) bool {
	return bytes.Equal(bytes.TrimLeft(p, "\x00"), gr.prime[:])
}

// G is the generator.
func (gr *Group) G() int { return gr.g }

// ExpG computes g^e mod p, 256 bytes with zeros on the left. e is big-endian, of any length; up to 256 bytes the table is
// used, which takes a fifth of Exp's time.
func (gr *Group) ExpG(e []byte) []byte {
	if len(e) > KeySize {
		return gr.Exp([]byte{byte(gr.g)}, e)
	}
	var exp [KeySize]byte
	defer clear(exp[:])
	copy(exp[KeySize-len(e):], e)

	m := gr.modulus
	acc := bigmod.NewNat().SetUint(1).ExpandFor(m)
	for k := combBits - 1; k >= 0; k-- {
		if k != combBits-1 {
			acc.Mul(acc, m)
		}
		for block := range combBlocks {
			if rows := combIndex(&exp, block*combBits+k); rows != 0 {
				acc.Mul(gr.table[block][rows-1], m)
			}
		}
	}
	return acc.Bytes(m)
}

// combIndex gathers the bit at one position of all rows: bit i of the result is bit position of row i.
func combIndex(e *[KeySize]byte, position int) (rows int) {
	at := KeySize - 1 - position/8
	for row := range combRows {
		rows |= int(e[at-row*rowBytes]>>(position%8)&1) << row
	}
	return rows
}

// Exp computes base^e mod p in constant time, 256 bytes with zeros on the left. Both numbers are big-endian; the base is
// reduced modulo p first. Milliseconds.
func (gr *Group) Exp(base, e []byte) []byte {
	m := gr.modulus
	base = bytes.TrimLeft(base, "\x00")
	if len(base) > KeySize {
		base = new(big.Int).Mod(new(big.Int).SetBytes(base), new(big.Int).SetBytes(gr.prime[:])).Bytes()
	}
	// It cannot fail: the modulus has all its 2048 bits, so 256 bytes never overflow its size.
	x, err := bigmod.NewNat().SetOverflowingBytes(base, m)
	if err != nil {
		panic("crypt: BUG: " + err.Error())
	}
	return bigmod.NewNat().Exp(x, e, m).Bytes(m)
}

// ErrPublicValue says that g_a or g_b lies outside 2^1984 .. p - 2^1984 (which contains the weaker demand 1 < x < p-1).
var ErrPublicValue = errors.New("crypt: DH public value out of range")

// CheckPublic checks a public value, ours or the peer's. It fails with ErrPublicValue.
func (gr *Group) CheckPublic(x []byte) error {
	x = bytes.TrimLeft(x, "\x00")
	if len(x) < KeySize-7 || len(x) > KeySize {
		return ErrPublicValue // 2^1984 is the least number of 249 bytes
	}
	if len(x) < KeySize {
		return nil // 2^1984 <= x < 2^2040 < p - 2^1984
	}
	if bytes.Compare(x, gr.upper[:]) > 0 {
		return ErrPublicValue
	}
	return nil
}

// String names the group without printing 2048 bits.
func (gr *Group) String() string { return fmt.Sprintf("Group(p %X…, g %d)", gr.prime[:4], gr.g) }
