package login

import (
	"errors"
	"strings"
	"testing"
	"unicode"
)

func TestANumberIsReadAsPeopleCopyIt(t *testing.T) {
	const want = "491701234567"
	for name, in := range map[string]string{
		"digits":                        "491701234567",
		"a contact card":                "\u202a+49\u00a0170\u00a01234567\u202c",
		"isolates":                      "\u2066+49 170 1234567\u2069",
		"a byte order mark":             "\ufeff+491701234567",
		"every kind of space":           " +49\u2002170\u2009123\u202f45\u300067\u200b\r\n",
		"every kind of dash":            "+49-170\u2010\u20111\u20122\u2013\u20143\u2212\u30fc4\uff0d\u00ad567",
		"a form":                        "+49 (170) 123/45.67",
		"a zero for the country":        "+49 (0)170 1234567",
		"that and a prefix":             "0049 (0)170 1234567",
		"an international prefix":       "0049 170 1234567",
		"a link":                        "tel:+49-170-1234567",
		"a link with slashes":           "TEL://+491701234567",
		"a message's link":              "sms:+491701234567",
		"a table's cell":                "\"+49 170 1234567\";",
		"a mail's header":               "<tel:+491701234567>",
		"wide forms":                    "\uff0b\uff14\uff19\uff08\uff11\uff17\uff10\uff09\uff11\uff12\uff13\uff14\uff15\uff16\uff17",
		"arabic digits":                 "+\u0664\u0669\u0661\u0667\u0660\u0661\u0662\u0663\u0664\u0665\u0666\u0667",
		"digits beyond the first plane": "\U0001d7f0\U0001d7f5 170 1234567",
		"keycaps":                       "4\ufe0f\u20e39\ufe0f\u20e3 170 1234567",
		"a symbol before it":            "\u260e\ufe0f +49 170 1234567",
		"fillers":                       "+49\u3164170\u28001234567",
	} {
		m, err := NewPhone(testConfig(), in)
		if err != nil {
			t.Errorf("%s: %q: %v", name, in, err)
			continue
		}
		if got := m.Snapshot().Phone.Number; got != want {
			t.Errorf("%s: %q became %q", name, in, got)
		}
	}
}

func TestWhatIsNoNumberIsRefusedWithTheReason(t *testing.T) {
	for in, want := range map[string]string{
		"":                                  "no digits",
		"+":                                 "no digits",
		"tel:":                              "letters",
		"alice":                             "letters",
		"+1 555 CALL NOW":                   "letters",
		"+49 170 1234567 ext 5":             "letters",
		"+49 170 123456\u043e":              "letters",
		"1234":                              "4 digits",
		"0":                                 "country code",
		"0(0)1":                             "country code",
		"0170 1234567":                      "country code",
		"+0170 1234567":                     "country code",
		"+49 170 1234567 89012":             "17 digits",
		"+49 170 1234567,,12":               "','",
		"+49 170 1234567;12":                "';'",
		"+49 170 1234567#1":                 "'#'",
		"+49 170 12345 / +49 170 12346":     "two numbers",
		"49+1701234567":                     "two numbers",
		"+49 170 123456\ufffd":              "lost",
		"+49 170 123456\xb2":                "lost",
		"+49 170 123456\u00b2":              "no digit",
		"+49 170 123456\u2466":              "no digit",
		"+49 170 \ue0011234567":             "no digit",
		"+" + strings.Repeat(" 4", 1000):    "too long",
		"+491701234567?x=" + "tel:49170123": "letters",
	} {
		_, err := NewPhone(testConfig(), in)
		var e *Error
		if !errors.As(err, &e) || e.Reason != ReasonPhone || !strings.Contains(e.Message, want) {
			t.Errorf("%q: %v, want one that says %q", in, err, want)
			continue
		}
		if strings.Contains(e.Message, "\n") || len(in) > 8 && strings.Contains(e.Message, in) {
			t.Errorf("%q: the message repeats it: %s", in, e.Message)
		}
	}
}

// waitingForCode is a sign-in that a code was sent for.
func waitingForCode(t testing.TB, sent SentCode) *Machine {
	t.Helper()
	m, err := NewPhone(testConfig(), "491701234567")
	if err != nil {
		t.Fatal(err)
	}
	m.Start(epoch)
	m.s.Phone.Hash, m.s.Phone.Sent = "h", sent
	m.wait(StateWaitCode)
	for _, ok := m.Next(); ok; _, ok = m.Next() {
	}
	return m
}

func TestACodeIsReadAsPeopleCopyIt(t *testing.T) {
	five := SentCode{How: HowSMS, Length: 5}
	for _, c := range []struct {
		name     string
		sent     SentCode
		in, want string
	}{
		{"digits", five, "12345", "12345"},
		{"groups", five, " 123-45\r\n", "12345"},
		{"an en dash", five, "12\u2013345", "12345"},
		{"no-break space", five, "123\u00a045", "12345"},
		{"direction marks", five, "\u200e12345\u200f", "12345"},
		{"the end of a sentence", five, "\u201c12345\u201d.", "12345"},
		{"arabic digits", five, "\u0661\u0662\u0663\u0664\u0665", "12345"},
		{"wide digits", five, "\uff11\uff12\uff13\uff14\uff15", "12345"},
		{"a length nobody told", SentCode{How: HowSMS}, "1234567", "1234567"},
		{"a page for anonymous numbers", SentCode{How: HowFragment, Length: 5}, "1 2 3 4 5", "12345"},
		{"the number that calls", SentCode{How: HowFlashCall, Pattern: "4917*"}, "+49 170 123-456-7", "491701234567"},
		{"last digits", SentCode{How: HowMissedCall, Pattern: "4917", Length: 4}, "4567", "4567"},
		{"the whole number for them", SentCode{How: HowMissedCall, Pattern: "+4917", Length: 4}, "+49 170 1234567", "4567"},
		{"a word", SentCode{How: HowWord}, "\ufeff Straw-berry\n", "Straw-berry"},
		{"a phrase", SentCode{How: HowPhrase}, "  a\u00a0 secret\t\u200ephrase ", "a secret phrase"},
		{"a joiner inside a word", SentCode{How: HowWord}, "\u200f\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"},
	} {
		m := waitingForCode(t, c.sent)
		if err := m.Input(epoch, Answer{Kind: AnswerCode, Code: c.in}); err != nil {
			t.Errorf("%s: %q: %v", c.name, c.in, err)
			continue
		}
		if got := m.secret.code; got != c.want {
			t.Errorf("%s: %q is sent as %q, want %q", c.name, c.in, got, c.want)
		}
	}
	for in, want := range map[string]string{"12-34 56": "123456", "ab\u2011c12\n": "abc12", "\u0661\u0662": "12"} {
		sent := SentCode{How: HowEmail, Length: len(want)}
		if got, problem := normalCode(sent, in); got != want || problem != "" {
			t.Errorf("by e-mail: %q is %q (%s), want %q", in, got, problem, want)
		}
	}
}

func TestACodeThatCannotBeTheOneCostsNoQuery(t *testing.T) {
	five := SentCode{How: HowSMS, Length: 5}
	for _, c := range []struct {
		sent     SentCode
		in, want string
	}{
		{five, "", "no digits"},
		{five, " \u200e ", "no digits"},
		{five, "1234", "4 digits, and the one that was sent has 5"},
		{five, "123456", "6 digits"},
		{five, "1234O", "letters"},
		{five, "Login code: 12345", "letters"},
		{five, "1234\u2464", "no digit"},
		{SentCode{How: HowSMS}, strings.Repeat("1", codeMost+1), "too long"},
		{SentCode{How: HowSMS}, strings.Repeat(" ", typedMost+1), "too long"},
		{SentCode{How: HowFlashCall}, "1234567890123456", "16 digits"},
		{SentCode{How: HowMissedCall, Pattern: "49", Length: 4}, "44567", "5 digits"},
		{SentCode{How: HowWord}, "\ufeff", "nothing"},
		{SentCode{How: HowPhrase}, strings.Repeat("word ", 60), "too long"},
	} {
		m := waitingForCode(t, c.sent)
		before := m.Snapshot()
		err := m.Input(epoch, Answer{Kind: AnswerCode, Code: c.in})
		var e *Error
		if !errors.As(err, &e) || e.Reason != ReasonAnswer || !strings.Contains(e.Message, c.want) {
			t.Errorf("%q by %s: %v, want one that says %q", c.in, c.sent.How, err, c.want)
		}
		if out, ok := m.Next(); ok || m.Snapshot() != before {
			t.Errorf("%q by %s: refused, and yet %v", c.in, c.sent.How, out)
		}
		if err != nil && len(c.in) > 3 && strings.Contains(err.Error(), strings.TrimSpace(c.in)) && strings.TrimSpace(c.in) != "" {
			t.Errorf("the error repeats what was typed: %v", err)
		}
	}
}

func TestABotTokenIsReadAsPeopleCopyIt(t *testing.T) {
	const want = "123456:AAx-_y9"
	for name, in := range map[string]string{
		"plain":               want,
		"lines around it":     "\ufeff\r\n " + want + "\n\n",
		"a line that broke":   "123456:AAx\n  -_y9",
		"quotes":              "\u201c" + want + "\u201d,",
		"code marks":          "`" + want + "`",
		"brackets":            "<" + want + ">",
		"direction marks":     "\u2066" + want + "\u2069",
		"the name of the bot": "bot" + want,
		"an address":          "https://api.telegram.org/bot" + want + "/getMe?x=1",
		"an address of files": "https://api.telegram.org/file/bot" + want + "/a/b",
	} {
		m, err := NewBot(testConfig(), in)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := m.secret.token; got != want {
			t.Errorf("%s: became %q", name, got)
		}
	}
	if m, err := NewBot(testConfig(), "123456:ends-in_-"); err != nil || m.secret.token != "123456:ends-in_-" {
		t.Errorf("a token that ends in dashes: %v", err)
	}
	for in, want := range map[string]string{
		"":                            "123456:secret",
		"SECRET":                      "123456:secret",
		"botSECRET:x":                 "123456:secret",
		"123456:SEC\u2014RET":         "dash or a quote",
		"https://t.me/SECRET":         "123456:secret",
		"123456:SECRET\xff":           "shorter",
		strings.Repeat("SECRET", 999): "shorter",
	} {
		_, err := NewBot(testConfig(), in)
		var e *Error
		if !errors.As(err, &e) || e.Reason != ReasonToken || !strings.Contains(e.Message, want) || strings.Contains(e.Message, "SEC") {
			t.Errorf("%q: %v, want one that says %q", in, err, want)
		}
	}
}

// Digits are told apart by their place in the ranges of their category.
func TestTheDigitsOfAScriptAreTogetherAndInOrder(t *testing.T) {
	n := 0
	for _, r := range unicode.Nd.R16 {
		if r.Stride != 1 || (r.Hi-r.Lo+1)%10 != 0 {
			t.Errorf("%x to %x is no range of digits", r.Lo, r.Hi)
		}
		n++
	}
	for _, r := range unicode.Nd.R32 {
		if r.Stride != 1 || (r.Hi-r.Lo+1)%10 != 0 {
			t.Errorf("%x to %x is no range of digits", r.Lo, r.Hi)
		}
		n++
	}
	if n < 30 {
		t.Errorf("%d ranges", n)
	}
	for r, want := range map[rune]byte{'0': 0, '9': 9, '\u0660': 0, '\u06f9': 9, '\u096b': 5, '\uff17': 7, '\U0001d7ff': 9, '\U0001d7ce': 0} {
		if got, ok := digitValue(r); !ok || got != want {
			t.Errorf("%q is %d, %v", r, got, ok)
		}
	}
}

// What is normal stays as it is, and is digits of ASCII.
func FuzzTyped(f *testing.F) {
	for _, s := range []string{"+49 (0)170/1234567", "0(0)1", "tel:+1-555-010-0123", "\ufeff\uff0b\u0661\u0662\u0663 45678", "00(0)1", "bot1:a", "https://x/bot1:a-/y", "123\u2011456"} {
		f.Add(s, 5)
	}
	f.Fuzz(func(t *testing.T, in string, length int) {
		if got, problem := normalPhone(in); problem == "" {
			if !storedPhone(got) || got[0] == '0' {
				t.Errorf("%q became the number %q", in, got)
			}
			if again, problem := normalPhone(got); again != got || problem != "" {
				t.Errorf("%q, then %q (%s)", got, again, problem)
			}
		} else if got != "" {
			t.Errorf("%q is refused (%s), and is %q", in, problem, got)
		}
		for _, how := range []string{HowSMS, HowFlashCall, HowMissedCall, HowWord, HowPhrase, HowEmail} {
			sent := SentCode{How: how, Pattern: "4", Length: length}
			got, problem := normalCode(sent, in)
			if problem != "" {
				continue
			}
			switch how {
			case HowSMS, HowFlashCall, HowMissedCall:
				if got == "" || strings.Trim(got, "0123456789") != "" {
					t.Errorf("%s: %q became the code %q", how, in, got)
				}
			}
			if again, problem := normalCode(sent, got); again != got || problem != "" {
				t.Errorf("%s: %q, then %q (%s)", how, got, again, problem)
			}
		}
		if got, problem := normalToken(in); problem == "" {
			if again, problem := normalToken(got); again != got || problem != "" {
				t.Errorf("token %q, then %q (%s)", got, again, problem)
			}
		}
	})
}
