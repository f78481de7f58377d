package login

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// futuresMost bounds the tokens of an account: the server looks at 20, and says
// so. They are 64 bytes each. https://core.telegram.org/api/auth#future-auth-tokens
const futuresMost = 20

// Futures are the future auth tokens of one account. Each can stand for a code
// at the next sign-in of the user whom it was given to, whoever that was: they
// are offered for his number and no other, for a server learns from them who
// shares a machine. They are secrets, as good as a code. The zero value has none.
type Futures struct {
	s storedFutures
}

type storedFutures struct {
	// User and Phone are those of the last sign-in, for what its end brings.
	User   int64    `json:"user,omitempty"`
	Phone  string   `json:"phone,omitempty"`
	Tokens []future `json:"tokens,omitempty"` // the newest first
}

type future struct {
	User  int64  `json:"user"`
	Phone string `json:"phone"` // digits
	Token []byte `json:"token"`
}

// SignedIn takes what a sign-in brought, and reports whether there is something
// to store. Bots have no codes.
func (f *Futures) SignedIn(a *Authorization) bool {
	if a.IsBot || a.Phone == "" {
		f.s.User, f.s.Phone = 0, ""
		return false
	}
	changed := f.s.User != a.UserID || f.s.Phone != a.Phone
	f.s.User, f.s.Phone = a.UserID, a.Phone
	return f.add(a.FutureAuthToken) || changed
}

// LoggedOut takes the answer to auth.logOut, and reports whether there is
// something to store.
func (f *Futures) LoggedOut(body []byte) bool {
	r := tl.NewReader(body)
	out := (*tg.AuthLogOutRequest)(nil).ParseResult(r)
	return r.End() == nil && f.s.Phone != "" && f.add(out.FutureAuthToken.Value)
}

func (f *Futures) add(token []byte) bool {
	if len(token) == 0 {
		return false
	}
	f.s.Tokens = slices.Insert(slices.Clone(f.s.Tokens), 0, future{f.s.User, f.s.Phone, bytes.Clone(token)})
	f.s.Tokens = f.s.Tokens[:min(len(f.s.Tokens), futuresMost)]
	return true
}

// For returns the tokens of whoever has a number, the newest first.
func (f *Futures) For(phone string) (tokens [][]byte) {
	for _, t := range f.s.Tokens {
		if t.Phone == phone {
			tokens = append(tokens, t.Token)
		}
	}
	return tokens
}

// futuresVersion is the version of the stored form. Versions 1 and 2 did not say
// whose the tokens were.
const futuresVersion = 3

// Encode gives the stored form. It holds secrets.
func (f *Futures) Encode() (version uint16, data []byte) {
	data, err := json.Marshal(f.s)
	if err != nil {
		panic(err) // numbers and text
	}
	return futuresVersion, data
}

// DecodeFutures reads the stored form. What it cannot read, or does not say whose
// it is, is left out: it costs a code.
func DecodeFutures(version uint16, data []byte) (f Futures) {
	if version != futuresVersion || json.Unmarshal(data, &f.s) != nil {
		return Futures{}
	}
	f.s.Tokens = f.s.Tokens[:min(len(f.s.Tokens), futuresMost)]
	return f
}

// String says nothing of them.
func (f Futures) String() string { return "Futures" }

// GoString is String.
func (f Futures) GoString() string { return f.String() }
