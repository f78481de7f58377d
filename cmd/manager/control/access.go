package control

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"

	mtfleetv1 "github.com/mtfleet/mtfleet/cmd/manager/api/mtfleet/v1"
)

// tokenPrefix begins every token, so that a scanner for leaked secrets knows one.
const tokenPrefix = "mtfleet_"

// NewToken makes a token of 256 random bits, and its hash, which is all that is kept of it.
func NewToken(random io.Reader) (token, hash string, err error) {
	var b [32]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", "", fmt.Errorf("control: no randomness: %w", err)
	}
	token = tokenPrefix + base64.RawURLEncoding.EncodeToString(b[:])
	return token, hashToken(token), nil
}

// hashToken needs no salt and no cost: nobody guesses 256 bits.
func hashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// A Grant lets somebody in over TCP: who has a token of that hash, or a certificate of that name.
type Grant struct {
	Caller
	TokenSHA256 string // hexadecimal digits
	Certificate string
}

// RoleNamed is the role of a name: "read", "operate" or "admin"; ROLE_UNSPECIFIED for another.
func RoleNamed(name string) mtfleetv1.Role {
	return mtfleetv1.Role(mtfleetv1.Role_value["ROLE_"+strings.ToUpper(name)])
}

// Access knows who is let in, and can be told anew while it is asked.
type Access struct{ grants atomic.Pointer[[]Grant] }

// NewAccess lets some in.
func NewAccess(grants []Grant) *Access {
	a := &Access{}
	a.Set(grants)
	return a
}

// Set lets these in from now on, and nobody else.
func (a *Access) Set(grants []Grant) { a.grants.Store(&grants) }

// Has reports whether a grant is good still.
func (a *Access) Has(g Grant) bool { return slices.Contains(*a.grants.Load(), g) }

// ByToken is the grant of who has a token. All grants are looked at, and in constant time, whatever was given.
func (a *Access) ByToken(token string) (found Grant, ok bool) {
	hash := hashToken(strings.TrimSpace(token))
	for _, g := range *a.grants.Load() {
		if g.TokenSHA256 != "" && subtle.ConstantTimeCompare([]byte(strings.ToLower(g.TokenSHA256)), []byte(hash)) == 1 {
			found, ok = g, true
		}
	}
	return found, ok
}

// ByCertificate is the grant of who showed a certificate that was verified.
func (a *Access) ByCertificate(state *tls.ConnectionState) (found Grant, ok bool) {
	names := certified(state)
	for _, g := range *a.grants.Load() {
		if g.Certificate != "" && slices.Contains(names, g.Certificate) {
			found, ok = g, true
		}
	}
	return found, ok
}

// caller is who sent a request; a token, which was given for it, goes before a certificate.
func (a *Access) caller(r *http.Request) (Caller, bool) {
	if token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); bearer {
		if g, ok := a.ByToken(token); ok {
			return g.Caller, true
		}
	}
	g, ok := a.ByCertificate(r.TLS)
	return g.Caller, ok
}

// certified are the names in a certificate that was verified: its common name, and the DNS names, addresses and URIs in it.
func certified(state *tls.ConnectionState) (names []string) {
	if state == nil || len(state.VerifiedChains) == 0 {
		return nil
	}
	leaf := state.VerifiedChains[0][0]
	names = append(names, leaf.DNSNames...)
	names = append(names, leaf.EmailAddresses...)
	for _, u := range leaf.URIs {
		names = append(names, u.String())
	}
	if leaf.Subject.CommonName != "" {
		names = append(names, leaf.Subject.CommonName)
	}
	return names
}

// known has requests come from who sent them; what is nobody's goes on without a caller, and is refused by each method.
func (a *Access) known(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := a.caller(r); ok {
			r = r.WithContext(WithCaller(r.Context(), c))
		}
		next.ServeHTTP(w, r)
	})
}
