package badgerstore

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math"
	"strconv"
)

// What Badger has on disk, read without Badger: it cuts a log at the first byte
// that is wrong and deletes the tables that its manifest does not name, so it is
// asked to open only what is whole; and what it would have thrown away is read
// here when a store is salvaged. The formats are those of Badger 4, without
// encryption, compression and value log, which this store does not use.

// rawEntry is one version of one name.
type rawEntry struct {
	name    string
	ts      uint64 // Badger's version: the order of transactions
	deleted bool
	value   []byte
}

// The bits of an entry's meta.
const (
	metaDeleted = 1 << 0
	metaPointer = 1 << 1 // the value is in the value log: not in this store
	metaTxn     = 1 << 6
	metaEnd     = 1 << 7
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// splitKey cuts the version off a key of Badger's.
func splitKey(key []byte) (name string, ts uint64, ok bool) {
	if len(key) < 8 {
		return "", 0, false
	}
	n := len(key) - 8
	return string(key[:n]), math.MaxUint64 - binary.BigEndian.Uint64(key[n:]), true
}

// logHeaderLen is what a log begins with: the id of its encryption key, which is
// zero, and an IV.
const logHeaderLen = 8 + 12

// The longest that a name with its version, and a sealed value, can be.
const (
	maxRawKey   = 3 + 64 + 64 + 64
	maxRawValue = 1 << 20
)

// logEntry is an entry of a log with the marks of its transaction.
type logEntry struct {
	rawEntry
	meta byte
	size int
}

// readLogEntry reads the entry at the beginning of b:
//
//	meta, user meta, key length, value length, expiry (varints), key, value, CRC-32C
func readLogEntry(b []byte) (e logEntry, ok bool) {
	if len(b) < 5 {
		return e, false
	}
	pos := 2
	var length [3]uint64
	for i := range length {
		v, n := binary.Uvarint(b[pos:])
		if n <= 0 {
			return e, false
		}
		length[i] = v
		pos += n
	}
	if length[0] < 8 || length[0] > maxRawKey || length[1] > maxRawValue {
		return e, false
	}
	end := pos + int(length[0]) + int(length[1])
	if end+4 > len(b) || crc32.Checksum(b[:end], castagnoli) != binary.BigEndian.Uint32(b[end:]) {
		return e, false
	}
	e.meta, e.size = b[0], end+4
	e.name, e.ts, _ = splitKey(b[pos : pos+int(length[0])])
	e.deleted = e.meta&metaDeleted != 0
	e.value = b[pos+int(length[0]) : end]
	return e, true
}

// endOf tells whether an entry ends a transaction, and which.
func (e logEntry) endOf() (ts uint64, ok bool) {
	if e.meta&metaEnd == 0 {
		return 0, false
	}
	ts, err := strconv.ParseUint(string(e.value), 10, 64)
	return ts, err == nil
}

// readLog calls f with the entries that Badger would take from the log: whole
// transactions, up to the first thing that is not as it should be.
func readLog(b []byte, f func(rawEntry)) {
	if len(b) < logHeaderLen || binary.BigEndian.Uint64(b) != 0 {
		return
	}
	var txn []rawEntry
	var under uint64 // the transaction's version
	for pos := logHeaderLen; ; {
		e, ok := readLogEntry(b[pos:])
		if !ok {
			return
		}
		pos += e.size
		switch ts, end := e.endOf(); {
		case e.meta&metaTxn != 0:
			if under == 0 {
				under = e.ts
			}
			if e.ts != under {
				return
			}
			txn = append(txn, e.rawEntry)
		case end:
			if ts != under {
				return
			}
			for _, one := range txn {
				f(one)
			}
			txn, under = txn[:0], 0
		default:
			if under != 0 || e.meta&metaEnd != 0 {
				return
			}
			f(e.rawEntry)
		}
	}
}

// looseTxn is what is left of a transaction in a damaged log.
type looseTxn struct {
	entries []rawEntry
	ended   bool // its end is there
}

// readLogLoosely finds every entry of the log that is whole, behind damage too,
// by transaction. What is between them is skipped byte by byte: an entry proves
// itself by its checksum, a record's value besides by its seal.
func readLogLoosely(b []byte, into map[uint64]*looseTxn) {
	get := func(ts uint64) *looseTxn {
		if into[ts] == nil {
			into[ts] = &looseTxn{}
		}
		return into[ts]
	}
	b = bytes.TrimRight(b, "\x00")
	for pos := min(logHeaderLen, len(b)); pos < len(b); {
		// An entry that ended in zeros was cut above; give them back.
		if b[pos]&(metaTxn|metaEnd) == 0 {
			pos++
			continue
		}
		e, ok := readLogEntry(b[pos:min(pos+maxRawKey+maxRawValue, cap(b))])
		if !ok {
			pos++
			continue
		}
		pos += e.size
		if ts, end := e.endOf(); end {
			get(ts).ended = true
			continue
		}
		t := get(e.ts)
		t.entries = append(t.entries, e.rawEntry)
	}
}
