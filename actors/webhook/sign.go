package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The headers of a message.
const (
	HeaderID        = "webhook-id"
	HeaderTimestamp = "webhook-timestamp" // unix seconds
	HeaderSignature = "webhook-signature" // one or several, by spaces: v1,BASE64
)

// secretPrefix begins a secret as people write it.
const secretPrefix = "whsec_"

// Secret is the key that both sides have. It does not print.
type Secret struct{ key []byte }

// ParseSecret reads a secret: whsec_ and the base64 of 24 to 64 random bytes.
func ParseSecret(text string) (Secret, error) {
	rest, ok := strings.CutPrefix(strings.TrimSpace(text), secretPrefix)
	key, err := base64.StdEncoding.DecodeString(rest)
	if !ok || err != nil || len(key) < 24 || len(key) > 64 {
		return Secret{}, errors.New("a webhook's secret is whsec_ and the base64 of 24 to 64 random bytes: make one with `echo whsec_$(openssl rand -base64 32)`")
	}
	return Secret{key}, nil
}

// String hides the secret.
func (Secret) String() string { return "[secret]" }

// Format hides the secret from every verb of fmt.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// LogValue hides the secret.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText hides the secret from encoding/json and its like.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

func (s Secret) mac(id, timestamp string, body []byte) []byte {
	h := hmac.New(sha256.New, s.key)
	_, _ = io.WriteString(h, id+"."+timestamp+".")
	_, _ = h.Write(body)
	return h.Sum(nil)
}

// Sign sets the headers of a message: a signature with each secret, so that one can
// be replaced while both are accepted.
func Sign(header http.Header, secrets []Secret, id string, at time.Time, body []byte) {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	var all []string
	for _, s := range secrets {
		all = append(all, "v1,"+base64.StdEncoding.EncodeToString(s.mac(id, timestamp, body)))
	}
	header.Set(HeaderID, id)
	header.Set(HeaderTimestamp, timestamp)
	header.Set(HeaderSignature, strings.Join(all, " "))
}

// Tolerance is how far a message's time may be from the receiver's.
const Tolerance = 5 * time.Minute

// Errors of Verify.
var (
	ErrSignature = errors.New("the message has no signature with this secret")
	ErrTimestamp = errors.New("the message's time is missing, or more than five minutes from now: it may be an old one, sent again")
)

// Verify is for who receives messages: it checks that one was signed with one of
// the secrets, and lately. The time taken does not depend on the signature.
func Verify(header http.Header, secrets []Secret, body []byte, now time.Time) error {
	timestamp := header.Get(HeaderTimestamp)
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if d := now.Sub(time.Unix(seconds, 0)); err != nil || d > Tolerance || d < -Tolerance {
		return ErrTimestamp
	}
	found := false
	for given := range strings.FieldsSeq(header.Get(HeaderSignature)) {
		text, ok := strings.CutPrefix(given, "v1,")
		sum, err := base64.StdEncoding.DecodeString(text)
		if !ok || err != nil {
			continue
		}
		for _, s := range secrets {
			found = hmac.Equal(sum, s.mac(header.Get(HeaderID), timestamp, body)) || found
		}
	}
	if !found {
		return ErrSignature
	}
	return nil
}
