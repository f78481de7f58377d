package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/badgerstore"
	"github.com/mtfleet/mtfleet/persistence/seal"
)

// nextKeyFlags say where a new master key is: one of them.
type nextKeyFlags struct {
	file, credential, env string
	command               []string
}

func (f *nextKeyFlags) register(c *cobra.Command) {
	c.Flags().StringVar(&f.file, "to", "", "`FILE` with the new master key; it is made when it does not exist")
	c.Flags().StringVar(&f.credential, "to-credential", "", "systemd credential `NAME` with the new master key, as store.key_credential")
	c.Flags().StringSliceVar(&f.command, "to-command", nil, "`PROGRAM,ARG...` that prints the new master key, as store.key_command")
	c.Flags().StringVar(&f.env, "to-env", "", "environment `VARIABLE` with the new master key")
}

// check wants one place.
func (f *nextKeyFlags) check() error {
	switch howMany(f.file != "", f.credential != "", len(f.command) > 0, f.env != "") {
	case 0:
		return usage("store rekey: --to is missing: the file with the new master key, which is made when it does not exist; or say where the key is by --to-credential, --to-command or --to-env")
	case 1:
		return nil
	}
	return usage("store rekey: --to, --to-credential, --to-command and --to-env each say where the new master key is: give one")
}

// load reads the key, and says what is to be set for the next start.
func (f *nextKeyFlags) load(env []string, dataDir string) (key seal.MasterKey, source seal.KeySource, set string, err error) {
	o := seal.KeyOptions{StoreDir: dataDir, File: f.file, Credential: f.credential, CredentialDir: lookup(env, "CREDENTIALS_DIRECTORY"), Command: f.command}
	if f.env != "" {
		if o.EnvName, o.Env = f.env, lookup(env, f.env); o.Env == "" {
			return key, source, "", usage("store rekey: --to-env: the variable %s is not set: put the new master key there, 64 hex digits or base64", f.env)
		}
	}
	key, source, err = seal.LoadNextKey(o)
	switch {
	case f.credential != "":
		set = "store.key_credential to " + f.credential
	case len(f.command) > 0:
		set = "store.key_command to " + strings.Join(f.command, ",")
	case f.env != "":
		set = seal.KeyEnv + " to what " + f.env + " has"
	default:
		set = "store.key_file to " + source.File
	}
	return key, source, set, err
}

func (a *app) rekeyCommand() *cobra.Command {
	var to nextKeyFlags
	var asJSON bool
	c := &cobra.Command{
		Use: "rekey", Short: "Seal the store with another master key", Args: exactly(),
		Long: `rekey seals every record with the master key in the file that --to names, which is
made when it does not exist; or with the key that a systemd credential, a program or a
variable has. The present key is the one of the configuration. Nothing that the
present key opens is left in the store afterwards; set store.key_file, or what it says,
before the next start.

It may be killed at any moment: the store opens with one of the two keys then, and
the same command goes on. It needs as much room again as the live records take, and
36 MB. In a database it is one transaction, while no node runs.`,
		RunE: func(c *cobra.Command, _ []string) error {
			a.asJSON = asJSON
			if err := to.check(); err != nil {
				return err
			}
			cfg, err := a.databaseOf()
			if err != nil {
				return err
			}
			if cfg != nil {
				return a.rekeyDatabase(c.Context(), cfg, &to)
			}
			o, err := a.ownStore()
			if err != nil {
				return err
			}
			next, source, set, err := to.load(a.env, filepath.Dir(o.Dir)) // not in store.dir
			if err != nil {
				return err
			}
			if source.Created {
				a.printf("manager: made a master key in %s: keep a copy elsewhere, without it nobody can read the store\n", source.File)
			}
			var r *badgerstore.RewriteReport
			already := next == o.Key
			if !already {
				r, err = badgerstore.Rewrite(c.Context(), badgerstore.RewriteOptions{Dir: o.Dir, Key: o.Key, KeySource: o.KeySource, To: next, Now: time.Now(), Logger: o.Logger})
				already = errors.As(err, new(*persistence.MasterKeyError))
			}
			if already { // as after a kill at the very end, or it is another key altogether
				check, checkErr := badgerstore.Check(badgerstore.CheckOptions{Dir: o.Dir, Key: next, KeySource: source})
				switch {
				case checkErr == nil:
					r, err = &badgerstore.RewriteReport{Dir: o.Dir, Holds: check.Holds}, nil
				case err == nil:
					err = checkErr
				}
			}
			if err != nil {
				err = rewriteError(err)
				a.auditRefused(o, "store rekey", err)
				return err
			}
			a.auditClosed(badgerstore.Options{Dir: o.Dir, Key: next, KeySource: source, Logger: o.Logger}, "store rekey", filepath.Base(source.String()), nil)
			return a.tellRekeyed(rekeyed{place: r.Dir, holds: r.Holds, dropped: r.Dropped, from: o.KeySource, to: source, set: set, already: already})
		},
	}
	to.register(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON to standard output, and errors as JSON to standard error")
	return c
}

// rekeyed is a store that is sealed with another master key.
type rekeyed struct {
	place    string
	holds    persistence.Tally
	dropped  int // temp keys and sessions that could not be read
	from, to seal.KeySource
	set      string // what is to be set
	already  bool
	database bool
}

// tellRekeyed says what was done, and what is to be set before the next start.
func (a *app) tellRekeyed(r rekeyed) error {
	if a.asJSON {
		return a.printJSON(struct {
			Dir     string `json:"dir"`
			Key     string `json:"master_key"` // where it is
			Already bool   `json:"already"`
			Dropped int    `json:"dropped"` // temp keys and sessions that could not be read
			tally
		}{r.place, r.to.String(), r.already, r.dropped, tally(r.holds)})
	}
	verb := "is sealed with the master key"
	if r.already {
		verb = "was sealed already with the master key"
	}
	where, copies := "", "data directory"
	if r.database {
		where, copies = " on every node", "database"
	}
	next := fmt.Sprintf("Before the next start set %s%s.", r.set, where)
	if r.from.File == "" {
		next = fmt.Sprintf("The key it had came from %s: change it there before the next start, or set %s alone%s.", r.from, r.set, where)
	}
	return a.sayf("The store in %s %s %s %s: %v. The one before opens nothing in it any more.\n%s Backups need neither of them; copies of the %s that were made before still open with the old one.",
		r.place, verb, keyPlace(r.to), r.to, r.holds, next, copies)
}

// keyPlace is how a key is where it is.
func keyPlace(s seal.KeySource) string {
	if s.File != "" {
		return "in"
	}
	return "from"
}

// auditRefused writes that a store was not rewritten for its records, which can be opened all the same.
func (a *app) auditRefused(o badgerstore.Options, what string, err error) {
	if len(persistence.BadKeys(err)) > 0 {
		a.auditClosed(o, what, "", err)
	}
}

// rewriteError names the records for which a rewrite was refused, and what to do.
func rewriteError(err error) error {
	if len(persistence.BadKeys(err)) == 0 {
		return err
	}
	text := "records cannot be read, so nothing was done; run `manager store salvage`, which looks for them in the sealed copy:"
	for _, key := range persistence.BadKeys(err) {
		text += fmt.Sprintf("\n  %v", key)
	}
	return &exitError{code: exitDamaged, kind: control.KindDamaged, err: err, text: text}
}

func (a *app) compactCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "compact", Short: "Give disk space back that the store does not need", Args: exactly(),
		Long: `compact writes the live records into a new store that takes the place of the one
before: what was changed or deleted takes no room any more. It may be killed at any
moment. It needs as much room again as the live records take, and 36 MB.`,
		RunE: func(c *cobra.Command, _ []string) error {
			a.asJSON = asJSON
			if err := a.noDirectory("compact", "the server gives room back by itself (autovacuum), for new records; `vacuum full` by its owner, while no node runs, gives it to the disk"); err != nil {
				return err
			}
			o, err := a.ownStore()
			if err != nil {
				return err
			}
			r, err := badgerstore.Rewrite(c.Context(), badgerstore.RewriteOptions{Dir: o.Dir, Key: o.Key, KeySource: o.KeySource, To: o.Key, Now: time.Now(), Logger: o.Logger})
			if err != nil {
				err = rewriteError(err)
				a.auditRefused(o, "store compact", err)
				return err
			}
			a.auditClosed(o, "store compact", "", nil)
			if asJSON {
				return a.printJSON(struct {
					Dir     string `json:"dir"`
					Before  int64  `json:"bytes_before"`
					After   int64  `json:"bytes_after"`
					Dropped int    `json:"dropped"` // temp keys and sessions that could not be read
					tally
				}{r.Dir, r.Before, r.After, r.Dropped, tally(r.Holds)})
			}
			return a.sayf("The store in %s took %s of the disk, and takes %s: %v.", r.Dir, persistence.Size(r.Before), persistence.Size(r.After), r.Holds)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON to standard output, and errors as JSON to standard error")
	return c
}
