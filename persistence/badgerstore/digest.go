package badgerstore

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"

	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/seal"
)

// sums says what a set of records is: how many there are, and two digests that
// do not depend on their order. It changes with each record by one addition or
// subtraction, so that a commit costs its own records and not the store's.
//
// Each digest is a sum of keyed hashes, lane by lane modulo 2^64. It has to tell
// damage, by which no two sets get the same sum (2^-128 for names, 2^-256 for
// values); for somebody who makes up records on purpose there are their seals
// and the key.
type sums struct {
	accounts, permKeys, records uint64
	names                       [2]uint64 // of the names alone
	values                      [4]uint64 // of names with their sealed values
}

const sumsLen = 3*8 + 2*8 + 4*8

func (s sums) tally() persistence.Tally {
	return persistence.Tally{Accounts: int(s.accounts), PermKeys: int(s.permKeys), Records: int(s.records)}
}

// same tells whether two sets hold the same names.
func (s sums) sameNames(o sums) bool {
	s.values, o.values = [4]uint64{}, [4]uint64{}
	return s == o
}

func (s sums) append(b []byte) []byte {
	for _, v := range [...]uint64{s.accounts, s.permKeys, s.records, s.names[0], s.names[1], s.values[0], s.values[1], s.values[2], s.values[3]} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	return b
}

// readSums reads what append wrote; b has sumsLen bytes.
func readSums(b []byte) (s sums) {
	for i, p := range [...]*uint64{&s.accounts, &s.permKeys, &s.records, &s.names[0], &s.names[1], &s.values[0], &s.values[1], &s.values[2], &s.values[3]} {
		*p = binary.LittleEndian.Uint64(b[8*i:])
	}
	return s
}

// digester adds records to sums and takes them away.
type digester struct{ key [32]byte }

func newDigester(master seal.MasterKey) (*digester, error) {
	key, err := hkdf.Key(sha256.New, master[:], nil, "mtfleet store: digest of records", 32)
	if err != nil {
		return nil, err
	}
	return &digester{[32]byte(key)}, nil
}

// term is what a value adds to the sums; the zero term is that of no record.
type term struct {
	there bool
	value [4]uint64
}

// term hashes a value with its name; nil is no record. Of a sealed value it takes
// the header, the nonce and the authentication: those bind the rest, so that a
// record that differs in it alone does not open and says so by itself, and a
// commit need not hash all its bytes twice.
func (d *digester) term(name, value []byte) (t term) {
	if value == nil {
		return t
	}
	t.there = true
	if len(value) >= seal.Overhead {
		var short [seal.Overhead]byte
		n := copy(short[:], value[:seal.Overhead-seal.AuthLen])
		copy(short[n:], value[len(value)-seal.AuthLen:])
		t.value = d.hash(1, name, short[:], len(value))
		return t
	}
	t.value = d.hash(1, name, value, len(value))
	return t
}

// change counts one record that was before and is after. Names that are no
// record's are left out of the sums.
func (d *digester) change(s *sums, name []byte, before, after term) {
	k, ok := parseName(name)
	if !ok || !before.there && !after.there {
		return
	}
	if before.there != after.there {
		by := uint64(1)
		if before.there {
			by = ^uint64(0)
		}
		s.count(k.Kind, by)
		h := d.hash(2, name, nil, 0)
		s.names[0] += by * h[0]
		s.names[1] += by * h[1]
	}
	for i := range s.values {
		s.values[i] += after.value[i] - before.value[i]
	}
}

func (s *sums) count(kind persistence.Kind, by uint64) {
	s.records += by
	switch kind {
	case persistence.KindAccount:
		s.accounts += by
	case persistence.KindPermKey:
		s.permKeys += by
	}
}

// hash hashes a name and what stands for its value. The key goes first, and what
// it is for and the lengths before what they measure, so that no two inputs give
// the same bytes.
func (d *digester) hash(use byte, name, value []byte, size int) (lanes [4]uint64) {
	var room [512]byte
	b := append(room[:0], d.key[:]...)
	b = append(b, use)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(name)))
	b = binary.LittleEndian.AppendUint32(b, uint32(size))
	b = append(b, name...)
	b = append(b, value...)
	sum := sha256.Sum256(b)
	for i := range lanes {
		lanes[i] = binary.LittleEndian.Uint64(sum[8*i:])
	}
	return lanes
}
