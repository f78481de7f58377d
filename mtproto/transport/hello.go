package transport

import (
	"crypto/ecdh"
	"encoding/binary"
	"io"
)

const (
	helloClient = 1
	helloServer = 2

	// helloLen is the length of a client's record. Browsers pad theirs to it, and
	// Telegram's own proxy takes no other.
	helloLen = 517
	// replyData is how many bytes of application data a server's answer has at
	// least: what its encrypted certificate takes; up to twice that are drawn.
	replyData = 2048
)

// hello is a TLS message being built.
type hello struct{ b []byte }

func (h *hello) bytes(b ...byte) { h.b = append(h.b, b...) }

func (h *hello) words(list ...uint16) {
	for _, w := range list {
		h.b = binary.BigEndian.AppendUint16(h.b, w)
	}
}

// sized appends what f does behind its length in n bytes.
func (h *hello) sized(n int, f func()) {
	at := len(h.b)
	h.bytes(make([]byte, n)...)
	f()
	size := len(h.b) - at - n
	for i := n - 1; i >= 0; i-- {
		h.b[at+i] = byte(size)
		size >>= 8
	}
}

// extension appends one extension.
func (h *hello) extension(id uint16, f func()) {
	h.words(id)
	h.sized(2, f)
}

// clientHello builds the record of a browser's hello for a domain, without its
// digest. Nobody negotiates anything by it.
func clientHello(domain string, rand io.Reader) ([]byte, error) {
	var r [32 + 32 + 4]byte // session id, key, grease
	if _, err := io.ReadFull(rand, r[:]); err != nil {
		return nil, err
	}
	key, err := ecdh.X25519().NewPrivateKey(r[32:64]) // a share that is a point, as a real one
	if err != nil {
		return nil, err
	}
	// Reserved values that browsers mix in (RFC 8701); the two of extensions differ.
	grease := func(i int) uint16 { return 0x0a0a + 0x1010*uint16(r[64+i]>>4) }
	first, last := grease(1), grease(2)
	if last == first {
		last ^= 0x1010
	}
	h := &hello{}
	h.bytes(recordHello, 3, 1)
	h.sized(2, func() {
		h.bytes(helloClient)
		h.sized(3, func() {
			h.words(0x0303)
			h.bytes(make([]byte, digestLen)...)
			h.sized(1, func() { h.bytes(r[:32]...) })
			h.sized(2, func() {
				h.words(grease(0), 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035)
			})
			h.bytes(1, 0) // no compression
			h.sized(2, func() {
				h.extension(first, func() {})
				h.extensions(domain, grease(3), key.PublicKey().Bytes())
				h.extension(last, func() { h.bytes(0) })
				if missing := helloLen - len(h.b) - 4; missing > 0 {
					h.extension(0x0015, func() { h.bytes(make([]byte, missing)...) })
				}
			})
		})
	})
	return h.b, nil
}

// extensions are those of a browser, between its two reserved ones.
func (h *hello) extensions(domain string, grease uint16, share []byte) {
	h.extension(0x0000, func() { // server_name
		h.sized(2, func() { h.bytes(0); h.sized(2, func() { h.bytes([]byte(domain)...) }) })
	})
	h.extension(0x0017, func() {})                                                                 // extended_master_secret
	h.extension(0xff01, func() { h.bytes(0) })                                                     // renegotiation_info
	h.extension(0x000a, func() { h.sized(2, func() { h.words(grease, 0x001d, 0x0017, 0x0018) }) }) // supported_groups
	h.extension(0x000b, func() { h.bytes(1, 0) })                                                  // ec_point_formats
	h.extension(0x0023, func() {})                                                                 // session_ticket
	h.extension(0x0010, func() {                                                                   // ALPN
		h.sized(2, func() {
			for _, name := range []string{"h2", "http/1.1"} {
				h.sized(1, func() { h.bytes([]byte(name)...) })
			}
		})
	})
	h.extension(0x0005, func() { h.bytes(1, 0, 0, 0, 0) }) // status_request
	h.extension(0x000d, func() {                           // signature_algorithms
		h.sized(2, func() { h.words(0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601) })
	})
	h.extension(0x0012, func() {}) // signed_certificate_timestamp
	h.extension(0x0033, func() {   // key_share
		h.sized(2, func() {
			h.words(grease)
			h.sized(2, func() { h.bytes(0) })
			h.words(0x001d)
			h.sized(2, func() { h.bytes(share...) })
		})
	})
	h.extension(0x002d, func() { h.bytes(1, 1) })                                          // psk_key_exchange_modes
	h.extension(0x002b, func() { h.sized(1, func() { h.words(grease, 0x0304, 0x0303) }) }) // supported_versions
	h.extension(0x001b, func() { h.bytes(2, 0, 2) })                                       // compress_certificate
}

// serverHello builds the answer to a client's hello, without its digest: a hello,
// a change of cipher, and noise as long as a certificate.
func serverHello(client []byte, rand io.Reader) ([]byte, error) {
	var r [32 + 2]byte
	if _, err := io.ReadFull(rand, r[:]); err != nil {
		return nil, err
	}
	key, err := ecdh.X25519().NewPrivateKey(r[:32])
	if err != nil {
		return nil, err
	}
	h := &hello{}
	h.bytes(recordHello, 3, 3)
	h.sized(2, func() {
		h.bytes(helloServer)
		h.sized(3, func() {
			h.words(0x0303)
			h.bytes(make([]byte, digestLen)...)
			h.sized(1, func() { h.bytes(sessionID(client)...) })
			h.words(0x1301)
			h.bytes(0)
			h.sized(2, func() {
				h.extension(0x0033, func() { h.words(0x001d); h.sized(2, func() { h.bytes(key.PublicKey().Bytes()...) }) })
				h.extension(0x002b, func() { h.words(0x0304) })
			})
		})
	})
	h.bytes(ccsRecord...)
	noise := make([]byte, replyData+int(binary.BigEndian.Uint16(r[32:]))%replyData)
	if _, err := io.ReadFull(rand, noise); err != nil {
		return nil, err
	}
	h.bytes(recordData, 3, 3)
	h.sized(2, func() { h.bytes(noise...) })
	return h.b, nil
}

// sessionID returns what a client's hello has for one, which a server repeats.
func sessionID(client []byte) []byte {
	rest := client[digestAt+digestLen:]
	if len(rest) == 0 || int(rest[0]) > min(32, len(rest)-1) {
		return nil
	}
	return rest[1 : 1+rest[0]]
}
