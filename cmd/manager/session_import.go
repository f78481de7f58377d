package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/cmd/manager/tabular"
	"github.com/mtfleet/mtfleet/persistence/foreign"
)

func (a *app) importCommand() *cobra.Command {
	var f accountFlags
	var dry, noPFS bool
	var proxy string
	var name, format, passcodeFile string
	var user int64
	c := &cobra.Command{
		Use: "import FILE", Short: "Make an account of a session that another program made", Args: exactly("FILE"),
		Long: `import finds out what FILE is (a text, an SQLite file, the folder of Telegram Desktop or
of GramJS; - is standard input), asks the server whose session it is, and keeps it as an
account that is online from then on. "session formats" lists what is known.

Stop the program that it came from first, and never run it with this session again: the
server ends a session that it sees in two places. The account goes on under your own
api_id and device, so that its owner's other apps show another one. A session that the
server does not take leaves nothing behind.`,
		Example: `  manager session import --dry-run my.session
  manager session import my.session --name alice
  manager session import - --name alice < alice.txt
  manager session import ~/.local/share/TelegramDesktop/tdata --user 777000123 --name alice`,
		RunE: func(c *cobra.Command, args []string) error {
			a.asJSON = f.json
			sessions, err := a.readSessions(c.Context(), args[0], format, passcodeFile)
			if err != nil {
				return control.Wrap(err)
			}
			defer func() {
				for i := range sessions {
					sessions[i].Wipe()
				}
			}()
			if dry && user == 0 {
				return a.printFound(sessions, f.json)
			}
			s, err := choose(sessions, user)
			if err != nil {
				return err
			}
			if dry {
				return a.printFound([]foreign.Session{s}, f.json)
			}
			return a.takeIn(c, &f, s, name, noPFS, proxy)
		},
	}
	f.register(c)
	c.Flags().BoolVar(&dry, "dry-run", false, "tell what it is, without asking the server and without keeping anything")
	c.Flags().StringVar(&name, "name", "", "what to call the account: `NAME` (default: user or bot and its id, where the session has it)")
	c.Flags().StringVar(&format, "format", "", "of a text that may be two things, which `FORM` it is")
	c.Flags().Int64Var(&user, "user", 0, "of a folder with several accounts, the one of user `ID`")
	c.Flags().StringVar(&passcodeFile, "passcode-file", "", "`FILE` with the local passcode of Telegram Desktop (default: asked for at the terminal)")
	c.Flags().StringVar(&proxy, "proxy", "", "connect through the proxy at this `URL`, or directly: none (default: as the setting proxy says)")
	c.Flags().BoolVar(&noPFS, "no-pfs", false, "send calls under the perm key itself (default: as the setting pfs says)")
	return c
}

// takeIn has a session imported.
func (a *app) takeIn(c *cobra.Command, f *accountFlags, s foreign.Session, name string, noPFS bool, proxy string) error {
	defer s.Wipe()
	if name == "" {
		if name = nameOf(s); name == "" {
			return usage("session import: the session does not say whose it is: choose a name for the account with --name")
		}
	}
	cfg, err := a.load(false)
	if err != nil {
		return err
	}
	a.printf("The program that this session came from must have stopped, and must never use it again: the server ends a session that it sees in two places.\n")
	for _, note := range notes(s) {
		a.printf("%s\n", note)
	}
	r := control.NewImport(name, s)
	defer clear(r.Key)
	r.NoPFS = noPFS || !cfg.PFS
	if r.Proxy, err = a.proxyText(c.Context(), proxy); err != nil {
		return err
	}
	return a.withService(c, f, func(ctx context.Context, service control.Service) error {
		ctx, cancel := context.WithTimeout(ctx, f.timeout)
		defer cancel()
		acc, err := control.Import.Call(ctx, service, r)
		if err != nil {
			return err
		}
		if f.json {
			return a.printJSON(acc)
		}
		return a.sayf("Account %s is taken in: %s %d, home DC %d. Its updates count from now.", acc.ID, kindWord(acc), acc.UserID, acc.HomeDC)
	})
}

// nameOf is what an account is called by the session alone, empty where that does
// not say whose it is.
func nameOf(s foreign.Session) string {
	switch {
	case s.UserID == 0:
		return ""
	case s.Bot == foreign.Yes:
		return fmt.Sprintf("bot-%d", s.UserID)
	}
	return fmt.Sprintf("user-%d", s.UserID)
}

// desktopID is the api_id of Telegram Desktop, which its folder does not name.
const desktopID = 2040

// notes are what is to be known of a session before it is taken in.
func notes(s foreign.Session) (all []string) {
	id := s.APIID
	if id == 0 && s.Format == foreign.TData {
		id = desktopID
	}
	if app := actors.OfficialID(id); app != "" {
		all = append(all, fmt.Sprintf("It ran under the api_id of %s (%d), which is refused here: the account goes on under your own, and its owner's other apps show it as yours.", app, id))
	}
	if len(s.Guests) > 0 {
		all = append(all, fmt.Sprintf("Its keys for other DCs (%d) are left: the authorization is carried there anew when it is needed.", len(s.Guests)))
	}
	return all
}

// foundSession is what --dry-run tells of a session.
type foundSession struct {
	Format  string   `json:"format"`
	DC      int      `json:"dc"`
	Test    string   `json:"test"`
	Addr    string   `json:"addr,omitempty"`
	UserID  int64    `json:"user_id,omitempty"`
	Bot     string   `json:"bot"`
	APIID   int      `json:"api_id,omitempty"`
	Guests  int      `json:"guests,omitempty"`
	Left    []string `json:"left,omitempty"`
	Notes   []string `json:"notes,omitempty"`
	Problem string   `json:"problem,omitempty"`
}

// printFound says what sessions are, and what would keep them from being taken in.
func (a *app) printFound(sessions []foreign.Session, asJSON bool) error {
	all := make([]foundSession, len(sessions))
	cfg, cfgErr := a.load(false)
	for i, s := range sessions {
		all[i] = foundSession{
			Format: string(s.Format), DC: s.DC, Test: s.Test.String(), Addr: s.Addr, UserID: s.UserID, Bot: s.Bot.String(), APIID: s.APIID,
			Guests: len(s.Guests), Left: s.Dropped, Notes: notes(s),
		}
		if cfgErr != nil {
			continue // what it is can be told without one
		}
		if dcs, err := table(cfg); err == nil {
			all[i].Problem = actors.Words(actors.CheckSession(dcs, s))
		}
	}
	if asJSON {
		return a.printJSON(struct {
			Sessions []foundSession `json:"sessions"`
		}{all})
	}
	for i, s := range all {
		if i > 0 {
			if err := a.sayf(""); err != nil {
				return err
			}
		}
		var facts tabular.Facts
		row := facts.Add
		row("format", s.Format)
		row("home DC", fmt.Sprint(s.DC))
		row("address", s.Addr)
		row("test servers", s.Test)
		if s.UserID != 0 {
			row("user id", fmt.Sprint(s.UserID))
		}
		row("bot", s.Bot)
		if s.APIID != 0 {
			row("api_id", fmt.Sprint(s.APIID))
		}
		row("left behind", strings.Join(s.Left, "; "))
		for _, note := range s.Notes {
			row("note", note)
		}
		row("problem", s.Problem)
		if err := facts.Write(a.out, a.width()); err != nil {
			return err
		}
	}
	return nil
}
