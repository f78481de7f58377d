package actors_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"testing"
	"time"

	"github.com/descope/virtualwebauthn"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/persistence"
)

// otherSession is the one session that is not ours.
func otherSession(t *testing.T, a *actors.Account) actors.Session {
	t.Helper()
	list, err := a.Sessions(soon(t))
	if err != nil || len(list.Sessions) != 2 {
		t.Fatalf("the sessions are %+v, %v", list, err)
	}
	if _, ours := list.Own(); !ours || !list.Sessions[0].Current || list.Sessions[0].ID != "" {
		t.Errorf("ours is not the first: %+v", list)
	}
	return list.Sessions[1]
}

func TestAnotherSessionIsSeenAndEnded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := own(t, small)
		began := o.alice.Status().Since
		phone := o.elsewhere(t)
		other := otherSession(t, o.alice)
		if !other.Unconfirmed || other.Current || other.Device != "mtfleet test" || other.APIID == 0 || other.IP == "" || other.Created.IsZero() {
			t.Errorf("the other is %+v", other)
		}
		if err := o.alice.ChangeSession(soon(t), actors.SessionSettings{ID: other.ID, Confirm: true}); err != nil {
			t.Fatal(err)
		}
		if other = otherSession(t, o.alice); other.Unconfirmed {
			t.Error("it was confirmed and is not")
		}

		// A session of today may not end others; when it may is said.
		for name, ask := range map[string]func() error{
			"one":      func() error { return o.alice.TerminateSession(soon(t), other.ID) },
			"all":      func() error { return o.alice.TerminateOtherSessions(soon(t)) },
			"lifetime": func() error { return o.alice.SetSessionsTTL(soon(t), 30) },
		} {
			e := insecure(t, ask(), actors.SecurityFresh)
			if late := e.Until.Sub(began.Add(24 * time.Hour)); late < -time.Minute || late > time.Minute {
				t.Errorf("%s: it may be tried again at %v, which is %v off", name, e.Until, late)
			}
		}
		time.Sleep(24 * time.Hour)
		insecure(t, o.alice.TerminateSession(soon(t), actors.Session{ID: "00000000000000ff"}.ID), actors.SecurityNone)
		insecure(t, o.alice.TerminateSession(soon(t), "ours"), actors.SecurityInput)
		if err := o.alice.TerminateSession(soon(t), other.ID); err != nil {
			t.Fatal(err)
		}
		wait(t, phone, actors.Revoked)
		if list, err := o.alice.Sessions(soon(t)); err != nil || len(list.Sessions) != 1 {
			t.Errorf("what is left is %+v, %v", list, err)
		}
		call(t, o.alice)
	})
}

func TestAllOtherSessionsAreEnded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := own(t, small)
		time.Sleep(25 * time.Hour)
		one, two := o.elsewhere(t), o.elsewhere(t)
		if err := o.alice.TerminateOtherSessions(soon(t)); err != nil {
			t.Fatal(err)
		}
		wait(t, one, actors.Revoked)
		wait(t, two, actors.Revoked)
		call(t, o.alice)
		for days, want := range map[int]actors.SecurityReason{-1: actors.SecurityDays, 0: actors.SecurityDays, 1 << 30: actors.SecurityDays, 1 << 40: actors.SecurityDays, 1000: actors.SecurityDays} {
			insecure(t, o.alice.SetSessionsTTL(soon(t), days), want)
		}
		if err := o.alice.SetSessionsTTL(soon(t), 30); err != nil {
			t.Fatal(err)
		}
		if list, err := o.alice.Sessions(soon(t)); err != nil || list.TTLDays != 30 {
			t.Errorf("%+v, %v", list, err)
		}
	})
}

// TestASignInByQRIsLetIn: the app that shows the code is signed in, on whatever DC
// it waits, and can be put out again.
func TestASignInByQRIsLetIn(t *testing.T) {
	for _, password := range []string{"", sesame} {
		bubble(t, func(t *testing.T) {
			o := own(t, small)
			time.Sleep(25 * time.Hour)
			o.api(t, func(b *api.Backend, _ time.Time) { _ = b.SetPassword(o.p.UserID, password) })
			phone := add(t, open(t, options(o.s, persistence.NewMemory())), "phone")
			step, err := phone.SignIn(soon(t), actors.QR())
			if err != nil || step == nil || step.Kind != actors.StepQR {
				t.Fatalf("%+v, %v", step, err)
			}
			let, err := o.alice.AcceptQR(soon(t), step.URL)
			if err != nil || let.Device != "mtfleet test" || let.ID == "" || let.PasswordPending != (password != "") {
				t.Fatalf("who was let in is %+v, %v", let, err)
			}
			_, err = o.alice.AcceptQR(soon(t), step.URL)
			insecure(t, err, actors.SecurityUsed)
			if password != "" {
				for step = phone.Status().Step; step == nil || step.Kind != actors.StepPassword; step = phone.Status().Step {
					time.Sleep(time.Second)
				}
				if step, err := phone.Answer(soon(t), actors.Answer{Kind: actors.AnswerPassword, Password: password}); err != nil || step != nil {
					t.Fatalf("%+v, %v", step, err)
				}
			}
			wait(t, phone, actors.Online)
			if phone.Status().UserID != o.p.UserID {
				t.Errorf("user %d was let in", phone.Status().UserID)
			}
			if err := o.alice.TerminateSession(soon(t), let.ID); err != nil {
				t.Fatal(err)
			}
			wait(t, phone, actors.Revoked)
			for _, link := range []string{"tg://login?token=AAECAwQFBgcICQoLDA0ODw", "tg://login?code=12345", ""} {
				_, err = o.alice.AcceptQR(soon(t), link)
				insecure(t, err, actors.SecurityLink)
			}
		})
	}
}

func TestAPasskeyIsRegisteredListedAndDeleted(t *testing.T) {
	rp := virtualwebauthn.RelyingParty{ID: "passkeys.invalid", Name: "Test cluster", Origin: "https://passkeys.invalid"}
	auth, key := virtualwebauthn.NewAuthenticator(), newPasskey(t)
	bubble(t, func(t *testing.T) {
		o := own(t, small)
		if keys, err := o.alice.Passkeys(soon(t)); err != nil || len(keys) != 0 {
			t.Errorf("before the first there are %+v, %v", keys, err)
		}
		options, err := o.alice.InitPasskey(soon(t))
		if err != nil {
			t.Fatal(err)
		}
		opts, err := virtualwebauthn.ParseAttestationOptions(string(options))
		if err != nil {
			t.Fatal(err)
		}
		credential := []byte(virtualwebauthn.CreateAttestationResponse(rp, auth, key, *opts))
		made, err := o.alice.FinishPasskey(soon(t), credential)
		if err != nil || made.ID != base64.RawURLEncoding.EncodeToString(key.ID) || made.Created.IsZero() || !made.Used.IsZero() {
			t.Fatalf("it is %+v, %v", made, err)
		}
		_, err = o.alice.FinishPasskey(soon(t), credential) // its challenge is spent
		insecure(t, err, actors.SecurityCredential)
		if keys, err := o.alice.Passkeys(soon(t)); err != nil || len(keys) != 1 || keys[0] != made {
			t.Errorf("there are %+v, %v", keys, err)
		}
		insecure(t, o.alice.DeletePasskey(soon(t), ""), actors.SecurityInput)
		if err := o.alice.DeletePasskey(soon(t), made.ID); err != nil {
			t.Fatal(err)
		}
		insecure(t, o.alice.DeletePasskey(soon(t), made.ID), actors.SecurityNone)
	})
}

// newPasskey makes a credential. The library writes a coordinate with a leading
// zero a byte short, which no verifier takes: such keys are thrown away.
func newPasskey(t *testing.T) virtualwebauthn.Credential {
	t.Helper()
	for {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		point, err := key.PublicKey.Bytes() // 4, x, y
		if err != nil {
			t.Fatal(err)
		}
		if point[1] == 0 || point[33] == 0 {
			continue
		}
		pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return virtualwebauthn.NewCredentialWithImportedKey(virtualwebauthn.KeyTypeEC2, pkcs8)
	}
}
