package login

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// This file reads what people type and copy. What stands between and around the
// characters that count comes from where it was copied from (a contact card, a
// web page, a chat, an editor), so it is sorted by what Unicode says of it, not
// by a list of what was met so far. A refusal says what is wrong and never
// repeats what was typed.

// typedMost bounds what is looked at, in bytes: the longest of all, a secret
// phrase, is a few words, and decorations take up to four bytes each.
const typedMost = 1024

// phoneLeast and phoneMost bound a number with its country code: E.164 has 15
// digits at most, and short ones are for test DCs.
const phoneLeast, phoneMost = 5, 15

const phoneHint = "write it with its country code, as +49 170 1234567"

// normalPhone returns the digits of a number, or what keeps it from being one.
func normalPhone(text string) (digits, problem string) {
	if len(text) > typedMost {
		return "", "it is too long; " + phoneHint
	}
	// Lists and tables leave their separators at the ends; inside a number they
	// begin an extension or a second one.
	ends := func(r rune) bool { return !plus(r) && decoration(r) }
	text = strings.TrimFunc(cutScheme(strings.TrimFunc(text, ends)), ends)
	first, last := strings.IndexFunc(text, digit), strings.LastIndexFunc(text, plus)
	if first >= 0 && last > first {
		return "", "there is a plus after its first digit, as if there were two numbers; give one, and " + phoneHint
	}
	text = cutTrunkZero(text, last >= 0)
	if digits, problem = digitsOf(text, ",;*#"); problem != "" {
		return "", problem + "; " + phoneHint
	}
	digits = strings.TrimPrefix(digits, "00")
	switch {
	case digits == "":
		return "", "there are no digits in it; " + phoneHint
	case digits[0] == '0':
		return "", "its country code is missing, for none begins with 0; " + phoneHint
	case len(digits) < phoneLeast, len(digits) > phoneMost:
		return "", fmt.Sprintf("it has %s, and a number has %d to %d; %s", count(len(digits)), phoneLeast, phoneMost, phoneHint)
	}
	return digits, ""
}

// cutTrunkZero takes the zero away that is for those who dial within the
// country, and written as +49 (0)170 for everybody else.
func cutTrunkZero(text string, international bool) string {
	i := strings.Index(text, "(0)")
	if i < 0 {
		return text
	}
	before, _ := digitsOf(text[:i], "")
	if !international && !strings.HasPrefix(before, "00") {
		return text
	}
	return text[:i] + text[i+len("(0)"):]
}

// CheckPhone says what keeps a text from being a phone number, as an *Error, or
// nil. NewPhone and Input make the same check; this one is for who asks a person
// and can ask again.
func CheckPhone(text string) error {
	if _, problem := normalPhone(text); problem != "" {
		return badPhone(problem)
	}
	return nil
}

// CheckToken is CheckPhone for a bot token.
func CheckToken(text string) error {
	if _, problem := normalToken(text); problem != "" {
		return badToken(problem)
	}
	return nil
}

// storedPhone reports whether a snapshot's number is digits as we store them.
// Earlier versions were less particular about what they are.
func storedPhone(s string) bool {
	return len(s) >= phoneLeast && len(s) <= phoneMost && strings.Trim(s, "0123456789") == ""
}

// cutScheme takes the scheme of a telephone link away.
func cutScheme(text string) string {
	scheme, rest, ok := strings.Cut(text, ":")
	if !ok {
		return text
	}
	switch strings.ToLower(scheme) {
	case "tel", "callto", "sms":
		return strings.TrimPrefix(rest, "//")
	}
	return text
}

// normalCode returns a code as the server wants it, or what keeps it from being
// the one that was sent.
func normalCode(sent SentCode, text string) (code, problem string) {
	if len(text) > typedMost || !utf8.ValidString(text) {
		return "", "it is too long or no text"
	}
	switch sent.How {
	case HowWord, HowPhrase:
		return normalWords(text)
	case HowEmail:
		return normalMailed(sent, text)
	}
	code, problem = digitsOf(text, "")
	switch {
	case problem != "":
		return "", problem + ", and a code is digits"
	case code == "":
		return "", "there are no digits in it"
	case sent.How == HowFlashCall:
		// The number that calls, whose length nobody tells.
		if len(code) > phoneMost {
			return "", fmt.Sprintf("it has %s, and a number that calls has %d at most", count(len(code)), phoneMost)
		}
		return code, ""
	case sent.How == HowMissedCall && sent.Length > 0 && len(code) > sent.Length:
		// Whoever copies the whole number has copied its last digits too.
		if prefix, _ := digitsOf(sent.Pattern, ""); prefix != "" && strings.HasPrefix(code, prefix) {
			return code[len(code)-sent.Length:], ""
		}
	}
	switch {
	case sent.Length > 0 && len(code) != sent.Length:
		return "", fmt.Sprintf("it has %s, and the one that was sent has %d", count(len(code)), sent.Length)
	case len(code) > codeMost:
		return "", "it is too long"
	}
	return code, ""
}

// normalMailed returns a code from an e-mail. Nobody says that there are digits
// alone in it.
func normalMailed(sent SentCode, text string) (code, problem string) {
	code = strings.Map(func(r rune) rune {
		if d, ok := digitValue(r); ok {
			return '0' + rune(d)
		}
		if invisible(r) || unicode.Is(unicode.Pd, r) {
			return -1
		}
		return r
	}, text)
	switch n := utf8.RuneCountInString(code); {
	case n == 0:
		return "", "there is nothing in it"
	case sent.Length > 0 && n != sent.Length:
		return "", fmt.Sprintf("it has %d characters, and the one that was sent has %d", n, sent.Length)
	case n > codeMost:
		return "", "it is too long"
	}
	return code, ""
}

// codeMost bounds the digits of a code whose length the server did not tell.
// They are 5 to 7 today. https://core.telegram.org/api/auth
const codeMost = 32

// wordsMost bounds a secret word or phrase, in bytes.
const wordsMost = 256

// normalWords returns a secret word or phrase: as it was typed, for its case
// and its joiners are part of it, but for spaces and for what directs the text
// around it.
func normalWords(text string) (words, problem string) {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.In(r, unicode.Join_Control, unicode.M) || !invisible(r):
			return r
		}
		return -1
	}, text)
	words = strings.Join(strings.FieldsFunc(strings.TrimFunc(text, invisible), unicode.IsSpace), " ")
	switch {
	case words == "":
		return "", "there is nothing in it"
	case len(words) > wordsMost:
		return "", "it is too long"
	}
	return words, ""
}

// normalToken returns a bot token, or what keeps it from being one. A token is
// ASCII without spaces, so that those inside come from a line that was broken.
// https://core.telegram.org/bots/api#authorizing-your-bot
func normalToken(text string) (token, problem string) {
	const again = "copy it from @BotFather again"
	if len(text) > typedMost || !utf8.ValidString(text) {
		return "", "a bot token is shorter, and text; " + again
	}
	text = strings.Map(func(r rune) rune {
		if invisible(r) {
			return -1
		}
		return r
	}, text)
	if _, rest, ok := strings.Cut(text, "://"); ok { // the address of a method of the Bot API
		if _, rest, ok = strings.Cut(rest, "/bot"); ok {
			text, _, _ = strings.Cut(rest, "/")
		}
	}
	// What quotes it, or ends the sentence.
	text = strings.TrimFunc(text, func(r rune) bool { return r != '-' && r != '_' && decoration(r) })
	if len(text) > 3 && strings.EqualFold(text[:3], "bot") {
		text = text[3:]
	}
	switch _, ok := botID(text); {
	case strings.IndexFunc(text, func(r rune) bool { return r > unicode.MaxASCII }) >= 0:
		return "", "there is a character in it that no bot token has, a dash or a quote perhaps that a program has put there; " + again
	case !ok:
		return "", "a bot token looks like 123456:secret; " + again
	}
	return text, ""
}

// digitsOf returns the decimal digits of any script in text, as ASCII. What
// decorates them is left out; anything else, and what is in refused, is a
// problem.
func digitsOf(text, refused string) (digits, problem string) {
	if len(text) > typedMost {
		return "", "it is too long"
	}
	out := make([]byte, 0, len(text))
	for i, r := range text {
		if d, ok := digitValue(r); ok {
			out = append(out, '0'+d)
			continue
		}
		switch {
		case r == utf8.RuneError:
			return "", "a character of it was lost on the way"
		case unicode.IsLetter(r) && !invisible(r) && !dashLetter(r):
			return "", "there are letters in it"
		case strings.ContainsRune(refused, r):
			return "", fmt.Sprintf("there is %q in it, as if there were an extension or a second number", r)
		case !decoration(r):
			return "", fmt.Sprintf("there is a character in it, at byte %d, that is no digit", i)
		}
	}
	return string(out), ""
}

// digitValue returns the value of a decimal digit of any script. Unicode keeps
// the ten of a script together and in order, so that every range of the
// category Nd begins with a zero (The Unicode Standard, section 4.6).
func digitValue(r rune) (byte, bool) {
	if r <= unicode.MaxASCII {
		return byte(r - '0'), r >= '0' && r <= '9'
	}
	for _, in := range unicode.Nd.R16 {
		if rune(in.Lo) <= r && r <= rune(in.Hi) {
			return byte((r - rune(in.Lo)) % 10), true
		}
	}
	for _, in := range unicode.Nd.R32 {
		if rune(in.Lo) <= r && r <= rune(in.Hi) {
			return byte((r - rune(in.Lo)) % 10), true
		}
	}
	return 0, false
}

func digit(r rune) bool { _, ok := digitValue(r); return ok }

// decoration reports whether r may stand between digits: spaces, dashes,
// brackets, signs, marks on a digit, and what cannot be seen. The mark of a lost
// character may not: it may have been a digit.
func decoration(r rune) bool {
	return r != utf8.RuneError && (invisible(r) || dashLetter(r) || unicode.In(r, unicode.P, unicode.S, unicode.M))
}

// invisible reports whether r shows nothing: spaces, ends of lines, controls,
// direction marks, joiners, byte order marks, selectors, fillers.
func invisible(r rune) bool {
	return unicode.In(r, unicode.Z, unicode.Cc, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point) ||
		r == '\u2800' // a Braille cell without dots, which is a symbol to Unicode
}

// dashLetter reports whether r is the Japanese mark of a long vowel, a letter
// to Unicode, which Japanese keyboards give where others give a dash.
func dashLetter(r rune) bool { return r == '\u30fc' || r == '\uff70' }

// plus reports whether r is a plus sign of any width.
func plus(r rune) bool {
	switch r {
	case '+', '\u207a', '\u208a', '\u2795', '\ufe62', '\uff0b':
		return true
	}
	return false
}

// count is a number of digits in words.
func count(n int) string {
	if n == 1 {
		return "1 digit"
	}
	return fmt.Sprintf("%d digits", n)
}
