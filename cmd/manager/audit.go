package main

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/cmd/manager/tabular"
	"github.com/mtfleet/mtfleet/persistence"
)

func (a *app) auditCommand() *cobra.Command {
	return group("audit", "Show who did what to which account",
		`Whatever changes an account or the fleet through a command or the API is written into
the audit log of the store, with who asked for it and what came of it; so is what a
role did not permit, and what store commands do themselves. Calls and events are not.
The log has no secrets, keeps 16,384 entries, and each holds the hash of the one before
it.`,
		a.auditTailCommand(), a.auditVerifyCommand())
}

// auditOrder is by what entries are sorted.
var auditOrder = tabular.Order[control.AuditEntry]{
	"no":      tabular.By(func(e control.AuditEntry) uint64 { return e.Seq }),
	"who":     tabular.By(func(e control.AuditEntry) string { return e.Who }),
	"what":    tabular.By(func(e control.AuditEntry) string { return e.What }),
	"account": tabular.By(func(e control.AuditEntry) string { return e.Account }),
	"outcome": tabular.By(func(e control.AuditEntry) string { return e.Outcome }),
}

func (a *app) auditTailCommand() *cobra.Command {
	var f accountFlags
	var r control.AuditRequest
	sort := sortFlag[control.AuditEntry]{order: auditOrder}
	c := &cobra.Command{
		Use: "tail", Short: "Show the newest entries of the audit log", Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			if r.Limit < 1 {
				return usage("audit tail: -n %d: there is no entry to show: ask for 1 or more", r.Limit)
			}
			return a.withService(c, &f, func(ctx context.Context, s control.Service) error {
				list, err := control.Audit.Call(ctx, s, r)
				if err != nil {
					return err
				}
				sort.sort(list.Entries)
				return a.tell(&f.outputFlags, list, auditTable(list), "Nothing is in the audit log.")
			})
		},
	}
	f.registerReading(c)
	sort.register(c)
	c.Flags().IntVarP(&r.Limit, "lines", "n", 20, "at most so many")
	c.Flags().StringVar(&r.Account, "account", "", "of this account alone")
	c.Flags().Uint64Var(&r.After, "after", 0, "those after this number alone")
	return c
}

func auditTable(list control.AuditList) *tabular.Table {
	t := tabular.New(tabular.Column{Name: "NO"}, tabular.Column{Name: "AT", Leaves: 1}, tabular.Column{Name: "WHO", Least: 8},
		tabular.Column{Name: "WHAT", Least: whatLeast}, tabular.Column{Name: "ACCOUNT", Leaves: 2}, tabular.Column{Name: "OUTCOME"})
	for _, e := range list.Entries {
		what := e.What
		if e.Detail != "" {
			what += " (" + e.Detail + ")"
		}
		outcome := tabular.Cell{Text: e.Outcome}
		if e.Outcome != "ok" {
			outcome.Color = tabular.Red
		}
		t.Cells(tabular.Cell{Text: fmt.Sprint(e.Seq)}, tabular.Cell{Text: e.At.Local().Format(time.DateTime)}, tabular.Cell{Text: actors.Plain(e.Who)},
			tabular.Cell{Text: actors.Plain(what)}, tabular.Cell{Text: cmp.Or(e.Account, "-")}, outcome)
	}
	return t
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
			if b, err := hex.DecodeString(head); head != "" && (err != nil || len(b) != len(persistence.AuditHash{})) {
				return usage("audit verify: --head %s is no hash: give the 64 digits that verify printed last", head)
			}
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
