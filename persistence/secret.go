package persistence

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[secret]"

// Secret is bytes that must not be printed: it formats and logs as "[secret]".
// The bytes themselves are reached by converting it to []byte.
type Secret []byte

// String hides the bytes.
func (Secret) String() string { return redacted }

// Format hides the bytes from every verb of fmt, %d and %c included.
func (Secret) Format(s fmt.State, _ rune) { hide(s) }

// LogValue hides the bytes.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the bytes from encoding/json and its like.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// SecretText is text that must not be printed. Converting it to string reveals it.
type SecretText string

// String hides the text.
func (SecretText) String() string { return redacted }

// Format hides the text from every verb of fmt.
func (SecretText) Format(s fmt.State, _ rune) { hide(s) }

// LogValue hides the text.
func (SecretText) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the text from encoding/json and its like.
func (SecretText) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// AuthKey is the value of an auth key, 2048 bits. Like Secret it does not print.
type AuthKey [256]byte

// String hides the key.
func (AuthKey) String() string { return redacted }

// Format hides the key from every verb of fmt.
func (AuthKey) Format(s fmt.State, _ rune) { hide(s) }

// LogValue hides the key.
func (AuthKey) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the key from encoding/json and its like.
func (AuthKey) MarshalText() ([]byte, error) { return []byte(redacted), nil }

func hide(s fmt.State) { _, _ = io.WriteString(s, redacted) }
