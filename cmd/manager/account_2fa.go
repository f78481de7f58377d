package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/cmd/manager/tabular"
)

// twoStepFlags are what the commands about a two-step password take.
type twoStepFlags struct {
	accountFlags
	currentFile, newFile string
	hint, email          string
	losePassport         bool
	code, codeFile       string
	confirm, resend      bool
	cancel, remove       bool
	decline              bool
}

func (f *twoStepFlags) current(c *cobra.Command) {
	c.Flags().StringVar(&f.currentFile, "password-file", "", "read the present password from `FILE`; - is standard input (default: ask)")
}

func (f *twoStepFlags) passport(c *cobra.Command) {
	c.Flags().BoolVar(&f.losePassport, "lose-passport", false, "also when personal documents (Telegram Passport) hang on the password: they are lost")
}

func (f *twoStepFlags) fresh(c *cobra.Command) {
	c.Flags().StringVar(&f.newFile, "new-password-file", "", "read the new password from `FILE`; - is standard input (default: ask)")
	c.Flags().StringVar(&f.hint, "hint", "", "`TEXT` that is shown to whoever is asked for the new password")
	f.passport(c)
}

func (f *twoStepFlags) mailed(c *cobra.Command) {
	c.Flags().StringVar(&f.code, "code", "", "the `CODE` from the e-mail (others on this machine can see it; prefer --code-file)")
	c.Flags().StringVar(&f.codeFile, "code-file", "", "read the code from `FILE`; - is standard input")
}

func (a *app) twoStepCommand() *cobra.Command {
	return group("2fa", "See to an account's two-step password",
		`A two-step password is asked for at a sign-in, after the code. Passwords are asked
for hidden, or read from the first line of a file, of which nothing is cut off but
the end of the line: a space is part of a password.`,
		a.twoStepShowCommand(), a.twoStepSetCommand(), a.twoStepHintCommand(), a.twoStepRemoveCommand(), a.twoStepEmailCommand(),
		a.twoStepResetCommand(), a.twoStepRecoverCommand())
}

// twoStep is one run of such a command.
type twoStep struct {
	*app
	service control.Service
	id      string
	f       *twoStepFlags
	input   *input // standard input
}

// runTwoStep runs a command about the password of the account that its first argument
// names.
func (a *app) runTwoStep(c *cobra.Command, f *twoStepFlags, id string, do func(context.Context, *twoStep) error) error {
	return a.withService(c, &f.accountFlags, func(ctx context.Context, s control.Service) error {
		return do(ctx, &twoStep{app: a, service: s, id: id, f: f, input: newInput(a.in, f.json)})
	})
}

// wait bounds how long a DC is waited for.
func (t *twoStep) wait(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, t.f.timeout)
	defer cancel()
	return f(ctx)
}

// told prints what a command did: a line, or what it got as JSON.
func (t *twoStep) told(v any, format string, args ...any) error {
	if t.f.json {
		return t.printJSON(v)
	}
	return t.sayf(format, args...)
}

// state asks what there is.
func (t *twoStep) state(ctx context.Context) (s actors.TwoStep, err error) {
	err = t.wait(ctx, func(ctx context.Context) (err error) {
		s, err = control.TwoStep.Call(ctx, t.service, control.AccountRequest{ID: t.id})
		return err
	})
	return s, err
}

func (a *app) twoStepShowCommand() *cobra.Command {
	var f twoStepFlags
	c := &cobra.Command{
		Use: "show NAME", Short: "Show what there is of a two-step password", Args: exactly("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.runTwoStep(c, &f, args[0], func(ctx context.Context, t *twoStep) error {
				s, err := t.state(ctx)
				if err != nil {
					return err
				}
				switch {
				case f.json:
					return t.printJSON(s)
				case f.format == formatName:
					return t.sayf("%s", t.id)
				}
				return t.printState(s)
			})
		},
	}
	f.registerReading(c)
	return c
}

func (t *twoStep) printState(s actors.TwoStep) error {
	var facts tabular.Facts
	row := facts.Add
	row("account", t.id)
	switch {
	case s.Unsupported:
		row("password", "set, in a way this version does not know")
	case s.Password:
		row("password", "set")
	case s.Unconfirmed != "":
		row("password", "waits for the code in the e-mail")
	default:
		row("password", "none")
	}
	row("hint", s.Hint)
	if s.Recovery {
		row("recovery e-mail", "confirmed")
	} else if s.Password {
		row("recovery e-mail", "none: a forgotten password can only be reset, which takes a week")
	}
	if s.Unconfirmed != "" {
		row("waits for a code", s.Unconfirmed+": give it with `manager account 2fa email "+t.id+" --confirm`")
	}
	row("login e-mail", s.LoginEmail)
	if !s.ResetAt.IsZero() {
		row("reset", resetLine(s.ResetAt)+"; decline it with `manager account 2fa reset "+t.id+" --decline`")
	}
	if s.Passport {
		row("passport", "personal documents hang on the password")
	}
	return facts.Write(t.out, t.width())
}

func resetLine(at time.Time) string {
	if at.After(time.Now()) {
		return "asked for: the password can be removed from " + at.Local().Format(time.DateTime) + " on"
	}
	return "asked for: the password can be removed now"
}

func (a *app) twoStepSetCommand() *cobra.Command {
	var f twoStepFlags
	c := &cobra.Command{
		Use: "set NAME", Short: "Set or change the two-step password", Args: exactly("NAME"),
		Long: `set sets the two-step password, or changes it; the present one is asked for first.
With --email a code is mailed, and a first password is in force when that was given.

  manager account 2fa set alice --hint "the cave" --email alice@example.org
  manager account 2fa set alice --password-file old.txt --new-password-file new.txt

Where both files are "-", standard input has the present password in its first line
and the new one in its second. A change without --hint removes the hint.`,
		RunE: func(c *cobra.Command, args []string) error {
			return a.runTwoStep(c, &f, args[0], func(ctx context.Context, t *twoStep) error {
				r := control.PasswordRequest{ID: t.id, Hint: f.hint, LosePassport: f.losePassport}
				if c.Flags().Changed("email") {
					r.Email = &f.email
				}
				return t.set(ctx, r)
			})
		},
	}
	f.register(c)
	f.current(c)
	f.fresh(c)
	c.Flags().StringVar(&f.email, "email", "", "recovery e-mail `ADDRESS`")
	return c
}

func (t *twoStep) set(ctx context.Context, r control.PasswordRequest) error {
	s, err := t.state(ctx)
	if err == nil && s.Password {
		r.Current, err = t.present(ctx)
	}
	if err == nil {
		r.New, err = t.fresh(ctx)
	}
	if err != nil {
		return err
	}
	what := "has a two-step password"
	if s.Password {
		what = "has a new two-step password"
	}
	return t.change(ctx, r, what)
}

func (a *app) twoStepHintCommand() *cobra.Command {
	var f twoStepFlags
	c := &cobra.Command{
		Use: "hint NAME TEXT", Short: "Set the hint of the two-step password; \"\" removes it", Args: exactly("NAME", "TEXT"),
		Long: `hint sets what is shown to whoever is asked for the password. The server takes a hint
only with a password, so the present one is set anew.`,
		RunE: func(c *cobra.Command, args []string) error {
			return a.runTwoStep(c, &f, args[0], func(ctx context.Context, t *twoStep) error {
				password, err := t.present(ctx)
				if err != nil {
					return err
				}
				return t.change(ctx, control.PasswordRequest{
					ID: t.id, Current: password, New: password, Hint: args[1], LosePassport: f.losePassport,
				}, "has a new hint")
			})
		},
	}
	f.register(c)
	f.current(c)
	f.passport(c)
	return c
}

func (a *app) twoStepRemoveCommand() *cobra.Command {
	var f twoStepFlags
	c := &cobra.Command{
		Use: "remove NAME", Short: "Remove the two-step password, its hint and its e-mail", Args: exactly("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.runTwoStep(c, &f, args[0], func(ctx context.Context, t *twoStep) error {
				password, err := t.present(ctx)
				if err != nil {
					return err
				}
				return t.change(ctx, control.PasswordRequest{
					ID: t.id, Current: password, Remove: true, LosePassport: f.losePassport,
				}, "has no two-step password any more")
			})
		},
	}
	f.register(c)
	f.current(c)
	f.passport(c)
	return c
}

// change changes the password, and goes on to the e-mail's code where a person
// can be asked for it.
func (t *twoStep) change(ctx context.Context, r control.PasswordRequest, what string) error {
	var mailed actors.EmailCode
	err := t.wait(ctx, func(ctx context.Context) (err error) {
		mailed, err = control.ChangePassword.Call(ctx, t.service, r)
		return err
	})
	switch {
	case err != nil:
		return err
	case !mailed.Waits:
		return t.told(mailed, "Account %s %s.", t.id, what)
	case t.f.json:
		return t.printJSON(mailed)
	}
	if err := t.sayf("A code %swas mailed to %s.", digits(mailed.Length), *r.Email); err != nil {
		return err
	}
	if t.input.tty == nil {
		return t.sayf("Give it with: manager account 2fa email %s --confirm --code-file -", t.id)
	}
	return t.confirm(ctx)
}

// digits says how long a code is.
func digits(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("of %d digits ", n)
}
