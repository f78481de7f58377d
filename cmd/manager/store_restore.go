package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/backup"
	"github.com/mtfleet/mtfleet/persistence/badgerstore"
	"github.com/mtfleet/mtfleet/persistence/seal"
)

func (a *app) restoreCommand() *cobra.Command {
	var identity, dir string
	var asJSON bool
	c := &cobra.Command{
		Use: "restore FILE", Short: "Make a store of a backup", Args: exactly("FILE"),
		Long: `restore makes a store of the backup in FILE (- is standard input) where there is none
yet, or in a database no account, sealed with the master key of this configuration, which is made if there is
none: the one of the store before is not needed.

Nothing starts then. Two managers with the same keys lose their accounts, so say
first that the store before is gone for good: manager store adopt.`,
		RunE: func(c *cobra.Command, args []string) error {
			a.asJSON = asJSON
			if identity == "" {
				return usage("store restore: --identity is missing: the file with the age identity that the backup was encrypted to")
			}
			if dir != "" {
				a.settings = append(a.settings, "store.dir="+dir)
			}
			cfg, err := a.load(true)
			if err != nil {
				return err
			}
			database := dir == "" && cfg.Store.Postgres.Used()
			if err := notAsRoot(cfg.Store.Dir); err != nil && !database {
				return err
			}
			in, closeFile, err := a.openBackup(args[0], identity)
			if err != nil {
				return err
			}
			defer closeFile()
			if database {
				return a.restoreDatabase(c.Context(), cfg, args[0], in)
			}
			o := badgerstore.RestoreOptions{Dir: filepath.Join(cfg.Store.Dir, "badger"), Epoch: in.Report().Epoch, Now: time.Now()}
			o.Records = withEntry(func(put func(persistence.Record) error) error { return in.Each(c.Context(), put) }, "store restore", filepath.Base(args[0]))
			if _, err := os.Lstat(o.Dir); err == nil { // before a key is made
				return control.BackupError(&persistence.ExistsError{Dir: o.Dir})
			}
			if o.Logger, err = newLogger(a.err, cfg.Log, slog.LevelWarn); err != nil {
				return err
			}
			store, err := a.storeOptions(cfg, o.Logger)
			if err != nil {
				return err
			}
			o.Key = store.Key
			if err := os.MkdirAll(cfg.Store.Dir, 0o700); err != nil {
				return fmt.Errorf("store.dir: %w", err)
			}
			if _, err := badgerstore.Restore(o); err != nil {
				return control.BackupError(err)
			}
			return a.restored(absolute(cfg.Store.Dir), args[0], store.KeySource, in.Report())
		},
	}
	c.Flags().StringVar(&identity, "identity", "", "`FILE` with the age identity of a recipient of the backup")
	c.Flags().StringVar(&dir, "dir", "", "data `DIRECTORY` to make, in place of store.dir")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON to standard output, and errors as JSON to standard error")
	return c
}

// restored says what is there now, and what to do next.
func (a *app) restored(dir, file string, key seal.KeySource, r backup.Report) error {
	if a.asJSON {
		err := a.printJSON(struct {
			Dir    string     `json:"dir"`
			Key    string     `json:"master_key"` // where it is
			Adopt  bool       `json:"must_be_adopted"`
			Backup backupJSON `json:"backup"`
		}{dir, key.String(), true, backupJSON{BackupReport: control.BackupReportOf(file, r)}})
		return errors.Join(err, a.lost(control.BackupReportOf(file, r).Unreadable, "the backup lacks %d records that could not be read when it was made"))
	}
	set := ""
	for _, s := range a.settings { // of others it would show secrets
		if strings.HasPrefix(s, "store.") && !strings.HasPrefix(s, "store.postgres.url=") {
			set += " --set " + s
		}
	}
	err := a.sayf(`Restored into %s: %v, as of %s (commit %d of the store %s). It is sealed with the master key from %s.

Nothing starts before you say that the store it was made of is gone for good: two managers with the same keys
lose their accounts. Then:
  manager%s store adopt
  manager%s run
What happened after the backup is not in it: accounts that signed in later sign in again. One whose session was handed
out later (session export) must not run here: between the two, manager%s account pause NAME.`,
		dir, r.Holds, r.Created.Format(time.RFC3339), r.Commit, r.Store, key, set, set, set)
	return errors.Join(err, a.lost(control.BackupReportOf(file, r).Unreadable, "the backup lacks %d records that could not be read when it was made: their accounts say so"))
}

// openBackup opens a backup with the identities in a file.
func (a *app) openBackup(path, identity string) (*backup.Reader, func(), error) {
	ids, err := readIdentities(identity)
	if err != nil {
		return nil, nil, err
	}
	from, closeFile := io.NopCloser(a.in), func() {}
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, nil, usage("the backup %s: %v", path, bareError(err))
		}
		from, closeFile = f, func() { _ = f.Close() }
	}
	r, err := backup.Open(from, ids)
	if err != nil {
		closeFile()
		return nil, nil, control.BackupError(err)
	}
	return r, closeFile, nil
}

func readIdentities(path string) ([]age.Identity, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, usage("--identity %s: %v", path, bareError(err))
	}
	defer f.Close()
	ids, err := backup.ParseIdentities(f, "--identity "+path)
	if err != nil {
		return nil, usage("%s", plainly(err))
	}
	return ids, nil
}
