package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/pgstore"
)

func (a *app) spaceCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "space", Short: "Show what the store takes of its disk, and the last backup", Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			a.asJSON = asJSON
			r, err := a.space(c.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return a.printJSON(r)
			}
			return a.printSpace(r)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON to standard output, and errors as JSON to standard error")
	return c
}

// space asks the manager that runs, or the store.
func (a *app) space(ctx context.Context) (r control.StoreSpace, err error) {
	s, err := a.running(ctx)
	if err != nil {
		return r, err
	}
	if s != nil {
		defer s.Close()
		return control.Space.Call(ctx, s, control.Empty{})
	}
	cfg, err := a.databaseOf()
	if err != nil {
		return r, err
	}
	if cfg != nil {
		err = a.withDatabase(cfg, func(store *pgstore.Store) (err error) {
			r, err = control.SpaceOf(store)
			return err
		})
		return r, err
	}
	o, err := a.ownStore() // looking makes none
	if err != nil {
		return r, err
	}
	store, err := openWhenFree(o)
	if err != nil {
		return r, err
	}
	r, err = control.SpaceOf(store)
	return r, errors.Join(err, closeStore(store))
}

func (a *app) printSpace(r control.StoreSpace) error {
	if r.Free < 0 {
		if err := a.sayf("The store takes %s where it is. How much room there is cannot be told from here.", persistence.Size(r.Used)); err != nil {
			return err
		}
	} else if err := a.sayf("The store takes %s of its disk, where %s are free; below %s it refuses commits.",
		persistence.Size(r.Used), persistence.Size(r.Free), persistence.Size(r.Needed)); err != nil {
		return err
	}
	if r.Refuses != "" {
		if err := a.sayf("It refuses them: %s", r.Refuses); err != nil {
			return err
		}
	}
	if r.BackupAt.IsZero() {
		return a.sayf("It was never backed up: `manager store backup FILE --recipient AGE_KEY`.")
	}
	on := ""
	if r.BackupNode != "" {
		on = " on node " + r.BackupNode
	}
	return a.sayf("It was last backed up at %s, into %s%s (%s).", r.BackupAt.Local().Format(time.DateTime), r.BackupFile, on, persistence.Size(r.BackupBytes))
}
