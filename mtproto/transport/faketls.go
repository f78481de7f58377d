package transport

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"io"
	"time"
)

// A TLS is a stream that looks like TLS 1.3 to who watches it, between a client
// and an MTProxy with a fake-TLS secret. Nothing in it is encrypted by TLS: it
// carries an obfuscated stream (padded framing, see [Secret.Inner]) in records
// of application data, whose borders mean nothing.
//
// One goroutine may read and another write.
type TLS struct {
	rw io.ReadWriter

	left   int // bytes of the record under way that were not read yet
	head   [recordHeader]byte
	headed int // bytes of head that were read

	first []byte // what goes before the first record
	buf   []byte // of one write
}

const (
	recordHeader = 5
	recordCCS    = 0x14 // change_cipher_spec
	recordAlert  = 0x15
	recordHello  = 0x16 // handshake
	recordData   = 0x17 // application data

	// maxRecord is what TLS 1.3 lets a record hold: 16 KiB and 256 bytes.
	maxRecord = 16<<10 + 256
	// recordOut is the longest record sent, TDLib's own: two of them fill the
	// segments of a real server's.
	recordOut = 2878
	// digestAt is where a hello has its digest: behind headers and version.
	digestAt, digestLen = 11, 32

	// maxReplyRecords and maxReply bound what a server says before its digest can
	// be checked: a real one sends three records, gotd tolerates 16.
	maxReplyRecords = 16
	maxReply        = 64 << 10

	// helloWindow is how far the time in a client's hello may be off. The field
	// has proxies between tens of seconds and minutes.
	helloWindow = 2 * time.Minute
)

var ccsRecord = []byte{recordCCS, 3, 3, 0, 1, 1}

// ClientTLS opens a fake-TLS stream to a proxy: it says hello, waits for the
// answer and checks that it comes from somebody who has the secret. It blocks as
// rw does. now is the time by the server's clock: a proxy refuses hellos of
// another time. The error is a *SecretError for a secret without a domain, a
// *TLSError, or the one of rw or rand.
func ClientTLS(rw io.ReadWriter, s Secret, now time.Time, rand io.Reader) (*TLS, error) {
	if s.Domain == "" {
		return nil, &SecretError{"fake-TLS needs one with 0xee and a domain"}
	}
	hello, err := clientHello(s.Domain, rand)
	if err != nil {
		return nil, err
	}
	digest := signHello(hello, s, now)
	if _, err := rw.Write(hello); err != nil {
		return nil, err
	}
	reply, err := readReply(rw)
	if err != nil {
		return nil, err
	}
	if !hmac.Equal(replyDigest(reply, s, digest), reply[digestAt:digestAt+digestLen]) {
		return nil, &TLSError{"the answer does not come from a proxy with this secret"}
	}
	return &TLS{rw: rw, first: ccsRecord}, nil
}

// ServerTLS is the proxy's side of [ClientTLS]: it reads a hello, checks it and
// answers.
func ServerTLS(rw io.ReadWriter, s Secret, now time.Time, rand io.Reader) (*TLS, error) {
	hello, err := readHello(rw)
	if err != nil {
		return nil, err
	}
	if err := checkHello(hello, s, now); err != nil {
		return nil, err
	}
	reply, err := serverHello(hello, rand)
	if err != nil {
		return nil, err
	}
	copy(reply[digestAt:], replyDigest(reply, s, hello[digestAt:digestAt+digestLen]))
	if _, err := rw.Write(reply); err != nil {
		return nil, err
	}
	return &TLS{rw: rw}, nil
}

// signHello puts the digest into a hello and returns it.
func signHello(hello []byte, s Secret, now time.Time) []byte {
	digest := helloDigest(hello, s)
	stamp := binary.LittleEndian.Uint32(digest[28:]) ^ uint32(now.Unix())
	binary.LittleEndian.PutUint32(digest[28:], stamp)
	copy(hello[digestAt:], digest)
	return digest
}

// checkHello reports whether a hello was made now by who has the secret.
func checkHello(hello []byte, s Secret, now time.Time) error {
	got, want := hello[digestAt:digestAt+digestLen], helloDigest(hello, s)
	if subtle.ConstantTimeCompare(got[:28], want[:28]) != 1 {
		return &TLSError{"the hello was not made with this secret"}
	}
	stamp := binary.LittleEndian.Uint32(got[28:]) ^ binary.LittleEndian.Uint32(want[28:])
	if off := now.Sub(time.Unix(int64(stamp), 0)); off > helloWindow || off < -helloWindow {
		return &TLSError{"the hello is of another time"}
	}
	return nil
}

// helloDigest is the HMAC over a hello with nothing where the digest goes.
func helloDigest(hello []byte, s Secret) []byte { return zeroedHMAC(s, nil, hello) }

// replyDigest is the HMAC over the client's digest and the server's answer.
func replyDigest(reply []byte, s Secret, client []byte) []byte { return zeroedHMAC(s, client, reply) }

func zeroedHMAC(s Secret, before, record []byte) []byte {
	mac := hmac.New(sha256.New, s.Key[:])
	mac.Write(before)
	mac.Write(record[:digestAt])
	mac.Write(make([]byte, digestLen))
	mac.Write(record[digestAt+digestLen:])
	return mac.Sum(nil)
}

// readHello reads one record that holds a client's hello.
func readHello(r io.Reader) ([]byte, error) {
	hello, kind, err := readRecord(r, nil)
	switch {
	case err != nil:
		return nil, err
	case kind != recordHello || len(hello) < digestAt+digestLen || hello[recordHeader] != helloClient:
		return nil, &TLSError{"the opening is no hello of a client"}
	}
	return hello, nil
}

// readReply reads what a server says until its first application data, which
// are part of what the digest is over.
func readReply(r io.Reader) ([]byte, error) {
	var all []byte
	for range maxReplyRecords {
		start := len(all)
		var kind byte
		var err error
		if all, kind, err = readRecord(r, all); err != nil {
			return nil, err
		}
		switch {
		case start == 0 && (kind != recordHello || len(all) < digestAt+digestLen || all[recordHeader] != helloServer):
			return nil, &TLSError{"the answer is no hello of a server"}
		case kind == recordData:
			return all, nil
		case len(all) > maxReply:
			return nil, &TLSError{"the answer is too long"}
		}
	}
	return nil, &TLSError{"the answer has too many records"}
}

// readRecord appends one whole record to dst.
func readRecord(r io.Reader, dst []byte) (all []byte, kind byte, err error) {
	var head [recordHeader]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, 0, err
	}
	n, err := checkRecord(head)
	if err != nil {
		return nil, 0, err
	}
	start := len(dst) + recordHeader
	all = append(append(dst, head[:]...), make([]byte, n)...)
	_, err = io.ReadFull(r, all[start:])
	return all, head[0], unexpected(err)
}

// checkRecord returns the length a record's header claims.
func checkRecord(head [recordHeader]byte) (int, error) {
	n := int(binary.BigEndian.Uint16(head[3:]))
	switch {
	case head[0] == recordAlert:
		return 0, &TLSError{"the other side sent an alert"}
	case head[0] < recordCCS || head[0] > recordData || head[1] != 3:
		return 0, &TLSError{"what came is no TLS record"}
	case n == 0 || n > maxRecord:
		return 0, &TLSError{"a record's length is not allowed"}
	}
	return n, nil
}

// Read returns bytes of the stream inside. Records between others that only
// imitate TLS are skipped.
func (t *TLS) Read(p []byte) (int, error) {
	for t.left == 0 {
		if err := t.nextRecord(); err != nil {
			return 0, err
		}
	}
	n, err := t.rw.Read(p[:min(len(p), t.left)])
	t.left -= n
	if t.left > 0 || n == 0 {
		err = unexpected(err)
	}
	return n, err
}

// nextRecord reads the header of the next application data. An error of the
// reader below loses nothing.
func (t *TLS) nextRecord() error {
	for t.headed < recordHeader {
		n, err := t.rw.Read(t.head[t.headed:])
		t.headed += n
		if n == 0 && err != nil {
			if t.headed > 0 {
				err = unexpected(err)
			}
			return err
		}
	}
	n, err := checkRecord(t.head)
	if err != nil {
		return err
	}
	switch {
	case t.head[0] == recordData:
		t.left, t.headed = n, 0
		return nil
	case t.head[0] != recordCCS || n != 1:
		return &TLSError{"a record is neither application data nor a change of cipher"}
	}
	var one [1]byte
	m, err := t.rw.Read(one[:])
	if m == 0 {
		if err == nil {
			err = io.ErrNoProgress
		}
		return unexpected(err)
	}
	t.headed = 0
	return nil
}

// Write sends bytes of the stream inside, in as many records as they need.
func (t *TLS) Write(p []byte) (int, error) {
	out := append(t.buf[:0], t.first...)
	for rest := p; len(rest) > 0; {
		n := min(len(rest), recordOut)
		out = append(out, recordData, 3, 3, byte(n>>8), byte(n))
		out = append(out, rest[:n]...)
		rest = rest[n:]
	}
	t.first, t.buf = nil, nil // an idle connection keeps no buffer
	if _, err := t.rw.Write(out); err != nil {
		return 0, err
	}
	return len(p), nil
}

// TLSError says what about a fake-TLS stream is wrong. It is final, and contains
// no secret.
type TLSError struct{ Reason string }

// Error gives the reason.
func (e *TLSError) Error() string { return "transport: fake-TLS: " + e.Reason }
