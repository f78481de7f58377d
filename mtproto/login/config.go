package login

import (
	"io"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// Config is what a machine needs to know besides the attempt itself.
type Config struct {
	// APIID and APIHash are the operator's own; there is no default.
	APIID   int32
	APIHash string
	// Rand is where the secret numbers of a two-step password come from. It is
	// read by the machine alone, never by its work.
	Rand io.Reader
	// Group is the group every Telegram DC uses, made once for the process
	// (crypt.WellKnownGroup). Nil, or a password in another group, costs a proof
	// of a quarter of a second for each try.
	Group *crypt.Group
	// DC is the home DC at this moment, where calls go until the machine moves
	// it. Zero: it is not known, and a flow that must name its DC moves first.
	DC dc.ID
	// HasDC reports whether an account may live on a DC. Nil trusts the server.
	HasDC func(dc.ID) bool
	// PermKeyID returns the id of the perm key at a DC. A passkey that is
	// finished at another DC than it was begun at needs it; nil: unknown.
	PermKeyID func(dc.ID) (id int64, ok bool)
	// Settings go with auth.sendCode; see FutureTokens for the logout tokens
	// among them.
	Settings tg.CodeSettings
	// FutureTokens returns the future auth tokens of whoever has a number, newest
	// first; see Futures. One of them that the server knows makes a code
	// unnecessary. The first 20 are sent. Never those of somebody else: a server
	// learns from them who shares a machine. Nil: there are none.
	// https://core.telegram.org/api/auth#future-auth-tokens
	FutureTokens func(phone string) [][]byte
	// AllowSignUp permits auth.signUp. It must be false when the perm key was
	// made under one of Telegram's own RSA keys.
	AllowSignUp bool
	// WantUser is who is to be signed in; anybody else is logged out again. Zero:
	// whoever it is.
	WantUser int64
	// OtherUsers returns users who are signed in here already, in other accounts,
	// as many of them as given: a QR code does not sign them in, and their passkeys
	// are refused before anything is sent. It is asked when that is wanted, for
	// they come and go. Nil: nobody.
	OtherUsers func(most int) []int64
	// HoldPhone reserves a phone number for this sign-in in place of the one it
	// had, either of them empty for none, so that at most one code per number is
	// pending. It fails, and changes nothing, where another sign-in has it. Nil:
	// there is no other. For an Attempt.
	HoldPhone func(had, wants string) error
	// HoldUser takes a user, whom the server has signed in, for this account, or
	// returns the account that is or may be that user already: then the sign-in
	// is undone; empty for none. It is asked at that moment and not before, so
	// that of two sign-ins of one user one is kept. Nil: nobody else is there.
	HoldUser func(userID int64) (account string)
}

const (
	// hopsMost bounds the migrations of one attempt.
	hopsMost = 3
	// restartsMost bounds repeats after AUTH_RESTART and its like, retriesMost
	// those after other troubles of the server.
	restartsMost = 3
	retriesMost  = 5
	// repeatsMost bounds the imports of a bot whose answers are lost.
	repeatsMost = 5
	// exceptMost bounds the users that a QR code is not for, 8 bytes each: those
	// beyond it are signed out again by HoldUser.
	exceptMost = 1000
	// patience is the longest imposed wait after which a query that concerns a
	// code is repeated by itself. A code lives about as long.
	patience = 5 * time.Minute
	// codeLife is how long a code is thought to live. The server does not say.
	codeLife = 5 * time.Minute
	// floodStop is how long a number is left alone after PHONE_NUMBER_FLOOD.
	floodStop = 24 * time.Hour
)

func (cfg Config) check() error {
	switch {
	case cfg.APIID <= 0 || cfg.APIHash == "":
		return &Error{Reason: ReasonConfig, Message: "api_id and api_hash are missing; get your own at https://my.telegram.org and put them into the configuration"}
	case cfg.Rand == nil:
		return &Error{Reason: ReasonConfig, Message: "a sign-in needs a source of randomness (Config.Rand)"}
	}
	return nil
}

// hold is HoldPhone.
func (cfg Config) hold(had, wants string) error {
	if cfg.HoldPhone == nil {
		return nil
	}
	return cfg.HoldPhone(had, wants)
}

// others are the users who are here already.
func (cfg Config) others() []int64 {
	if cfg.OtherUsers == nil {
		return nil
	}
	return cfg.OtherUsers(exceptMost)
}

// settings are those of auth.sendCode, with the tokens that may stand for a code.
func (cfg Config) settings(phone string) tg.CodeSettings {
	s := cfg.Settings
	if cfg.FutureTokens == nil {
		return s
	}
	if tokens := cfg.FutureTokens(phone); len(tokens) > 0 {
		s.LogoutTokens = tl.Some(tokens[:min(len(tokens), futuresMost)])
	}
	return s
}

// firebase reports whether this application can pass Firebase's check: it said
// so in its settings.
func (cfg Config) firebase() bool { return cfg.Settings.AllowFirebase || cfg.Settings.Token.Set }
