package api

import (
	"strings"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// sentCode describes an attempt's current code to the client.
func (c *call) sentCode(a *attempt) *tg.AuthSentCode {
	sent := &tg.AuthSentCode{Type: c.sentCodeType(a), PhoneCodeHash: a.hash}
	if len(a.chain) > 1 && a.codeType() != CodeSetUpEmail {
		sent.NextType = tl.Some(nextType(a.chain[1]))
		if wait := a.resend.Sub(c.req.Now); wait > 0 {
			sent.Timeout = tl.Some(int32(wholeSeconds(wait)))
		}
	}
	return sent
}

func (c *call) sentCodeType(a *attempt) tg.AnyAuthSentCodeType {
	code := a.code
	length := int32(len(code))
	switch a.codeType() {
	case CodeEmail:
		return c.emailCodeType(length)
	case CodeSetUpEmail:
		return &tg.AuthSentCodeTypeSetUpEmailRequired{}
	case CodeFirebase:
		return c.firebaseType(a)
	case CodeApp:
		return &tg.AuthSentCodeTypeApp{Length: length}
	case CodeCall:
		return &tg.AuthSentCodeTypeCall{Length: length}
	case CodeFlashCall:
		return &tg.AuthSentCodeTypeFlashCall{Pattern: callPrefix + strings.Repeat("*", len(code)-len(callPrefix))}
	case CodeMissedCall:
		return &tg.AuthSentCodeTypeMissedCall{Prefix: callPrefix, Length: length}
	case CodeFragment:
		return &tg.AuthSentCodeTypeFragmentSMS{URL: fragmentURL + a.phone, Length: length}
	case CodeWord:
		return &tg.AuthSentCodeTypeSMSWord{Beginning: tl.Some(code[:1])}
	case CodePhrase:
		first, _, _ := strings.Cut(code, " ")
		return &tg.AuthSentCodeTypeSMSPhrase{Beginning: tl.Some(first)}
	}
	return &tg.AuthSentCodeTypeSMS{Length: length}
}

func nextType(t CodeType) tg.AnyAuthCodeType {
	switch t {
	case CodeCall:
		return &tg.AuthCodeTypeCall{}
	case CodeFlashCall:
		return &tg.AuthCodeTypeFlashCall{}
	case CodeMissedCall:
		return &tg.AuthCodeTypeMissedCall{}
	case CodeFragment:
		return &tg.AuthCodeTypeFragmentSMS{}
	}
	return &tg.AuthCodeTypeSMS{}
}
