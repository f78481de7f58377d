package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/wording"
)

// This file finds the answer to a step where nobody is asked: in a flag, or in a
// line of standard input.

// answerLost is the LastError of a step whose code may never have been asked for:
// the connection was lost first.
const answerLost = "ANSWER_LOST"

// restarted is the LastError of a step whose answer a restart forgot.
const restarted = "RESTARTED"

// answerByFlag gives each answer of the command line once: a code that was wrong
// is not sent again.
func (l *signIn) answerByFlag(ctx context.Context, s actors.Step) (answer actors.Answer, ok bool, err error) {
	if l.f.cancel {
		return actors.Answer{Kind: actors.AnswerCancel}, true, nil
	}
	if s.Kind == actors.StepWait {
		return answer, false, nil
	}
	if s.Kind == actors.StepNewCode && s.LastError == answerLost && !l.f.answered {
		// Whoever runs the command once more wants the code that never came.
		l.f.resend = true
	}
	for _, find := range []func(context.Context, actors.Step) (actors.Answer, bool, error){l.wordByFlag, l.textByFlag, l.fileByFlag} {
		if answer, ok, err = find(ctx, s); ok || err != nil {
			l.f.answered = true
			return answer, ok, err
		}
	}
	return answer, false, nil
}

// wordByFlag is for the flags without a value.
func (l *signIn) wordByFlag(_ context.Context, s actors.Step) (actors.Answer, bool, error) {
	for _, w := range []struct {
		flag *bool
		kind actors.AnswerKind
		at   []actors.StepKind
	}{
		{&l.f.resend, actors.AnswerResend, []actors.StepKind{actors.StepCode, actors.StepNewCode, actors.StepFirebase}},
		{&l.f.forgot, actors.AnswerForgot, []actors.StepKind{actors.StepPassword, actors.StepRecovery}},
		{&l.f.back, actors.AnswerBack, []actors.StepKind{actors.StepRecovery, actors.StepNewPassword, actors.StepEmailSetup}},
	} {
		if *w.flag && at(s, w.at...) {
			*w.flag = false
			return actors.Answer{Kind: w.kind}, true, nil
		}
	}
	return actors.Answer{}, false, nil
}

func at(s actors.Step, kinds ...actors.StepKind) bool {
	for _, kind := range kinds {
		if s.Kind == kind {
			return true
		}
	}
	return false
}

// textByFlag is for the flags whose value is the answer.
func (l *signIn) textByFlag(_ context.Context, s actors.Step) (answer actors.Answer, ok bool, err error) {
	take := func(from *string) string { text := *from; *from = ""; return text }
	switch {
	case l.f.newPhone != "" && at(s, actors.StepPhone, actors.StepCode, actors.StepNewCode, actors.StepFirebase, actors.StepPayment, actors.StepEmail, actors.StepEmailSetup, actors.StepSignUp):
		return actors.Answer{Kind: actors.AnswerPhone, Phone: take(&l.f.newPhone)}, true, nil
	case l.f.first != "" && s.Kind == actors.StepSignUp:
		return actors.Answer{Kind: actors.AnswerSignUp, FirstName: take(&l.f.first), LastName: l.f.last}, true, nil
	case l.f.email != "" && s.Kind == actors.StepEmail:
		return actors.Answer{Kind: actors.AnswerEmail, Email: take(&l.f.email)}, true, nil
	case l.f.code != "" && wording.TakesCode(s):
		return actors.Answer{Kind: actors.AnswerCode, Code: take(&l.f.code)}, true, nil
	}
	return answer, false, nil
}

// fileByFlag is for the flags that name a file.
func (l *signIn) fileByFlag(ctx context.Context, s actors.Step) (answer actors.Answer, ok bool, err error) {
	take := func(flag string, from *string) string {
		path := *from
		*from = ""
		text, readErr := l.secret(ctx, flag, path)
		ok, err = true, readErr
		return text
	}
	switch {
	case l.f.answerFile != "":
		path := l.f.answerFile
		l.f.answerFile = ""
		return l.jsonFile(ctx, path)
	case l.f.codeFile != "" && wording.TakesCode(s):
		answer = actors.Answer{Kind: actors.AnswerCode, Code: take("--code-file", &l.f.codeFile)}
	case l.f.passwordFile != "" && s.Kind == actors.StepPassword:
		path := l.f.passwordFile
		l.f.passwordFile = ""
		password, err := l.passwordFrom(ctx, path)
		return actors.Answer{Kind: actors.AnswerPassword, Password: password}, true, err
	case l.f.tokenFile != "" && s.Kind == actors.StepToken:
		answer = actors.Answer{Kind: actors.AnswerToken, Token: take("--bot-token-file", &l.f.tokenFile)}
	case l.f.webTokenFile != "" && s.Kind == actors.StepWebToken && (l.f.webTokenFile != "-" || !l.person()):
		answer = actors.Answer{Kind: actors.AnswerToken, Token: take("--web-token-file", &l.f.webTokenFile)}
	case l.f.assertionFile != "" && s.Kind == actors.StepPasskey:
		path := l.f.assertionFile
		l.f.assertionFile = ""
		text, err := l.jsonText(ctx, "--assertion-file", path)
		return actors.Answer{Kind: actors.AnswerPasskey, Credential: actors.JSONText(text)}, true, err
	}
	return answer, ok, err
}

// passwordFrom reads a password as it is.
func (l *signIn) passwordFrom(ctx context.Context, path string) (string, error) {
	if path != "-" {
		return passwordFile(ctx, "account login: --password-file", path, nil)
	}
	password, err := l.input.next(ctx)
	if password == "" && (err == nil || errors.Is(err, io.EOF)) {
		return "", usage("account login: --password-file: there is no password in its first line")
	}
	return password, err
}

// jsonFile reads an answer as JSON.
func (l *signIn) jsonFile(ctx context.Context, path string) (answer actors.Answer, ok bool, err error) {
	text, err := l.jsonText(ctx, "--answer-file", path)
	if err == nil && json.Unmarshal([]byte(text), &answer) != nil {
		err = badAnswer("--answer-file: this")
	}
	return answer, true, err
}

// badAnswer does not quote the decoder, which may quote the answer.
func badAnswer(what string) error {
	return usage("account login: %s is not a JSON answer such as {\"kind\":\"code\",\"code\":\"...\"}", what)
}

// jsonText reads a JSON value of several lines.
func (l *signIn) jsonText(ctx context.Context, flag, path string) (string, error) {
	if path == "-" {
		return l.jsonLines(ctx, "")
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", usage("account login: %s: %v", flag, err)
	}
	text := strings.TrimSpace(strings.TrimPrefix(decoded(b), "\ufeff"))
	if !json.Valid([]byte(text)) {
		return "", usage("account login: %s: there is no JSON in it", flag)
	}
	return text, nil
}

// jsonLines goes on with a JSON value that begins with text, until it is whole.
func (l *signIn) jsonLines(ctx context.Context, text string) (string, error) {
	for !json.Valid([]byte(text)) {
		line, err := l.input.next(ctx)
		switch {
		case errors.Is(err, io.EOF), len(text)+len(line) > maxLine:
			return "", usage("account login: standard input holds no whole JSON value")
		case err != nil:
			return "", err
		}
		text = strings.TrimSpace(text + "\n" + line)
	}
	return text, nil
}

// scripted answers a step with a line of standard input, unless it goes on by
// itself before.
func (l *signIn) scripted(ctx context.Context, s actors.Step) (turn, error) {
	if err := l.showScript(s); err != nil {
		return turn{}, err
	}
	for {
		line, next, err := l.typedOr(ctx, s)
		switch {
		case next != nil:
			return turn{next: next}, nil
		case errors.Is(err, io.EOF):
			return turn{}, nil
		case err != nil:
			return turn{}, err
		}
		if strings.TrimSpace(line) == "" && s.Kind != actors.StepPassword {
			continue // nothing is an answer to nothing
		}
		answer, err := l.parseAnswer(ctx, s, line)
		if answer.Step == "" {
			answer.Step = s.ID
		}
		return turn{answer: &answer}, err
	}
}

// showScript shows who reads no JSON what is not in the answer to come.
func (l *signIn) showScript(s actors.Step) error {
	again := s.ID == l.shown
	l.shown = s.ID
	switch {
	case l.f.json, again:
		return nil
	case s.Kind == actors.StepQR:
		return l.showQR(s)
	case s.Kind == actors.StepPasskey:
		return l.sayf("%s", s.Options)
	case s.Kind == actors.StepPNV:
		return l.printJSON(struct {
			Nonce   string `json:"nonce"`
			Payload string `json:"payload"`
		}{s.Nonce, s.Payload})
	}
	return nil
}

// parseAnswer reads a line of standard input: JSON with a kind, or what the step
// asks for. An assertion, which has no kind, may be of several lines.
func (l *signIn) parseAnswer(ctx context.Context, s actors.Step, line string) (answer actors.Answer, err error) {
	text := strings.TrimSpace(line)
	if strings.HasPrefix(text, "{") && s.Kind == actors.StepPasskey {
		if text, err = l.jsonLines(ctx, text); err != nil {
			return answer, err
		}
		if json.Unmarshal([]byte(text), &answer) == nil && answer.Kind != "" {
			return answer, nil
		}
		return actors.Answer{Kind: actors.AnswerPasskey, Credential: actors.JSONText(text)}, nil
	}
	if strings.HasPrefix(text, "{") {
		if json.Unmarshal([]byte(text), &answer) == nil && answer.Kind != "" {
			return answer, nil
		}
		if s.Kind != actors.StepPassword { // which may begin with a bracket
			return answer, badAnswer("--stdin: a line")
		}
	}
	switch s.Kind {
	case actors.StepPhone:
		return actors.Answer{Kind: actors.AnswerPhone, Phone: text}, nil
	case actors.StepToken, actors.StepWebToken:
		return actors.Answer{Kind: actors.AnswerToken, Token: text}, nil
	case actors.StepPassword:
		return actors.Answer{Kind: actors.AnswerPassword, Password: line}, nil
	case actors.StepNewPassword:
		return actors.Answer{Kind: actors.AnswerNewPassword, Password: line}, nil
	case actors.StepEmail:
		return actors.Answer{Kind: actors.AnswerEmail, Email: text}, nil
	case actors.StepPNV:
		return actors.Answer{Kind: actors.AnswerPNV, Token: text}, nil
	}
	return actors.Answer{Kind: actors.AnswerCode, Code: text}, nil
}
