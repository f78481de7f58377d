package badgerstore

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/dgraph-io/badger/v4"

	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/seal"
)

// The sealed copy is a file beside Badger's with the records that nothing else
// can bring back, from which a damaged store is healed.
//
// It has accounts, logins, perm keys, guests, waits (those of the fleet too) and
// meta, as they are sealed in the store. A lost wait would be a query sent too
// early, a lost guest a DC that gets a second authorization. Not in it: temp
// keys and sessions, which are made anew with a round trip each. The place in
// the updates goes along as it is at the moment, but its changes alone, every
// two seconds for a busy account, do not write the copy anew: from an old place
// updates come again, from none they would be lost.
//
// An account is about 540 bytes: its own record 150 with its seal, a perm key 350,
// and 40 of frames; guests, waits and updates come to that. 10,000 accounts are
// 5.4 MB and 0.2 s, written at most every six seconds while accounts change, which
// they do at sign-ins; 100,000 are 54 MB and 2 s, every 40 seconds: see keeper.
const (
	copyFileName = "COPY"
	copyMagic    = "mtfcopy1"
)

func inCopy(kind persistence.Kind) bool {
	return kind != persistence.KindTempKey && kind != persistence.KindSession
}

// wantsCopy tells whether a change of such a record is a reason to write the copy.
func wantsCopy(kind persistence.Kind) bool {
	return inCopy(kind) && kind != persistence.KindUpdates && kind != persistence.KindChannels
}

// copyTail ends the file and proves it: it is sealed, and has the hash of all
// before it.
type copyTail struct {
	id      storeID
	commit  uint64 // the copy is of this commit
	ts      uint64 // and of this version of Badger's
	epoch   uint64
	sums    sums // of the whole store then
	entries uint64
	hash    [32]byte
}

const (
	copyTailLen    = 16 + 4*8 + sumsLen + 32
	copyTailSealed = seal.Overhead + copyTailLen
	copyVersion    = 1
)

var copyKey = persistence.Key{Sub: "m/copy"}

func (t copyTail) record() persistence.Record {
	b := append(make([]byte, 0, copyTailLen), t.id[:]...)
	for _, v := range [...]uint64{t.commit, t.ts, t.epoch, t.entries} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	b = t.sums.append(b)
	b = append(b, t.hash[:]...)
	return persistence.Record{Key: copyKey, Version: copyVersion, Data: b}
}

func decodeCopyTail(r persistence.Record) (t copyTail, err error) {
	if r.Version > copyVersion {
		return t, &persistence.VersionError{Key: r.Key, Version: r.Version, Known: copyVersion}
	}
	if len(r.Data) != copyTailLen {
		return t, &persistence.CorruptError{Key: r.Key, Why: "it has not the length of a copy's end"}
	}
	b := r.Data
	copy(t.id[:], b)
	for i, p := range [...]*uint64{&t.commit, &t.ts, &t.epoch, &t.entries} {
		*p = binary.LittleEndian.Uint64(b[16+8*i:])
	}
	t.sums = readSums(b[48:])
	copy(t.hash[:], b[48+sumsLen:])
	return t, nil
}

// An entry of the copy:
//
//	length of the name (2 bytes), of the value (4), Badger's version (8), name,
//	value, CRC-32C
func appendCopyEntry(b []byte, name []byte, ts uint64, value []byte) []byte {
	from := len(b)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(name)))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(value)))
	b = binary.LittleEndian.AppendUint64(b, ts)
	b = append(b, name...)
	b = append(b, value...)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[from:], castagnoli))
}

// readCopyEntry reads the entry at the beginning of b. With whole, its lengths
// can be believed; ok tells whether the rest can.
func readCopyEntry(b []byte) (e rawEntry, size int, ok bool) {
	const head = 2 + 4 + 8
	if len(b) < head {
		return e, 0, false
	}
	name, value := int(binary.LittleEndian.Uint16(b)), int(binary.LittleEndian.Uint32(b[2:]))
	end := head + name + value
	if name > maxRawKey || value > maxRawValue || end+4 > len(b) {
		return e, 0, false
	}
	e = rawEntry{name: string(b[head : head+name]), ts: binary.LittleEndian.Uint64(b[6:]), value: b[head+name : end]}
	return e, end + 4, crc32.Checksum(b[:end], castagnoli) == binary.LittleEndian.Uint32(b[end:])
}

// sealedCopy is a copy that was read.
type sealedCopy struct {
	tail   copyTail
	proven bool // the tail opens and the hash is right: nothing is missing
	newest map[string]rawEntry
}

// tally counts what can be had from the copy.
func (c sealedCopy) tally() (t persistence.Tally) {
	for name := range c.newest {
		k, _ := parseName([]byte(name))
		switch k.Kind {
		case persistence.KindAccount:
			t.Accounts++
		case persistence.KindPermKey:
			t.PermKeys++
		}
		t.Records++
	}
	return t
}

// readCopy reads the copy of a store. What is damaged is left out, entry by
// entry; a file that is not there is an empty copy.
func readCopy(dir string, s *sealer) sealedCopy {
	b, err := os.ReadFile(filepath.Join(dir, copyFileName))
	if err != nil {
		return sealedCopy{}
	}
	return parseCopy(b, s)
}

func parseCopy(b []byte, s *sealer) sealedCopy {
	c := sealedCopy{newest: map[string]rawEntry{}}
	body := b
	if len(b) >= len(copyMagic)+copyTailSealed {
		body = b[:len(b)-copyTailSealed]
		if r, err := s.Open(copyKey, b[len(body):]); err == nil {
			if c.tail, err = decodeCopyTail(r); err == nil {
				c.proven = c.tail.hash == sha256.Sum256(body)
			}
		}
	}
	for pos := len(copyMagic); pos < len(body); {
		e, size, ok := readCopyEntry(body[pos:])
		if size == 0 {
			// A length is damaged: the next entry is looked for.
			pos++
			continue
		}
		k, isRecord := parseName([]byte(e.name))
		if ok && isRecord {
			if _, err := s.Open(k, e.value); !isCorrupt(err) {
				c.newest[e.name] = e
			}
		}
		if ok {
			pos += size
		} else {
			pos++
		}
	}
	return c
}

// readCopyTail reads the end of the copy alone; ok is false when there is none
// that opens.
func readCopyTail(dir string, s *sealer) (t copyTail, ok bool) {
	f, err := os.Open(filepath.Join(dir, copyFileName))
	if err != nil {
		return t, false
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.Size() < copyTailSealed {
		return t, false
	}
	b := make([]byte, copyTailSealed)
	if _, err := f.ReadAt(b, info.Size()-copyTailSealed); err != nil {
		return t, false
	}
	r, err := s.Open(copyKey, b)
	if err != nil {
		return t, false
	}
	t, err = decodeCopyTail(r)
	return t, err == nil
}

// copyIsWhole tells whether the copy is of that commit or a later one, and every
// byte of it is as it was written.
func copyIsWhole(dir string, s *sealer, commit uint64) bool {
	t, ok := readCopyTail(dir, s)
	if !ok || t.commit < commit {
		return false
	}
	f, err := os.Open(filepath.Join(dir, copyFileName))
	if err != nil {
		return false
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return false
	}
	hash := sha256.New()
	_, err = io.Copy(hash, io.LimitReader(f, info.Size()-copyTailSealed))
	return err == nil && t.hash == [32]byte(hash.Sum(nil))
}

// errLost says that the database holds less than its head says while it is open:
// its files were harmed. The copy of before is worth more than a new one.
var errLost = errors.New("the database does not hold what it should: stop the manager, and the next start will say what is missing")

// writeCopy writes the copy of the store as it is now, whole and durable before
// it takes the place of the one before. It reads the whole store for it, and so
// finds out what went missing while it is open.
func writeCopy(dir string, db *badger.DB, s *sealer, d *digester) error {
	path := filepath.Join(dir, copyFileName)
	before := sync.OnceValue(func() map[string]rawEntry { return readCopy(dir, s).newest })
	err := writeCopyFile(path+".tmp", db, copier{s, d, before})
	if err == nil {
		err = os.Rename(path+".tmp", path)
	}
	if err != nil {
		_ = os.Remove(path + ".tmp")
		return fmt.Errorf("persistence: write the sealed copy: %w", err)
	}
	return syncDir(dir)
}

func writeCopyFile(path string, db *badger.DB, c copier) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	err = db.View(func(txn *badger.Txn) error { return c.copy(f, txn) })
	return errors.Join(err, f.Sync(), f.Close())
}

// copier writes one copy.
type copier struct {
	sealer *sealer
	digest *digester
	// before reads the copy of before, for records that do not open any more.
	before func() map[string]rawEntry
}

func (c copier) copy(f io.Writer, txn *badger.Txn) error {
	h, err := headOf(txn, c.sealer)
	if err != nil {
		return err
	}
	hash := sha256.New()
	file := bufio.NewWriterSize(f, 256<<10)
	w := io.MultiWriter(file, hash)
	if _, err := io.WriteString(w, copyMagic); err != nil {
		return err
	}
	t := copyTail{id: h.id, commit: h.commit, ts: txn.ReadTs(), epoch: h.epoch, sums: h.after}
	found, err := c.records(w, txn, &t)
	if err != nil {
		return err
	}
	if !found.sameNames(h.after) {
		return errLost
	}
	hash.Sum(t.hash[:0])
	sealed, err := c.sealer.Seal(t.record())
	if err != nil {
		return err
	}
	if _, err := file.Write(sealed); err != nil {
		return err
	}
	return file.Flush()
}

// records writes the entries and returns what the store holds.
func (c copier) records(w io.Writer, txn *badger.Txn, t *copyTail) (found sums, err error) {
	it := txn.NewIterator(badger.IteratorOptions{Prefix: []byte(recordPrefix), PrefetchValues: true, PrefetchSize: 100})
	defer it.Close()
	var buf []byte
	for it.Rewind(); it.Valid(); it.Next() {
		item := it.Item()
		name := item.Key()
		k, ok := parseName(name)
		if !ok {
			continue
		}
		err := item.Value(func(b []byte) error {
			c.digest.change(&found, name, term{}, c.digest.term(name, b))
			if !inCopy(k.Kind) {
				return nil
			}
			ts := item.Version()
			if _, err := c.sealer.Open(k, b); isCorrupt(err) {
				e, ok := c.before()[string(name)]
				if !ok {
					return nil
				}
				b, ts = e.value, e.ts
			}
			t.entries++
			buf = appendCopyEntry(buf[:0], name, ts, b)
			_, err := w.Write(buf)
			return err
		})
		if err != nil {
			return found, err
		}
	}
	return found, nil
}
