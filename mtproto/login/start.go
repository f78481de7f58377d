package login

import (
	"encoding/hex"
	"fmt"
	"io"
)

// A Start is what a sign-in begins with: its flow, and what that is begun by.
// It prints as its kind, for it holds secrets.
type Start struct {
	Flow Flow
	// Phone belongs to FlowPhone, as NewPhone takes it. FlowPNV, which asks
	// nobody for a number, takes the one that is expected, or none: no other
	// account asks for a code for it meanwhile.
	Phone string
	// Token belongs to FlowBot and to FlowWeb: the bot's token, or the link.
	Token string
}

// machine returns the sign-in that it begins. It fails with an *Error.
func (s Start) machine(cfg Config) (*Machine, error) {
	switch s.Flow {
	case FlowPhone:
		return NewPhone(cfg, s.Phone)
	case FlowBot:
		return NewBot(cfg, s.Token)
	case FlowQR:
		return NewQR(cfg)
	case FlowPasskey:
		return NewPasskey(cfg)
	case FlowWeb:
		return NewWebToken(cfg, s.Token)
	case FlowPNV:
		return NewPNV(cfg, s.Phone)
	}
	return nil, &Error{Reason: ReasonUnsupported, Message: fmt.Sprintf("there is no way to sign in called %q; there are phone, qr, bot, passkey, web and pnv", string(s.Flow))}
}

// String names the kind alone.
func (s Start) String() string { return fmt.Sprintf("Start{%s}", string(s.Flow)) }

// GoString is String.
func (s Start) GoString() string { return s.String() }

// Names is whom it names before anything is sent: a phone number, digits only, or the
// user that a bot is; empty and 0 where it names nobody, or what was given makes no
// sense.
func (s Start) Names() (phone string, user int64) {
	switch s.Flow {
	case FlowPhone, FlowPNV:
		phone, _ = normalPhone(s.Phone)
	case FlowBot:
		token, _ := normalToken(s.Token)
		user, _ = botID(token)
	}
	return phone, user
}

// attemptBytes make an id that no other sign-in of a fleet has: of a million at
// once, two are the same once in 500 fleets.
const attemptBytes = 6

// newAttempt returns the id of a sign-in, in hex.
func newAttempt(rand io.Reader) (string, error) {
	var b [attemptBytes]byte
	if _, err := io.ReadFull(rand, b[:]); err != nil {
		return "", &Error{Reason: ReasonConfig, Retry: true, Message: "the source of randomness failed (Config.Rand)", Err: err}
	}
	return hex.EncodeToString(b[:]), nil
}
