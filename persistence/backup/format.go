package backup

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
)

const (
	magic  = "mtfleet backup\n"
	format = 1

	frameHeader     = 'h'
	frameRecord     = 'r'
	frameUnreadable = 'x'
	frameEnd        = 'e'

	frameHead = 1 + 4
	// maxFrame is above every frame that Write makes.
	maxFrame = persistence.MaxRecordSize + 4096
)

// Header says what a backup is of.
type Header struct {
	Format  int       `json:"format"`
	Created time.Time `json:"created"`
	Program string    `json:"program"` // version of the program that wrote it
	Store   string    `json:"store"`   // the store's id
	Commit  uint64    `json:"commit"`  // the last commit that is in it
	Epoch   uint64    `json:"epoch"`   // of the store's owner
	LeftOut []string  `json:"left_out"`
}

// Lost is a record that the store could not read when the backup was made.
type Lost struct {
	Account persistence.AccountID `json:"account"`
	Record  string                `json:"record"` // as people read it: `perm key "2"`
	Why     string                `json:"why"`
}

// end is the last frame.
type end struct {
	Accounts int    `json:"accounts"`
	PermKeys int    `json:"perm_keys"`
	Records  int    `json:"records"`
	Lost     int    `json:"unreadable"`
	SHA256   string `json:"sha256"`
}

// order is what records are sorted by.
func order(k persistence.Key) string {
	return string(k.Account) + "/" + string([]byte{byte(k.Kind)}) + k.Sub
}

// writer writes frames.
type writer struct {
	to   io.Writer
	hash hash.Hash
	buf  []byte
}

func newWriter(to io.Writer) (*writer, error) {
	w := &writer{to: to, hash: sha256.New()}
	return w, w.write([]byte(magic))
}

func (w *writer) write(b []byte) error {
	w.hash.Write(b)
	_, err := w.to.Write(b)
	return err
}

// frame begins a frame in the buffer.
func (w *writer) frame(kind byte) { w.buf = append(w.buf[:0], kind, 0, 0, 0, 0) }

func (w *writer) flush() error {
	binary.LittleEndian.PutUint32(w.buf[1:], uint32(len(w.buf)-frameHead))
	return w.write(w.buf)
}

func (w *writer) json(kind byte, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.frame(kind)
	w.buf = append(w.buf, b...)
	return w.flush()
}

func (w *writer) record(r persistence.Record) error {
	w.frame(frameRecord)
	w.buf = append(w.buf, byte(r.Kind))
	w.buf = binary.LittleEndian.AppendUint16(w.buf, r.Version)
	w.buf = append(w.buf, byte(len(r.Account)))
	w.buf = append(w.buf, r.Account...)
	w.buf = append(w.buf, byte(len(r.Sub)))
	w.buf = append(w.buf, r.Sub...)
	w.buf = append(w.buf, r.Data...)
	return w.flush()
}

func (w *writer) end(t persistence.Tally, lost int) error {
	return w.json(frameEnd, end{t.Accounts, t.PermKeys, t.Records, lost, hex.EncodeToString(w.hash.Sum(nil))})
}

// reader reads frames.
type reader struct {
	from *bufio.Reader
	hash hash.Hash
	buf  []byte
}

func newReader(from io.Reader) (*reader, error) {
	r := &reader{from: bufio.NewReader(from), hash: sha256.New(), buf: make([]byte, len(magic))}
	if _, err := io.ReadFull(r.from, r.buf); err != nil {
		return nil, r.cut(err)
	}
	if string(r.buf) != magic {
		return nil, damaged(nil, "it is no backup of a store")
	}
	r.hash.Write(r.buf)
	return r, nil
}

// next reads a frame; the bytes are good until the next call. before is the hash
// of all before it.
func (r *reader) next() (kind byte, b []byte, before string, err error) {
	before = hex.EncodeToString(r.hash.Sum(nil))
	var head [frameHead]byte
	if _, err := io.ReadFull(r.from, head[:]); err != nil {
		return 0, nil, "", r.cut(err)
	}
	n := binary.LittleEndian.Uint32(head[1:])
	if n > maxFrame {
		return 0, nil, "", damaged(nil, "a part of it has an impossible length")
	}
	if uint32(cap(r.buf)) < n {
		r.buf = make([]byte, n)
	}
	r.buf = r.buf[:n]
	if _, err := io.ReadFull(r.from, r.buf); err != nil {
		return 0, nil, "", r.cut(err)
	}
	r.hash.Write(head[:])
	r.hash.Write(r.buf)
	return head[0], r.buf, before, nil
}

// atEnd wants nothing more to come.
func (r *reader) atEnd() error {
	switch _, err := r.from.ReadByte(); {
	case err == nil:
		return damaged(nil, "there is something behind its end")
	case errors.Is(err, io.EOF):
		return nil
	default:
		return r.cut(err)
	}
}

func (r *reader) cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return damaged(nil, "it ends too early")
	}
	return damaged(err, "it cannot be read on")
}

// decodeRecord is the reverse of writer.record. The record shares no memory with b.
func decodeRecord(b []byte) (rec persistence.Record, err error) {
	bad := damaged(nil, "a record in it cannot be read")
	if len(b) < 4 {
		return rec, bad
	}
	rec.Kind, rec.Version = persistence.Kind(b[0]), binary.LittleEndian.Uint16(b[1:])
	b = b[3:]
	take := func() (string, bool) {
		if len(b) < 1 || len(b) < 1+int(b[0]) {
			return "", false
		}
		s := string(b[1 : 1+b[0]])
		b = b[1+int(b[0]):]
		return s, true
	}
	account, ok := take()
	if !ok {
		return rec, bad
	}
	if rec.Sub, ok = take(); !ok {
		return rec, bad
	}
	rec.Account, rec.Data = persistence.AccountID(account), bytes.Clone(b)
	if rec.Version == 0 || len(rec.Data) > persistence.MaxRecordSize {
		return rec, bad
	}
	if err := rec.Check(); err != nil {
		return rec, damaged(nil, fmt.Sprintf("a record in it cannot be stored (is it of a newer version of the program?): %v", err))
	}
	return rec, nil
}
