package actorstest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
)

// AnyPasskey takes every signature under the right challenge, of a test DC whose
// people have no authenticator: what those sign is package webauthn's affair.
type AnyPasskey struct{}

// Register implements [api.Passkeys].
func (AnyPasskey) Register(c api.PasskeyCheck, clientData string, _ []byte) (api.PasskeyRecord, error) {
	return api.PasskeyRecord{ID: c.ID}, challenged(c, clientData)
}

// Check implements [api.Passkeys].
func (AnyPasskey) Check(c api.PasskeyCheck, _ api.PasskeyRecord, a api.PasskeyAssertion) (uint32, error) {
	return 0, challenged(c, a.ClientData)
}

func challenged(c api.PasskeyCheck, clientData string) error {
	if !strings.Contains(clientData, b64(c.Challenge)) {
		return errors.New("actorstest: another challenge was signed")
	}
	return nil
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// PasskeyID is the id of the nth passkey of somebody.
func PasskeyID(n int, name string) string { return b64(fmt.Appendf(nil, "key %d of %s", n, name)) }

// NewPasskey is the credential that makes a passkey, as AnyPasskey takes it, of the
// options that the DC gave.
func NewPasskey(id string, options []byte) (json.RawMessage, error) {
	return signed(id, options, map[string]string{"attestationObject": b64([]byte("data"))})
}

// SignByPasskey is the credential that signs a user of a home DC in.
func SignByPasskey(id string, options []byte, dc int, user int64) (json.RawMessage, error) {
	return signed(id, options, map[string]string{
		"authenticatorData": b64([]byte("data")), "signature": b64([]byte("signature")),
		"userHandle": b64(fmt.Appendf(nil, "%d:%d", dc, user)),
	})
}

func signed(id string, options []byte, response map[string]string) (json.RawMessage, error) {
	var asked struct{ PublicKey struct{ Challenge string } }
	if err := json.Unmarshal(options, &asked); err != nil {
		return nil, err
	}
	response["clientDataJSON"] = b64([]byte(`{"challenge":"` + asked.PublicKey.Challenge + `"}`))
	return json.Marshal(map[string]any{"id": id, "rawId": id, "type": "public-key", "response": response})
}

// QRToken is the token in the link of a QR code, which another device accepts.
func QRToken(link string) ([]byte, error) {
	u, err := url.Parse(link)
	if err != nil {
		return nil, err
	}
	return base64.RawURLEncoding.DecodeString(u.Query().Get("token"))
}
