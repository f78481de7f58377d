package security

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
)

// token is the reference's: bytes 0 to 15.
const tokenText = "AAECAwQFBgcICQoLDA0ODw"

func TestALoginLinkIsReadAsAppsWriteIt(t *testing.T) {
	want, _ := base64.RawURLEncoding.DecodeString(tokenText)
	for _, text := range []string{
		"tg://login?token=" + tokenText,
		"tg://login?token=" + tokenText + "==", // some clients pad
		"tg://login?token=" + tokenText + "%3D%3D",
		"TG://Login?token=" + tokenText,
		"tg:login?token=" + tokenText,
		"tg://login/?token=" + tokenText,
		"tg://login?x=1&token=" + tokenText + "&y",
		" \n" + tokenText + "\r\n",
		tokenText + "==",
	} {
		if got, err := ParseLink(text); err != nil || string(got) != string(want) {
			t.Errorf("%q: %x, %v", text, got, err)
		}
	}
	short, err := ParseLink("tg://login?token=AAEC") // how long they are is the server's business
	if err != nil || len(short) != 3 {
		t.Errorf("a short token in its link: %x, %v", short, err)
	}
}

func TestWhatIsNoLoginLinkIsRefusedHere(t *testing.T) {
	for _, text := range []string{
		"", "  ", "hello", "12345", "+15550100", "AAEC", // too short to be one without its link
		"tg://login", "tg://login?", "tg://login?token=", "tg://login?token=a b", "tg://login?token=" + tokenText + "!",
		"tg://resolve?domain=telegram", "https://t.me/login/12345", "https://example.org/login?token=" + tokenText,
		"tg://login?token=" + strings.Repeat("A", linkMost),
	} {
		got, err := ParseLink(text)
		var e *Error
		if !errors.As(err, &e) || e.Reason != ReasonLink || got != nil {
			t.Errorf("%q: %x, %v", text, got, err)
		}
	}
	if _, err := ParseLink("tg://login?code=12345"); err == nil || !strings.Contains(err.Error(), "login code") || strings.Contains(err.Error(), "12345") {
		t.Errorf("a link with a code: %v", err)
	}
}

func FuzzParseLink(f *testing.F) {
	for _, seed := range []string{"tg://login?token=" + tokenText, tokenText, "tg://login?code=1", "tg:login?token=%3D&token=", "tg://login?"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		token, err := ParseLink(text)
		if err != nil {
			if token != nil || text != "" && len(text) > 16 && strings.Contains(err.Error(), text) {
				t.Errorf("%q: %x with %v", text, token, err)
			}
			return
		}
		again, err := ParseLink("tg://login?token=" + base64.RawURLEncoding.EncodeToString(token))
		if err != nil || string(again) != string(token) {
			t.Errorf("%q is %x, and its own link is %x, %v", text, token, again, err)
		}
	})
}
