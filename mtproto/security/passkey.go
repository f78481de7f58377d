package security

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"github.com/mtfleet/mtfleet/tl/tg"
)

// Passkey is one passkey of an account.
type Passkey struct {
	ID      string    `json:"id"`
	Name    string    `json:"name,omitempty"`
	Created time.Time `json:"created,omitzero"` // server time, like Used
	Used    time.Time `json:"used,omitzero"`    // zero: never
}

// PasskeyOf reads a passkey.
func PasskeyOf(v *tg.Passkey) Passkey {
	return Passkey{ID: v.ID, Name: v.Name, Created: dateOf(v.Date), Used: dateOf(v.LastUsageDate.Or(0))}
}

// OptionsOf is the JSON an authenticator is given to make a passkey.
func OptionsOf(v *tg.AccountPasskeyRegistrationOptions) (json.RawMessage, error) {
	if !json.Valid([]byte(v.Options.Data)) {
		return nil, refuse(ReasonServer, "the server's challenge for a passkey cannot be read")
	}
	return json.RawMessage(v.Options.Data), nil
}

// credentialMost bounds the JSON of a new passkey, in bytes: some thousands with
// an attestation, and what an authenticator adds.
const credentialMost = 64 << 10

// Registration reads a PublicKeyCredential as browsers and authenticators write
// it after navigator.credentials.create
// (https://www.w3.org/TR/webauthn-3/#dictdef-registrationresponsejson).
func Registration(credential []byte) (*tg.AccountRegisterPasskeyRequest, error) {
	if len(credential) > credentialMost {
		return nil, refuse(ReasonInput, "this is no new passkey: it is far too long")
	}
	var v struct {
		ID       string `json:"id"`
		RawID    string `json:"rawId"`
		Response struct {
			ClientDataJSON    string `json:"clientDataJSON"`
			AttestationObject string `json:"attestationObject"`
		} `json:"response"`
	}
	if json.Unmarshal(credential, &v) != nil {
		return nil, refuse(ReasonInput, "this is no new passkey: it is not the JSON of a PublicKeyCredential")
	}
	if v.RawID == "" {
		v.RawID = v.ID
	}
	data, problem := fromBase64("clientDataJSON", v.Response.ClientDataJSON)
	if problem != nil {
		return nil, problem
	}
	attestation, problem := fromBase64("attestationObject", v.Response.AttestationObject)
	if problem != nil {
		return nil, problem
	}
	if v.ID == "" {
		return nil, refuse(ReasonInput, "this is no new passkey: its id is missing")
	}
	return &tg.AccountRegisterPasskeyRequest{Credential: &tg.InputPasskeyCredentialPublicKey{
		ID: v.ID, RawID: v.RawID,
		Response: &tg.InputPasskeyResponseRegister{ClientData: tg.DataJSON{Data: string(data)}, AttestationData: attestation},
	}}, nil
}

func fromBase64(name, text string) ([]byte, error) {
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil || len(b) == 0 {
		return nil, refuse(ReasonInput, "this is no new passkey: its "+name+" is missing or not base64url")
	}
	return b, nil
}
