package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/badgerstore"
)

func (a *app) verifyCommand() *cobra.Command {
	var identity string
	var asJSON bool
	c := &cobra.Command{
		Use: "verify [FILE]", Short: "Open every record of the store, or of a backup", Args: atMostOne("FILE"),
		Long: `verify opens and decodes every record of the store, or of the backup in FILE
(- is standard input), says what is whole and what is not, and changes nothing.
A manager that runs goes on meanwhile, and verifies its store itself: as of one
commit, without the sealed copy beside it. The exit code is 8 when something is damaged.`,
		RunE: func(c *cobra.Command, args []string) error {
			a.asJSON = asJSON
			switch {
			case len(args) == 0 && identity != "":
				return usage("store verify: --identity is for a backup: name its FILE")
			case len(args) == 0:
				s, err := a.running(c.Context())
				switch {
				case err != nil:
					return err
				case s == nil:
					return a.verifyStore(c.Context())
				}
				defer s.Close()
				return a.verifyRunning(c.Context(), s)
			case identity == "":
				return usage("store verify: --identity is missing: the file with the age identity that the backup was encrypted to")
			}
			return a.verifyBackup(c.Context(), args[0], identity)
		},
	}
	c.Flags().StringVar(&identity, "identity", "", "`FILE` with the age identity of a recipient of the backup")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON to standard output, and errors as JSON to standard error")
	return c
}

// atMostOne wants that argument or none.
func atMostOne(name string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) > 1 {
			return usage("%s takes %s or nothing, not %d arguments; see `%s --help`", c.CommandPath(), name, len(args), c.CommandPath())
		}
		return nil
	}
}

// sayBroken names each record for people.
func (a *app) sayBroken(list []control.BrokenRecord) error {
	for _, b := range list {
		if err := a.sayf("  %s: %s: %s", b.Account, b.Record, b.Why); err != nil {
			return err
		}
	}
	return nil
}

// verifyRunning has a manager that runs open every record.
func (a *app) verifyRunning(ctx context.Context, s control.Service) error {
	v, err := control.Verify.Call(ctx, s, control.Empty{})
	if err != nil {
		return err
	}
	cfg, err := a.databaseOf()
	if err != nil {
		return err
	}
	return a.tellVerdict(v, "", cfg != nil)
}

// tellVerdict says what a store holds; of one in a database it says so where something
// is to be done.
func (a *app) tellVerdict(v control.StoreVerdict, place string, database bool) (err error) {
	if place != "" {
		place = " in " + place
	}
	if a.asJSON {
		err = a.printJSON(v)
	} else {
		holds := persistence.Tally{Accounts: v.Accounts, PermKeys: v.PermKeys, Records: v.Records}
		if err = a.sayf("The store%s holds what it should, as of commit %d: %v; %s.", place, v.Commit, holds, openings(len(v.Broken))); err == nil {
			err = a.sayBroken(v.Broken)
		}
	}
	switch {
	case err != nil:
		return err
	case database && len(v.Broken) > 0:
		return damagedBackup("%d records cannot be read, named above: restore the database from its backup, or remove their accounts and sign them in again", len(v.Broken))
	}
	return brokenStore(len(v.Broken))
}

func openings(broken int) string {
	if broken > 0 {
		return fmt.Sprintf("all open but %d", broken)
	}
	return "every one of them opens"
}

// brokenStore is the error of a store with records that cannot be read; nil for none.
func brokenStore(n int) error {
	if n == 0 {
		return nil
	}
	return damagedBackup("%d records cannot be read, named above: run `manager store salvage`, which looks for them in the sealed copy", n)
}

func (a *app) verifyStore(ctx context.Context) error {
	cfg, err := a.databaseOf()
	if err != nil {
		return err
	}
	if cfg != nil {
		return a.verifyDatabase(ctx, cfg)
	}
	o, err := a.storeThere()
	if err != nil {
		return err
	}
	r, err := badgerstore.Check(badgerstore.CheckOptions{Dir: o.Dir, Key: o.Key, KeySource: o.KeySource})
	if err != nil {
		return err
	}
	broken := control.BrokenRecords(r.Broken)
	if a.asJSON {
		damage := ""
		if r.Damage != nil {
			damage = plainly(r.Damage)
		}
		err = a.printJSON(struct {
			Dir   string `json:"dir"`
			Whole bool   `json:"whole"`
			// Damage is of the store as a whole, and Broken are single records.
			Damage string                 `json:"damage,omitempty"`
			Broken []control.BrokenRecord `json:"broken"`
			Store  string                 `json:"store"` // id
			Commit uint64                 `json:"commit"`
			tally
			Copy      uint64 `json:"copy_commit"`
			CopyWhole bool   `json:"copy_whole"`
			Adopt     bool   `json:"must_be_adopted"`
		}{r.Dir, r.Damage == nil && len(broken) == 0, damage, broken, r.Store, r.Commit, tally(r.Holds), r.CopyCommit, r.CopyWhole, r.Copied})
	} else {
		err = a.sayCheck(r, broken)
	}
	switch {
	case err != nil:
		return err
	case r.Damage != nil:
		return r.Damage
	}
	return brokenStore(len(broken))
}

func (a *app) sayCheck(r *badgerstore.CheckReport, broken []control.BrokenRecord) error {
	if r.Damage != nil {
		return a.sayBroken(broken)
	}
	if err := a.sayf("The store in %s holds what it should, as of commit %d: %v; %s.", r.Dir, r.Commit, r.Holds, openings(len(broken))); err != nil {
		return err
	}
	if err := a.sayBroken(broken); err != nil {
		return err
	}
	sealed := fmt.Sprintf("Its sealed copy is whole, as of commit %d.", r.CopyCommit)
	if !r.CopyWhole {
		sealed = "Its sealed copy is missing or damaged: the next manager that runs writes it anew."
	}
	if r.Copied {
		sealed += " It is a copy, or was moved or restored: nothing starts before `manager store adopt`."
	}
	return a.sayf("%s", sealed)
}

func (a *app) verifyBackup(ctx context.Context, path, identity string) error {
	in, closeFile, err := a.openBackup(path, identity)
	if err != nil {
		return err
	}
	defer closeFile()
	var bad []error
	err = in.Each(ctx, func(rec persistence.Record) error {
		if _, err := persistence.DecodeState([]persistence.Record{rec}); err != nil {
			bad = append(bad, err)
		}
		return nil
	})
	if err != nil {
		return control.BackupError(err)
	}
	r, broken := in.Report(), control.BrokenRecords(bad)
	if a.asJSON {
		err = a.printJSON(struct {
			backupJSON
			Whole  bool                   `json:"whole"`
			Broken []control.BrokenRecord `json:"broken"`
		}{backupJSON{BackupReport: control.BackupReportOf(path, r)}, len(broken)+len(r.Lost) == 0, broken})
	} else {
		err = a.sayf("The backup %s is as it was written at %s: %v, as of commit %d of the store %s. To restore it takes this identity, and no master key.",
			path, r.Created.Format(time.RFC3339), r.Holds, r.Commit, r.Store)
		if err == nil {
			err = a.sayBroken(broken)
		}
	}
	if err != nil {
		return err
	}
	if err := a.lost(control.BackupReportOf(path, r).Unreadable, "the backup lacks %d records that could not be read when it was made: take an older one beside it"); err != nil {
		return err
	}
	if len(broken) > 0 {
		return damagedBackup("%d records of the backup cannot be decoded, named above: take an older one beside it", len(broken))
	}
	return nil
}
