package mtproto

import (
	"bytes"
	"compress/gzip"
)

func deflate(dst, body []byte) []byte {
	w := bytes.NewBuffer(dst)
	z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
	z.Write(body)
	z.Close()
	return w.Bytes()
}
