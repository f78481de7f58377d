package security

import (
	"encoding/base64"
	"strings"
)

const (
	// linkMost bounds a login link, in bytes; they have about 70.
	linkMost = 1024
	// tokenLeast is the shortest token that is taken without its link, in bytes:
	// they have 16 and more, and a shorter text is something else.
	tokenLeast = 16
)

// ParseLink reads what a QR code of a sign-in holds: tg://login?token=, or the
// token alone, in base64url, with or without padding. Space around it is not
// part of it. https://core.telegram.org/api/links#qr-code-login-links
func ParseLink(text string) (token []byte, err error) {
	text = strings.TrimSpace(text)
	if text == "" || len(text) > linkMost {
		return nil, refuse(ReasonLink, "a login link begins with tg://login?token=; this is none")
	}
	rest, least := text, tokenLeast
	if query, ok := loginQuery(text); ok {
		rest, least = "", 1
		for part := range strings.SplitSeq(query, "&") {
			switch name, value, _ := strings.Cut(part, "="); name {
			case "token":
				rest = value
			case "code":
				return nil, refuse(ReasonLink, "this link carries a login code and no QR sign-in: never give it to anybody who asks for it")
			}
		}
	}
	rest = strings.TrimRight(strings.ReplaceAll(rest, "%3D", "="), "=")
	token, bad := base64.RawURLEncoding.DecodeString(rest)
	if bad != nil || len(token) < least {
		return nil, refuse(ReasonLink, "a login link begins with tg://login?token= and goes on in base64url; this is none")
	}
	return token, nil
}

// loginQuery is what follows the question mark of a login link.
func loginQuery(text string) (query string, ok bool) {
	for _, start := range []string{"tg://login?", "tg:login?", "tg://login/?"} {
		if len(text) >= len(start) && strings.EqualFold(text[:len(start)], start) {
			return text[len(start):], true
		}
	}
	return "", false
}
