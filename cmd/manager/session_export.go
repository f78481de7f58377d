package main

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/persistence/foreign"
)

func (a *app) exportCommand() *cobra.Command {
	var f accountFlags
	var format, out, confirm string
	c := &cobra.Command{
		Use: "export NAME", Short: "Stop an account and hand its session out", Args: exactly("NAME"),
		Long: `export stops an account, for good, and writes its session in a form that another
program reads: ` + writable() + `.

Whoever has it is the account, without a password. It is off unless the configuration
says sessions.export: true, asks you to type the account's name, and leaves a line in
the log. The account has no connection afterwards, also after a restart, until
"session take-back" says that the copy is destroyed.`,
		Example: `  manager session export alice --format gramjs --out alice.gramjs
  manager session export alice --format telethon --out - --confirm alice | other-program`,
		RunE: func(c *cobra.Command, args []string) error {
			a.asJSON = f.json
			if format == "" {
				return usage("session export: choose a form with --format: %s", writable())
			}
			if !slices.ContainsFunc(foreign.Formats(), func(known foreign.FormatInfo) bool { return string(known.Name) == format }) {
				return usage("session export: there is no format %q: choose one of %s", format, writable())
			}
			if out == "" {
				return usage("session export: say where to with --out: a FILE that is not there yet, or - for standard output")
			}
			return a.withService(c, &f, func(ctx context.Context, s control.Service) error {
				return a.handOut(ctx, s, &f, control.ExportRequest{ID: args[0], Confirm: confirm, Format: format}, out)
			})
		},
	}
	f.register(c)
	c.Flags().StringVar(&format, "format", "", "the `FORM`, see: manager session formats")
	c.Flags().StringVar(&out, "out", "", "`FILE` to write, which must not be there yet; - is standard output")
	c.Flags().StringVar(&confirm, "confirm", "", "the account's `NAME` once more, in place of typing it")
	return c
}

// handOut makes sure that it is meant, then writes the session.
func (a *app) handOut(ctx context.Context, s control.Service, f *accountFlags, r control.ExportRequest, out string) error {
	if r.Confirm == "" {
		a.printf("Account %s is stopped, and whoever gets its session is the account, without a password.\nType the account's name to hand it out: ", r.ID)
		if _, person := terminal(a.in); !person {
			a.printf("\n")
			return usage("session export: nobody is at a terminal to type the account's name; a script gives it with --confirm")
		}
		typed, err := newInput(a.in, false).next(ctx)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		r.Confirm = strings.TrimSpace(typed)
	}
	if r.Confirm != r.ID {
		return usage("session export: that is not the name of the account: nothing was handed out")
	}
	to, done, err := a.newFile(out)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	got, err := control.Export.Call(ctx, s, r)
	if err != nil {
		done(false)
		return err
	}
	defer clear(got.Session)
	_, err = to.Write(append(got.Session, '\n'))
	if closeErr := done(err == nil); err == nil {
		err = closeErr
	}
	if err != nil {
		return usage("session export: %v; the account is exported, and nothing was written: export it again, or take it back", err)
	}
	if out == "-" {
		return nil
	}
	if f.json {
		return a.printJSON(struct {
			Account control.Account `json:"account"`
			Format  string          `json:"format"`
			File    string          `json:"file"`
		}{got.Account, got.Format, out})
	}
	return a.sayf("The session of account %s is in %s, for %s. The account is stopped; \"manager session take-back %s\" brings it back when that copy is destroyed.", r.ID, out, r.Format, r.ID)
}

// newFile makes a file that only its owner reads. It is empty until done says that
// it is whole, and is gone otherwise.
func (a *app) newFile(path string) (to io.Writer, done func(whole bool) error, err error) {
	if path == "-" {
		return a.out, func(bool) error { return nil }, nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, nil, usage("session export: %v", err)
	}
	return f, func(whole bool) error {
		if !whole {
			return errors.Join(f.Close(), os.Remove(path))
		}
		return errors.Join(f.Sync(), f.Close())
	}, nil
}
