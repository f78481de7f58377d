package badgerstore

import (
	"encoding/binary"
	"encoding/hex"

	"github.com/mtfleet/mtfleet/persistence"
)

// headState says how far a commit is, as far as the HEAD file knows.
type headState uint8

const (
	// headStored is the state of the head within Badger: whether the
	// transaction is there is Badger's to say.
	headStored headState = 0
	// headIntent is written before Badger is asked to commit. Nobody has been
	// answered: the commit may be there or not.
	headIntent headState = 1
	// headDone is written when Badger has synced the commit, before anybody is
	// answered: the commit must be there.
	headDone headState = 2
)

// storeID names a store for its life, through copies and salvages.
type storeID [16]byte

func (id storeID) String() string { return hex.EncodeToString(id[:4]) }

// head is what the store is at one commit. It is a record of Badger's, written
// in the same transaction, and a slot of the HEAD file.
type head struct {
	id     storeID
	commit uint64 // number of the commit, from 1; one for each transaction
	state  headState
	epoch  uint64 // of the owner
	before sums   // of the commit before
	after  sums
	place  place
}

const (
	headLen     = 16 + 8 + 1 + 8 + 2*sumsLen + placeLen
	headVersion = 1
)

// The head's keys for its seal: a slot does not open as the record, and neither
// as a record of an account.
var (
	headKey     = persistence.Key{Sub: headName}
	headFileKey = persistence.Key{Sub: "m/head-file"}
)

func (h head) record(k persistence.Key) persistence.Record {
	b := make([]byte, 0, headLen)
	b = append(b, h.id[:]...)
	b = binary.LittleEndian.AppendUint64(b, h.commit)
	b = append(b, byte(h.state))
	b = binary.LittleEndian.AppendUint64(b, h.epoch)
	b = h.before.append(b)
	b = h.after.append(b)
	b = h.place.append(b)
	return persistence.Record{Key: k, Version: headVersion, Data: b}
}

// decodeHead is the reverse of record. The error is a *persistence.CorruptError,
// or a *persistence.VersionError for a head of a newer program.
func decodeHead(r persistence.Record) (h head, err error) {
	if r.Version > headVersion {
		return h, &persistence.VersionError{Key: r.Key, Version: r.Version, Known: headVersion}
	}
	b := r.Data
	if len(b) != headLen {
		return h, &persistence.CorruptError{Key: r.Key, Why: "it has not the length of a head"}
	}
	copy(h.id[:], b)
	h.commit = binary.LittleEndian.Uint64(b[16:])
	h.state = headState(b[24])
	h.epoch = binary.LittleEndian.Uint64(b[25:])
	h.before = readSums(b[33:])
	h.after = readSums(b[33+sumsLen:])
	h.place = readPlace(b[33+2*sumsLen:])
	if h.state > headDone || h.commit == 0 {
		return head{}, &persistence.CorruptError{Key: r.Key, Why: "it is no head"}
	}
	return h, nil
}

func (s *sealer) sealHead(k persistence.Key, h head) ([]byte, error) { return s.Seal(h.record(k)) }

func (s *sealer) openHead(k persistence.Key, b []byte) (head, error) {
	r, err := s.Open(k, b)
	if err != nil {
		return head{}, err
	}
	return decodeHead(r)
}
