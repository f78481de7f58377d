package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/badgerstore"
	"github.com/mtfleet/mtfleet/persistence/seal"
)

func (a *app) rekeyCommand() *cobra.Command {
	var to string
	var asJSON bool
	c := &cobra.Command{
		Use: "rekey", Short: "Seal the store with another master key", Args: exactly(),
		Long: `rekey seals every record with the master key in the file that --to names, which is
made when it does not exist. The present key is the one of the configuration. Nothing
that the present key opens is left in the store afterwards; name the new file in
store.key_file before the next start.

It may be killed at any moment: the store opens with one of the two keys then, and
the same command goes on. It needs as much room again as the live records take, and
36 MB.`,
		RunE: func(c *cobra.Command, _ []string) error {
			a.asJSON = asJSON
			if to == "" {
				return usage("store rekey: --to is missing: the file with the new master key; it is made when it does not exist")
			}
			o, err := a.ownStore()
			if err != nil {
				return err
			}
			next, source, err := seal.LoadNextKey(to, filepath.Dir(o.Dir)) // not in store.dir
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
				return rewriteError(err)
			}
			return a.rekeyed(r, o.KeySource, source, already)
		},
	}
	c.Flags().StringVar(&to, "to", "", "`FILE` with the new master key")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON to standard output, and errors as JSON to standard error")
	return c
}

func (a *app) rekeyed(r *badgerstore.RewriteReport, from, to seal.KeySource, already bool) error {
	if a.asJSON {
		return a.printJSON(struct {
			Dir     string `json:"dir"`
			Key     string `json:"master_key"` // where it is
			Already bool   `json:"already"`
			Dropped int    `json:"dropped"` // temp keys and sessions that could not be read
			tally
		}{r.Dir, to.File, already, r.Dropped, tally(r.Holds)})
	}
	verb := "is sealed with the master key in"
	if already {
		verb = "was sealed already with the master key in"
	}
	next := fmt.Sprintf("Before the next start set store.key_file to %s.", to.File)
	if from.File == "" {
		next = fmt.Sprintf("The key it had came from %s: change it there before the next start, or set store.key_file to %s alone.", from, to.File)
	}
	return a.sayf("The store in %s %s %s: %v. The one before opens nothing in it any more.\n%s Backups need neither of them; copies of the data directory that were made before still open with the old one.",
		r.Dir, verb, to.File, r.Holds, next)
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
			o, err := a.ownStore()
			if err != nil {
				return err
			}
			r, err := badgerstore.Rewrite(c.Context(), badgerstore.RewriteOptions{Dir: o.Dir, Key: o.Key, KeySource: o.KeySource, To: o.Key, Now: time.Now(), Logger: o.Logger})
			if err != nil {
				return rewriteError(err)
			}
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
