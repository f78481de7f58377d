package persistence

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// This file has the audit log: who did what to which account. It is kept under
// AuditID, in pages, and each entry has the hash of the one before it: what was
// changed, left out or put between is found.

const (
	auditVersion = 1

	// AuditPageSize entries are in a page of the log, AuditPages are kept: 16,384
	// entries. One is at most some 350 bytes, so a page at most 22 KiB, and the log 5.6
	// MiB. When a page is begun beyond that the oldest goes; the first entry that is
	// kept still has the hash of the one before it.
	AuditPageSize = 64
	AuditPages    = 256

	auditPrefix = "page."
	turnPrefix  = "turn."
	auditText   = 64 // bytes of each text of an entry
)

// AuditHash is the hash of an entry with all before it.
type AuditHash [sha256.Size]byte

// String is the hash in hexadecimal digits.
func (h AuditHash) String() string { return fmt.Sprintf("%x", h[:]) }

// AuditEntry is one thing that somebody did, or tried to. It holds no secret.
type AuditEntry struct {
	Seq     uint64    // from 1, without holes
	At      time.Time // to the microsecond
	Who     string    // "uid 1000", the name of a token
	What    string    // "AccountService/Pause"
	Detail  string    // what of it matters: the kind of an answer, a method
	Account string    // empty for what concerns none
	Outcome string    // "ok", or the kind of the error
	// Before is the hash of the entry before it, zero for the first of all; Hash is its
	// own.
	Before, Hash AuditHash
}

// Follow makes the entry the next after another, the zero entry for none: with its
// number, its texts cut to what is kept, and its hash.
func (e AuditEntry) Follow(last AuditEntry) AuditEntry {
	e.Seq, e.Before, e.At = last.Seq+1, last.Hash, e.At.Truncate(time.Microsecond).UTC()
	for _, text := range []*string{&e.Who, &e.What, &e.Detail, &e.Account, &e.Outcome} {
		*text = cut(*text)
	}
	e.Hash = e.hash()
	return e
}

// cut shortens a text to auditText bytes of whole characters.
func cut(s string) string {
	s = strings.ToValidUTF8(s, "?")
	if len(s) <= auditText {
		return s
	}
	s = s[:auditText]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s
}

func (e AuditEntry) hash() AuditHash {
	w := writer("mtfleet audit 1")
	w = append(w, e.Before[:]...)
	e.fields(&w)
	return sha256.Sum256(w)
}

func (e AuditEntry) fields(w *writer) {
	w.uint(e.Seq)
	w.time(e.At)
	for _, text := range []string{e.Who, e.What, e.Detail, e.Account, e.Outcome} {
		w.string(text)
	}
}

// AuditPage is AuditPageSize entries that follow each other, the last page fewer.
type AuditPage struct {
	Number  uint64 // from 0
	Entries []AuditEntry
}

// PageOf is the page that an entry is in.
func (e AuditEntry) PageOf() uint64 { return (e.Seq - 1) / AuditPageSize }

// AuditPageKey is where a page is.
func AuditPageKey(number uint64) Key {
	return Key{AuditID, KindMeta, fmt.Sprintf("%s%016x", auditPrefix, number)}
}

// AuditTurn is a record of whoever wrote an entry: of several who write one log, each
// the next entry by what it knows, the first does, whose commit has this key as
// Absent. It is kept as long as its page.
func AuditTurn(seq uint64) Record {
	return Record{Key{AuditID, KindMeta, fmt.Sprintf("%s%016x", turnPrefix, seq)}, auditVersion, nil}
}

// AuditGone are the keys of a page, and of the turns in it.
func AuditGone(number uint64) []Key {
	keys := []Key{AuditPageKey(number)}
	for i := range uint64(AuditPageSize) {
		keys = append(keys, AuditTurn(number*AuditPageSize+i+1).Key)
	}
	return keys
}

// Record encodes the page.
func (p AuditPage) Record() Record {
	var w writer
	w.uint(p.Number)
	w.uint(uint64(len(p.Entries)))
	for _, e := range p.Entries {
		e.fields(&w)
		w = append(w, e.Before[:]...)
		w = append(w, e.Hash[:]...)
	}
	return Record{AuditPageKey(p.Number), auditVersion, Secret(w)}
}

// DecodeAuditPage is the reverse of Record. It does not look at the hashes, see
// CheckAudit.
func DecodeAuditPage(rec Record) (AuditPage, error) {
	r, err := open(rec, KindMeta, auditVersion)
	if err != nil {
		return AuditPage{}, err
	}
	p := AuditPage{Number: r.uint()}
	for range r.count(7 + 2*sha256.Size) {
		e := AuditEntry{Seq: r.uint(), At: r.time(), Who: r.string(), What: r.string(), Detail: r.string(), Account: r.string(), Outcome: r.string()}
		copy(e.Before[:], r.take(sha256.Size))
		copy(e.Hash[:], r.take(sha256.Size))
		p.Entries = append(p.Entries, e)
	}
	if rec.Key != AuditPageKey(p.Number) {
		r.fail("it is another page")
	}
	return p, r.close(rec)
}

// DecodeAudit returns the entries of the records of AuditID, oldest first. It does
// not look at the hashes, see CheckAudit.
func DecodeAudit(records []Record) (all []AuditEntry, err error) {
	for _, rec := range records {
		if !strings.HasPrefix(rec.Sub, auditPrefix) {
			continue
		}
		p, err := DecodeAuditPage(rec)
		if err != nil {
			return nil, err
		}
		all = append(all, p.Entries...)
	}
	return all, nil // records are in the order of their keys
}

// LastAuditPage returns the last entry of a log, and its page as far as that is not
// full: both zero where there is none.
func LastAuditPage(all []AuditEntry) (last AuditEntry, page AuditPage) {
	if len(all) == 0 {
		return last, page
	}
	last = all[len(all)-1]
	if last.Seq%AuditPageSize == 0 {
		return last, page
	}
	page.Number = last.PageOf()
	for _, e := range all {
		if e.PageOf() == page.Number {
			page.Entries = append(page.Entries, e)
		}
	}
	return last, page
}

// AppendAudit returns what is put into a store, and what is deleted, to have an entry
// follow those of the log, which are all, oldest first.
func AppendAudit(all []AuditEntry, e AuditEntry) (put Record, drop []Key) {
	last, page := LastAuditPage(all)
	e = e.Follow(last)
	page.Number, page.Entries = e.PageOf(), append(page.Entries, e)
	if page.Number >= AuditPages {
		drop = append(drop, AuditPageKey(page.Number-AuditPages))
	}
	return page.Record(), drop
}

// AuditError says where a log is not what was written.
type AuditError struct {
	Seq uint64 // of the entry
	Why string
}

func (e *AuditError) Error() string { return fmt.Sprintf("entry %d of the audit log %s", e.Seq, e.Why) }

// CheckAudit tells whether entries, oldest first, are as they were written, none is
// missing between them, and none was put there. The error is an *AuditError. What is
// missing at either end nobody can tell from the log: keep the hash of its last
// entry elsewhere.
func CheckAudit(entries []AuditEntry) error {
	for i, e := range entries {
		switch {
		case e.Hash != e.hash():
			return &AuditError{e.Seq, "was changed"}
		case i == 0 && e.Seq == 1 && e.Before != AuditHash{}:
			return &AuditError{e.Seq, "is said to be the first, and another was before it"}
		case i > 0 && (e.Seq != entries[i-1].Seq+1 || e.Before != entries[i-1].Hash):
			return &AuditError{e.Seq, fmt.Sprintf("does not follow entry %d", entries[i-1].Seq)}
		}
	}
	return nil
}
