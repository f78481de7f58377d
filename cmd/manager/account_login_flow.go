package main

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
)

// signIn is one run of `account login`.
type signIn struct {
	*app
	service control.Service
	id      string
	f       loginFlags
	input   *input
	shown   string // the id of the step that a person has before their eyes
	screen  qrScreen
	stored  bool    // it can be gone on with
	served  *served // the control socket, while we hold the store and wait
	refusal error   // of the last answer, when it may be given again
}

// A turn is what comes after a step was shown: an answer, or another step by
// itself, or neither, and then the sign-in is left where it is.
type turn struct {
	answer *actors.Answer
	next   *control.Progress
}

func (l *signIn) run(ctx context.Context) error {
	p, err := l.begin(ctx)
	for err == nil && p.Step != nil {
		l.stored = true
		if l.f.json {
			if err := l.printJSON(progressLine{p, refusalLine(l.refusal)}); err != nil {
				return err
			}
		}
		var t turn
		if t, err = l.turn(ctx, p); err != nil {
			break
		}
		switch {
		case t.next != nil:
			p, l.refusal = *t.next, nil
		case t.answer == nil:
			l.screen.clear(l.err)
			return l.pause(*p.Step)
		default:
			p, err = l.send(ctx, p, *t.answer)
			if t.answer.Kind == actors.AnswerCancel && canceled(err) {
				l.screen.clear(l.err)
				return l.sayCanceled()
			}
		}
	}
	l.screen.clear(l.err)
	switch {
	case err != nil && ctx.Err() != nil:
		return l.interrupted(err)
	case err != nil:
		return l.ended(err)
	case l.f.json:
		return l.printJSON(p)
	}
	return l.sayf("%s", signedInLine(p.Account))
}

// turn finds what comes after a step: by flag, by standard input, by asking, or
// by itself.
func (l *signIn) turn(ctx context.Context, p control.Progress) (turn, error) {
	s := *p.Step
	if answer, ok, err := l.answerByFlag(ctx, s); ok || err != nil {
		answer.Step = s.ID
		return turn{answer: &answer}, err
	}
	switch {
	case l.person():
		l.serve()
		return l.askStep(ctx, s)
	case l.script():
		l.serve()
		return l.scripted(ctx, s)
	case s.Kind == actors.StepQR:
		l.serve()
		if err := l.showQR(s); err != nil {
			return turn{}, err
		}
		next, err := l.other(ctx, s)
		return turn{next: next}, err
	}
	return turn{}, nil
}

// send gives an answer, and tells what was wrong with one that may be given
// again: what was refused here has cost nothing.
func (l *signIn) send(ctx context.Context, p control.Progress, answer actors.Answer) (next control.Progress, err error) {
	l.refusal = nil
	err = l.wait(ctx, func(ctx context.Context) (err error) {
		next, err = control.Answer.Call(ctx, l.service, control.AnswerRequest{ID: l.id, Answer: answer})
		return err
	})
	if err == nil {
		l.f.refused = next.Step != nil && next.Step.LastError != ""
		return next, nil
	}
	switch control.KindOf(err) {
	case control.KindState, control.KindRefused, control.KindWait:
	default:
		return next, err
	}
	if answer.Kind == actors.AnswerCancel || !l.person() && !l.script() {
		return next, err
	}
	shown := l.wait(ctx, func(ctx context.Context) (err error) {
		next, err = control.Step.Call(ctx, l.service, control.StepRequest{ID: l.id})
		return err
	})
	if shown != nil || next.Step == nil && !next.Account.SignedIn {
		return next, err // it was the end
	}
	l.refusal = err
	if !l.f.json {
		l.printf("%s\n", describe(err))
	}
	return next, nil
}

// wait bounds how long a DC is waited for.
func (l *signIn) wait(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, l.f.timeout)
	defer cancel()
	return f(ctx)
}

// other waits until the sign-in shows another step by itself, or is over.
func (l *signIn) other(ctx context.Context, s actors.Step) (*control.Progress, error) {
	p, err := control.Step.Call(ctx, l.service, control.StepRequest{ID: l.id, After: s.ID})
	if err != nil {
		return nil, err
	}
	return &p, nil
}

// typedOr waits for a line, or until another step is shown by itself. At the end
// of the input it fails with io.EOF.
func (l *signIn) typedOr(ctx context.Context, s actors.Step) (line string, next *control.Progress, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	news := make(chan error, 1)
	go func() {
		var err error
		next, err = l.other(ctx, s)
		news <- err
	}()
	lines := make(chan typed, 1)
	go func() {
		line, err := l.input.next(ctx)
		lines <- typed{line, err}
	}()
	// Both are waited for: the store may be closed next, the terminal read.
	for late := expiry(s); ; {
		select {
		case <-late:
			late = nil
			l.screen.expired(l.err)
		case err := <-news:
			cancel()
			l.input.keep(<-lines)
			return "", next, err
		case t := <-lines:
			if errors.Is(t.err, io.EOF) && byItself(s) && !l.person() {
				err := <-news // nobody can answer, and nobody needs to
				return "", next, err
			}
			cancel()
			<-news
			return t.line, nil, t.err
		}
	}
}

// byItself tells whether a step goes on without an answer.
func byItself(s actors.Step) bool { return s.Type == actors.TypeDisplay }

// expiry tells when a QR code is over; the next one may be late.
func expiry(s actors.Step) <-chan time.Time {
	if s.Kind != actors.StepQR || s.ExpiresAt.IsZero() {
		return nil
	}
	return time.After(time.Until(s.ExpiresAt))
}
