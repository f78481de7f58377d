package mtproto

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"io"

	"github.com/mtfleet/mtfleet/tl"
)

const (
	// maxUnpacked bounds what the gzip_packed objects of one packet may unpack to, together, in bytes. What cannot be
	// unpacked counts too, with all that was unpacked before that was known.
	maxUnpacked = 16 << 20
	// leastUnpacked is what a stream counts for at least: setting up to read it costs as much as so many bytes. A packet
	// has room for 4,096 of them; a server puts 1,024 messages into a container at most.
	leastUnpacked = 4 << 10
	// maxGzipDepth is how deep gzip_packed may be nested.
	maxGzipDepth = 2
	// deflateRatio is the best that deflate can do: 258 bytes for two bits, and a little.
	deflateRatio = 1032
)

var (
	errGzipSize  = errors.New("the gzip_packed of one packet unpack to more than 16 MiB")
	errGzipDepth = errors.New("gzip_packed nested too deep")
	errGzipForm  = errors.New("gzip_packed holds no gzip stream")
)

// unpack returns the object inside a boxed gzip_packed, unpacking nested ones too. What is not packed is returned as it
// is. budget is how many bytes may still be unpacked, and is reduced.
func unpack(body []byte, budget *int) ([]byte, error) {
	for depth := 0; peekID(body) == idGzipPacked; depth++ {
		if depth == maxGzipDepth {
			return nil, errGzipDepth
		}
		var r tl.Reader
		r.Reset(body)
		r.ID()
		packed := r.BytesView()
		if err := r.Err(); err != nil {
			return nil, err
		}
		if *budget <= 0 {
			return nil, errGzipSize
		}
		out, cost, err := inflate(packed, *budget)
		*budget -= max(cost, leastUnpacked)
		if err != nil {
			return nil, err
		}
		body = out
	}
	return body, nil
}

// inflate unpacks a gzip stream (or a zlib one, which some servers send) of at most limit bytes. cost is how many bytes were
// unpacked, or had room made for them, whether or not it failed.
func inflate(packed []byte, limit int) (_ []byte, cost int, _ error) {
	var z io.Reader
	var err error
	hint := 4 * len(packed)
	src := bytes.NewReader(packed)
	switch {
	case len(packed) >= 18 && packed[0] == 0x1f && packed[1] == 0x8b:
		hint = int(binary.LittleEndian.Uint32(packed[len(packed)-4:]))
		z, err = gzip.NewReader(src)
	case len(packed) >= 6 && packed[0]&0x0f == 8:
		z, err = zlib.NewReader(src)
	default:
		return nil, 0, errGzipForm
	}
	if err != nil {
		return nil, 0, err
	}
	// The hint is the sender's word; it may cost no more than the input justifies.
	hint = max(0, min(hint, limit, deflateRatio*len(packed)))
	out := bytes.NewBuffer(make([]byte, 0, hint+bytes.MinRead))
	n, err := out.ReadFrom(io.LimitReader(z, int64(limit)+1))
	switch {
	case err != nil:
		return nil, max(int(n), hint), err
	case n > int64(limit):
		return nil, max(int(n), hint), errGzipSize
	}
	return out.Bytes(), int(n), nil
}

// pack returns body as gzip_packed if it is large enough and that saves at least a tenth, and as it is otherwise.
func (s *Session) pack(body []byte) []byte {
	if s.cfg.GzipAbove < 0 || len(body) <= s.cfg.GzipAbove || peekID(body) == idGzipPacked {
		return body
	}
	packed, ok := deflate(make([]byte, 0, len(body)/2), body, len(body)-len(body)/10)
	if !ok {
		return body
	}
	out := make([]byte, 0, len(packed)+8)
	out = tl.AppendUint32(out, idGzipPacked)
	return tl.AppendBytes(out, packed)
}
