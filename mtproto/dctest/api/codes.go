package api

import (
	"crypto/subtle"
	"fmt"
	"slices"
	"strings"

	"github.com/mtfleet/mtfleet/tl/tg"
)

// CodeType is how a login code travels (auth.SentCodeType).
type CodeType uint8

// The code types a chain may name.
const (
	// CodeApp is a message in the account's other sessions. It opens a chain and is skipped for an account without any.
	CodeApp CodeType = iota + 1
	// CodeSMS is a text message with digits.
	CodeSMS
	// CodeCall is a call that speaks the digits.
	CodeCall
	// CodeFlashCall is a call hung up at once; the calling number is the code.
	CodeFlashCall
	// CodeMissedCall is a call whose last digits are the code.
	CodeMissedCall
	// CodeFragment is a code shown on a web page for anonymous numbers.
	CodeFragment
	// CodeWord is one secret word in a text message.
	CodeWord
	// CodePhrase is a whole phrase as the code.
	CodePhrase
	// CodeEmail is a code mailed to the account's login e-mail; it is skipped for an account without one.
	CodeEmail
	// CodeSetUpEmail sends no code: a login e-mail has to be set up first, then the chain goes on. It is skipped for an
	// account that has one.
	CodeSetUpEmail
	// CodeFirebase is a text message after an attestation of the device, which only official apps pass.
	CodeFirebase
	// CodePaid sends no code: the sign-in has to be paid for first (Pay), then the chain goes on.
	CodePaid

	codeTypeLast = CodePaid
)

// callPrefix begins the number that flash and missed calls come from.
const callPrefix = "88800"

// fragmentURL is where an anonymous number would read its code; it resolves nowhere.
const fragmentURL = "https://fragment.invalid/number/"

var codeTypeNames = [...]string{"none", "app", "SMS", "call", "flash call", "missed call", "fragment", "word", "phrase",
	"e-mail", "e-mail set-up", "Firebase", "payment"}

// String returns the name used in errors.
func (t CodeType) String() string {
	if int(t) < len(codeTypeNames) {
		return codeTypeNames[t]
	}
	return "unknown"
}

// ParseCodeType reads a name as String writes it. The error is a *ConfigError and lists the names.
func ParseCodeType(name string) (CodeType, error) {
	for t := CodeApp; t <= codeTypeLast; t++ {
		if strings.EqualFold(t.String(), name) {
			return t, nil
		}
	}
	return 0, &ConfigError{"CodeChain", fmt.Sprintf("has %q; there are %s", name, strings.Join(codeTypeNames[1:], ", "))}
}

// canFollow says whether auth.CodeType has a constructor to announce t as next_type.
func (t CodeType) canFollow() bool {
	switch t {
	case CodeSMS, CodeCall, CodeFlashCall, CodeMissedCall, CodeFragment:
		return true
	}
	return false
}

// knownAt says whether a layer has constructors for t.
func (t CodeType) knownAt(layer int) bool {
	switch t {
	case CodeFragment:
		return tg.LayerHas(layer, tg.AuthSentCodeTypeFragmentSMSID)
	case CodeWord:
		return tg.LayerHas(layer, tg.AuthSentCodeTypeSMSWordID)
	case CodePhrase:
		return tg.LayerHas(layer, tg.AuthSentCodeTypeSMSPhraseID)
	case CodeEmail:
		return tg.LayerHas(layer, tg.AuthSentCodeTypeEmailCodeID)
	case CodeSetUpEmail:
		return tg.LayerHas(layer, tg.AuthSentCodeTypeSetUpEmailRequiredID)
	case CodeFirebase:
		return tg.LayerHas(layer, tg.AuthSentCodeTypeFirebaseSMSID)
	}
	return true
}

var codeWords = [...]string{"amber", "basin", "cedar", "delta", "ember", "fjord", "grove", "heron", "islet", "jetty", "kayak", "lemon", "maple", "north", "olive", "prism"}

// testNumberDC returns X of a number of the form 99966XYYYY.
func testNumberDC(phone string) (dc int, ok bool) {
	if len(phone) < 10 || !strings.HasPrefix(phone, "99966") || phone[5] == '0' {
		return 0, false
	}
	return int(phone[5] - '0'), true
}

// digitsFor is the login code of a number: X repeated for 99966XYYYY, else derived from the seed.
func (b *Backend) digitsFor(phone string) string {
	if dc, ok := testNumberDC(phone); ok {
		return strings.Repeat(string(rune('0'+dc)), b.cfg.CodeLength)
	}
	return newStream(b.cfg.Seed, "code "+phone).text(b.cfg.CodeLength, "0123456789")
}

// codeFor is what a person would type to answer a code of type t.
func (b *Backend) codeFor(phone string, t CodeType) string {
	switch t {
	case CodeSetUpEmail, CodePaid:
		return ""
	case CodeEmail:
		return b.randomDigits(mailCodeLen)
	case CodeFlashCall:
		return callPrefix + b.digitsFor(phone)
	case CodeWord:
		return b.wordFor(phone, 0)
	case CodePhrase:
		return b.wordFor(phone, 0) + " " + b.wordFor(phone, 1) + " " + b.wordFor(phone, 2)
	}
	return b.digitsFor(phone)
}

func (b *Backend) wordFor(phone string, n int) string {
	s := newStream(b.cfg.Seed, "word "+phone)
	for range n {
		s.uint64()
	}
	return codeWords[s.uint64()%uint64(len(codeWords))]
}

// sameCode compares what was typed with the code: words ignore case and doubled spaces, digits are taken as they are.
func sameCode(t CodeType, typed, code string) bool {
	if t == CodeWord || t == CodePhrase {
		typed = strings.ToLower(strings.Join(strings.Fields(typed), " "))
	}
	return code != "" && subtle.ConstantTimeCompare([]byte(typed), []byte(code)) == 1
}

// Code returns the login code that answers the newest live code request of a number, or the code its next request will
// have when there is none.
func (b *Backend) Code(phone string) string {
	phone = normalizePhone(phone)
	var newest *attempt
	for _, a := range b.attempts.byHash {
		if a.phone == phone && (newest == nil || a.newer(newest)) {
			newest = a
		}
	}
	if newest == nil {
		return b.digitsFor(phone)
	}
	return newest.code
}

// maxChains bounds the numbers with a chain of their own, some 60 bytes each.
const maxChains = 1 << 16

// SetCodes decides how codes reach a number from now on, in place of Config.CodeChain: one type after the other, as they
// are resent. No types restores Config.CodeChain. The error is a *ConfigError.
func (b *Backend) SetCodes(phone string, chain ...CodeType) error {
	phone = normalizePhone(phone)
	if len(chain) == 0 {
		delete(b.chains, phone)
		return nil
	}
	if err := validChain(chain); err != nil {
		return err
	}
	if _, known := b.chains[phone]; !known && len(b.chains) >= maxChains {
		return &ConfigError{"CodeChain", fmt.Sprintf("of its own is had by %d numbers already", maxChains)}
	}
	if b.chains == nil {
		b.chains = map[string][]CodeType{}
	}
	b.chains[phone] = slices.Clone(chain)
	return nil
}

// chainFor is how codes reach a number now: Config.CodeChain or SetCodes, without what does not fit the account, and
// without what the layer has no word for; if nothing is left, the code is a text message.
func (b *Backend) chainFor(phone string, u *user, layer int) []CodeType {
	chain, own := b.chains[phone]
	if !own {
		chain = b.cfg.CodeChain
	}
	mailed := u != nil && u.loginEmail != "" && CodeEmail.knownAt(layer)
	var fits []CodeType
	if mailed && (!own || slices.Contains(chain, CodeSetUpEmail)) && !slices.Contains(chain, CodeEmail) {
		fits = append(fits, CodeEmail)
	}
	for _, t := range chain {
		switch {
		case !t.knownAt(layer), t == CodeApp && (u == nil || !u.online() || len(fits) > 0), t == CodeEmail && !mailed,
			t == CodeSetUpEmail && mailed, t == CodePaid && b.paid[phone]:
		default:
			fits = append(fits, t)
		}
	}
	if len(fits) == 0 {
		return []CodeType{CodeSMS}
	}
	return fits
}

// online says whether a code could be shown in another session of the account.
func (u *user) online() bool {
	for _, row := range u.rows {
		if row.kind == kindHome {
			return true
		}
	}
	return false
}
