package timeline

import (
	"encoding/binary"
	"errors"
	"math"
	"time"
)

// Limit is how many bytes the entries of one account have, in memory and on
// disk. With the recorder itself, 80 bytes, an account's timeline has at most 1,536
// bytes of memory: 15 MB for 10,000 accounts whose recorders are full, an eighth
// of what such an account may cost. A key made has 11 bytes, a loss with its cause
// some 70: it is room for the last twenty rotations, or twenty losses. Nothing is
// allocated before the first entry, and then 128 bytes at a time.
const Limit = 1408

// limitOnDisk is what a record may have: it was the limit of earlier versions.
const limitOnDisk = 1536

// step is by how much a ring grows: doubling would leave half of it unused.
const step = 128

// ring is a bounded list of entries as bytes; the oldest make way. Each entry
// begins with its kind and what it has, and its time is counted from the entry
// before it.
type ring struct {
	base int64 // the time before the first entry, Unix ms
	last int64 // of the last entry
	data []byte
}

// What an entry has besides kind and time.
const (
	hasDC = 1 << iota
	hasKey
	hasWord
	hasWhy
	hasUntil

	hasAll = 1<<iota - 1
)

// add appends an entry that is tidy.
func (r *ring) add(e Entry) {
	at := e.At.UnixMilli()
	if len(r.data) == 0 {
		r.base, r.last = at, at
	}
	var room [32 + wordMost + whyMost]byte
	b := encode(room[:0], e, at-r.last)
	for len(r.data)+len(b) > Limit {
		r.dropFirst()
	}
	if need := len(r.data) + len(b); need > cap(r.data) {
		grown := make([]byte, len(r.data), min((need+step-1)/step*step, Limit))
		copy(grown, r.data)
		r.data = grown
	}
	r.data, r.last = append(r.data, b...), at
}

// dropFirst forgets the oldest entry.
func (r *ring) dropFirst() {
	_, delta, rest, err := decode(r.data)
	if err != nil || len(rest) == 0 { // it cannot be: it was written here
		r.data, r.base = r.data[:0], r.last
		return
	}
	r.base += delta
	r.data = r.data[:copy(r.data, rest)]
}

// entries reads all, the oldest first.
func (r *ring) entries() []Entry {
	list, _, _ := parse(r.base, r.data)
	return list
}

// parse reads entries; beside an error those before the bad one.
func parse(at int64, data []byte) (list []Entry, last int64, err error) {
	for len(data) > 0 {
		e, delta, rest, err := decode(data)
		if err != nil {
			return list, at, err
		}
		if at += delta; at > latest || at < earliest {
			return list, at - delta, errEntry
		}
		e.At = time.UnixMilli(at).UTC()
		list, data = append(list, e), rest
	}
	return list, at, nil
}

func encode(b []byte, e Entry, delta int64) []byte {
	has := byte(0)
	set := func(is bool, bit byte) {
		if is {
			has |= bit
		}
	}
	set(e.DC != 0, hasDC)
	set(!e.Key.IsZero(), hasKey)
	set(e.Word != "", hasWord)
	set(e.Why != "", hasWhy)
	set(!e.Until.IsZero(), hasUntil)
	b = binary.AppendVarint(append(b, byte(e.Kind), has), delta)
	if has&hasDC != 0 {
		id := int64(e.DC)
		if e.Media {
			id = -id // as in a handshake: what reads no media shows the number
		}
		b = binary.AppendVarint(b, id)
	}
	if has&hasKey != 0 {
		b = append(b, e.Key[:]...)
	}
	for _, f := range []struct {
		bit  byte
		text string
	}{{hasWord, e.Word}, {hasWhy, e.Why}} {
		if has&f.bit != 0 {
			b = append(append(b, byte(len(f.text))), f.text...)
		}
	}
	if has&hasUntil != 0 {
		b = binary.AppendVarint(b, e.Until.Unix())
	}
	return b
}

var errEntry = errors.New("timeline: an entry cannot be read")

// decode is the reverse of encode: one entry, how long after the one before it,
// and what follows it. A kind of a later version is read too.
func decode(b []byte) (e Entry, delta int64, rest []byte, err error) {
	if len(b) < 3 || b[1]&^hasAll != 0 {
		return e, 0, nil, errEntry
	}
	kind, has := Kind(b[0]), b[1]
	r := reader{b: b[2:]}
	e.Kind, delta = kind, r.int()
	if has&hasDC != 0 {
		id := r.between(-math.MaxInt32, math.MaxInt32)
		e.DC, e.Media = int(max(id, -id)), id < 0
	}
	if has&hasKey != 0 {
		copy(e.Key[:], r.take(len(e.Key)))
	}
	if has&hasWord != 0 {
		e.Word = r.text(wordMost)
	}
	if has&hasWhy != 0 {
		e.Why = r.text(whyMost)
	}
	if has&hasUntil != 0 {
		e.Until = time.Unix(r.between(earliest/1000, latest/1000), 0).UTC()
	}
	if r.bad {
		return Entry{}, 0, nil, errEntry
	}
	return e, delta, r.b, nil
}

type reader struct {
	b   []byte
	bad bool
}

// Times are of the years 1 to 9999, in Unix ms: others have no form in JSON.
const (
	earliest = -62135596800000
	latest   = 253402300799999
)

// int reads a number that may be a time, or between two of them.
func (r *reader) int() int64 { return r.between(earliest-latest, latest-earliest) }

func (r *reader) between(low, high int64) int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 || v < low || v > high {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) take(n int) []byte {
	if n > len(r.b) {
		r.bad, r.b = true, nil
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

// text reads words; those of a record that somebody else wrote are made fit as
// our own are.
func (r *reader) text(most int) string {
	n := r.take(1)
	if n == nil || int(n[0]) > most {
		r.bad = true
		return ""
	}
	return words(string(r.take(int(n[0]))), most)
}
