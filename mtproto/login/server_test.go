package login

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// What the server of the tests answers, and how it reads what it is asked.

// testPassword is the two-step password of everybody.
const testPassword = "correct horse"

// testSRP is the server's half.
var testSRP = sync.OnceValue(func() (s struct {
	algo        crypt.SRPAlgo
	verifier, b []byte
	challenge   []byte
}) {
	s.algo = crypt.SRPAlgo{Salt1: []byte("salt one"), Salt2: []byte("salt two"), G: 3, P: testGroup.Prime()}
	s.b = []byte(strings.Repeat("bB", 128))
	s.verifier, _ = s.algo.Verifier(testGroup, []byte(testPassword))
	s.challenge, _ = s.algo.Challenge(testGroup, s.verifier, s.b)
	return s
})

func tlAlgo(a crypt.SRPAlgo) tg.AnyPasswordKdfAlgo {
	return &tg.PasswordKdfAlgoSHA256SHA256PBKDF2HMACSHA512iter100000SHA256ModPow{Salt1: a.Salt1, Salt2: a.Salt2, G: int32(a.G), P: a.P}
}

// accountPassword is account.password in words: hint=, recovery, none, hostile,
// unknown, unknown-new.
func accountPassword(id int64, words []string) []byte {
	s := testSRP()
	v := &tg.AccountPassword{HasPassword: true, CurrentAlgo: tl.Some(tlAlgo(s.algo)), SRPB: tl.Some(s.challenge), SRPID: tl.Some(id),
		NewAlgo: tlAlgo(s.algo), NewSecureAlgo: &tg.SecurePasswordKdfAlgoUnknown{}, SecureRandom: []byte("not ours")}
	for _, w := range words {
		name, value, _ := strings.Cut(w, "=")
		switch name {
		case "hint":
			v.Hint = tl.Some(value)
		case "recovery":
			v.HasRecovery = true
		case "hostile":
			v.SRPB = tl.Some([]byte{1})
		case "unknown":
			v.CurrentAlgo = tl.Some[tg.AnyPasswordKdfAlgo](&tg.PasswordKdfAlgoUnknown{})
		case "unknown-new":
			v.NewAlgo = &tg.PasswordKdfAlgoUnknown{}
		case "none":
			*v = tg.AccountPassword{NewAlgo: v.NewAlgo, NewSecureAlgo: v.NewSecureAlgo}
		}
	}
	return v.Append(nil)
}

func user(id int64, bot bool) *tg.User {
	return &tg.User{ID: id, Self: true, Bot: bot, FirstName: tl.Some("Ada"), LastName: tl.Some("L."), Username: tl.Some("ada")}
}

// sentCode builds the server's answer from words like "app 5 next=sms timeout=60".
func sentCode(words []string) tl.Object {
	c := &tg.AuthSentCode{PhoneCodeHash: "h1"}
	n := int32(5)
	for _, w := range words[1:] {
		name, value, _ := strings.Cut(w, "=")
		number, _ := strconv.Atoi(value)
		switch name {
		case "hash":
			c.PhoneCodeHash = value
		case "timeout":
			c.Timeout = tl.Some(int32(number))
		case "next":
			c.NextType = tl.Some(map[string]tg.AnyAuthCodeType{
				"sms": &tg.AuthCodeTypeSMS{}, "call": &tg.AuthCodeTypeCall{}, "flash_call": &tg.AuthCodeTypeFlashCall{},
				"missed_call": &tg.AuthCodeTypeMissedCall{}, "fragment": &tg.AuthCodeTypeFragmentSMS{},
			}[value])
		}
	}
	email, setup := &tg.AuthSentCodeTypeEmailCode{EmailPattern: "a**@b.c", Length: n}, &tg.AuthSentCodeTypeSetUpEmailRequired{}
	for _, w := range words[1:] {
		name, value, _ := strings.Cut(w, "=")
		number, _ := strconv.Atoi(value)
		switch name {
		case "google":
			email.GoogleSigninAllowed, setup.GoogleSigninAllowed = true, true
		case "reset":
			email.ResetAvailablePeriod = tl.Some(int32(number))
		case "pending":
			email.ResetPendingDate = tl.Some(int32(epoch.Unix()) + int32(number))
		}
	}
	c.Type = map[string]tg.AnyAuthSentCodeType{
		"app":         &tg.AuthSentCodeTypeApp{Length: n},
		"sms":         &tg.AuthSentCodeTypeSMS{Length: n},
		"call":        &tg.AuthSentCodeTypeCall{Length: n},
		"flash_call":  &tg.AuthSentCodeTypeFlashCall{Pattern: "49*"},
		"missed_call": &tg.AuthSentCodeTypeMissedCall{Prefix: "49", Length: n},
		"fragment":    &tg.AuthSentCodeTypeFragmentSMS{URL: "https://fragment.com/x", Length: n},
		"firebase":    &tg.AuthSentCodeTypeFirebaseSMS{Length: n, PlayIntegrityProjectID: tl.Some(int64(77)), PlayIntegrityNonce: tl.Some([]byte("n"))},
		"word":        &tg.AuthSentCodeTypeSMSWord{Beginning: tl.Some("b")},
		"phrase":      &tg.AuthSentCodeTypeSMSPhrase{Beginning: tl.Some("blue")},
		"email":       email,
		"email_setup": setup,
	}[words[0]]
	return c
}

// answer builds the TL bytes of a result.
func answer(words []string) []byte {
	switch words[0] {
	case "sent":
		return sentCode(words[1:]).Append(nil)
	case "payment":
		return (&tg.AuthSentCodePaymentRequired{PhoneCodeHash: "h1", Currency: "EUR"}).Append(nil)
	case "user", "bot":
		id, _ := strconv.ParseInt(words[1], 10, 64)
		return (&tg.AuthAuthorization{User: user(id, words[0] == "bot"), FutureAuthToken: tl.Some([]byte("future"))}).Append(nil)
	case "sent-user":
		return (&tg.AuthSentCodeSuccess{Authorization: &tg.AuthAuthorization{User: user(42, false)}}).Append(nil)
	case "nobody":
		return (&tg.AuthAuthorization{User: &tg.UserEmpty{ID: 1}}).Append(nil)
	case "sign-up":
		return (&tg.AuthAuthorizationSignUpRequired{TermsOfService: tl.Some(tg.HelpTermsOfService{ID: tg.DataJSON{Data: "{}"}, Text: "Be nice."})}).Append(nil)
	case "self":
		id, _ := strconv.ParseInt(words[1], 10, 64)
		return (*tg.UsersGetUsersRequest)(nil).AppendResult(nil, []tg.AnyUser{user(id, len(words) > 2)})
	case "selves":
		return (*tg.UsersGetUsersRequest)(nil).AppendResult(nil, nil)
	case "true":
		return tl.AppendBool(nil, true)
	case "logged-out":
		return (&tg.AuthLoggedOut{}).Append(nil)
	}
	if b := answerMore(words); b != nil {
		return b
	}
	return []byte(words[0])
}

func verification(v tg.AnyEmailVerification) string {
	switch v := v.(type) {
	case *tg.EmailVerificationCode:
		return "code " + v.Code
	case *tg.EmailVerificationGoogle:
		return "google " + v.Token
	case *tg.EmailVerificationApple:
		return "apple " + v.Token
	}
	return "?"
}

// describeCall adds what matters of the calls that are not of the plain sign-in.
func describeCall(out Output) string {
	switch q := out.Query.(type) {
	case *tg.AuthCheckPasswordRequest:
		srp, ok := q.Password.(*tg.InputCheckPasswordSRP)
		if !ok {
			return fmt.Sprintf("%v of nothing", out)
		}
		s, verdict := testSRP(), "right"
		if s.algo.Check(testGroup, s.verifier, s.b, srp.A, srp.M1) != nil {
			verdict = "wrong"
		}
		return fmt.Sprintf("%v srp_id %d, %s", out, srp.SRPID, verdict)
	case *tg.AuthCheckRecoveryPasswordRequest:
		return fmt.Sprintf("%v %q", out, q.Code)
	case *tg.AuthRecoverPasswordRequest:
		line := fmt.Sprintf("%v %q", out, q.Code)
		if v, ok := q.NewSettings.Get(); ok {
			line += fmt.Sprintf(", a new password of %d bytes, hint %q", len(v.NewPasswordHash.Value), v.Hint.Value)
		}
		return line
	case *tg.AccountSendVerifyEmailCodeRequest:
		return fmt.Sprintf("%v %s", out, q.Email)
	case *tg.AccountVerifyEmailRequest:
		return fmt.Sprintf("%v by %s", out, verification(q.Verification))
	case *tg.AuthRequestFirebaseSMSRequest:
		return fmt.Sprintf("%v %q %q %q", out, q.SafetyNetToken.Value, q.PlayIntegrityToken.Value, q.IosPushSecret.Value)
	case *tg.AuthReportMissingCodeRequest:
		return fmt.Sprintf("%v %s %q", out, q.PhoneCodeHash, q.Mnc)
	case *tg.AuthCheckPaidAuthRequest:
		return fmt.Sprintf("%v %s form %d", out, q.PhoneCodeHash, q.FormID)
	case *tg.AuthExportLoginTokenRequest:
		return fmt.Sprintf("%v on %v except %v", out, out.DC, q.ExceptIDs)
	case *tg.AuthImportLoginTokenRequest:
		return fmt.Sprintf("%v on %v %q", out, out.DC, q.Token)
	case *tg.AuthImportWebTokenAuthorizationRequest:
		return fmt.Sprintf("%v on %v %q", out, out.DC, q.WebAuthToken)
	case *tg.AuthFinishPasskeyLoginRequest:
		c := q.Credential.(*tg.InputPasskeyCredentialPublicKey)
		line := fmt.Sprintf("%v on %v %s of %s", out, out.DC, c.ID, c.Response.(*tg.InputPasskeyResponseLogin).UserHandle)
		if from, ok := q.FromDCID.Get(); ok {
			line += fmt.Sprintf(" from DC %d, key %d", from, q.FromAuthKeyID.Value)
		}
		return line
	case *tg.AuthFinishFirebasePnvLoginRequest:
		return fmt.Sprintf("%v %q", out, q.GoogleToken)
	}
	return out.String()
}

// answerMore builds the results that are not of the plain sign-in.
func answerMore(words []string) []byte {
	number := func(i int) int64 {
		if len(words) <= i {
			return 0
		}
		n, _ := strconv.ParseInt(words[i], 10, 64)
		return n
	}
	switch words[0] {
	case "false":
		return tl.AppendBool(nil, false)
	case "password":
		return accountPassword(1, words[1:])
	case "pattern":
		return (&tg.AuthPasswordRecovery{EmailPattern: words[1]}).Append(nil)
	case "mailed":
		return (&tg.AccountSentEmailCode{EmailPattern: words[1], Length: int32(number(2))}).Append(nil)
	case "verified":
		v := &tg.AccountEmailVerifiedLogin{Email: "ada@example.org", SentCode: sentCode(words[1:]).(tg.AnyAuthSentCode)}
		return v.Append(nil)
	case "verified-only":
		return (&tg.AccountEmailVerified{Email: "ada@example.org"}).Append(nil)
	case "login-token": // login-token TEXT SECONDS
		return (&tg.AuthLoginToken{Token: []byte(words[1]), Expires: int32(epoch.Unix() + number(2))}).Append(nil)
	case "login-token-dc":
		return (&tg.AuthLoginTokenMigrateTo{DCID: int32(number(1)), Token: []byte(words[2])}).Append(nil)
	case "login-token-user":
		return (&tg.AuthLoginTokenSuccess{Authorization: &tg.AuthAuthorization{User: user(number(1), false)}}).Append(nil)
	case "options":
		return (&tg.AuthPasskeyLoginOptions{Options: tg.DataJSON{Data: strings.Join(words[1:], " ")}}).Append(nil)
	case "intent":
		return (&tg.AuthFirebasePnvIntent{Nonce: "nonce", DigitalCredentialPayload: "payload"}).Append(nil)
	}
	return nil
}

// push builds what the server sends unasked.
func push(kind string) []byte {
	scanned := (&tg.UpdateLoginToken{}).Append(nil)
	switch kind {
	case "login-token":
		return (&tg.UpdateShort{Update: scanned, Date: 1}).Append(nil)
	case "login-token-alone":
		return scanned
	case "login-token-among":
		return (&tg.Updates{Updates: []tl.Raw{(&tg.UpdateConfig{}).Append(nil), scanned}}).Append(nil)
	case "paid":
		code := sentCode([]string{"sms", "hash=h9"}).(tg.AnyAuthSentCode)
		return (&tg.UpdateShort{Update: (&tg.UpdateSentPhoneCode{SentCode: code}).Append(nil), Date: 1}).Append(nil)
	}
	return []byte(kind)
}

// assertion is the JSON of an authenticator, of the user of a handle.
func assertion(handle string) string {
	b64 := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	return fmt.Sprintf(`{"id":"cred","rawId":"cred","type":"public-key","response":{"clientDataJSON":%q,"authenticatorData":%q,"signature":%q,"userHandle":%q}}`,
		b64(`{"type":"webauthn.get"}`), b64("data"), b64("signature"), b64(handle))
}
