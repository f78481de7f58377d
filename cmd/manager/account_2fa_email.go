package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
)

// This file is about the ways back to an account whose password is forgotten: its
// recovery e-mail, and the reset.

func (a *app) twoStepEmailCommand() *cobra.Command {
	var f twoStepFlags
	c := &cobra.Command{
		Use: "email NAME [ADDRESS]", Short: "Show, set, confirm or remove the recovery e-mail", Args: cobra.RangeArgs(1, 2),
		Long: `email sets the recovery e-mail of the two-step password; the code that is mailed to it
puts it in force. Without ADDRESS it shows the e-mail. The password is asked for.

  manager account 2fa email alice alice@example.org
  manager account 2fa email alice --confirm --code-file -
  manager account 2fa email alice --resend | --cancel | --remove`,
		RunE: func(c *cobra.Command, args []string) error {
			if howMany(f.confirm, f.resend, f.cancel, f.remove, len(args) > 1) > 1 {
				return usage("account 2fa email: give one of ADDRESS, --confirm, --resend, --cancel and --remove")
			}
			return a.runTwoStep(c, &f, args[0], func(ctx context.Context, t *twoStep) error {
				switch {
				case f.confirm:
					return t.confirm(ctx)
				case f.resend:
					return t.plain(ctx, control.ResendPasswordEmail, "Another code is mailed to the e-mail that waits.")
				case f.cancel:
					return t.plain(ctx, control.CancelPasswordEmail, "The e-mail that waited for its code is forgotten.")
				}
				return t.email(ctx, args[1:])
			})
		},
	}
	f.register(c)
	f.current(c)
	f.mailed(c)
	flags := c.Flags()
	flags.BoolVar(&f.confirm, "confirm", false, "give the code that was mailed")
	flags.BoolVar(&f.resend, "resend", false, "have another code mailed")
	flags.BoolVar(&f.cancel, "cancel", false, "forget the e-mail that waits for its code, and a first password with it")
	flags.BoolVar(&f.remove, "remove", false, "remove the recovery e-mail")
	return c
}

// plain runs a method that takes the account alone.
func (t *twoStep) plain(ctx context.Context, method control.Method[control.AccountRequest, control.Empty], said string) error {
	err := t.wait(ctx, func(ctx context.Context) error {
		_, err := method.Call(ctx, t.service, control.AccountRequest{ID: t.id})
		return err
	})
	if err != nil {
		return err
	}
	return t.told(control.Empty{}, "%s", said)
}

// confirm gives the code that was mailed.
func (t *twoStep) confirm(ctx context.Context) error {
	code, err := t.mailed(ctx)
	if err != nil {
		return err
	}
	if code == "" {
		return usage("account 2fa email: there is no terminal to ask in: give --code-file")
	}
	err = t.wait(ctx, func(ctx context.Context) error {
		_, err := control.ConfirmPasswordEmail.Call(ctx, t.service, control.CodeRequest{ID: t.id, Code: code})
		return err
	})
	if err != nil {
		return err
	}
	return t.told(control.Empty{}, "The recovery e-mail of account %s is confirmed.", t.id)
}

// email shows, sets or removes the e-mail.
func (t *twoStep) email(ctx context.Context, address []string) error {
	password, err := t.present(ctx)
	if err != nil {
		return err
	}
	r := control.PasswordRequest{ID: t.id, Current: password}
	switch {
	case t.f.remove:
		none := ""
		r.Email = &none
		return t.change(ctx, r, "has no recovery e-mail any more")
	case len(address) > 0:
		r.Email = &address[0]
		return t.change(ctx, r, "has a new recovery e-mail")
	}
	var e control.Email
	err = t.wait(ctx, func(ctx context.Context) (err error) {
		e, err = control.RecoveryEmail.Call(ctx, t.service, control.RecoveryEmailRequest{ID: t.id, Current: password})
		return err
	})
	switch {
	case err != nil:
		return err
	case e.Email == "" && !t.f.json:
		return t.sayf("Account %s has no recovery e-mail.", t.id)
	}
	return t.told(e, "%s", e.Email)
}

func (a *app) twoStepResetCommand() *cobra.Command {
	var f twoStepFlags
	c := &cobra.Command{
		Use: "reset NAME", Short: "Remove a forgotten password, which takes a week", Args: exactly("NAME"),
		Long: `reset asks the server to remove a password that nobody knows any more. The server
waits for a week, in which every session of the account can decline it; the same
command after that week removes the password.`,
		RunE: func(c *cobra.Command, args []string) error {
			return a.runTwoStep(c, &f, args[0], func(ctx context.Context, t *twoStep) error {
				if f.decline {
					return t.plain(ctx, control.DeclinePasswordReset, "The reset is declined; the password stays.")
				}
				return t.reset(ctx)
			})
		},
	}
	f.register(c)
	c.Flags().BoolVar(&f.decline, "decline", false, "end a reset that waits; the password stays")
	return c
}

func (t *twoStep) reset(ctx context.Context) error {
	var r actors.PasswordReset
	err := t.wait(ctx, func(ctx context.Context) (err error) {
		r, err = control.ResetPassword.Call(ctx, t.service, control.AccountRequest{ID: t.id})
		return err
	})
	switch {
	case err != nil:
		return err
	case r.State == actors.ResetDone:
		return t.told(r, "Account %s has no two-step password any more.", t.id)
	case r.State == actors.ResetRefused:
		return &control.Error{Kind: control.KindWait, Until: r.Until, Message: "account " + t.id + ": a reset was declined not long ago: ask for one later"}
	}
	return t.told(r, "The reset of account %s is asked for. The same command removes the password from %s on; every session can decline it until then.",
		t.id, r.Until.Local().Format(time.DateTime))
}

func (a *app) twoStepRecoverCommand() *cobra.Command {
	var f twoStepFlags
	c := &cobra.Command{
		Use: "recover NAME", Short: "Replace a forgotten password by a code to the recovery e-mail", Args: exactly("NAME"),
		Long: `recover has a code mailed to the recovery e-mail and replaces the password by it. In
a terminal it asks for both; a script calls it twice:

  manager account 2fa recover alice
  manager account 2fa recover alice --code-file code.txt --new-password-file new.txt`,
		RunE: func(c *cobra.Command, args []string) error {
			if f.remove && (f.newFile != "" || f.hint != "") {
				return usage("account 2fa recover: give --remove or a new password")
			}
			return a.runTwoStep(c, &f, args[0], func(ctx context.Context, t *twoStep) error { return t.recover(ctx) })
		},
	}
	f.register(c)
	f.fresh(c)
	f.mailed(c)
	c.Flags().BoolVar(&f.remove, "remove", false, "remove the password in place of a new one")
	return c
}

func (t *twoStep) recover(ctx context.Context) error {
	if t.f.code == "" && t.f.codeFile == "" {
		var e control.Email
		err := t.wait(ctx, func(ctx context.Context) (err error) {
			e, err = control.RequestPasswordRecovery.Call(ctx, t.service, control.AccountRequest{ID: t.id})
			return err
		})
		if err != nil {
			return err
		}
		if t.f.json {
			return t.printJSON(e)
		}
		if err := t.sayf("A code was mailed to %s.", e.Email); err != nil {
			return err
		}
		if t.input.tty == nil {
			return t.sayf("Go on with: manager account 2fa recover %s --code-file - --new-password-file FILE", t.id)
		}
	}
	code, err := t.mailed(ctx)
	if err != nil {
		return err
	}
	r := control.RecoverRequest{ID: t.id, Code: code, Hint: t.f.hint, LosePassport: t.f.losePassport}
	if !t.f.remove {
		if r.New, err = t.fresh(ctx); err != nil {
			return err
		}
	}
	err = t.wait(ctx, func(ctx context.Context) error {
		_, err := control.RecoverPassword.Call(ctx, t.service, r)
		return err
	})
	if err != nil {
		return err
	}
	if t.f.remove {
		return t.told(control.Empty{}, "Account %s has no two-step password any more.", t.id)
	}
	return t.told(control.Empty{}, "Account %s has a new two-step password.", t.id)
}
