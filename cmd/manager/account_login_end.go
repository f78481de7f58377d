package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/cmd/manager/wording"
)

// This file has the last words of the command, and how a sign-in is told to
// programs.

// progressLine is a step as a line of JSON.
type progressLine struct {
	control.Progress
	// Refusal is what was wrong with the last answer; the step is still there.
	Refusal *refusal `json:"refusal,omitempty"`
}

type refusal struct {
	Error string       `json:"error"`
	Kind  control.Kind `json:"kind"`
	Until time.Time    `json:"until,omitzero"`
}

func refusalLine(err error) *refusal {
	if err == nil {
		return nil
	}
	r := &refusal{Error: err.Error(), Kind: control.KindOf(err)}
	var e *control.Error
	if errors.As(err, &e) {
		r.Until = e.Until
	}
	return r
}

// canceled tells whether a sign-in ended because it was meant to.
func canceled(err error) bool {
	var e *actors.SignInError
	if errors.As(err, &e) {
		return e.Reason == actors.SignInCanceled
	}
	return control.KindOf(err) == control.KindState || err == nil
}

func (l *signIn) sayCanceled() error {
	if l.f.json {
		return l.printJSON(struct {
			ID       string `json:"id"`
			Canceled bool   `json:"canceled"`
		}{l.id, true})
	}
	return l.sayf("The sign-in of account %s is cancelled.", l.id)
}

func (l *signIn) again() string { return "manager account login " + l.id }

// interrupted says that nothing is lost.
func (l *signIn) interrupted(err error) error {
	if !l.stored {
		return err
	}
	if l.person() {
		l.printf("\n") // behind the prompt
	}
	return &exitError{code: exitInterrupted, kind: control.KindCanceled, err: err,
		text: fmt.Sprintf("interrupted: the sign-in of account %s is stored; go on with `%s`, or end it with --cancel", l.id, l.again())}
}

// ended says what to do after an error that ends the command.
func (l *signIn) ended(err error) error {
	var e *control.Error
	if !errors.As(err, &e) || e.Err != nil && errors.As(e.Err, new(*exitError)) {
		return err
	}
	next := ""
	switch e.Kind {
	case control.KindStopped:
		next = fmt.Sprintf("; the sign-in is stored: go on with `%s`", l.again())
	case control.KindMayHaveRun, control.KindStore:
		next = fmt.Sprintf("; go on with `%s`, which finds where it stands", l.again())
	}
	if next == "" {
		return err
	}
	return &control.Error{Kind: e.Kind, Message: e.Message + next, Until: e.Until, Err: e}
}

// pause leaves the sign-in where it is and says how to go on.
func (l *signIn) pause(s actors.Step) error {
	switch {
	case l.refusal != nil:
		return &control.Error{Kind: control.KindOf(l.refusal), Err: l.refusal, Message: fmt.Sprintf(
			"account %s: %s. Nothing is lost: go on with `%s %s`, or end it with --cancel", l.id, l.refusal, l.again(), nextFlag(s))}
	case s.Kind == actors.StepWait:
		return &control.Error{Kind: control.KindWait, Until: s.Until, Message: fmt.Sprintf(
			"account %s: %s `manager run` does that, or `%s` after that time", l.id, s.Message, l.again())}
	case s.LastError == "FLOOD_WAIT":
		return &control.Error{Kind: control.KindWait, Until: s.Until, Message: fmt.Sprintf(
			"account %s: %s Go on with `%s %s`, or end it with --cancel", l.id, s.Message, l.again(), nextFlag(s))}
	case !s.Supported:
		return &control.Error{Kind: control.KindRefused, Message: fmt.Sprintf("account %s: %s (`%s --cancel`)", l.id, s.Message, l.again())}
	case l.f.refused || s.LastError != "" && s.LastError != restarted:
		return l.refused(s)
	case l.f.json:
		return nil // the step is printed
	}
	if err := l.sayf("%s", s.Message); err != nil {
		return err
	}
	for _, fact := range wording.Facts(s, time.Now()) {
		if err := l.sayf("%s", fact); err != nil {
			return err
		}
	}
	return l.sayf("Go on with: %s %s", l.again(), nextFlag(s))
}

// refused says what was wrong with the answer and how to go on.
func (l *signIn) refused(s actors.Step) error {
	message := fmt.Sprintf("account %s: %s Nothing is lost: go on with `%s %s`, or end it with --cancel", l.id, s.Message, l.again(), nextFlag(s))
	if said := s.ServerSaid(); said != "" {
		message += " (the server said " + said + ")"
	}
	return &control.Error{Kind: control.KindRefused, Message: message}
}

// nextFlag is the flag that answers a step.
func nextFlag(s actors.Step) string {
	switch s.Kind {
	case actors.StepCode, actors.StepEmailSetup, actors.StepRecovery:
		return "--code-file -"
	case actors.StepNewCode, actors.StepFirebase:
		return "--resend"
	case actors.StepPhone:
		return "--new-phone NUMBER"
	case actors.StepPassword:
		return "--password-file -"
	case actors.StepEmail:
		return "--email ADDRESS"
	case actors.StepSignUp:
		return "--first-name NAME"
	case actors.StepToken:
		return "--bot-token-file FILE"
	case actors.StepWebToken:
		return "--web-token-file FILE"
	case actors.StepPasskey:
		return "--passkey"
	case actors.StepPNV:
		return "--pnv"
	case actors.StepQR:
		return "--qr"
	case actors.StepPayment, actors.StepNewPassword:
		return "--answer-file FILE"
	}
	return "--stdin"
}
