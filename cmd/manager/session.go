package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/cmd/manager/control"
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
	return a.operation("take-back", "Bring an account back whose session was handed out",
		`take-back brings an account back that "session export" has stopped. It is your word
that the copy is destroyed and that nobody uses it: if somebody does, the server ends
the session, and both have lost it.`,
		"is taken back", control.TakeBack)
}

func (a *app) formatsCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "formats", Short: "Show which sessions can be taken in, and in which forms ours can be handed out", Args: exactly(),
		RunE: func(*cobra.Command, []string) error {
			a.asJSON = asJSON
			type row struct {
				Name  string `json:"name"`
				What  string `json:"what"`
				Read  bool   `json:"read"`
				Write bool   `json:"write"`
			}
			var rows []row
			w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "FORMAT\tIMPORT\tEXPORT\tWHAT")
			word := map[bool]string{true: "yes", false: "-"}
			for _, f := range foreign.Formats() {
				rows = append(rows, row{string(f.Name), f.What, f.Read, f.Write})
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", f.Name, word[f.Read], word[f.Write], f.What)
			}
			if asJSON {
				return a.printJSON(rows)
			}
			return w.Flush()
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
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
