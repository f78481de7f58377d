package main

import (
	"context"
	"errors"
	"io"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/cmd/manager/control"
)

func (a *app) acceptQRCommand() *cobra.Command {
	var f accountFlags
	c := &cobra.Command{
		Use: "accept-qr NAME [LINK|-]", Short: "Let an app in that shows a login QR code", Args: cobra.RangeArgs(1, 2),
		Long: `accept-qr does what scanning the QR code of a sign-in does in an app: whoever shows it
is signed in as this account. LINK is what the code holds, tg://login?token=..., or its
token; "-" reads it from standard input. A code lives for half a minute.

Take codes only from a screen you see. Who sends one in a message wants the account.`,
		RunE: func(c *cobra.Command, args []string) error {
			in := newInput(a.in, f.json)
			if len(args) < 2 && in.tty == nil {
				return usage("account accept-qr: there is no terminal to ask in: give LINK, or - for standard input")
			}
			return a.withService(c, &f, func(ctx context.Context, s control.Service) error {
				link, err := a.loginLink(ctx, in, args[1:])
				if err != nil {
					return err
				}
				ctx, cancel := context.WithTimeout(ctx, f.timeout)
				defer cancel()
				let, err := control.AcceptQR.Call(ctx, s, control.AcceptRequest{ID: args[0], Link: link})
				if err != nil {
					return err
				}
				if f.json {
					return a.printJSON(let)
				}
				what := sessionWords(let)
				if from := words(let.IP, let.Country, let.Region); from != "" {
					what += ", from " + from
				}
				return a.sayf("Account %s lets in: %s\nIf that is not what you meant, end it: manager account sessions terminate %s %s", args[0], what, args[0], let.ID)
			})
		},
	}
	f.register(c)
	return c
}

// loginLink is the link that was given, or asked for.
func (a *app) loginLink(ctx context.Context, in *input, given []string) (string, error) {
	if len(given) > 0 && given[0] != "-" {
		return given[0], nil
	}
	if len(given) == 0 {
		a.printf("What the QR code holds (tg://login?token=...): ")
	}
	line, err := in.next(ctx)
	if line = strings.TrimSpace(line); line == "" && (err == nil || errors.Is(err, io.EOF)) {
		return "", usage("account accept-qr: no link was given")
	}
	return line, err
}

// printable is a text of somebody else's without what could move a cursor.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, strings.TrimSpace(s))
}
