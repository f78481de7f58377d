package mtproto

import (
	"encoding/binary"
	"hash/crc32"
	"math/bits"
	"sort"
)

// Packing a query needs little: no dictionary that outlives it and no best ratio. compress/gzip sets up more than a
// megabyte and half a millisecond for every stream, which a process with thousands of sessions can neither keep nor repeat
// for each query. So this is a deflate of one block with the fixed codes (RFC 1951, 3.2.6), 8 KiB of table and one pass.
// What it makes is read by compress/gzip in the tests.

const (
	deflateHashBits = 11
	deflateWindow   = 32 << 10
	deflateMinMatch = 4
	deflateMaxMatch = 258
	endOfBlock      = 256
	firstLength     = 257 // the symbol of the shortest length
	// probeAbove is the size in bytes from which a piece of the middle is tried first, as TDLib does: what is packed
	// already, a file part say, costs next to nothing then.
	probeAbove = 16 << 10
	probeSize  = 1 << 10
)

// lengthBase and distanceBase are the smallest length and distance of each symbol; the extra bits follow from the gap to
// the next one. RFC 1951, 3.2.5.
var (
	lengthBase = [...]int{3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163,
		195, 227, 258}
	lengthExtra  = [...]uint{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}
	distanceBase = [...]int{1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049,
		3073, 4097, 6145, 8193, 12289, 16385, 24577}
)

// deflate appends body as a gzip stream to dst. It gives up, with ok false, when the stream would be longer than limit
// bytes.
func deflate(dst, body []byte, limit int) (out []byte, ok bool) {
	if len(body) > probeAbove {
		middle := body[len(body)/2:][:probeSize]
		if _, ok := deflate(nil, middle, probeSize-probeSize/10); !ok {
			return dst, false
		}
	}
	start := len(dst)
	w := bitWriter{out: append(dst, 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255)}
	w.write(1|1<<1, 3) // the last block, fixed codes
	table := make([]int32, 1<<deflateHashBits)
	literals := 0 // where those not written yet begin
	for i := 0; i+deflateMinMatch <= len(body); {
		word := binary.LittleEndian.Uint32(body[i:])
		slot := &table[word*2654435761>>(32-deflateHashBits)]
		match := int(*slot) - 1
		*slot = int32(i + 1)
		if match < 0 || i-match > deflateWindow || binary.LittleEndian.Uint32(body[match:]) != word {
			i++
			continue
		}
		length := deflateMinMatch
		for length < deflateMaxMatch && i+length < len(body) && body[match+length] == body[i+length] {
			length++
		}
		w.literals(body[literals:i])
		w.match(length, i-match)
		i += length
		literals = i
		if len(w.out)-start > limit {
			return dst, false
		}
	}
	w.literals(body[literals:])
	w.symbol(endOfBlock)
	w.flush()
	w.out = binary.LittleEndian.AppendUint32(w.out, crc32.ChecksumIEEE(body))
	w.out = binary.LittleEndian.AppendUint32(w.out, uint32(len(body)))
	return w.out, len(w.out)-start <= limit
}

// bitWriter packs bits, the lowest first.
type bitWriter struct {
	out     []byte
	pending uint64
	n       uint
}

func (w *bitWriter) write(v uint32, n uint) {
	w.pending |= uint64(v) << w.n
	for w.n += n; w.n >= 8; w.n -= 8 {
		w.out = append(w.out, byte(w.pending))
		w.pending >>= 8
	}
}

// code writes a Huffman code, which stands highest bit first.
func (w *bitWriter) code(v uint32, n uint) { w.write(bits.Reverse32(v)>>(32-n), n) }

// symbol writes a literal or length symbol in the fixed code.
func (w *bitWriter) symbol(v int) {
	switch {
	case v < 144:
		w.code(uint32(0x30+v), 8)
	case v < 256:
		w.code(uint32(0x190+v-144), 9)
	case v < 280:
		w.code(uint32(v-256), 7)
	default:
		w.code(uint32(0xc0+v-280), 8)
	}
}

func (w *bitWriter) literals(b []byte) {
	for _, c := range b {
		w.symbol(int(c))
	}
}

func (w *bitWriter) match(length, distance int) {
	i := sort.Search(len(lengthBase), func(i int) bool { return lengthBase[i] > length }) - 1
	w.symbol(firstLength + i)
	w.write(uint32(length-lengthBase[i]), lengthExtra[i])
	j := sort.Search(len(distanceBase), func(j int) bool { return distanceBase[j] > distance }) - 1
	w.code(uint32(j), 5)
	// Two distance symbols share each number of extra bits, from the third pair on.
	w.write(uint32(distance-distanceBase[j]), uint(max(0, j/2-1)))
}

func (w *bitWriter) flush() {
	if w.n > 0 {
		w.write(0, 8-w.n)
	}
}
