package badgerstore

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"

	"github.com/mtfleet/mtfleet/persistence"
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

func newDigester(master MasterKey) (*digester, error) {
	key, err := hkdf.Key(sha256.New, master[:], nil, "mtfleet store: digest of records", 32)
	if err != nil {
		return nil, err
	}
	return &digester{[32]byte(key)}, nil
}

// change is one record before and after: nil for one that is not there. Names
// that are no record's are left out of the sums.
func (d *digester) change(s *sums, name, before, after []byte) {
	k, ok := parseName(name)
	if !ok || before == nil && after == nil {
		return
	}
	switch {
	case before == nil:
		s.count(k.Kind, 1)
		d.add(s.names[:], 1, name, nil)
	case after == nil:
		s.count(k.Kind, ^uint64(0))
		d.add(s.names[:], ^uint64(0), name, nil)
	}
	if before != nil {
		d.add(s.values[:], ^uint64(0), name, before)
	}
	if after != nil {
		d.add(s.values[:], 1, name, after)
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

// add adds times the hash of a name and a value. The key goes first and lengths
// before what they measure, so that no two pairs hash the same bytes.
func (d *digester) add(lanes []uint64, times uint64, name, value []byte) {
	h := sha256.New()
	var head [32 + 1 + 8 + 8]byte
	copy(head[:], d.key[:])
	head[32] = byte(len(lanes))
	binary.LittleEndian.PutUint64(head[33:], uint64(len(name)))
	binary.LittleEndian.PutUint64(head[41:], uint64(len(value)))
	h.Write(head[:])
	h.Write(name)
	h.Write(value)
	var sum [32]byte
	h.Sum(sum[:0])
	for i := range lanes {
		lanes[i] += times * binary.LittleEndian.Uint64(sum[8*i:])
	}
}
