package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/mtproto/login"
)

// begin starts a sign-in, or finds the one under way.
func (l *signIn) begin(ctx context.Context) (p control.Progress, err error) {
	if l.f.resume != "" {
		if err := l.find(ctx); err != nil {
			return p, err
		}
	}
	acc, err := control.Show.Call(ctx, l.service, control.AccountRequest{ID: l.id})
	if l.f.add && control.KindOf(err) == control.KindNoAccount {
		acc, err = l.add(ctx, l.service, l.id, l.f.noPFS, l.f.proxy)
	}
	switch {
	case control.KindOf(err) == control.KindNoAccount && err != nil:
		return p, &control.Error{Kind: control.KindNoAccount, Err: err, Message: err.Error() + ", or sign it in with --add"}
	case err != nil:
		return p, err
	case acc.Status.State == actors.Quarantined:
		return p, &control.Error{Kind: control.KindDamaged, Message: fmt.Sprintf("account %s: %s: %s", l.id, acc.Why, acc.Advice)}
	case acc.SignedIn:
		return control.Progress{Account: acc}, nil
	case acc.Status.State == actors.SigningIn:
		return l.underWay(ctx)
	case l.f.cancel, l.f.resume != "":
		return p, &control.Error{Kind: control.KindState, Message: fmt.Sprintf("account %s: no sign-in is under way", l.id)}
	}
	r, err := l.credentials(ctx)
	if err != nil {
		return p, err
	}
	if !l.f.json {
		if r.Flow == login.FlowPNV {
			l.printf("A carrier's word is experimental: nobody has published what the server's methods mean.\n")
		}
		l.printf("Signing in account %s ...\n", l.id)
	}
	err = l.wait(ctx, func(ctx context.Context) (err error) {
		p, err = control.SignIn.Call(ctx, l.service, r)
		return err
	})
	return p, err
}

// find looks for the account of a sign-in's id, or of the id of a step of it.
func (l *signIn) find(ctx context.Context) error {
	list, err := control.List.Call(ctx, l.service, control.ListRequest{})
	if err != nil {
		return err
	}
	attempt, _, _ := strings.Cut(l.f.resume, ".")
	for _, acc := range list.Accounts {
		switch {
		case acc.SignIn != attempt || attempt == "":
		case l.id != "" && l.id != acc.ID:
			return &control.Error{Kind: control.KindState, Message: fmt.Sprintf("the sign-in %s is of account %s, not of %s", attempt, acc.ID, l.id)}
		default:
			l.id = acc.ID
			return nil
		}
	}
	return &control.Error{Kind: control.KindState, Message: fmt.Sprintf("no sign-in %q is under way: it has ended, or its account is paused; `manager account list` shows which are", l.f.resume)}
}

// underWay goes on with the sign-in that the account has. What begins one is
// refused, but for the way it began by: then it is meant.
func (l *signIn) underWay(ctx context.Context) (p control.Progress, err error) {
	err = l.wait(ctx, func(ctx context.Context) (err error) {
		p, err = control.Step.Call(ctx, l.service, control.StepRequest{ID: l.id})
		return err
	})
	if err != nil || p.Step == nil || l.f.cancel {
		return p, err
	}
	if flow := l.f.flow(); flow != "" && !fitsFlow(flow, p.Step.Kind) {
		return p, &control.Error{Kind: control.KindState, Message: fmt.Sprintf(
			"account %s: a sign-in is under way, at the step %q: go on with it without naming a way in again, or end it with --cancel", l.id, p.Step.Kind)}
	}
	return p, nil
}

// fitsFlow tells whether a sign-in at a step may be one that began by a way. A
// number or a link would be another one's.
func fitsFlow(flow login.Flow, kind actors.StepKind) bool {
	switch kind {
	case actors.StepToken:
		return flow == login.FlowBot
	case actors.StepWebToken:
		return flow == login.FlowWeb
	case actors.StepQR:
		return flow == login.FlowQR
	case actors.StepPasskey:
		return flow == login.FlowPasskey
	case actors.StepPNV:
		return flow == login.FlowPNV
	case actors.StepPassword, actors.StepRecovery, actors.StepNewPassword, actors.StepWait:
		return flow == login.FlowQR || flow == login.FlowPasskey || flow == login.FlowPNV
	}
	return false
}

// credentials is what the sign-in begins with.
func (l *signIn) credentials(ctx context.Context) (r control.SignInRequest, err error) {
	r = control.SignInRequest{ID: l.id, Flow: l.f.flow(), Phone: l.f.phone}
	switch {
	case l.f.phoneFile != "":
		r.Phone, err = l.secret(ctx, "--phone-file", l.f.phoneFile)
	case r.Flow == login.FlowWeb:
		r.WebToken, err = l.webLink(ctx)
	case l.f.tokenFile != "":
		r.BotToken, err = l.secret(ctx, "--bot-token-file", l.f.tokenFile)
	case r.Flow == login.FlowBot && !l.person():
		err = usage("account login: --bot asks for the token in a terminal, and there is none: give --bot-token-file")
	case r.Flow == login.FlowBot:
		r.BotToken, err = l.askToken(ctx)
	case r.Flow == "" && !l.person():
		err = usage("account login: there is no terminal to ask in: give --phone, --phone-file, --bot-token-file, --qr, --passkey or --web-token-file")
	case r.Flow == "":
		return l.askCredentials(ctx, r)
	}
	return r, err
}

// webLink reads the link of a web client; a person's is hidden.
func (l *signIn) webLink(ctx context.Context) (string, error) {
	path := l.f.webTokenFile
	l.f.webTokenFile = "" // it is good once
	if path == "-" && l.person() {
		l.serve()
		return l.askHidden(ctx, "Link of the web client (hidden): ")
	}
	return l.secret(ctx, "--web-token-file", path)
}

// askCredentials asks a person, until it gets what can be a number or a token.
func (l *signIn) askCredentials(ctx context.Context, r control.SignInRequest) (_ control.SignInRequest, err error) {
	l.serve()
	for {
		if r.Phone, err = l.ask(ctx, "Phone number (empty for a bot token): "); err != nil {
			return r, orNothing(err)
		}
		if r.Phone == "" {
			r.Flow = login.FlowBot
			r.BotToken, err = l.askToken(ctx)
			return r, err
		}
		problem := login.CheckPhone(r.Phone)
		if problem == nil {
			return r, nil
		}
		l.printf("%s\n", actors.Words(problem))
	}
}

// askToken asks a person for a bot token, until it gets what can be one.
func (l *signIn) askToken(ctx context.Context) (string, error) {
	l.serve()
	for {
		token, err := l.askHidden(ctx, "Bot token (hidden): ")
		if err == nil && token == "" {
			err = io.EOF
		}
		if err != nil {
			return "", orNothing(err)
		}
		problem := login.CheckToken(token)
		if problem == nil {
			return token, nil
		}
		l.printf("%s\n", actors.Words(problem))
	}
}

// orNothing puts the end of the input into words.
func orNothing(err error) error {
	if errors.Is(err, io.EOF) {
		return usage("account login: neither a phone number nor a bot token was given; other ways in are --qr, --passkey and --web-token-file")
	}
	return err
}
