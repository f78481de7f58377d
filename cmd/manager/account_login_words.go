package main

import (
	"context"
	"strings"
	"time"

	"github.com/mtfleet/mtfleet/actors"
)

// A choice is a word that answers a step.
type choice struct {
	word string
	kind actors.AnswerKind
	from time.Time                                          // not before
	ask  func(context.Context, *signIn) (t turn, err error) // what is asked next, in place of kind
}

func names(words []choice) string {
	list := make([]string, len(words))
	for i, w := range words {
		list[i] = w.word
	}
	return strings.Join(list, ", ")
}

// choices are the words that fit a step.
func choices(s actors.Step) (words []choice) {
	add := func(fits bool, c choice) {
		if fits {
			words = append(words, c)
		}
	}
	number := choice{word: "number", ask: func(ctx context.Context, l *signIn) (turn, error) {
		line, err := l.ask(ctx, "Phone number (Enter alone to keep it): ")
		if err != nil || line == "" {
			return turn{}, err
		}
		return askNumber(ctx, l, s, line)
	}}
	if !s.Supported {
		add(s.Kind == actors.StepSignUp, number)
		return append(words, choice{word: "cancel", kind: actors.AnswerCancel})
	}
	add(s.Kind == actors.StepCode && s.Next != "" || s.Kind == actors.StepFirebase, choice{word: "resend", kind: actors.AnswerResend, from: s.ResendAt})
	add(s.Kind == actors.StepNewCode, choice{word: "resend", kind: actors.AnswerResend, from: s.Until})
	add(s.Kind == actors.StepFirebase, choice{word: "play", ask: askProof("Play Integrity token", func(a *actors.Answer, text string) { a.PlayIntegrity = text })})
	add(s.Kind == actors.StepFirebase, choice{word: "safetynet", ask: askProof("SafetyNet token", func(a *actors.Answer, text string) { a.SafetyNet = text })})
	add(s.Kind == actors.StepFirebase, choice{word: "ios", ask: askProof("secret of the push", func(a *actors.Answer, text string) { a.IOSPushSecret = text })})
	add(s.Kind == actors.StepPayment, choice{word: "paid", ask: askFormID})
	add(s.Apple, choice{word: "apple", ask: askProvider("apple")})
	add(s.Google, choice{word: "google", ask: askProvider("google")})
	add(s.Kind == actors.StepCode && !s.ResetAt.IsZero(), choice{word: "reset", kind: actors.AnswerResetEmail})
	add(s.Kind == actors.StepPassword && s.Recovery, choice{word: "forgot", kind: actors.AnswerForgot, from: s.Until})
	add(s.Kind == actors.StepRecovery, choice{word: "again", kind: actors.AnswerForgot, from: s.Until})
	add(s.Kind == actors.StepNewPassword, choice{word: "none", kind: actors.AnswerNoPassword, from: s.Until})
	add(at(s, actors.StepRecovery, actors.StepNewPassword, actors.StepEmailSetup), choice{word: "back", kind: actors.AnswerBack})
	add(at(s, actors.StepCode, actors.StepNewCode, actors.StepFirebase, actors.StepPayment, actors.StepEmail, actors.StepEmailSetup), number)
	add(s.Kind == actors.StepSignUp && s.Phone != "", number)
	return append(words, choice{word: "cancel", kind: actors.AnswerCancel})
}

// askProof asks for what a device gave, hidden.
func askProof(what string, put func(*actors.Answer, string)) func(context.Context, *signIn) (turn, error) {
	return func(ctx context.Context, l *signIn) (turn, error) {
		text, err := l.askHidden(ctx, what+" (hidden): ")
		if err != nil || text == "" {
			return turn{}, err
		}
		answer := actors.Answer{Kind: actors.AnswerFirebase}
		put(&answer, text)
		return given(answer), nil
	}
}

// askProvider asks for a provider's token in place of an e-mail's code.
func askProvider(provider string) func(context.Context, *signIn) (turn, error) {
	return func(ctx context.Context, l *signIn) (turn, error) {
		text, err := l.askHidden(ctx, "Token of "+provider+" (hidden): ")
		if err != nil || text == "" {
			return turn{}, err
		}
		return given(actors.Answer{Kind: actors.AnswerEmailToken, Provider: provider, Token: text}), nil
	}
}
