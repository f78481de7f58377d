package main

import (
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/mtproto/login"
)

// This file asks a person for the answer to a step.

// askStep shows a step to a person and asks for its answer. What was asked and
// cannot be is asked again; at the end of the input the sign-in is left.
func (l *signIn) askStep(ctx context.Context, s actors.Step) (t turn, err error) {
	if s.Kind == actors.StepQR {
		err = l.showQR(s)
	} else if l.screen.clear(l.err); s.ID != l.shown { // a refusal is all that is new
		l.showStep(s)
	}
	l.shown = s.ID
	for err == nil && t == (turn{}) {
		t, err = l.askOnce(ctx, s)
	}
	switch {
	case errors.Is(err, io.EOF):
		l.printf("\n")
		return turn{}, nil
	case t.answer != nil && t.answer.Step == "":
		t.answer.Step = s.ID
	}
	return t, err
}

// showStep says what to do and what is known.
func (l *signIn) showStep(s actors.Step) {
	l.printf("%s\n", s.Message)
	for _, fact := range facts(s, time.Now()) {
		l.printf("%s\n", fact)
	}
	if s.Terms != "" {
		l.printf("%s\n", s.Terms)
	}
	if s.Options != "" {
		l.printf("%s\n", s.Options)
	}
}

// askOnce asks once; an empty turn asks for another try.
func (l *signIn) askOnce(ctx context.Context, s actors.Step) (turn, error) {
	ask, ok := questions[s.Kind]
	if !ok || !s.Supported {
		ask = question{}
	}
	if s.How == actors.HowWord || s.How == actors.HowPhrase {
		ask.wordy = true // the word may be any, also one of ours
	}
	words := choices(s)
	if ask.hidden {
		text, err := ask.secret(ctx, l)
		if err != nil {
			return turn{}, err
		}
		if text != "" {
			return ask.more(ctx, l, s, text)
		}
		line, next, err := l.read(ctx, s, "Choose ("+names(words)+"; Enter alone to go back): ")
		if err != nil || next != nil {
			return turn{next: next}, err
		}
		return l.choose(ctx, words, line, nil)
	}
	prompt := ask.line(words)
	if s.Kind == actors.StepWait {
		prompt = "Wait here, or type cancel; Ctrl-C leaves the sign-in as it is: "
	}
	line, next, err := l.read(ctx, s, prompt)
	if err != nil || next != nil {
		return turn{next: next}, err
	}
	if ask.wordy && line == "" {
		if line, next, err = l.read(ctx, s, "Choose ("+names(words)+"; Enter alone to go back): "); err != nil || next != nil {
			return turn{next: next}, err
		}
		return l.choose(ctx, words, line, nil)
	}
	if ask.wordy {
		words = nil
	}
	return l.choose(ctx, words, line, func(line string) (turn, error) { return ask.more(ctx, l, s, line) })
}

// choose takes one of the words, or hands on what is none.
func (l *signIn) choose(ctx context.Context, words []choice, line string, other func(string) (turn, error)) (turn, error) {
	for _, w := range words {
		if !strings.EqualFold(w.word, line) {
			continue
		}
		if w.from.After(time.Now()) {
			l.printf("That can be had %s.\n", when(w.from, time.Now(), "at %s", ""))
			return turn{}, nil
		}
		if w.ask != nil {
			return w.ask(ctx, l)
		}
		return given(actors.Answer{Kind: w.kind}), nil
	}
	switch {
	case line == "":
		return turn{}, nil
	case other == nil:
		l.printf("The words here are %s.\n", names(words))
		return turn{}, nil
	}
	return other(line)
}

func given(a actors.Answer) turn { return turn{answer: &a} }

// read asks for a line, unless the sign-in goes on elsewhere before.
func (l *signIn) read(ctx context.Context, s actors.Step, prompt string) (line string, next *control.Progress, err error) {
	if s.Kind != actors.StepQR {
		l.printf("%s", prompt)
	}
	line, next, err = l.typedOr(ctx, s)
	switch {
	case err == nil && next == nil:
		l.screen.typed()
	case next != nil && s.Kind != actors.StepQR:
		l.printf("\n")
	}
	return strings.TrimSpace(line), next, err
}

// A question is how a step is asked for.
type question struct {
	prompt string
	hidden bool // nothing is shown of it; what else there is to say comes after an empty answer
	wordy  bool // any word may be the answer; as with hidden
	answer func(text string) actors.Answer
	// ask does more with it, in place of answer.
	ask func(ctx context.Context, l *signIn, s actors.Step, line string) (turn, error)
}

func (q question) line(words []choice) string {
	switch {
	case q.answer == nil && q.ask == nil:
		return "Type " + names(words) + ": "
	case q.wordy:
		return q.prompt + " (Enter alone for other ways): "
	}
	return q.prompt + " (or: " + names(words) + "): "
}

func (q question) secret(ctx context.Context, l *signIn) (string, error) {
	password, _, err := l.askPassword(ctx, q.prompt+" (nothing is shown; Enter alone for other ways): ")
	return password, err
}

func (q question) more(ctx context.Context, l *signIn, s actors.Step, line string) (turn, error) {
	switch {
	case q.ask != nil:
		return q.ask(ctx, l, s, line)
	case q.answer != nil:
		return given(q.answer(line)), nil
	}
	l.printf("The words here are %s.\n", names(choices(s)))
	return turn{}, nil
}

func code(text string) actors.Answer { return actors.Answer{Kind: actors.AnswerCode, Code: text} }

// questions are how steps are asked for; those that are not here know words only.
var questions = map[actors.StepKind]question{
	actors.StepPhone:      {prompt: "Phone number", ask: askNumber},
	actors.StepCode:       {prompt: "Code", answer: code},
	actors.StepFirebase:   {prompt: "Code", answer: code},
	actors.StepEmailSetup: {prompt: "Code", answer: code},
	actors.StepRecovery:   {prompt: "Code", answer: code},
	actors.StepEmail: {prompt: "E-mail address", answer: func(text string) actors.Answer {
		return actors.Answer{Kind: actors.AnswerEmail, Email: text}
	}},
	actors.StepPassword: {prompt: "Password", hidden: true, answer: func(text string) actors.Answer {
		return actors.Answer{Kind: actors.AnswerPassword, Password: text}
	}},
	actors.StepToken: {prompt: "Bot token", hidden: true, answer: func(text string) actors.Answer {
		return actors.Answer{Kind: actors.AnswerToken, Token: text}
	}},
	actors.StepWebToken: {prompt: "Link of the web client", hidden: true, answer: func(text string) actors.Answer {
		return actors.Answer{Kind: actors.AnswerToken, Token: text}
	}},
	actors.StepNewPassword: {prompt: "New password", hidden: true, ask: askNewPassword},
	actors.StepPNV: {prompt: "Token", hidden: true, answer: func(text string) actors.Answer {
		return actors.Answer{Kind: actors.AnswerPNV, Token: text}
	}},
	actors.StepSignUp:  {prompt: "First name", wordy: true, ask: askName},
	actors.StepPasskey: {prompt: "Assertion, as JSON", ask: askAssertion},
}

// askNumber takes a number, or says why it is none.
func askNumber(_ context.Context, l *signIn, _ actors.Step, line string) (turn, error) {
	if problem := login.CheckPhone(line); problem != nil {
		l.printf("%s\n", actors.Words(problem))
		return turn{}, nil
	}
	return given(actors.Answer{Kind: actors.AnswerPhone, Phone: line}), nil
}

func askName(ctx context.Context, l *signIn, _ actors.Step, line string) (turn, error) {
	last, err := l.ask(ctx, "Last name (may be empty): ")
	return given(actors.Answer{Kind: actors.AnswerSignUp, FirstName: line, LastName: last}), err
}

func askAssertion(ctx context.Context, l *signIn, s actors.Step, line string) (turn, error) {
	answer, err := l.parseAnswer(ctx, s, line)
	if err != nil || answer.Kind == actors.AnswerCode {
		l.printf("This is not the JSON of an authenticator, which begins with a bracket.\n")
		return turn{}, nil
	}
	return given(answer), nil
}

// askNewPassword asks for it twice, for nobody sees what they type.
func askNewPassword(ctx context.Context, l *signIn, _ actors.Step, password string) (turn, error) {
	again, _, err := l.askPassword(ctx, "The same once more: ")
	if err != nil {
		return turn{}, err
	}
	if again != password {
		l.printf("These were two passwords.\n")
		return turn{}, nil
	}
	hint, err := l.ask(ctx, "Hint, which whoever signs in is shown (may be empty): ")
	return given(actors.Answer{Kind: actors.AnswerNewPassword, Password: password, Hint: hint}), err
}

func askFormID(ctx context.Context, l *signIn) (turn, error) {
	text, err := l.ask(ctx, "Id of the payment form that was paid: ")
	if err != nil || text == "" {
		return turn{}, err
	}
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		l.printf("That is no id: it is a whole number.\n")
		return turn{}, nil
	}
	return given(actors.Answer{Kind: actors.AnswerPaid, FormID: id}), nil
}
