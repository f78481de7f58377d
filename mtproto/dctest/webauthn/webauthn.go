// Package webauthn checks passkeys for the test DCs: attestations at their registration, assertions at a sign-in. It is the
// api.Passkeys of a cluster that serves them.
//
// It stands outside package api because the library that does the work imports clocks and sockets. It uses neither here:
// attestations are checked without trust anchors, as authenticators of tests have none.
package webauthn

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"

	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
)

// Verifier is an api.Passkeys. The zero value is ready; it keeps nothing.
type Verifier struct{}

var _ api.Passkeys = Verifier{}

// algorithms are what a credential may sign with: ES256 and RS256.
var algorithms = []protocol.CredentialParameter{
	{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgES256},
	{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgRS256},
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// origin refuses what was signed at another origin, before anything else is looked at.
func origin(c api.PasskeyCheck, clientData string) error {
	var data struct {
		Origin string `json:"origin"`
	}
	if err := json.Unmarshal([]byte(clientData), &data); err != nil {
		return fmt.Errorf("webauthn: client data: %w", err)
	}
	if !slices.Contains(c.Origins, data.Origin) {
		return fmt.Errorf("%w: %q", api.ErrPasskeyOrigin, data.Origin)
	}
	return nil
}

// credential is the JSON a browser would have sent.
func credential(id []byte, response map[string]string) ([]byte, error) {
	return json.Marshal(map[string]any{"id": encode(id), "rawId": encode(id), "type": "public-key", "response": response})
}

// Register implements api.Passkeys.
func (Verifier) Register(c api.PasskeyCheck, clientData string, attestation []byte) (api.PasskeyRecord, error) {
	if err := origin(c, clientData); err != nil {
		return api.PasskeyRecord{}, err
	}
	text, err := credential(c.ID, map[string]string{
		"clientDataJSON": encode([]byte(clientData)), "attestationObject": encode(attestation),
	})
	if err != nil {
		return api.PasskeyRecord{}, err
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(text)
	if err != nil {
		return api.PasskeyRecord{}, fmt.Errorf("webauthn: attestation: %w", err)
	}
	if _, err := parsed.Verify(encode(c.Challenge), c.RP, c.Origins, nil, nil, protocol.TopOriginExplicitVerificationMode,
		false, true, true, nil, algorithms, protocol.AttestationPolicy{}, protocol.SignaturePolicy{}); err != nil {
		return api.PasskeyRecord{}, fmt.Errorf("webauthn: attestation: %w", err)
	}
	data := parsed.Response.AttestationObject.AuthData
	return api.PasskeyRecord{ID: data.AttData.CredentialID, PublicKey: data.AttData.CredentialPublicKey, Counter: data.Counter}, nil
}

// Check implements api.Passkeys.
func (Verifier) Check(c api.PasskeyCheck, r api.PasskeyRecord, a api.PasskeyAssertion) (uint32, error) {
	if err := origin(c, a.ClientData); err != nil {
		return 0, err
	}
	text, err := credential(c.ID, map[string]string{
		"clientDataJSON": encode([]byte(a.ClientData)), "authenticatorData": encode(a.AuthenticatorData),
		"signature": encode(a.Signature), "userHandle": encode([]byte(a.UserHandle)),
	})
	if err != nil {
		return 0, err
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(text)
	if err != nil {
		return 0, fmt.Errorf("webauthn: assertion: %w", err)
	}
	if string(parsed.RawID) != string(r.ID) {
		return 0, errors.New("webauthn: assertion: another credential")
	}
	if err := parsed.Verify(encode(c.Challenge), c.RP, "", c.Origins, nil, nil, protocol.TopOriginExplicitVerificationMode,
		false, true, true, r.PublicKey, protocol.SignaturePolicy{}); err != nil {
		return 0, fmt.Errorf("webauthn: assertion: %w", err)
	}
	return parsed.Response.AuthenticatorData.Counter, nil
}
