package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/config"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/badgerstore"
	"github.com/mtfleet/mtfleet/persistence/pgstore"
	"github.com/mtfleet/mtfleet/persistence/seal"
	"github.com/mtfleet/mtfleet/persistence/storecopy"
)

func (a *app) copyCommand() *cobra.Command {
	var file string
	var yes, asJSON bool
	c := &cobra.Command{
		Use: "copy", Short: "Move the fleet from a directory to a database, or back", Args: exactly(),
		Long: `copy takes the fleet from the store of this configuration to that of another one, a
file named with --to: from a data directory to a database of PostgreSQL, or back. All
goes along: keys, temp keys, waits, the places in the updates, the audit log. Nobody
signs in again. No manager may run on either.

Every record is read back from the copy and compared. Only then the store that was
copied says that it was moved, and nothing starts on it any more; and only after that
something starts on the copy. When it is killed, run it again: it begins anew, or ends
what was left. To go back later, copy again; what a store that was moved holds is of
the time of the move, so "store adopt" there is for when the other one is gone for good.

Of the other file counts what is in it alone: of the variables that begin with
MTFLEET_ only MTFLEET_STORE_KEY, which is for both then. The copy is sealed with its
own master key, which is made where there is none.`,
		RunE: func(c *cobra.Command, _ []string) error {
			a.asJSON = asJSON
			if file == "" {
				return usage("store copy: --to is missing: the configuration file with the store that the fleet goes to")
			}
			from, err := a.load(true)
			if err != nil {
				return err
			}
			other := a.ofFile(file)
			to, err := other.load(true)
			if err != nil {
				return err
			}
			if from.Store.Postgres.Used() == to.Store.Postgres.Used() {
				return usage("store copy: one of the two stores must be a data directory, the other a database: the one of this configuration is %s, and that of %s is %s", storeName(from), file, storeName(to))
			}
			for _, cfg := range []*config.Config{from, to} {
				if err := nobodyRuns(c.Context(), cfg); err != nil {
					return err
				}
			}
			if !yes {
				if err := a.confirmCopy(c.Context(), from, to); err != nil {
					return err
				}
			}
			var r copied
			if to.Store.Postgres.Used() {
				r, err = a.copyToDatabase(c.Context(), other, to)
			} else {
				r, err = a.copyToDirectory(c.Context(), from, other, to)
			}
			if err != nil {
				return copyError(err, to.Store.Postgres.Used())
			}
			return a.tellCopied(r, file)
		},
	}
	c.Flags().StringVar(&file, "to", "", "configuration `FILE` with the store that the fleet goes to")
	c.Flags().BoolVar(&yes, "yes", false, "do not ask whether it is meant")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON to standard output, and errors as JSON to standard error")
	return c
}

// ofFile is the command with another configuration file, and nothing beside it but
// the master key.
func (a *app) ofFile(file string) *app {
	other := *a
	other.configFile, other.settings = file, nil
	other.env = slices.DeleteFunc(slices.Clone(a.env), func(kv string) bool {
		return strings.HasPrefix(kv, "MTFLEET_") && !strings.HasPrefix(kv, seal.KeyEnv+"=")
	})
	return &other
}

// nobodyRuns refuses a store whose manager runs on this machine. The lock of a directory and the leases of nodes tell it
// too; a manager that has a database for itself alone has no lease.
func nobodyRuns(ctx context.Context, cfg *config.Config) error {
	s, err := dialOwn(ctx, cfg)
	switch {
	case errors.Is(err, control.ErrNobody):
		return nil
	case err != nil:
		return err
	}
	_ = s.Close()
	return &exitError{code: exitInUse, kind: control.KindInUse, text: fmt.Sprintf("a manager of the store in %s runs, or a command holds it: stop that first", storeName(cfg))}
}

func (a *app) confirmCopy(ctx context.Context, from, to *config.Config) error {
	in := newInput(a.in, false)
	if in.tty == nil || a.asJSON {
		return usage("this moves the fleet from %s to %s: add --yes if that is meant", storeName(from), storeName(to))
	}
	a.printf("This moves the fleet from %s to %s, and nothing starts on the first any more. Type yes to go on: ", storeName(from), storeName(to))
	answer, err := in.next(ctx)
	if err == nil && strings.EqualFold(strings.TrimSpace(answer), "yes") {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return &exitError{code: exitFailed, kind: control.KindCanceled, text: "nothing was done"}
}

// copied is a copy that was made.
type copied struct {
	from, to string
	key      seal.KeySource
	holds    persistence.Tally
	already  bool // by an earlier call
}

// copyNode claims stores for the time of a copy.
const copyNode = "store-copy"

// entering has the records of a copy end with an entry about it in the audit log.
func entering(ctx context.Context, from persistence.Snapshotter, place string) func(put func(persistence.Record) error) error {
	return withEntry(storecopy.Records(ctx, from), "store copy", "from "+place)
}

// copyToDatabase copies the data directory of this configuration. The lock of the
// directory keeps managers from it.
func (a *app) copyToDatabase(ctx context.Context, other *app, to *config.Config) (r copied, err error) {
	o, err := a.ownStore()
	if err != nil {
		return r, err
	}
	o.Moved = true
	from, err := openWhenFree(o)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	store, key, err := other.openDatabaseKeyed(to, false)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	r = copied{from: o.Dir, to: store.Place(), key: key}
	if m := from.Moved(); m != nil {
		if m.Other != r.to {
			return r, &persistence.MovedError{Place: o.Dir, Move: *m}
		}
		if r.already, r.holds, err = wholeDatabase(ctx, store); err != nil || r.already {
			return r, err
		}
	}
	m, err := storecopy.MomentOf(ctx, from)
	if err != nil {
		return r, err
	}
	var ledger storecopy.Ledger
	batch := persistence.Batch{Store: store}
	begun := persistence.Move{Partial: true, Other: r.from, Store: m.Store, At: time.Now()}
	if batch.Owner, err = store.BeginCopy(ctx, copyNode, begun, m.Epoch); err == nil {
		err = ledger.Noting(entering(ctx, from, r.from))(batch.Put)
	}
	if err == nil {
		err = batch.Flush()
	}
	if err == nil {
		r.holds, err = ledger.Check(ctx, store)
	}
	// Between the two nothing starts on either, and the same command goes on.
	if err == nil {
		err = from.MarkMoved(r.to, time.Now())
	}
	if err == nil {
		err = store.SetMove(ctx, batch.Owner, nil)
	}
	return r, err
}

// wholeDatabase tells whether a copy was made to its end.
func wholeDatabase(ctx context.Context, store *pgstore.Store) (whole bool, t persistence.Tally, err error) {
	if m, err := store.Moved(ctx); err != nil || m != nil {
		return false, t, err
	}
	m, err := storecopy.MomentOf(ctx, store)
	return m.Holds.Accounts > 0, m.Holds, err
}

// copyToDirectory copies the database of this configuration. It is claimed, which keeps
// nodes from it.
func (a *app) copyToDirectory(ctx context.Context, cfg *config.Config, other *app, to *config.Config) (r copied, err error) {
	from, err := a.openDatabase(cfg, true)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	if err := notAsRoot(to.Store.Dir); err != nil {
		return r, err
	}
	dir := absolute(filepath.Join(to.Store.Dir, "badger"))
	r = copied{from: from.Place(), to: dir}
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		m, movedErr := from.Moved(ctx)
		switch {
		case err != nil:
			return r, storeDirError(dir, err)
		case movedErr != nil:
			return r, movedErr
		case m == nil || m.Partial || m.Other != dir:
			return r, &persistence.NotEmptyError{Place: dir, Do: "move that directory away, or name another one (store.dir)"}
		}
		r.already = true
		tallied, err := storecopy.MomentOf(ctx, from)
		r.holds = tallied.Holds
		return r, err
	}
	owner, err := from.ClaimMoved(ctx, copyNode, dir)
	if err != nil {
		return r, err
	}
	m, err := storecopy.MomentOf(ctx, from)
	if err != nil {
		return r, err
	}
	o := badgerstore.RestoreOptions{Dir: dir, Epoch: m.Epoch, Now: time.Now()}
	if o.Logger, err = newLogger(a.err, to.Log, slog.LevelWarn); err != nil {
		return r, err
	}
	target, err := other.storeOptions(to, o.Logger)
	if err != nil {
		return r, err
	}
	o.Key, r.key = target.Key, target.KeySource
	if err := os.MkdirAll(to.Store.Dir, 0o700); err != nil {
		return r, storeDirError(to.Store.Dir, err)
	}
	var ledger storecopy.Ledger
	o.Records = ledger.Noting(entering(ctx, from, r.from))
	o.Whole = func(s *badgerstore.Store) (err error) {
		if r.holds, err = ledger.Check(ctx, s); err != nil {
			return err
		}
		return from.SetMove(ctx, owner, &persistence.Move{Other: dir, At: time.Now()})
	}
	_, err = badgerstore.Restore(o)
	return r, err
}

// copyError names the records for which a copy was refused, and what to do.
func copyError(err error, fromDirectory bool) error {
	if !fromDirectory {
		return databaseRecordsError(err, "so the fleet was not moved")
	}
	bad := persistence.BadKeys(err)
	if len(bad) == 0 {
		return err
	}
	text := "records cannot be read, so the fleet was not moved; run `manager store salvage`, which looks for them in the sealed copy:"
	for _, key := range bad {
		text += fmt.Sprintf("\n  %v", key)
	}
	return &exitError{code: exitDamaged, kind: control.KindDamaged, err: err, text: text}
}

// tellCopied says what was done, and what is to be done next.
func (a *app) tellCopied(r copied, file string) error {
	if a.asJSON {
		return a.printJSON(struct {
			From    string `json:"from"`
			To      string `json:"to"`
			Key     string `json:"master_key,omitempty"` // where that of the copy is
			Already bool   `json:"already"`
			tally
		}{r.from, r.to, r.key.String(), r.already, tally(r.holds)})
	}
	if r.already {
		return a.sayf("The fleet was moved already from %s to %s: %v. Start there, with the configuration in %s.", r.from, r.to, r.holds, file)
	}
	return a.sayf("Moved from %s to %s: %v, each read back and compared. It is sealed with the master key from %s.\nNothing starts on the first any more. Start on the second, with the configuration in %s.", r.from, r.to, r.holds, r.key, file)
}
