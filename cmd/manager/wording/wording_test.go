package wording

import (
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
)

func TestTheChoicesOfAStepAreThoseThatItTakes(t *testing.T) {
	later := time.Now().Add(time.Minute)
	for _, c := range []struct {
		what  string
		step  actors.Step
		words string
	}{
		{"a code with another way", actors.Step{Kind: actors.StepCode, Next: actors.HowSMS, ResendAt: later, Supported: true}, "resend, number, cancel"},
		{"a code by e-mail that can be reset", actors.Step{Kind: actors.StepCode, ResetAt: later, Google: true, Supported: true}, "google, reset, number, cancel"},
		{"a password with a way back", actors.Step{Kind: actors.StepPassword, Recovery: true, Supported: true}, "forgot, cancel"},
		{"what can only be shown", actors.Step{Kind: actors.StepPayment}, "cancel"},
		{"a QR code", actors.Step{Kind: actors.StepQR, Supported: true}, "cancel"},
		{"a device's proof", actors.Step{Kind: actors.StepFirebase, Supported: true}, "resend, play, safetynet, ios, number, cancel"},
	} {
		if got := Names(Choices(c.step)); got != c.words {
			t.Errorf("%s: %s, want %s", c.what, got, c.words)
		}
	}
	if c := Choices(actors.Step{Kind: actors.StepCode, Next: actors.HowSMS, ResendAt: later, Supported: true})[0]; !c.From.Equal(later) {
		t.Errorf("another code can be had from %v on", c.From)
	}
}

func TestASecretIsAskedForHidden(t *testing.T) {
	for _, kind := range []actors.StepKind{actors.StepPassword, actors.StepNewPassword, actors.StepToken, actors.StepWebToken, actors.StepPNV} {
		if !QuestionOf(actors.Step{Kind: kind, Supported: true}).Hidden {
			t.Errorf("the step %s shows what is typed", kind)
		}
	}
	if q := QuestionOf(actors.Step{Kind: actors.StepPassword}); q.Answer != nil {
		t.Error("a step that can only be shown is asked for")
	}
	if q := QuestionOf(actors.Step{Kind: actors.StepCode, How: actors.HowWord, Supported: true}); !q.Wordy {
		t.Error("a word of a text message is taken for a choice")
	}
}

func TestTheFactsOfACode(t *testing.T) {
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.Local)
	got := strings.Join(Facts(actors.Step{
		Kind: actors.StepCode, Phone: "15550100", How: actors.HowApp, Length: 5, Next: actors.HowSMS, Tries: 1, Supported: true,
		ResendAt: now.Add(90 * time.Second), ExpiresAt: now.Add(5 * time.Minute),
	}, now), "\n")
	const want = `  number    +15550100
  code      5 digits, in Telegram, to the sessions that are signed in
  tries     1 wrong so far
  another   by text message, from 12:01:30 (in 1m31s) on
  expires   about 12:05:00 (in 5m1s)`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestARoundTripIsToldInMilliseconds(t *testing.T) {
	if got := RoundTrip(control.RoundTrips{Lost: 3}); got != "-" {
		t.Errorf("without a ping it is %q", got)
	}
	for _, c := range []struct {
		latest, smoothed float64
		want             string
	}{
		{.00004, .00012, "0.04 ms (0.12 ms)"}, {.0042, .0099, "4.2 ms (9.9 ms)"}, {.0312, 1.5, "31 ms (1500 ms)"},
	} {
		if got := RoundTrip(control.RoundTrips{Latest: c.latest, Smoothed: c.smoothed, At: time.Unix(1, 0)}); got != c.want {
			t.Errorf("%v and %v are %q, want %q", c.latest, c.smoothed, got, c.want)
		}
	}
}
