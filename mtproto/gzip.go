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
	// maxUnpacked bounds what the gzip_packed objects of one packet may unpack to, together, in bytes.
	maxUnpacked = 16 << 20
	// maxGzipDepth is how deep gzip_packed may be nested.
	maxGzipDepth = 2
	// deflateRatio is the best that deflate can do: 258 bytes for two bits, and a little.
	deflateRatio = 1032
)

var (
	errGzipSize  = errors.New("gzip_packed unpacks to more than 16 MiB")
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
		out, err := inflate(packed, *budget)
		if err != nil {
			return nil, err
		}
		*budget -= len(out)
		body = out
	}
	return body, nil
}

// inflate unpacks a gzip stream (or a zlib one, which some servers send) of at most limit bytes.
func inflate(packed []byte, limit int) ([]byte, error) {
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
		return nil, errGzipForm
	}
	if err != nil {
		return nil, err
	}
	// The hint is the sender's word; it may cost no more than the input justifies.
	hint = max(0, min(hint, limit, deflateRatio*len(packed)))
	out := bytes.NewBuffer(make([]byte, 0, hint+bytes.MinRead))
	n, err := out.ReadFrom(io.LimitReader(z, int64(limit)+1))
	switch {
	case err != nil:
		return nil, err
	case n > int64(limit):
		return nil, errGzipSize
	}
	return out.Bytes(), nil
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
