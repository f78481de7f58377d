package main

import (
	"context"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/wording"
)

// askFor is what is asked next for a choice that needs more than its word; nil for
// one that needs nothing.
func askFor(s actors.Step, c wording.Choice) func(context.Context, *signIn) (turn, error) {
	switch c.Word {
	case wording.Number:
		return func(ctx context.Context, l *signIn) (turn, error) {
			line, err := l.ask(ctx, "Phone number (Enter alone to keep it): ")
			if err != nil || line == "" {
				return turn{}, err
			}
			return askNumber(ctx, l, s, line)
		}
	case wording.Play:
		return askProof("Play Integrity token", func(a *actors.Answer, text string) { a.PlayIntegrity = text })
	case wording.SafetyNet:
		return askProof("SafetyNet token", func(a *actors.Answer, text string) { a.SafetyNet = text })
	case wording.IOS:
		return askProof("secret of the push", func(a *actors.Answer, text string) { a.IOSPushSecret = text })
	case wording.Paid:
		return askFormID
	case wording.Apple, wording.Google:
		return askProvider(c.Word)
	}
	return nil
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
