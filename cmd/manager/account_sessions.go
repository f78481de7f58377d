package main

import (
	"cmp"
	"context"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/cmd/manager/tabular"
)

func (a *app) sessionsCommand() *cobra.Command {
	return group("sessions", "See and end the sessions of an account",
		`A session is one authorization of the account at the server: this manager's, a phone's,
a browser's. One that is less than 24 hours old may not end others; the message says
from when on it may.`,
		a.sessionsListCommand(), a.sessionsTerminateCommand(), a.sessionsConfirmCommand(), a.sessionsTTLCommand())
}

// asking runs a command that asks the server one thing about an account.
func (a *app) asking(c *cobra.Command, f *accountFlags, do func(context.Context, control.Service) error) error {
	return a.withService(c, f, func(ctx context.Context, s control.Service) error {
		ctx, cancel := context.WithTimeout(ctx, f.timeout)
		defer cancel()
		return do(ctx, s)
	})
}

// told prints a line, or an object as JSON.
func (a *app) told(f *accountFlags, v any, format string, args ...any) error {
	if f.json {
		return a.printJSON(v)
	}
	return a.sayf(format, args...)
}

// sessionOrder is by what sessions are sorted.
var sessionOrder = tabular.Order[actors.Session]{
	"created": func(a, b actors.Session) int { return a.Created.Compare(b.Created) },
	"active":  func(a, b actors.Session) int { return a.Active.Compare(b.Active) },
	"from":    tabular.By(func(s actors.Session) string { return words(s.IP, s.Country, s.Region) }),
	"what":    tabular.By(sessionWords),
}

func (a *app) sessionsListCommand() *cobra.Command {
	var f accountFlags
	sort := sortFlag[actors.Session]{order: sessionOrder}
	c := &cobra.Command{
		Use: "list NAME", Short: "Show the sessions of an account", Args: exactly("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.asking(c, &f, func(ctx context.Context, s control.Service) error {
				list, err := control.Sessions.Call(ctx, s, control.AccountRequest{ID: args[0]})
				if err != nil {
					return err
				}
				sort.sort(list.Sessions)
				t := sessionsTable(list)
				if err := a.tell(&f.outputFlags, list, t, "Account "+args[0]+" has no sessions."); err != nil || f.json || f.format == formatName {
					return err
				}
				return a.sayf("Sessions end after %d days without a query.", list.TTLDays)
			})
		},
	}
	f.registerReading(c)
	sort.register(c)
	return c
}

// sessionsTable is the sessions of an account. What apps say of themselves is cut where lines are long.
func sessionsTable(list actors.Sessions) *tabular.Table {
	t := tabular.New(tabular.Column{Name: "ID"}, tabular.Column{Name: "AGE", Leaves: 1}, tabular.Column{Name: "ACTIVE", Leaves: 2},
		tabular.Column{Name: "FROM", Least: whatLeast}, tabular.Column{Name: "WHAT", Least: whatLeast})
	for _, s := range list.Sessions {
		id := s.ID
		if s.Current {
			id = "this one"
		}
		t.Row(id, ago(s.Created), ago(s.Active), cmp.Or(words(s.IP, s.Country, s.Region), "-"), cmp.Or(sessionWords(s), "-"))
	}
	return t
}

// whatLeast is the least that is shown of what is cut, while anything else can be left out.
const whatLeast = 20

// words joins what there is.
func words(list ...string) string {
	var out []string
	for _, s := range list {
		if s = printable(s); s != "" {
			out = append(out, s)
		}
	}
	return strings.Join(out, " ")
}

// sessionWords says what a session is, what needs a look first. An app says of
// itself what it likes.
func sessionWords(s actors.Session) string {
	var notes []string
	if s.Unconfirmed {
		notes = append(notes, "NEW")
	}
	if s.PasswordPending {
		notes = append(notes, "PASSWORD NOT GIVEN YET")
	}
	if s.Official {
		notes = append(notes, "official")
	}
	app, on := words(s.App, s.AppVersion), words(s.Device, s.System)
	if app != "" && on != "" {
		app += " on "
	}
	if what := app + on; what != "" {
		notes = append(notes, what)
	}
	return strings.Join(notes, ", ")
}

func (a *app) sessionsTerminateCommand() *cobra.Command {
	var f accountFlags
	var others bool
	c := &cobra.Command{
		Use: "terminate NAME [ID]", Short: "End another session of an account, or all others", Args: cobra.RangeArgs(1, 2),
		Long: `terminate ends the session with the ID that "sessions list" shows, or all but this
manager's with --others. To end this manager's own, log the account out.`,
		RunE: func(c *cobra.Command, args []string) error {
			if (len(args) > 1) == others {
				return usage("account sessions terminate: give the ID of one session, or --others")
			}
			return a.asking(c, &f, func(ctx context.Context, s control.Service) error {
				r, what := control.TerminateRequest{ID: args[0], Others: others}, "All other sessions of account "+args[0]+" are ended."
				if !others {
					r.Session, what = args[1], "That session of account "+args[0]+" is ended."
				}
				if _, err := control.TerminateSession.Call(ctx, s, r); err != nil {
					return err
				}
				return a.told(&f, r, "%s", what)
			})
		},
	}
	f.register(c)
	c.Flags().BoolVar(&others, "others", false, "all sessions but this manager's")
	return c
}

func (a *app) sessionsConfirmCommand() *cobra.Command {
	var f accountFlags
	c := &cobra.Command{
		Use: "confirm NAME ID", Short: "Say that a new session is the owner's", Args: exactly("NAME", "ID"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.asking(c, &f, func(ctx context.Context, s control.Service) error {
				r := control.SessionRequest{ID: args[0], Session: args[1]}
				if _, err := control.ConfirmSession.Call(ctx, s, r); err != nil {
					return err
				}
				return a.told(&f, r, "That session of account %s is confirmed.", args[0])
			})
		},
	}
	f.register(c)
	return c
}

func (a *app) sessionsTTLCommand() *cobra.Command {
	var f accountFlags
	c := &cobra.Command{
		Use: "ttl NAME DAYS", Short: "Set after how many days without a query sessions end", Args: exactly("NAME", "DAYS"),
		RunE: func(c *cobra.Command, args []string) error {
			days, err := strconv.Atoi(args[1])
			if err != nil {
				return usage("account sessions ttl: DAYS is a number of days")
			}
			return a.asking(c, &f, func(ctx context.Context, s control.Service) error {
				r := control.TTLRequest{ID: args[0], Days: days}
				if _, err := control.SetSessionsTTL.Call(ctx, s, r); err != nil {
					return err
				}
				return a.told(&f, r, "Sessions of account %s end after %d days without a query.", args[0], days)
			})
		},
	}
	f.register(c)
	return c
}
