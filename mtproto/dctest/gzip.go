package dctest

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/mt"
)

var errGzip = errors.New("gzip_packed does not unpack to one object within the limit")

// inflate unpacks a gzip_packed body; any other is returned as it is. It may hold neither a container nor another
// gzip_packed. What it unpacks, whether or not that succeeds, is taken from what the packet has left.
func (d *delivery) inflate(body []byte) ([]byte, error) {
	if bodyID(body) != mt.GzipPackedID {
		return body, nil
	}
	r := tl.NewReader(body[4:])
	packed := r.BytesView()
	left := maxInflate - d.inflated
	if r.Err() != nil || left <= 0 {
		return nil, errGzip
	}
	z, err := unpacker(packed)
	if err != nil {
		d.inflated += leastInflate
		return nil, errGzip
	}
	out, err := io.ReadAll(io.LimitReader(z, int64(left)+1))
	d.inflated += max(len(out), leastInflate)
	if err != nil || len(out) > left || len(out) < 4 || len(out)%4 != 0 {
		return nil, errGzip
	}
	if id := bodyID(out); id == mt.GzipPackedID || id == mt.MsgContainerID {
		return nil, errGzip
	}
	return out, nil
}

// unpacker reads a gzip stream (RFC 1952) or, as TDLib and mtcute pack, a zlib stream (RFC 1950).
func unpacker(packed []byte) (io.Reader, error) {
	if len(packed) > 1 && packed[0] == 0x1f && packed[1] == 0x8b {
		return gzip.NewReader(bytes.NewReader(packed))
	}
	return zlib.NewReader(bytes.NewReader(packed))
}

// deflate packs a result when that saves a tenth of it.
func (c *Cluster) deflate(result []byte) []byte {
	if c.cfg.GzipOver < 0 || len(result) <= c.cfg.GzipOver {
		return result
	}
	var buf bytes.Buffer
	if c.gzipper == nil {
		c.gzipper, _ = gzip.NewWriterLevel(&buf, gzip.BestSpeed) // the level is a valid constant
	} else {
		c.gzipper.Reset(&buf)
	}
	if _, err := c.gzipper.Write(result); err != nil {
		return result
	}
	if err := c.gzipper.Close(); err != nil || buf.Len() > len(result)-len(result)/10 {
		return result
	}
	return tl.AppendBytes(tl.AppendUint32(nil, mt.GzipPackedID), buf.Bytes())
}
