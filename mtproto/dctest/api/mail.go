package api

import (
	"crypto/subtle"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Kinds of codes in SentCode, beside the names of CodeType.
const (
	MailPassword   = "password e-mail" // confirms the recovery e-mail of a password
	MailRecovery   = "recovery"        // recovers a password
	MailLoginSetup = "login e-mail"    // confirms a login e-mail
	MailPassport   = "passport e-mail" // confirms an e-mail of personal documents
)

// mailKey is what a mailed code is for: one purpose of one account or one sign-in.
type mailKey struct {
	kind string
	who  string // accountScope, or the hash of an attempt
}

// mail is a mailed code that can still be entered.
type mail struct {
	address string
	code    string
	expires time.Time
	tries   int
}

// mailbox keeps one live mail per purpose: a new one replaces it.
//
// Bound: one per purpose and account or attempt, about 200 bytes, for Config.MailTTL; Limits.Mail limits their making.
type mailbox struct {
	live map[mailKey]*mail
}

func (m *mailbox) sweep(now time.Time) {
	for key, letter := range m.live {
		if !now.Before(letter.expires) {
			delete(m.live, key)
		}
	}
}

const (
	mailCodeLen = 6
	maxEmailLen = 254
)

// sendMail mails a fresh code; the mail is in Codes.
func (c *call) sendMail(key mailKey, u *user, address string) (code string, err *Error) {
	if wait := c.b.floods.take(c.req.Now, floodScope{"mail", key.who}, c.b.cfg.Limits.Mail); wait > 0 {
		return "", errWait(wait)
	}
	letter := &mail{address: address, code: c.b.randomDigits(mailCodeLen), expires: c.req.Now.Add(c.b.cfg.MailTTL)}
	if c.b.mail.live == nil {
		c.b.mail.live = map[mailKey]*mail{}
	}
	c.b.mail.live[key] = letter
	sent := SentCode{At: c.req.Now, Expires: letter.expires, Kind: key.kind, Phone: c.phone, Email: address, Code: letter.code}
	if u != nil {
		sent.UserID, sent.Phone = u.id, u.phone
	}
	c.b.recordCode(sent)
	return letter.code, nil
}

// readMail checks a code that was typed: gone says that there is none (any more). The mail stays until dropMail.
func (c *call) readMail(key mailKey, code string, gone *Error) (address string, err *Error) {
	letter := c.b.mail.live[key]
	if letter == nil || !c.req.Now.Before(letter.expires) || letter.tries >= c.b.cfg.CodeMaxTries {
		return "", gone
	}
	if subtle.ConstantTimeCompare([]byte(strings.TrimSpace(code)), []byte(letter.code)) != 1 {
		letter.tries++
		return "", errCodeInvalid
	}
	return letter.address, nil
}

func (b *Backend) dropMail(key mailKey) { delete(b.mail.live, key) }

// validEmail asks for a mailbox and a host with a dot.
func validEmail(s string) bool {
	name, host, found := strings.Cut(s, "@")
	return found && name != "" && len(s) <= maxEmailLen && strings.Contains(strings.Trim(host, "."), ".") &&
		!strings.Contains(host, "@") && !strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) })
}

// emailPattern shows an address to somebody who may not know it: a***b@example.org.
func emailPattern(s string) string {
	name, host, _ := strings.Cut(s, "@")
	letters := []rune(name)
	if len(letters) < 2 {
		return "***@" + host
	}
	return string(letters[:1]) + "***" + string(letters[len(letters)-1:]) + "@" + host
}

// randomDigits returns n digits.
func (b *Backend) randomDigits(n int) string {
	digits := b.random(n)
	for i, d := range digits {
		digits[i] = '0' + d%10
	}
	return string(digits)
}

// userScope names an account in keys of limits and mails.
func userScope(u *user) string { return "user " + strconv.FormatInt(u.id, 10) }

// SentCode is one code that was sent to a person, by whatever way.
type SentCode struct {
	At      time.Time `json:"at"`
	Expires time.Time `json:"expires"`
	// Kind is how it travelled or what it is for: "app", "SMS", "call", ..., "e-mail", or one of the Mail constants.
	Kind   string `json:"kind"`
	Phone  string `json:"phone,omitempty"`
	UserID int64  `json:"user_id,omitempty"`
	Email  string `json:"email,omitempty"`
	Code   string `json:"code"`
}

// maxSentCodes bounds the list of Codes, about 200 bytes each; the oldest eighth goes first.
const maxSentCodes = 1 << 16

func (b *Backend) recordCode(sent SentCode) {
	if len(b.sent) >= maxSentCodes {
		b.sent = append(b.sent[:0:0], b.sent[maxSentCodes/8:]...)
	}
	b.sent = append(b.sent, sent)
	b.sentCount++
}

// CodesFrom returns the codes that were sent after the first n ones, oldest first, as far as they are kept, and how many
// were sent in all: the n of the next question.
func (b *Backend) CodesFrom(n int) (list []SentCode, total int) {
	kept := b.sentCount - len(b.sent) // the number of the oldest there is
	from := min(max(n-kept, 0), len(b.sent))
	return append([]SentCode(nil), b.sent[from:]...), b.sentCount
}

// CodesSent counts the codes that were sent, ever.
func (b *Backend) CodesSent() int { return b.sentCount }

// Codes returns the codes that were sent, oldest first: what a person would find on a phone, in an app or in a mailbox.
func (b *Backend) Codes() []SentCode { return append([]SentCode(nil), b.sent...) }

// Mail returns the newest code mailed to an address, and "" if there was none.
func (b *Backend) Mail(address string) string {
	for i := len(b.sent) - 1; i >= 0; i-- {
		if b.sent[i].Email == address {
			return b.sent[i].Code
		}
	}
	return ""
}
