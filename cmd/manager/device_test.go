package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"

	"github.com/descope/virtualwebauthn"
)

// device holds the passkey of somebody.
type device struct {
	rp   virtualwebauthn.RelyingParty
	auth virtualwebauthn.Authenticator
	key  virtualwebauthn.Credential
}

// newDevice makes a key whose coordinates have no leading zero, of which the
// library writes too few bytes.
func newDevice() (*device, error) {
	d := &device{
		rp:   virtualwebauthn.RelyingParty{ID: "passkeys.invalid", Name: "Test cluster", Origin: "https://passkeys.invalid"},
		auth: virtualwebauthn.NewAuthenticator(),
	}
	for {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		point, err := key.PublicKey.Bytes()
		if err != nil {
			return nil, err
		}
		if point[1] == 0 || point[33] == 0 {
			continue
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		d.key = virtualwebauthn.NewCredentialWithImportedKey(virtualwebauthn.KeyTypeEC2, der)
		return d, err
	}
}

// assertion signs the challenge in options.
func (d *device) assertion(options string) (string, error) {
	parsed, err := virtualwebauthn.ParseAssertionOptions(options)
	if err != nil {
		return "", err
	}
	d.key.Counter++
	return virtualwebauthn.CreateAssertionResponse(d.rp, d.auth, d.key, *parsed), nil
}

// attestation makes the passkey that options ask for.
func (d *device) attestation(options string) (string, error) {
	parsed, err := virtualwebauthn.ParseAttestationOptions(options)
	if err != nil {
		return "", err
	}
	if parsed.UserID == "" {
		return "", errors.New("the options name no user")
	}
	d.auth.Options.UserHandle = []byte(parsed.UserID)
	d.auth.AddCredential(d.key)
	return virtualwebauthn.CreateAttestationResponse(d.rp, d.auth, d.key, *parsed), nil
}
