package transport

import (
	"encoding/base64"
	"encoding/hex"
)

// Secret is an MTProxy secret, taken apart.
type Secret struct {
	// Key is mixed into the obfuscation keys.
	Key [16]byte
	// Padded says that the proxy only speaks the padded framing.
	Padded bool
	// Domain is the cloak domain of a fake-TLS secret, empty for the others.
	Domain string
}

const (
	secretPadded  = 0xdd
	secretFakeTLS = 0xee
	// maxDomain is the longest cloak domain TDLib accepts, in bytes.
	maxDomain = 182
)

var errFakeTLS = &SecretError{"one with 0xee is for a stream inside fake-TLS: open that first, and use what Inner returns"}

// String hides the key.
func (s Secret) String() string { return "[secret]" }

// GoString hides the key.
func (s Secret) GoString() string { return "[secret]" }

// DecodeSecret takes the bytes of a secret apart. The error is a *SecretError.
func DecodeSecret(b []byte) (Secret, error) {
	var s Secret
	switch {
	case len(b) == 16:
		copy(s.Key[:], b)
		return s, nil
	case len(b) < 16:
		return s, &SecretError{"it is shorter than 16 bytes"}
	case b[0] == secretPadded && len(b) == 17:
		copy(s.Key[:], b[1:])
		s.Padded = true
		return s, nil
	case b[0] == secretFakeTLS && len(b) >= 18 && len(b) <= 17+maxDomain:
		copy(s.Key[:], b[1:17])
		s.Padded, s.Domain = true, string(b[17:])
		return s, nil
	case b[0] == secretFakeTLS:
		return s, &SecretError{"0xee needs a domain of 1 to 182 bytes behind the key"}
	}
	return s, &SecretError{"it is neither 16 bytes, nor 0xdd and 16 bytes, nor 0xee, 16 bytes and a domain"}
}

// ParseSecret reads a secret as links and configuration files write it: hex when
// every character is a hex digit, otherwise base64 in either alphabet, padded or
// not. The error is a *SecretError.
func ParseSecret(text string) (Secret, error) {
	if b, err := hex.DecodeString(text); err == nil {
		return DecodeSecret(b)
	}
	for _, e := range []*base64.Encoding{
		base64.RawURLEncoding, base64.URLEncoding, base64.RawStdEncoding, base64.StdEncoding,
	} {
		if b, err := e.DecodeString(text); err == nil {
			return DecodeSecret(b)
		}
	}
	return Secret{}, &SecretError{"it is neither hex nor base64"}
}

// Bytes returns the secret in the form Config.Secret takes.
func (s Secret) Bytes() []byte {
	switch {
	case s.Domain != "":
		return append(append([]byte{secretFakeTLS}, s.Key[:]...), s.Domain...)
	case s.Padded:
		return append([]byte{secretPadded}, s.Key[:]...)
	}
	return append([]byte(nil), s.Key[:]...)
}

// Inner is the secret of the obfuscated stream inside fake-TLS; the others are
// their own.
func (s Secret) Inner() Secret {
	s.Domain = ""
	return s
}

// allows tells whether a client may use the secret with that framing.
func (s Secret) allows(k Kind) error {
	switch {
	case s.Domain != "":
		return errFakeTLS
	case s.Padded && k != Padded:
		return &SecretError{"0xdd asks for the padded transport, not " + k.String()}
	}
	return nil
}
