package transport

import (
	"io"
)

// Config is what a client decides about its transport.
type Config struct {
	// Kind is the framing. There is no default.
	Kind Kind
	// Obfuscated wraps the stream in obfuscated2. A Secret implies it.
	Obfuscated bool
	// DC goes into the obfuscated header: the id, plus 10000 in the test
	// environment, negative for media connections. A DC reached directly
	// ignores it; an MTProxy routes by it.
	DC int
	// Secret is the decoded secret of an MTProxy or of a DC option; nil for
	// none. 16 bytes, or 17 beginning with 0xdd (which asks for Padded).
	Secret []byte
	// Rand supplies the obfuscated header and the padding. It may be nil for
	// abridged, intermediate and full without obfuscation.
	Rand io.Reader
}

// ServerConfig is what a server has to know before the client speaks.
type ServerConfig struct {
	// Secret is the 16-byte (or 0xdd and 16 bytes) secret that clients must
	// use; nil for none. Only obfuscated clients can then connect.
	Secret []byte
	// Rand supplies padding for clients that choose Padded.
	Rand io.Reader
}

// Codec frames the packets of one TCP connection, for one side. A new
// connection needs a new codec.
//
// Reading (ReadPacket, QuickAckRequested, RestReading) and encoding (Encode,
// AppendError, AppendQuickAck, RestEncoding) do not share state: each half has one owner, and the owners
// may be different goroutines. On the server's side the encoding half begins
// its life when the first ReadPacket has returned.
type Codec struct {
	kind   Kind
	server bool
	dc     int
	rand   io.Reader
	secret []byte // 16 bytes or nil; on the server kept for detection

	// The encoding half.
	enc      *keyStream // nil when not obfuscated
	preamble []byte     // what goes before the first frame; nil once sent
	outSeq   uint32     // full: number of the next frame
	pad      [1 + maxPadding]byte

	in decoder
}

// NewClient prepares the client's side. It reads 64 bytes of randomness when
// the transport is obfuscated and nothing otherwise; nothing is sent before the
// first Encode. The error is a *ConfigError, a *SecretError, or the one of
// cfg.Rand.
func NewClient(cfg Config) (*Codec, error) {
	if cfg.Kind < Abridged || cfg.Kind > Full {
		return nil, &ConfigError{"no such framing: " + cfg.Kind.String()}
	}
	c := &Codec{kind: cfg.Kind, dc: cfg.DC, rand: cfg.Rand}
	obfuscated := cfg.Obfuscated || cfg.Secret != nil
	if (obfuscated || cfg.Kind == Padded) && cfg.Rand == nil {
		return nil, &ConfigError{cfg.Kind.String() + " needs a source of randomness"}
	}
	if !obfuscated {
		c.preamble = plainPreamble(cfg.Kind)
		return c, nil
	}
	if cfg.Kind == Full {
		return nil, &ConfigError{"the full transport cannot be obfuscated"}
	}
	if cfg.DC != int(int16(cfg.DC)) {
		return nil, &ConfigError{"the DC id does not fit in 16 bits"}
	}
	if cfg.Secret != nil {
		s, err := DecodeSecret(cfg.Secret)
		if err != nil {
			return nil, err
		}
		if err := s.allows(cfg.Kind); err != nil {
			return nil, err
		}
		c.secret = s.Key[:]
	}
	init, err := newInit(cfg.Rand)
	if err != nil {
		return nil, err
	}
	header, enc, dec := obfuscate(init, cfg.Kind, int16(cfg.DC), c.secret)
	c.preamble, c.enc, c.in.dec = header[:], enc, dec
	return c, nil
}

// NewServer prepares the server's side. The first ReadPacket finds out which
// framing the client speaks. The error is a *SecretError.
func NewServer(cfg ServerConfig) (*Codec, error) {
	c := &Codec{server: true, rand: cfg.Rand}
	if cfg.Secret != nil {
		s, err := DecodeSecret(cfg.Secret)
		if err != nil {
			return nil, err
		}
		if s.Domain != "" {
			return nil, errFakeTLS
		}
		c.secret = s.Key[:]
	}
	return c, nil
}

// RestReading lets go of what the reading half does not need until the next byte
// comes, its buffer and half a kilobyte of a connection that is obfuscated: for one
// that is idle.
func (c *Codec) RestReading() { c.in.rest() }

// RestEncoding does so with the encoding half.
func (c *Codec) RestEncoding() { c.enc.rest() }

// Kind returns the framing: on the server's side 0 until it is known.
func (c *Codec) Kind() Kind { return c.kind }

// Obfuscated tells whether the stream is wrapped in obfuscated2.
func (c *Codec) Obfuscated() bool { return c.in.dec != nil }

// DC returns the DC id of the obfuscated header, as the client wrote it: plus
// 10000 for the test environment, negative for media. It is 0 on a server whose
// client is not obfuscated.
func (c *Codec) DC() int { return c.dc }

// plainPreamble is what announces a framing outside obfuscation.
func plainPreamble(k Kind) []byte {
	switch k {
	case Abridged:
		return []byte{0xef}
	case Intermediate:
		return []byte{0xee, 0xee, 0xee, 0xee}
	case Padded:
		return []byte{0xdd, 0xdd, 0xdd, 0xdd}
	}
	return nil
}
