package main

import (
	"context"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
)

func (a *app) auditCommand() *cobra.Command {
	return group("audit", "Show who did what to which account",
		`Whatever changes an account or the fleet through a command or the API is written into
the audit log of the store, with who asked for it and what came of it; so is what a
role did not permit. Calls and events are not. The log has no secrets, keeps 16,384
entries, and each holds the hash of the one before it.`,
		a.auditTailCommand(), a.auditVerifyCommand())
}

func (a *app) auditTailCommand() *cobra.Command {
	var f accountFlags
	var r control.AuditRequest
	c := &cobra.Command{
		Use: "tail", Short: "Show the newest entries of the audit log", Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withService(c, &f, func(ctx context.Context, s control.Service) error {
				list, err := control.Audit.Call(ctx, s, r)
				if err != nil {
					return err
				}
				if f.json {
					return a.printJSON(list)
				}
				return a.printAudit(list)
			})
		},
	}
	f.reads = true
	f.register(c)
	c.Flags().IntVarP(&r.Limit, "lines", "n", 20, "at most so many")
	c.Flags().StringVar(&r.Account, "account", "", "of this account alone")
	c.Flags().Uint64Var(&r.After, "after", 0, "those after this number alone")
	return c
}

func (a *app) printAudit(list control.AuditList) error {
	if len(list.Entries) == 0 {
		return a.sayf("Nothing is in the audit log.")
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "NO\tAT\tWHO\tWHAT\tACCOUNT\tOUTCOME")
	for _, e := range list.Entries {
		what := e.What
		if e.Detail != "" {
			what += " (" + e.Detail + ")"
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\n", e.Seq, e.At.Local().Format("2006-01-02 15:04:05"), actors.Plain(e.Who), actors.Plain(what), e.Account, e.Outcome)
	}
	return w.Flush()
}

func (a *app) auditVerifyCommand() *cobra.Command {
	var f accountFlags
	var head string
	c := &cobra.Command{
		Use: "verify", Short: "Tell whether the audit log is as it was written", Args: exactly(),
		Long: `verify goes through the hashes of the log. What was changed, left out or put between is
found. What is missing at the end nobody can tell from the log: keep the hash that it
prints elsewhere, and give it to --head the next time: an entry with that hash must be
there still.`,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withService(c, &f, func(ctx context.Context, s control.Service) error {
				v, err := control.VerifyAudit.Call(ctx, s, control.Empty{})
				if err != nil {
					return err
				}
				if v.Whole && head != "" {
					if v.Whole, err = hasHead(ctx, s, head); err != nil {
						return err
					}
					if !v.Whole {
						v.Why = "no entry has the hash " + head + ": the log ends before it, or is another"
					}
				}
				if f.json {
					err = a.printJSON(v)
				} else if v.Whole {
					err = a.sayf("The audit log is whole: %d entries, from %d to %d.\n%s", v.Entries, v.First, v.Last, v.Head)
				}
				if err == nil && !v.Whole {
					err = &exitError{code: exitDamaged, kind: control.KindDamaged, text: "the audit log is not as it was written: " + v.Why}
				}
				return err
			})
		},
	}
	f.reads = true
	f.register(c)
	c.Flags().StringVar(&head, "head", "", "a hash that verify printed earlier")
	return c
}

// hasHead tells whether an entry of the log has a hash.
func hasHead(ctx context.Context, s control.Service, head string) (bool, error) {
	list, err := control.Audit.Call(ctx, s, control.AuditRequest{Limit: 1 << 30})
	for _, e := range list.Entries {
		if e.Hash == head {
			return true, nil
		}
	}
	return false, err
}
