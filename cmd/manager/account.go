package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/cmd/manager/tabular"
	"github.com/mtfleet/mtfleet/cmd/manager/wording"
	"github.com/mtfleet/mtfleet/persistence"
)

// defaultTimeout bounds the wait for a DC of one command: longer than a dial (8
// s), a handshake (10 s) and a second try.
const defaultTimeout = 30 * time.Second

// accountFlags are what every account command takes.
type accountFlags struct {
	outputFlags
	timeout time.Duration
	reads   bool // it changes nothing, and makes nothing where there is nothing
}

func (f *accountFlags) register(c *cobra.Command) {
	f.outputFlags.register(c)
	f.registerTimeout(c)
}

// registerReading is register for a command that reads.
func (f *accountFlags) registerReading(c *cobra.Command) {
	f.reads = true
	f.outputFlags.registerReading(c)
	f.registerTimeout(c)
}

func (f *accountFlags) registerTimeout(c *cobra.Command) {
	c.Flags().DurationVar(&f.timeout, "timeout", defaultTimeout, "how long to wait for a DC")
}

func (a *app) accountCommand() *cobra.Command {
	return group("account", "Add, sign in, look at and end accounts",
		`An account is a name of your choice for one person or bot, and what the store has
of it. These commands reach the manager that runs, or open the store themselves
when none does.`,
		a.addCommand(), a.loginCommand(), a.listCommand(), a.showCommand(), a.labelCommand(), a.proxyCommand(), a.accountEventsCommand(), a.callCommand(), a.peersCommand(), a.timelineCommand(),
		a.logoutCommand(), a.removeCommand(), a.pauseCommand(), a.resumeCommand(), a.restoreKeyCommand(), a.rotateCommand(), a.clearWaitCommand(),
		a.twoStepCommand(), a.sessionsCommand(), a.passkeysCommand(), a.acceptQRCommand())
}

// withService runs f with the accounts of the store, for as long as it needs.
func (a *app) withService(c *cobra.Command, f *accountFlags, do func(context.Context, control.Service) error) error {
	a.asJSON = f.json
	if f.timeout <= 0 {
		return usage("--timeout must be longer than nothing")
	}
	if err := f.check(); err != nil {
		return err
	}
	s, err := a.service(c.Context(), f.reads)
	if err != nil {
		return err
	}
	err = do(c.Context(), s)
	if closeErr := s.Close(); err == nil {
		err = closeErr
	}
	return err
}

// printJSON prints one line of JSON to standard output.
func (a *app) printJSON(v any) error { return json.NewEncoder(a.out).Encode(v) }

// sayf prints a line to standard output.
func (a *app) sayf(format string, args ...any) error {
	_, err := fmt.Fprintf(a.out, format+"\n", args...)
	return err
}

func (a *app) addCommand() *cobra.Command {
	var f accountFlags
	var of addFileFlags
	var noPFS bool
	var proxy string
	var labels []string
	c := &cobra.Command{
		Use: "add NAME", Short: "Make an account and sign it in next, or do both for a list of bots",
		Long: `add makes an account. NAME is yours to choose: 1 to 64 of a-z, 0-9, '.', '_', '-'; never a phone number.

With --file it adds the bots of a list, bots of your own, and signs in each. The list is
CSV with a header: name and token, and if you want labels (KEY=VALUE, with spaces between)
and proxy. Nobody else may read it. All of it is checked first. Run it again to go on:
who is signed in is left as it is. Sign-ins keep the pace of the governor
(limits.sign_ins_per_minute), and a wait that the server orders holds all of them.`,
		Example: `  manager account add alice --label env=prod
  manager account add --file bots.csv`,
		Args: func(c *cobra.Command, args []string) error {
			switch {
			case of.file == "" && (of.dryRun || c.Flags().Changed("wait")):
				return usage("account add: --dry-run and --wait are for --file")
			case of.file == "":
				return exactly("NAME")(c, args)
			case len(args) > 0 || proxy != "" || len(labels) > 0:
				return usage("account add: the list of --file has names, labels and proxies: leave those of the command away")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			return a.withService(c, &f, func(ctx context.Context, s control.Service) error {
				if of.file != "" {
					cfg, err := a.load(false)
					if err != nil {
						return err
					}
					return a.addFile(ctx, s, &f, &of, noPFS || !cfg.PFS)
				}
				acc, err := a.add(ctx, s, args[0], noPFS, proxy, labels...)
				if err != nil {
					return err
				}
				if f.json {
					return a.printJSON(acc)
				}
				return a.sayf("Account %s is added. Sign it in with: manager account login %s", acc.ID, acc.ID)
			})
		},
	}
	f.register(c)
	c.Flags().BoolVar(&noPFS, "no-pfs", false, "send calls under the perm key itself (default: as the setting pfs says)")
	c.Flags().StringVar(&proxy, "proxy", "", "connect through the proxy at this `URL`, or directly: none; - reads it from standard input (default: as the setting proxy says)")
	c.Flags().StringArrayVar(&labels, "label", nil, "put a label on it, `KEY=VALUE` (repeatable)")
	c.Flags().StringVar(&of.file, "file", "", "add and sign in the bots of this `LIST`; - is standard input")
	c.Flags().BoolVar(&of.dryRun, "dry-run", false, "with --file: only check it, and show what would be done")
	c.Flags().DurationVar(&of.wait, "wait", 5*time.Minute, "with --file: how long a wait that the server orders is sat out; longer ones end the command")
	return c
}

func (a *app) add(ctx context.Context, s control.Service, id string, noPFS bool, proxy string, labels ...string) (control.Account, error) {
	cfg, err := a.load(false)
	if err != nil {
		return control.Account{}, err
	}
	put, remove, err := labelArgs(labels)
	if err != nil || len(remove) > 0 {
		return control.Account{}, cmp.Or(err, usage("--label takes KEY=VALUE"))
	}
	all, err := persistence.NewLabels(put)
	if err != nil {
		return control.Account{}, usage("%v", err)
	}
	if proxy, err = a.proxyText(ctx, proxy); err != nil {
		return control.Account{}, err
	}
	return control.Add.Call(ctx, s, control.AddRequest{ID: id, NoPFS: noPFS || !cfg.PFS, Labels: all, Proxy: proxy})
}

// clip shortens a reason for a table; `account show` has all of it.
func clip(s string) string { return wording.Clip(s) }

// clip is clip but where nothing is cut.
func (o *outputFlags) clip(s string) string {
	if o.format == formatWide {
		return s
	}
	return clip(s)
}

func ago(t time.Time) string { return wording.Ago(t, time.Now()) }

func kindWord(acc control.Account) string { return wording.Kind(acc) }

func orDash(n int64) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

// printAccount prints all that is known of an account.
func (a *app) printAccount(acc control.Account) error {
	var facts tabular.Facts
	row := func(name, value string) {
		if value != "-" {
			facts.Add(name, value)
		}
	}
	row("account", acc.ID)
	row("state", wording.State(acc))
	if !acc.Since.IsZero() {
		row("since", acc.Since.Local().Format(time.DateTime)+", "+ago(acc.Since)+" ago")
	}
	row("sign-in", acc.SignIn)
	row("why", acc.Why)
	if !acc.Until.IsZero() {
		row("until", acc.Until.Local().Format(time.DateTime))
	}
	row("to do", acc.Advice)
	row("kind", kindWord(acc))
	if acc.UserID != 0 {
		row("user id", fmt.Sprint(acc.UserID))
	}
	row("home DC", wording.HomeDC(acc))
	row("PFS", wording.PFS(acc))
	if o := acc.Origin; o.Format != "" {
		from := "taken in from " + o.Format + " on " + o.At.Local().Format(time.DateOnly)
		if o.APIID != 0 {
			from += fmt.Sprintf(", where it ran as api_id %d", o.APIID)
		}
		row("session", from)
	}
	row("proxy", acc.Proxy)
	row("labels", acc.Labels.String())
	return facts.Write(a.out, a.width())
}

// signedInLine is what a person reads when a sign-in is over.
func signedInLine(acc control.Account) string {
	who := "user"
	if acc.Bot {
		who = "bot"
	}
	parts := []string{fmt.Sprintf("Account %s is signed in: %s %d, DC %d", acc.ID, who, acc.UserID, acc.HomeDC)}
	if acc.State != actors.Online.String() {
		parts = append(parts, "`manager run` keeps it online")
	}
	return strings.Join(parts, "; ") + "."
}
