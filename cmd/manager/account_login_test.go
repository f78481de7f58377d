package main

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/mtfleet/mtfleet/actors"
)

func TestASecretsFileMayBeOfAnyEditor(t *testing.T) {
	for name, text := range map[string]string{
		"UTF-8":                  "12:ab\n",
		"a mark in front":        "\xef\xbb\xbf12:ab\n",
		"UTF-16, small end":      "\xff\xfe1\x002\x00:\x00a\x00b\x00\r\x00\n\x00",
		"UTF-16, large end":      "\xfe\xff\x001\x002\x00:\x00a\x00b\x00\n",
		"half a unit at the end": "\xff\xfe1\x002\x00:\x00a\x00b\x00\n\x00x",
		"lines in front":         "\r\n\n 12:ab\r\n",
	} {
		if got := firstLine([]byte(text)); got != "12:ab" {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// A script's line that came while a step changed by itself answers the next one.
func TestALineThatNobodyWaitedForIsKept(t *testing.T) {
	r, w := io.Pipe()
	in := newInput(r, true)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := in.next(over); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	go func() { _, _ = io.WriteString(w, " one\r\ntwo\n\nthree"); _ = w.Close() }()
	for _, want := range []string{" one", "two", "", "three"} {
		got, err := in.next(t.Context())
		if got != want || err != nil {
			t.Fatalf("%q, %v; want %q", got, err, want)
		}
		in.keep(typed{line: got})
		if got, err = in.next(t.Context()); got != want || err != nil {
			t.Fatalf("kept %q came back as %q, %v", want, got, err)
		}
	}
	for range 2 {
		if _, err := in.next(t.Context()); !errors.Is(err, io.EOF) {
			t.Error(err)
		}
	}
}

func TestALineIsTheAnswerThatItsStepAsksFor(t *testing.T) {
	for _, c := range []struct {
		step actors.StepKind
		line string
		want actors.Answer
	}{
		{actors.StepCode, " 1 2 3 ", actors.Answer{Kind: actors.AnswerCode, Code: "1 2 3"}},
		{actors.StepCode, `{"kind":"resend","step":"7.1"}`, actors.Answer{Kind: actors.AnswerResend, Step: "7.1"}},
		{actors.StepPhone, "+49 170", actors.Answer{Kind: actors.AnswerPhone, Phone: "+49 170"}},
		{actors.StepPassword, " a b ", actors.Answer{Kind: actors.AnswerPassword, Password: " a b "}},
		{actors.StepPassword, `{"kind"`, actors.Answer{Kind: actors.AnswerPassword, Password: `{"kind"`}},
		{actors.StepPassword, `{"kind":"forgot"}`, actors.Answer{Kind: actors.AnswerForgot}},
		{actors.StepNewPassword, "new ", actors.Answer{Kind: actors.AnswerNewPassword, Password: "new "}},
		{actors.StepRecovery, "1234", actors.Answer{Kind: actors.AnswerCode, Code: "1234"}},
		{actors.StepEmail, "a@b.c", actors.Answer{Kind: actors.AnswerEmail, Email: "a@b.c"}},
		{actors.StepToken, "1:a", actors.Answer{Kind: actors.AnswerToken, Token: "1:a"}},
		{actors.StepPNV, "token", actors.Answer{Kind: actors.AnswerPNV, Token: "token"}},
		{actors.StepPasskey, `{"id":"x"}`, actors.Answer{Kind: actors.AnswerPasskey, Credential: `{"id":"x"}`}},
		{actors.StepPasskey, "{", actors.Answer{Kind: actors.AnswerPasskey, Credential: "{\n\"id\": 1\n}"}},
		{actors.StepPasskey, `{"kind":"cancel"}`, actors.Answer{Kind: actors.AnswerCancel}},
	} {
		l := &signIn{app: &app{}, input: newInput(strings.NewReader("\"id\": 1\n}\n"), true)}
		got, err := l.parseAnswer(t.Context(), actors.Step{Kind: c.step}, c.line)
		if err != nil || got != c.want {
			t.Errorf("%s: %q is %#v, %v", c.step, c.line, got, err)
		}
	}
	l := &signIn{app: &app{}, input: newInput(strings.NewReader(""), true)}
	if _, err := l.parseAnswer(t.Context(), actors.Step{Kind: actors.StepCode}, `{"code":"secret"`); err == nil || strings.Contains(err.Error(), "secret") {
		t.Error(err)
	}
}
