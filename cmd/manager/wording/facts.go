package wording

import (
	"fmt"
	"strings"
	"time"

	"github.com/mtfleet/mtfleet/actors"
)

// ways is how a code travels, for people.
var ways = map[string]string{
	actors.HowApp:        "in Telegram, to the sessions that are signed in",
	actors.HowSMS:        "by text message",
	actors.HowCall:       "by a call that speaks it",
	actors.HowFlashCall:  "the number that calls",
	actors.HowMissedCall: "the last digits of the number that calls",
	actors.HowFragment:   "on fragment.com",
	actors.HowWord:       "a word in a text message",
	actors.HowPhrase:     "a phrase in a text message",
	actors.HowEmail:      "by e-mail",
	actors.HowFirebase:   "by text message, after a proof to Firebase",
}

// Facts are the lines under a step's message, each a name and what is known.
func Facts(s actors.Step, now time.Time) []string {
	var f factList
	if s.Phone != "" {
		f.add("number", "+"+s.Phone)
	}
	f.code(s)
	f.add("hint", s.Hint)
	if s.Kind == actors.StepPassword && !s.Recovery && s.Supported {
		f.add("forgot?", "no recovery e-mail; an official app can reset it, in a week")
	}
	if s.Tries > 0 {
		f.add("tries", fmt.Sprintf("%d wrong so far", s.Tries))
	}
	f.times(s, now)
	f.external(s)
	return f
}

type factList []string

func (f *factList) add(name, value string) {
	if value != "" {
		*f = append(*f, fmt.Sprintf("  %-8s  %s", name, value))
	}
}

// code tells how the code looks and travels.
func (f *factList) code(s actors.Step) {
	var parts []string
	if s.Length > 0 {
		parts = append(parts, fmt.Sprintf("%d characters", s.Length))
		if s.How != actors.HowEmail {
			parts[0] = fmt.Sprintf("%d digits", s.Length)
		}
	}
	if way := ways[s.How]; way != "" && s.Kind != actors.StepEmail {
		parts = append(parts, way)
	}
	f.add("code", strings.Join(parts, ", "))
	switch {
	case s.Pattern == "":
	case s.How == actors.HowEmail:
		f.add("e-mail", s.Pattern)
	default:
		f.add("begins", "with "+s.Pattern)
	}
	if s.How == actors.HowFragment {
		f.add("page", s.URL)
	}
}

// times tells when what can be done.
func (f *factList) times(s actors.Step, now time.Time) {
	if s.Next != "" {
		way := ways[s.Next]
		if way == "" {
			way = s.Next
		}
		f.add("another", way+When(s.ResendAt, now, ", from %s on", ", now"))
	}
	if !s.ResetAt.IsZero() {
		f.add("reset", "of the e-mail, "+When(s.ResetAt, now, "at %s", "now"))
	}
	if TakesCode(s) && !s.ExpiresAt.IsZero() {
		f.add("expires", When(s.ExpiresAt, now, "about %s", "it may have expired by now"))
	}
	if s.Until.After(now) {
		f.add("wait", When(s.Until, now, "until %s", ""))
	}
}

// external tells what is to be done elsewhere.
func (f *factList) external(s actors.Step) {
	if p := s.Payment; p.Currency != "" || p.Product != "" {
		f.add("to pay", fmt.Sprintf("%d of the smallest unit of %s, for %d days of Premium (%s)", p.Amount, p.Currency, p.Days, p.Product))
		f.add("support", strings.TrimSpace(p.Mail+" "+p.Subject))
	}
	if s.Kind == actors.StepFirebase {
		f.add("nonce", s.Firebase.Nonce+s.Firebase.PlayNonce+s.Firebase.Receipt)
		if s.Firebase.Project != 0 {
			f.add("project", fmt.Sprint(s.Firebase.Project))
		}
	}
	if s.MinAge > 0 {
		f.add("age", fmt.Sprintf("whoever signs up says that they are %d or older", s.MinAge))
	}
	f.add("nonce", s.Nonce)
	f.add("payload", s.Payload)
}
