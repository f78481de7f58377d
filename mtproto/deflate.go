package mtproto

import (
	"bytes"

	"github.com/klauspost/compress/gzip"
)

// Packing a query needs little: no dictionary that outlives it and no best ratio. compress/gzip sets up more than a
// megabyte and half a millisecond for every stream, which a process with thousands of sessions can neither keep nor repeat
// for each query. The stateless writer keeps nothing between two queries and needs no setting up.

const (
	// probeAbove is the size in bytes from which a piece of the middle is tried first, as TDLib does: what is packed
	// already, a file part say, costs next to nothing then.
	probeAbove = 16 << 10
	probeSize  = 1 << 10
)

// deflate appends body as a gzip stream to dst. It gives up, with ok false, when the stream is longer than limit bytes.
func deflate(dst, body []byte, limit int) (out []byte, ok bool) {
	if len(body) > probeAbove {
		middle := body[len(body)/2:][:probeSize]
		if _, ok := deflate(nil, middle, probeSize-probeSize/10); !ok {
			return dst, false
		}
	}
	buf := bytes.NewBuffer(dst)
	z, err := gzip.NewWriterLevel(buf, gzip.StatelessCompression)
	if err == nil {
		_, err = z.Write(body)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil || buf.Len()-len(dst) > limit { // a buffer takes everything: there is no error
		return dst, false
	}
	return buf.Bytes(), true
}
