package api

import (
	"time"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// A paid sign-in and one with an attested device: both hold the code back until something outside has happened.
const (
	paidTTL     = 24 * time.Hour  // of an attempt that waits for the payment
	paidFormTTL = 5 * time.Minute // within which it has to be made
	paidPause   = 3 * time.Second // between two questions whether it was
	maxPaid     = 1 << 16         // numbers paid for, some 40 bytes each; at the limit all are forgotten

	firebaseProject  = 123456789012
	firebaseNonceLen = 32
)

// Pay pays for the sign-ins of a number that SetCodes asks a payment for: auth.checkPaidAuth goes on to the code.
func (b *Backend) Pay(phone string) {
	if b.paid == nil || len(b.paid) >= maxPaid {
		b.paid = map[string]bool{}
	}
	b.paid[normalizePhone(phone)] = true
}

func paymentRequired(a *attempt) *tg.AuthSentCodePaymentRequired {
	return &tg.AuthSentCodePaymentRequired{
		StoreProduct: "test.premium", PhoneCodeHash: a.hash, SupportEmailAddress: "support@example.org",
		SupportEmailSubject: "Sign-in of " + a.phone, PremiumDays: 7, Currency: "USD", Amount: 99,
	}
}

func (c *call) routeCheckPaidAuth(q *tg.AuthCheckPaidAuthRequest) *Error {
	return c.routePhone(q.PhoneNumber)
}

// checkPaidAuth answers auth.checkPaidAuth. The payment itself is not served: Pay stands for it.
func (c *call) checkPaidAuth(q *tg.AuthCheckPaidAuthRequest) (tg.AnyAuthSentCode, *Error) {
	a, err := c.b.find(c.req.Now, c.ref, c.phone, q.PhoneCodeHash)
	switch {
	case err != nil:
		return nil, err
	case a.codeType() != CodePaid:
		return nil, errPhoneCodeExpired
	case c.b.paid[c.phone]:
		c.b.done(a)
		return c.startCode(a.chain[1:], a.email)
	case c.req.Now.Sub(a.created) >= paidFormTTL:
		return nil, errFormExpired
	}
	return nil, errWait(paidPause)
}

// firebaseType asks for an attestation over a nonce. Which kinds an app can give is not looked at: SetCodes asked for it.
func (c *call) firebaseType(a *attempt) *tg.AuthSentCodeTypeFirebaseSMS {
	return &tg.AuthSentCodeTypeFirebaseSMS{
		PlayIntegrityProjectID: tl.Some(int64(firebaseProject)), PlayIntegrityNonce: tl.Some(c.b.random(firebaseNonceLen)),
		Length: int32(len(c.b.codeFor(a.phone, CodeSMS))),
	}
}

func (c *call) routeRequestFirebaseSMS(q *tg.AuthRequestFirebaseSMSRequest) *Error {
	return c.routePhone(q.PhoneNumber)
}

// requestFirebaseSMS answers auth.requestFirebaseSms: with Config.Firebase any one token is good, otherwise none is.
func (c *call) requestFirebaseSMS(q *tg.AuthRequestFirebaseSMSRequest) (bool, *Error) {
	if q.PhoneCodeHash == "" {
		return false, errPhoneCodeEmpty
	}
	a, err := c.b.find(c.req.Now, c.ref, c.phone, q.PhoneCodeHash)
	switch {
	case err != nil:
		return false, err
	case a.codeType() != CodeFirebase:
		return false, errPhoneCodeEmpty
	}
	tokens := 0
	for _, t := range []tl.Opt[string]{q.SafetyNetToken, q.PlayIntegrityToken, q.IosPushSecret} {
		if t.Or("") != "" {
			tokens++
		}
	}
	if !c.b.cfg.Firebase || tokens != 1 {
		return false, nil
	}
	a.code = c.b.codeFor(a.phone, CodeSMS)
	c.deliver(a)
	return true, nil
}

func (c *call) routeReportMissingCode(q *tg.AuthReportMissingCodeRequest) *Error {
	return c.routePhone(q.PhoneNumber)
}

// reportMissingCode answers auth.reportMissingCode: it is a message to the statistics.
func (c *call) reportMissingCode(*tg.AuthReportMissingCodeRequest) (bool, *Error) { return true, nil }

// invalidateSignInCodes answers account.invalidateSignInCodes: codes that were shown to others sign nobody in.
func (c *call) invalidateSignInCodes(q *tg.AccountInvalidateSignInCodesRequest) (bool, *Error) {
	for hash, a := range c.b.attempts.byHash {
		if a.phone == c.user.phone && contains(q.Codes, a.code) {
			delete(c.b.attempts.byHash, hash)
		}
	}
	return true, nil
}
