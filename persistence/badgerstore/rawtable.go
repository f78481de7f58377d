package badgerstore

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"slices"

	"github.com/dgraph-io/badger/v4/fb"
)

// A table of Badger's:
//
//	blocks, index (a flat buffer), its length, its checksum, the checksum's length
//
// and a block:
//
//	entries, their offsets, their number, the checksum of all that, its length
//
// with lengths and numbers of four bytes, those of a block little-endian where
// they are the offsets and big-endian otherwise.

var errTable = errors.New("its checksum is wrong")

// checked cuts the checksum and its length off the end of b, and tells whether
// the rest has that checksum.
func checked(b []byte) (rest []byte, ok bool) {
	if len(b) < 4 {
		return nil, false
	}
	n := int(binary.BigEndian.Uint32(b[len(b)-4:]))
	rest = b[:len(b)-4]
	if n < 1 || n > 12 || n > len(rest) {
		return nil, false
	}
	sum := rest[len(rest)-n:]
	rest = rest[:len(rest)-n]
	// A message with one number, the CRC-32C; the algorithm is zero and left out.
	v, used := binary.Uvarint(sum[1:])
	return rest, sum[0] == 0x10 && used == n-1 && v == uint64(crc32.Checksum(rest, castagnoli))
}

// tableBlocks returns the blocks of a table by its index.
func tableBlocks(b []byte) (blocks [][]byte, err error) {
	// The accessors of a flat buffer panic when it is none, which the right
	// checksum makes hard to come by.
	defer func() {
		if recover() != nil {
			blocks, err = nil, errTable
		}
	}()
	// The index's length stands between it and its checksum.
	if len(b) < 8 {
		return nil, errTable
	}
	n := int(binary.BigEndian.Uint32(b[len(b)-4:]))
	if n < 1 || n > 12 || len(b) < 4+n+4 {
		return nil, errTable
	}
	indexEnd := len(b) - 4 - n - 4
	indexLen := int(binary.BigEndian.Uint32(b[indexEnd:]))
	if indexLen < 8 || indexLen > indexEnd {
		return nil, errTable
	}
	data := b[indexEnd-indexLen : indexEnd]
	if _, ok := checked(slices.Concat(data, b[indexEnd+4:])); !ok {
		return nil, errTable
	}
	index := fb.GetRootAsTableIndex(data, 0)
	var o fb.BlockOffset
	for i := range index.OffsetsLength() {
		if !index.Offsets(&o, i) {
			return nil, errTable
		}
		from, size := int(o.Offset()), int(o.Len())
		if from+size > indexEnd-indexLen {
			return nil, errTable
		}
		blocks = append(blocks, b[from:from+size])
	}
	return blocks, nil
}

// readBlock calls f with the entries of a block whose checksum is right.
func readBlock(b []byte, f func(rawEntry)) error {
	b, ok := checked(b)
	if !ok || len(b) < 4 {
		return errTable
	}
	n := int(binary.BigEndian.Uint32(b[len(b)-4:]))
	if n < 1 || n > (len(b)-4)/4 {
		return errTable
	}
	entries, offsets := b[:len(b)-4-4*n], b[len(b)-4-4*n:len(b)-4]
	var base []byte
	for i := range n {
		from, to := int(binary.LittleEndian.Uint32(offsets[4*i:])), len(entries)
		if i+1 < n {
			to = int(binary.LittleEndian.Uint32(offsets[4*i+4:]))
		}
		if from+4 > to || to > len(entries) {
			return errTable
		}
		// How much of the key is the block's first key's, and how much is here.
		e := entries[from:to]
		overlap, diff := int(binary.LittleEndian.Uint16(e)), int(binary.LittleEndian.Uint16(e[2:]))
		if 4+diff+3 > len(e) || overlap > len(base) {
			return errTable
		}
		key := slices.Concat(base[:overlap], e[4:4+diff])
		if i == 0 {
			base = key
		}
		v := e[4+diff:] // meta, user meta, expiry, value
		_, used := binary.Uvarint(v[2:])
		name, ts, ok := splitKey(key)
		if !ok || used <= 0 || v[0]&metaPointer != 0 {
			return errTable
		}
		f(rawEntry{name: name, ts: ts, deleted: v[0]&metaDeleted != 0, value: v[2+used:]})
	}
	return nil
}

// readTable calls f with all entries of a table. The error says that not all of
// it could be read; nothing that f was given is wrong.
func readTable(b []byte, f func(rawEntry)) error {
	blocks, err := tableBlocks(b)
	if err != nil {
		return err
	}
	for _, block := range blocks {
		err = errors.Join(err, readBlock(block, f))
	}
	return err
}

// readTableLoosely does without the index: blocks lie one behind the other, and
// each ends where its checksum is right.
func readTableLoosely(b []byte, f func(rawEntry)) {
	if readTable(b, f) == nil {
		return
	}
	for from := 0; from < len(b); {
		to := blockEnd(b, from)
		if to < 0 {
			return
		}
		_ = readBlock(b[from:to], f)
		from = to
	}
}

// blockEnd finds the end of the block that begins there, or returns -1. A block
// is closed at 4 KiB, or holds one value of up to 256 KiB besides.
func blockEnd(b []byte, from int) int {
	const longest = maxRawValue
	for to := from + 16; to <= min(len(b), from+longest); to++ {
		n := int(binary.BigEndian.Uint32(b[to-4:]))
		if n < 2 || n > 12 || to-4-n <= from || b[to-4-n] != 0x10 {
			continue
		}
		if _, ok := checked(b[from:to]); ok {
			return to
		}
	}
	return -1
}
