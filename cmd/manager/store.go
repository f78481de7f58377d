package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/config"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/badgerstore"
)

func (a *app) storeCommand() *cobra.Command {
	return group("store", "Back the store up, check it and mend it",
		`backup, verify and space are done by the manager that runs, while it goes on. The
others open the store themselves, and so do those where no manager runs: none may.

backup, restore and verify are for before anything happens, salvage and adopt for a
store that says that it is damaged, or that it is a copy, and copy takes a fleet from
one machine to several, and back. Of a store in a database verify, space and backup
can be done while nodes run elsewhere; salvage and compact are for files, and refused.`,
		a.backupCommand(), a.restoreCommand(), a.verifyCommand(), a.spaceCommand(), a.rekeyCommand(), a.compactCommand(), a.salvageCommand(), a.adoptCommand(), a.copyCommand())
}

// ownStore returns the options of a store that is there already and is written to:
// no key and no directory are made. Root may not, where the store is somebody
// else's: what it makes would be root's, and the manager could not open it.
func (a *app) ownStore() (o badgerstore.Options, err error) {
	o, err = a.storeThere()
	if err != nil {
		return o, err
	}
	return o, notAsRoot(o.Dir)
}

func notAsRoot(dir string) error {
	owner, others := ownerOf(dir)
	if !others || os.Geteuid() != 0 {
		return nil
	}
	return &exitError{code: exitState, kind: control.KindState,
		text: fmt.Sprintf("%s belongs to %s: run this command as that user, or the manager cannot open what root writes (docs/backup.md says how)", dir, owner)}
}

// storeThere is ownStore for who only reads.
func (a *app) storeThere() (o badgerstore.Options, err error) {
	cfg, err := a.load(true)
	if err != nil {
		return o, err
	}
	log, err := newLogger(a.err, cfg.Log, slog.LevelWarn)
	if err != nil {
		return o, err
	}
	dir := absolute(cfg.Store.Dir)
	if _, err := os.Stat(dir + "/badger"); err != nil {
		return o, &exitError{code: exitState, kind: control.KindState, err: err, text: fmt.Sprintf("there is no store in %s", dir)}
	}
	return a.storeOptions(cfg, log)
}

func (a *app) salvageCommand() *cobra.Command {
	var asJSON, dryRun bool
	c := &cobra.Command{
		Use: "salvage", Short: "Make a good store of a damaged one, and say what is missing", Args: exactly(),
		Long: `salvage reads everything that is left of a damaged store, also what lies behind the
damage, fills it up from the sealed copy beside it, and makes a new store in its
place. The damaged files are moved into a directory damaged-DATE beside the new ones
and never deleted. A store that holds everything is left alone.

--dry-run says what could be saved, and changes nothing.`,
		RunE: func(*cobra.Command, []string) error {
			a.asJSON = asJSON
			if err := a.noDirectory("salvage", "`manager store verify` says which records cannot be read; what is gone comes back from the database's own backups and its log, or by `manager store restore` into another schema"); err != nil {
				return err
			}
			o, err := a.ownStore()
			if err != nil {
				return err
			}
			r, err := badgerstore.Salvage(badgerstore.SalvageOptions{Dir: o.Dir, Key: o.Key, KeySource: o.KeySource, DryRun: dryRun, Now: time.Now()})
			if err != nil {
				return err
			}
			if !r.Whole && !dryRun {
				a.auditClosed(o, "store salvage", "", missing(r))
			}
			if asJSON {
				err = a.printJSON(salvageJSON(r))
			} else {
				err = a.printSalvage(r, dryRun)
			}
			if err != nil {
				return err
			}
			return missing(r)
		},
	}
	c.Flags().BoolVar(&dryRun, "dry-run", false, "only say what could be saved")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON to standard output, and errors as JSON to standard error")
	return c
}

func (a *app) printSalvage(r *badgerstore.SalvageReport, dryRun bool) error {
	if r.Whole {
		return a.sayf("The store in %s holds everything it should: %v. Nothing was done.", r.Dir, r.Saved)
	}
	if err := a.sayf("The store in %s was damaged: %s.", r.Dir, r.Why); err != nil {
		return err
	}
	for _, acc := range r.Accounts {
		if acc.Behind+acc.FromCopy+len(acc.Missing) == 0 {
			continue
		}
		if err := a.sayf("  %s: %s", acc.ID, sources(acc)); err != nil {
			return err
		}
	}
	verb := "Saved"
	if dryRun {
		verb = "Can be saved"
	}
	if r.Saved.Records > 0 {
		if err := a.sayf("%s: %v. %s", verb, r.Saved, completeness(r)); err != nil {
			return err
		}
	}
	if r.Kept != "" {
		return a.sayf("The damaged files are in %s. Start the manager, look at its accounts, then delete them.", r.Kept)
	}
	return nil
}

// sources says where the records of an account came from.
func sources(acc badgerstore.SalvagedAccount) string {
	var parts []string
	add := func(n int, from string) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, from))
		}
	}
	add(acc.FromStore, "from the store")
	add(acc.Behind, "from behind the damage")
	add(acc.FromCopy, "from the sealed copy")
	s := strings.Join(parts, ", ")
	if len(acc.Missing) > 0 {
		s += "; missing: " + strings.Join(acc.Missing, ", ")
	}
	return s
}

func completeness(r *badgerstore.SalvageReport) string {
	switch accounts, permKeys := r.Unnamed(); {
	case r.Complete:
		return "That is everything."
	case r.Commit == 0:
		return "Nothing says what there was."
	case accounts+permKeys == 0 && r.Saved.Records < r.Should.Records:
		return fmt.Sprintf("All accounts and perm keys are there; %d other records are not: temp keys and sessions are made anew.", r.Should.Records-r.Saved.Records)
	case accounts+permKeys == 0:
		return "All accounts and perm keys are there; some records may be older than they were."
	}
	return fmt.Sprintf("There were %v.", r.Should)
}

// missing is the error of a salvage that could not save everything that counts.
func missing(r *badgerstore.SalvageReport) error {
	named := 0
	for _, acc := range r.Accounts {
		if len(acc.Missing) > 0 {
			named++
		}
	}
	accounts, permKeys := r.Unnamed()
	var parts []string
	if accounts > 0 {
		parts = append(parts, fmt.Sprintf("%d accounts that nothing is left of", accounts))
	}
	if permKeys > 0 {
		parts = append(parts, fmt.Sprintf("%d perm keys", permKeys))
	}
	if named > 0 {
		parts = append(parts, fmt.Sprintf("records of the %d accounts named above", named))
	}
	if len(parts) == 0 {
		return nil
	}
	return &exitError{code: exitDamaged, kind: control.KindDamaged,
		text: "missing are " + strings.Join(parts, ", ") + ": restore them from a backup, or sign these accounts in again"}
}

// tally is a persistence.Tally for programs.
type tally struct {
	Accounts int `json:"accounts"`
	PermKeys int `json:"perm_keys"`
	Records  int `json:"records"`
}

// salvageJSON is a report for programs.
func salvageJSON(r *badgerstore.SalvageReport) any {
	type account struct {
		ID        string   `json:"id"`
		FromStore int      `json:"from_store"`
		Behind    int      `json:"from_behind_damage"`
		FromCopy  int      `json:"from_copy"`
		Missing   []string `json:"missing,omitempty"`
	}
	list := []account{}
	for _, acc := range r.Accounts {
		list = append(list, account{string(acc.ID), acc.FromStore, acc.Behind, acc.FromCopy, acc.Missing})
	}
	return struct {
		Store    string    `json:"store"`
		Whole    bool      `json:"whole"`
		Damage   string    `json:"damage,omitempty"`
		Kept     string    `json:"damaged_files,omitempty"`
		Commit   uint64    `json:"commit"`
		Copy     uint64    `json:"copy_commit"`
		Should   tally     `json:"should"`
		Saved    tally     `json:"saved"`
		Complete bool      `json:"complete"`
		Accounts []account `json:"accounts"`
	}{r.Dir, r.Whole, r.Why, r.Kept, r.Commit, r.CopyCommit, tally(r.Should), tally(r.Saved), r.Complete, list}
}

func (a *app) adoptCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "adopt", Short: "Take a store that was copied, moved or restored", Args: exactly(),
		Long: `adopt takes a store that lies elsewhere than it was used last: a copy, a restored
backup, a directory that was moved to another disk; or one, a directory or a database,
that was moved by "store copy". Do it only when no other manager uses the same store:
two that use the same keys lose their accounts.`,
		RunE: func(c *cobra.Command, _ []string) error {
			a.asJSON = asJSON
			cfg, err := a.load(true)
			if err != nil {
				return err
			}
			if cfg.Store.Postgres.Used() {
				return a.adoptDatabase(c.Context(), cfg)
			}
			o, err := a.ownStore()
			if err != nil {
				return err
			}
			o.Adopt = true
			store, err := openWhenFree(o)
			if err != nil {
				return err
			}
			ids, err := store.Accounts()
			adopted := store.Adopted()
			if adopted {
				a.auditOpen(store, "store adopt", "", err)
			}
			if closeErr := store.Close(); err == nil {
				err = closeErr
			}
			if err != nil {
				return err
			}
			return a.adopted(o.Dir, adopted, len(ids))
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON to standard output, and errors as JSON to standard error")
	return c
}

// adoptDatabase is adopt for a store in a database.
func (a *app) adoptDatabase(ctx context.Context, cfg *config.Config) error {
	store, err := a.openDatabase(cfg, true)
	if err != nil {
		return err
	}
	adopted, err := store.Adopt(ctx)
	var ids []persistence.AccountID
	if err == nil {
		ids, err = store.Accounts()
	}
	if adopted {
		a.auditOpen(store, "store adopt", "", err)
	}
	if closeErr := store.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return a.adopted(store.Place(), adopted, len(ids))
}

func (a *app) adopted(place string, adopted bool, accounts int) error {
	if a.asJSON {
		return a.printJSON(struct {
			Store    string `json:"store"`
			Adopted  bool   `json:"adopted"`
			Accounts int    `json:"accounts"`
		}{place, adopted, accounts})
	}
	if !adopted {
		return a.sayf("The store in %s lies where it was used last: there is nothing to adopt.", place)
	}
	return a.sayf("The store in %s is adopted, with %d accounts. The one it was copied from must not run any more, nor one that it was copied to.", place, accounts)
}
