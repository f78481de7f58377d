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
	"github.com/mtfleet/mtfleet/cmd/manager/wording"
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
	for _, fact := range wording.Facts(s, time.Now()) {
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
	ask := questionOf(s)
	choices := wording.Choices(s)
	if ask.Hidden {
		text, err := ask.secret(ctx, l)
		if err != nil {
			return turn{}, err
		}
		if text != "" {
			return ask.more(ctx, l, s, text)
		}
		line, next, err := l.read(ctx, s, "Choose ("+wording.Names(choices)+"; Enter alone to go back): ")
		if err != nil || next != nil {
			return turn{next: next}, err
		}
		return l.choose(ctx, s, choices, line, nil)
	}
	prompt := ask.line(choices)
	if s.Kind == actors.StepWait {
		prompt = "Wait here, or type cancel; Ctrl-C leaves the sign-in as it is: "
	}
	line, next, err := l.read(ctx, s, prompt)
	if err != nil || next != nil {
		return turn{next: next}, err
	}
	if ask.Wordy && line == "" {
		if line, next, err = l.read(ctx, s, "Choose ("+wording.Names(choices)+"; Enter alone to go back): "); err != nil || next != nil {
			return turn{next: next}, err
		}
		return l.choose(ctx, s, choices, line, nil)
	}
	if ask.Wordy {
		choices = nil
	}
	return l.choose(ctx, s, choices, line, func(line string) (turn, error) { return ask.more(ctx, l, s, line) })
}

// choose takes one of the words, or hands on what is none.
func (l *signIn) choose(ctx context.Context, s actors.Step, choices []wording.Choice, line string, other func(string) (turn, error)) (turn, error) {
	for _, c := range choices {
		if !strings.EqualFold(c.Word, line) {
			continue
		}
		if c.From.After(time.Now()) {
			l.printf("That can be had %s.\n", wording.When(c.From, time.Now(), "at %s", ""))
			return turn{}, nil
		}
		if ask := askFor(s, c); ask != nil {
			return ask(ctx, l)
		}
		return given(actors.Answer{Kind: c.Kind}), nil
	}
	switch {
	case line == "":
		return turn{}, nil
	case other == nil:
		l.printf("The words here are %s.\n", wording.Names(choices))
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

// A question is how a person is asked for a step.
type question struct {
	wording.Question
	// ask does more with what was typed than Answer.
	ask func(ctx context.Context, l *signIn, s actors.Step, line string) (turn, error)
}

func questionOf(s actors.Step) question {
	q := question{Question: wording.QuestionOf(s)}
	if q.Answer != nil {
		q.ask = map[actors.StepKind]func(context.Context, *signIn, actors.Step, string) (turn, error){
			actors.StepPhone: askNumber, actors.StepNewPassword: askNewPassword, actors.StepSignUp: askName, actors.StepPasskey: askAssertion,
		}[s.Kind]
	}
	return q
}

func (q question) line(choices []wording.Choice) string {
	switch {
	case q.Answer == nil:
		return "Type " + wording.Names(choices) + ": "
	case q.Wordy:
		return q.Prompt + " (Enter alone for other ways): "
	}
	return q.Prompt + " (or: " + wording.Names(choices) + "): "
}

func (q question) secret(ctx context.Context, l *signIn) (string, error) {
	password, _, err := l.askPassword(ctx, q.Prompt+" (nothing is shown; Enter alone for other ways): ")
	return password, err
}

func (q question) more(ctx context.Context, l *signIn, s actors.Step, line string) (turn, error) {
	switch {
	case q.ask != nil:
		return q.ask(ctx, l, s, line)
	case q.Answer != nil:
		return given(q.Answer(line)), nil
	}
	l.printf("The words here are %s.\n", wording.Names(wording.Choices(s)))
	return turn{}, nil
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
