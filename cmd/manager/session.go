package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/cmd/manager/tabular"
	"github.com/mtfleet/mtfleet/persistence/foreign"
)

func (a *app) sessionCommand() *cobra.Command {
	return group("session", "Take in sessions of other programs, and hand ours out",
		`A session is what a program keeps of a login: whoever has it is the account, without a
password. It has one holder at a time, for the server ends a session that it sees in
two places. These commands move one session at a time, of an account of yours.`,
		a.importCommand(), a.exportCommand(), a.takeBackCommand(), a.formatsCommand())
}

func (a *app) takeBackCommand() *cobra.Command {
	var f accountFlags
	c := &cobra.Command{
		Use: "take-back NAME", Short: "Bring an account back whose session was handed out", Args: exactly("NAME"),
		Long: `take-back brings an account back that "session export" has stopped. It is your word
that the copy is destroyed and that nobody uses it: if somebody does, the server ends
the session, and both have lost it.`,
		RunE: func(c *cobra.Command, args []string) error {
			return a.withService(c, &f, func(ctx context.Context, s control.Service) error {
				d := &deed{accountFlags: f, done: "is taken back", do: by(control.TakeBack)}
				return a.doOne(ctx, s, d, args[0])
			})
		},
	}
	f.register(c)
	return c
}

func (a *app) formatsCommand() *cobra.Command {
	var f outputFlags
	c := &cobra.Command{
		Use: "formats", Short: "Show which sessions can be taken in, and in which forms ours can be handed out", Args: exactly(),
		RunE: func(*cobra.Command, []string) error {
			a.asJSON = f.json
			if err := f.check(); err != nil {
				return err
			}
			type row struct {
				Name  string `json:"name"`
				What  string `json:"what"`
				Read  bool   `json:"read"`
				Write bool   `json:"write"`
			}
			var rows []row
			t := tabular.New(tabular.Column{Name: "FORMAT"}, tabular.Column{Name: "IMPORT"}, tabular.Column{Name: "EXPORT"}, tabular.Column{Name: "WHAT", Least: whatLeast})
			word := map[bool]string{true: "yes", false: "-"}
			for _, f := range foreign.Formats() {
				rows = append(rows, row{string(f.Name), f.What, f.Read, f.Write})
				t.Row(string(f.Name), word[f.Read], word[f.Write], f.What)
			}
			return a.tell(&f, rows, t, "")
		},
	}
	f.registerReading(c)
	return c
}

// writable are the formats that a session can be handed out in.
func writable() string {
	var all []string
	for _, f := range foreign.Formats() {
		if f.Write {
			all = append(all, string(f.Name))
		}
	}
	return strings.Join(all, ", ")
}
