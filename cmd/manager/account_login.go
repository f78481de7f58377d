package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/mtproto/login"
)

// loginFlags are what `account login` takes.
type loginFlags struct {
	accountFlags
	add               bool
	noPFS             bool
	phone, phoneFile  string
	tokenFile         string
	code, codeFile    string
	first, last       string
	resend, cancel    bool
	answersFromStdin  bool
	answered, refused bool // an answer was given by a flag; the server did not take it
}

func (a *app) loginCommand() *cobra.Command {
	var f loginFlags
	c := &cobra.Command{
		Use: "login NAME", Short: "Sign an account in by phone or bot token, or go on with a sign-in", Args: exactly("NAME"),
		Long: `login signs an account in. In a terminal it asks for what it needs. A sign-in is
stored: it may be left at any step and gone on with later, by the same command.

For scripts: give what is known by flags, and secrets by files, where "-" is
standard input, so that they are in no process list.

  manager account login alice --phone +15550100           # sends the code
  manager account login alice --code-file - < code.txt    # signs in
  manager account login helper --bot-token-file token.txt

With --stdin each step takes one line of standard input: a code, or an answer as
JSON such as {"kind":"resend"}. With --json each step is a line of JSON.`,
		RunE: func(c *cobra.Command, args []string) error {
			if err := f.check(); err != nil {
				return err
			}
			return a.withService(c, &f.accountFlags, func(ctx context.Context, s control.Service) error {
				l := &signIn{app: a, service: s, id: args[0], f: f}
				return l.run(ctx)
			})
		},
	}
	f.register(c)
	flags := c.Flags()
	flags.BoolVar(&f.add, "add", false, "make the account first if there is none of that name")
	flags.BoolVar(&f.noPFS, "no-pfs", false, "with --add: send calls under the perm key itself")
	flags.StringVar(&f.phone, "phone", "", "phone `NUMBER` with its country code")
	flags.StringVar(&f.phoneFile, "phone-file", "", "read the phone number from `FILE`; - is standard input")
	flags.StringVar(&f.tokenFile, "bot-token-file", "", "read a bot token from `FILE`; - is standard input")
	flags.StringVar(&f.code, "code", "", "the `CODE` that was sent (others on this machine can see it; prefer --code-file)")
	flags.StringVar(&f.codeFile, "code-file", "", "read the code from `FILE` when it is asked for; - is standard input")
	flags.StringVar(&f.first, "first-name", "", "sign up with this name when the number has no account (test DCs only)")
	flags.StringVar(&f.last, "last-name", "", "last name for --first-name")
	flags.BoolVar(&f.resend, "resend", false, "ask for another code")
	flags.BoolVar(&f.cancel, "cancel", false, "end the sign-in that is under way")
	flags.BoolVar(&f.answersFromStdin, "stdin", false, "read an answer for each step from standard input, one a line")
	return c
}

func (f *loginFlags) check() error {
	given := 0
	for _, s := range []string{f.phone, f.phoneFile, f.tokenFile} {
		if s != "" {
			given++
		}
	}
	if given > 1 {
		return usage("account login: give one of --phone, --phone-file and --bot-token-file")
	}
	if f.code != "" && f.codeFile != "" {
		return usage("account login: give one of --code and --code-file")
	}
	stdin := 0
	for _, used := range []bool{f.phoneFile == "-", f.tokenFile == "-", f.codeFile == "-", f.answersFromStdin} {
		if used {
			stdin++
		}
	}
	if stdin > 1 {
		return usage("account login: standard input can only be one thing: a file flag \"-\", or --stdin")
	}
	if f.resend && f.cancel {
		return usage("account login: give one of --resend and --cancel")
	}
	return nil
}

// signIn is one run of `account login`.
type signIn struct {
	*app
	service control.Service
	id      string
	f       loginFlags
	lines   *bufio.Reader // standard input, once it is read
}

func (l *signIn) run(ctx context.Context) error {
	p, err := l.begin(ctx)
	for err == nil && p.Step != nil {
		if l.f.json {
			if err := l.printJSON(p); err != nil {
				return err
			}
		}
		answer, ok, askErr := l.answer(ctx, *p.Step)
		if askErr != nil {
			return askErr
		}
		if !ok {
			return l.pause(*p.Step)
		}
		err = l.wait(ctx, func(ctx context.Context) (err error) {
			p, err = l.service.Answer(ctx, control.AnswerRequest{ID: l.id, Answer: answer})
			return err
		})
		if answer.Kind == actors.AnswerCancel && canceled(err) {
			return l.sayCanceled()
		}
		if step, ok := l.another(ctx, err); ok {
			p, err = step, nil
			continue
		}
		l.f.refused = err == nil && p.Step != nil && p.Step.LastError != ""
	}
	switch {
	case err != nil:
		return err
	case l.f.json:
		return l.printJSON(p)
	}
	return l.sayf("%s", signedInLine(p.Account))
}

// another tells a person what was wrong with an answer, when it may be given
// again: what was refused here has cost nothing.
func (l *signIn) another(ctx context.Context, refusal error) (p control.Progress, ok bool) {
	switch control.KindOf(refusal) {
	case control.KindState, control.KindRefused, control.KindWait:
	default:
		return p, false
	}
	if refusal == nil || !l.person() {
		return p, false
	}
	err := l.wait(ctx, func(ctx context.Context) (err error) {
		p, err = l.service.Step(ctx, control.StepRequest{ID: l.id})
		return err
	})
	if err != nil || p.Step == nil {
		return p, false
	}
	l.printf("%s\n", refusal)
	return p, true
}

// canceled tells whether a sign-in ended because it was meant to.
func canceled(err error) bool {
	var e *login.Error
	if errors.As(err, &e) {
		return e.Reason == login.ReasonCanceled
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

// wait bounds how long a DC is waited for.
func (l *signIn) wait(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, l.f.timeout)
	defer cancel()
	return f(ctx)
}

// begin starts a sign-in, or finds the one under way.
func (l *signIn) begin(ctx context.Context) (p control.Progress, err error) {
	req := control.AccountRequest{ID: l.id}
	acc, err := l.service.Show(ctx, req)
	if l.f.add && control.KindOf(err) == control.KindNoAccount {
		acc, err = l.add(ctx, l.service, l.id, l.f.noPFS)
	}
	if err != nil {
		return p, err
	}
	given := l.f.phone != "" || l.f.phoneFile != "" || l.f.tokenFile != ""
	switch {
	case acc.Status.State == actors.Quarantined:
		return p, &control.Error{Kind: control.KindDamaged, Message: fmt.Sprintf("account %s: %s: %s", l.id, acc.Why, acc.Advice)}
	case acc.SignedIn:
		return control.Progress{Account: acc}, nil
	case acc.Status.State == actors.SigningIn && given && !l.f.cancel && !l.asksToken(acc):
		return p, &control.Error{Kind: control.KindState, Message: fmt.Sprintf(
			"account %s: a sign-in is under way: go on with it without naming a phone or token again, or end it with --cancel", l.id)}
	case acc.Status.State == actors.SigningIn:
		err = l.wait(ctx, func(ctx context.Context) (err error) {
			p, err = l.service.Step(ctx, control.StepRequest{ID: l.id})
			return err
		})
		return p, err
	case l.f.cancel:
		return p, &control.Error{Kind: control.KindState, Message: fmt.Sprintf("account %s: no sign-in is under way", l.id)}
	}
	r, err := l.credentials(ctx)
	if err != nil {
		return p, err
	}
	if !l.f.json {
		l.printf("Signing in account %s ...\n", l.id)
	}
	err = l.wait(ctx, func(ctx context.Context) (err error) {
		p, err = l.service.SignIn(ctx, r)
		return err
	})
	return p, err
}

// asksToken reports whether the sign-in under way wants the bot token once more,
// for it is never stored, and that is what was given.
func (l *signIn) asksToken(acc control.Account) bool {
	return l.f.tokenFile != "" && acc.Status.Step != nil && acc.Status.Step.Kind == login.StepToken
}

// credentials is what the sign-in begins with.
func (l *signIn) credentials(ctx context.Context) (control.SignInRequest, error) {
	r := control.SignInRequest{ID: l.id, Phone: l.f.phone}
	var err error
	switch {
	case r.Phone != "":
	case l.f.phoneFile != "":
		r.Phone, err = l.secret(ctx, "--phone-file", l.f.phoneFile)
	case l.f.tokenFile != "":
		r.BotToken, err = l.secret(ctx, "--bot-token-file", l.f.tokenFile)
	case !l.person():
		err = usage("account login: there is no terminal to ask in: give --phone, --phone-file or --bot-token-file")
	default:
		return l.askCredentials(ctx, r)
	}
	return r, err
}

// askCredentials asks a person, until it gets what can be a number or a token.
func (l *signIn) askCredentials(ctx context.Context, r control.SignInRequest) (_ control.SignInRequest, err error) {
	for {
		if r.Phone, err = l.ask(ctx, "Phone number (empty for a bot token): "); err != nil {
			return r, err
		}
		problem := login.CheckPhone(r.Phone)
		if r.Phone == "" {
			if r.BotToken, err = l.askHidden(ctx, "Bot token: "); err != nil {
				return r, err
			}
			if r.BotToken == "" {
				return r, usage("account login: neither a phone number nor a bot token was given")
			}
			problem = login.CheckToken(r.BotToken)
		}
		if problem == nil {
			return r, nil
		}
		l.printf("%s\n", actors.Words(problem))
	}
}

// person tells whether somebody can be asked.
func (l *signIn) person() bool {
	_, ok := terminal(l.in)
	return ok && !l.f.answersFromStdin && !l.f.json
}

// answer finds the answer to a step: by flag, by standard input, by asking. It
// is false when there is none.
func (l *signIn) answer(ctx context.Context, s actors.Step) (actors.Answer, bool, error) {
	if l.f.cancel {
		return actors.Answer{Kind: actors.AnswerCancel}, true, nil
	}
	if s.Kind == login.StepWait {
		return actors.Answer{}, false, nil
	}
	if answer, ok, err := l.answerByFlag(ctx, s); ok || err != nil {
		return answer, ok, err
	}
	if l.f.answersFromStdin {
		line, err := l.line(ctx)
		if errors.Is(err, io.EOF) && line == "" {
			return actors.Answer{}, false, nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return actors.Answer{}, false, err
		}
		return parseAnswer(s, line)
	}
	if !l.person() {
		return actors.Answer{}, false, nil
	}
	return l.askStep(ctx, s)
}

// answerLost is the LastError of a step whose code may never have been asked for:
// the connection was lost first.
const answerLost = "ANSWER_LOST"

// answerByFlag gives each answer of the command line once: a code that was wrong
// is not sent again.
func (l *signIn) answerByFlag(ctx context.Context, s actors.Step) (answer actors.Answer, ok bool, err error) {
	if s.Kind == login.StepNewCode && s.LastError == answerLost && !l.f.answered {
		// Whoever runs the command once more wants the code that never came.
		l.f.resend = true
	}
	switch {
	case l.f.resend && (s.Kind == login.StepCode || s.Kind == login.StepNewCode):
		l.f.resend, l.f.answered = false, true
		return actors.Answer{Kind: actors.AnswerResend}, true, nil
	case s.Kind == login.StepSignUp && l.f.first != "":
		answer = actors.Answer{Kind: actors.AnswerSignUp, FirstName: l.f.first, LastName: l.f.last}
		l.f.first, l.f.answered = "", true
		return answer, true, nil
	case s.Kind == login.StepToken && l.f.tokenFile != "":
		token, err := l.secret(ctx, "--bot-token-file", l.f.tokenFile)
		l.f.tokenFile, l.f.answered = "", true
		return actors.Answer{Kind: login.AnswerToken, Token: token}, true, err
	case s.Kind == login.StepPhone && l.f.phone != "" && l.f.answered:
		answer = actors.Answer{Kind: actors.AnswerPhone, Phone: l.f.phone}
		l.f.phone = ""
		return answer, true, nil
	case s.Kind != login.StepCode:
		return answer, false, nil
	case l.f.code != "":
		answer = actors.Answer{Kind: actors.AnswerCode, Code: l.f.code}
		l.f.code, l.f.answered = "", true
		return answer, true, nil
	case l.f.codeFile != "":
		code, err := l.secret(ctx, "--code-file", l.f.codeFile)
		l.f.codeFile, l.f.answered = "", true
		return actors.Answer{Kind: actors.AnswerCode, Code: code}, true, err
	}
	return answer, false, nil
}

// parseAnswer reads a line of --stdin.
func parseAnswer(s actors.Step, line string) (answer actors.Answer, ok bool, err error) {
	if strings.HasPrefix(line, "{") {
		if json.Unmarshal([]byte(line), &answer) != nil {
			// Not the decoder's own text: it may quote the answer.
			return answer, false, usage("account login: --stdin: a line is not a JSON answer such as {\"kind\":\"code\",\"code\":\"...\"}")
		}
		return answer, true, nil
	}
	switch s.Kind {
	case login.StepPhone:
		return actors.Answer{Kind: actors.AnswerPhone, Phone: line}, true, nil
	case login.StepToken, login.StepWebToken:
		return actors.Answer{Kind: login.AnswerToken, Token: line}, true, nil
	case login.StepPassword:
		return actors.Answer{Kind: actors.AnswerPassword, Password: line}, true, nil
	}
	return actors.Answer{Kind: actors.AnswerCode, Code: line}, true, nil
}

// pause leaves the sign-in where it is and says how to go on.
func (l *signIn) pause(s actors.Step) error {
	again := "manager account login " + l.id
	switch {
	case s.Kind == login.StepWait:
		return &control.Error{Kind: control.KindWait, Until: s.Until, Message: fmt.Sprintf(
			"account %s: the server wants us to wait. `manager run`, or `%s` after that time, goes on with the sign-in", l.id, again)}
	case s.LastError == "FLOOD_WAIT":
		return &control.Error{Kind: control.KindWait, Until: s.Until, Message: fmt.Sprintf("account %s: %s Go on with `%s %s`, or end it with --cancel", l.id, s.Message, again, nextFlag(s))}
	case !s.Supported:
		return &control.Error{Kind: control.KindRefused, Message: fmt.Sprintf("account %s: %s (`%s --cancel`)", l.id, s.Message, again)}
	case l.f.refused || s.LastError != "":
		return l.refused(s, again)
	case l.f.json:
		return nil // the step is printed
	}
	return l.sayf("%s\nGo on with: %s %s", s.Message, again, nextFlag(s))
}

// refused says what was wrong with the answer and how to go on.
func (l *signIn) refused(s actors.Step, again string) error {
	message := fmt.Sprintf("account %s: %s Nothing is lost: go on with `%s %s`, or end it with --cancel", l.id, s.Message, again, nextFlag(s))
	if said := s.ServerSaid(); said != "" {
		message += " (the server said " + said + ")"
	}
	return &control.Error{Kind: control.KindRefused, Message: message}
}

// nextFlag is the flag that answers a step.
func nextFlag(s actors.Step) string {
	switch s.Kind {
	case login.StepCode:
		return "--code-file -"
	case login.StepNewCode:
		return "--resend"
	case login.StepSignUp:
		return "--first-name NAME"
	case login.StepToken:
		return "--bot-token-file FILE"
	}
	return "--stdin"
}
