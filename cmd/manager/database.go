package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"filippo.io/age"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/lease"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/config"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/backup"
	"github.com/mtfleet/mtfleet/persistence/badgerstore"
	"github.com/mtfleet/mtfleet/persistence/pgstore"
	"github.com/mtfleet/mtfleet/persistence/seal"
	"github.com/mtfleet/mtfleet/persistence/storecopy"
)

// This file is what commands do with the store of a database.

// databaseOptions says where the store of a database is; its key is to be added.
func (a *app) databaseOptions(cfg *config.Config, log *slog.Logger) (pgstore.Options, error) {
	url, err := cfg.Store.Postgres.Connection()
	if err != nil {
		return pgstore.Options{}, &exitError{code: exitUsage, kind: control.KindConfig, err: err, text: fmt.Sprintf("store.postgres.url_file cannot be read: %v", err)}
	}
	return pgstore.Options{URL: persistence.SecretText(url), Schema: cfg.Store.Postgres.Schema, Program: a.command, Logger: log}, nil
}

// databaseError has what the server does not give be a mistake of the configuration.
func databaseError(err error) error {
	if refused := (*pgstore.AccessError)(nil); errors.As(err, &refused) {
		return &exitError{code: exitUsage, kind: control.KindConfig, err: err, text: actors.Words(err)}
	}
	if none := (*pgstore.NoStoreError)(nil); errors.As(err, &none) {
		return &exitError{code: exitState, kind: control.KindState, err: err, text: actors.Words(err)}
	}
	return err
}

// databaseKey reads the master key of the store of a database. None is made where there
// is a store already: it is on another node.
func (a *app) databaseKey(cfg *config.Config, o pgstore.Options) (seal.MasterKey, seal.KeySource, error) {
	ko := a.keyOptions(cfg)
	if _, err := os.Stat(ko.File); ko.Env == "" && len(ko.Command) == 0 && ko.Credential == "" && errors.Is(err, fs.ErrNotExist) {
		there, err := pgstore.Exists(context.Background(), o)
		if err != nil {
			return seal.MasterKey{}, seal.KeySource{}, databaseError(err)
		}
		if place, err := pgstore.PlaceOf(o.URL, o.Schema); there && err == nil {
			ko.Sealed = "the store in " + place
		}
	}
	return badgerstore.LoadMasterKey(ko)
}

// openDatabase opens the store of a database with its master key, which waits a few
// seconds for it. Where existing is set none is made.
func (a *app) openDatabase(cfg *config.Config, existing bool) (*pgstore.Store, error) {
	store, _, err := a.openDatabaseKeyed(cfg, existing)
	return store, err
}

func (a *app) openDatabaseKeyed(cfg *config.Config, existing bool) (*pgstore.Store, seal.KeySource, error) {
	log, err := newLogger(a.err, cfg.Log, slog.LevelWarn)
	if err != nil {
		return nil, seal.KeySource{}, err
	}
	return a.openDatabaseLogged(cfg, existing, log)
}

func (a *app) openDatabaseLogged(cfg *config.Config, existing bool, log *slog.Logger) (*pgstore.Store, seal.KeySource, error) {
	o, err := a.databaseOptions(cfg, log)
	if err != nil {
		return nil, seal.KeySource{}, err
	}
	if existing { // before a key is made
		there, err := pgstore.Exists(context.Background(), o)
		if err == nil && !there {
			place, _ := pgstore.PlaceOf(o.URL, o.Schema) // Exists has read it
			err = &pgstore.NoStoreError{Place: place}
		}
		if err != nil {
			return nil, seal.KeySource{}, databaseError(err)
		}
	}
	o.Existing = existing
	if o.Key, o.KeySource, err = a.databaseKey(cfg, o); err != nil {
		return nil, o.KeySource, err
	}
	a.tellKey(o.KeySource, log)
	store, err := pgstore.Open(context.Background(), o)
	if err != nil {
		return nil, o.KeySource, databaseError(err)
	}
	return store, o.KeySource, nil
}

// databaseOf is the configuration where that has a database; nil for a directory.
func (a *app) databaseOf() (*config.Config, error) {
	cfg, err := a.load(true)
	if err != nil || !cfg.Store.Postgres.Used() {
		return nil, err
	}
	return cfg, nil
}

// noDirectory refuses a command that mends files of a data directory.
func (a *app) noDirectory(what, instead string) error {
	cfg, err := a.databaseOf()
	if err != nil || cfg == nil {
		return err
	}
	return &exitError{code: exitState, kind: control.KindState, text: fmt.Sprintf("store %s is for the files of a data directory, and this store is in %s: %s", what, storeName(cfg), instead)}
}

// withDatabase opens a store that is there, and closes it afterwards.
func (a *app) withDatabase(cfg *config.Config, f func(*pgstore.Store) error) error {
	store, err := a.openDatabase(cfg, true)
	if err != nil {
		return err
	}
	return errors.Join(f(store), closeStore(store))
}

// sameStore tells whether a manager has the store of this configuration.
func sameStore(info control.About, cfg *config.Config) bool {
	if cfg.Store.Postgres.Used() {
		return info.Store == storeName(cfg)
	}
	return sameDir(info.Store, cfg.Store.Dir)
}

// claimed is the store of a database as a command has it that may use accounts while no
// node runs: a claim of everything. Nothing but a lease says for how long it may.
type claimed struct {
	*pgstore.Store
	lease *lease.Lease
	stop  context.CancelFunc
	ended chan struct{}
}

// claimLooks are between two questions whether the claim is held, and claimMargin what
// clocks may differ by in pgstore.ClaimTerm, and a write may take that was begun.
const (
	claimLooks  = time.Second
	claimMargin = time.Second
)

// aloneOn has a manager on the store be silent unless it holds its claim.
func aloneOn(store *pgstore.Store, o *actors.Options) {
	ctx, stop := context.WithCancel(context.Background())
	c := &claimed{Store: store, lease: lease.New(lease.System), stop: stop, ended: make(chan struct{})}
	o.Store = c
	o.Wire.Fence = func() error {
		if c.lease.Left() <= 0 {
			return errUnclaimed
		}
		return nil
	}
	go func() {
		defer close(c.ended)
		for tick := time.NewTicker(claimLooks); ; {
			select {
			case <-tick.C:
				c.confirm(ctx)
			case <-ctx.Done():
				tick.Stop()
				return
			}
		}
	}()
}

var errUnclaimed = errors.New("this command has not, or no more, the store for itself: it is silent")

func (c *claimed) confirm(ctx context.Context) {
	asked := c.lease.Ask()
	if c.Store.ConfirmClaim(ctx) == nil {
		c.lease.Extend(asked, pgstore.ClaimTerm-claimMargin)
	}
}

// Claim implements persistence.Store.
func (c *claimed) Claim(node string) (persistence.Owner, error) {
	owner, err := c.Store.Claim(node)
	if err == nil {
		c.confirm(context.Background())
	}
	return owner, err
}

// Close implements persistence.Store.
func (c *claimed) Close() error {
	c.stop()
	<-c.ended
	c.lease.End()
	return c.Store.Close()
}

// verifyDatabase opens every record.
func (a *app) verifyDatabase(ctx context.Context, cfg *config.Config) error {
	return a.withDatabase(cfg, func(store *pgstore.Store) error {
		v, err := control.VerifyStore(ctx, store)
		if err != nil {
			return err
		}
		return a.tellVerdict(v, store.Place(), true)
	})
}

// backUpDatabase writes the file from the store of a database, which nodes that run
// elsewhere may write meanwhile.
func (a *app) backUpDatabase(ctx context.Context, cfg *config.Config, path string, force bool, recipients []age.Recipient) (place string, report control.BackupReport, err error) {
	err = a.withDatabase(cfg, func(store *pgstore.Store) (err error) {
		place = store.Place()
		report, err = a.backUpOpen(ctx, store, path, force, recipients)
		return err
	})
	return place, report, err
}

// inService reports whether a store was not claimed because others have it.
func inService(err error) bool {
	return errors.As(err, new(*persistence.NodesRunError)) || errors.As(err, new(*persistence.ClaimedError))
}

// rekeyDatabase seals the store of a database with another master key.
func (a *app) rekeyDatabase(ctx context.Context, cfg *config.Config, to *nextKeyFlags) error {
	store, from, err := a.openDatabaseKeyed(cfg, true)
	var other *persistence.MasterKeyError
	if err != nil && !errors.As(err, &other) {
		return err
	}
	var owner persistence.Owner
	if store != nil { // before a key is made
		if owner, err = store.Claim("rekey"); err != nil {
			return errors.Join(err, closeStore(store))
		}
	}
	if _, err := os.Stat(to.file); store == nil && to.file != "" && errors.Is(err, fs.ErrNotExist) {
		return other // a key that is made now opens nothing either
	}
	next, source, set, err := to.load(a.env, badgerDir(cfg))
	if err != nil {
		return errors.Join(err, closeOpen(store))
	}
	if source.Created {
		a.printf("manager: made a master key in %s: keep a copy elsewhere, without it nobody can read the store\n", source.File)
	}
	done := rekeyed{to: source, set: set, from: from, database: true}
	if store != nil {
		done.place = store.Place()
		if done.holds, done.dropped, err = store.Rekey(ctx, owner, next); len(persistence.BadKeys(err)) > 0 {
			err = databaseRecordsError(err, "so nothing was done")
			a.auditOpen(store, "store rekey", "", err)
		}
		if err = errors.Join(err, closeStore(store)); err != nil {
			return err
		}
	}
	// As after a kill at the very end, where the present key opens nothing any more.
	log, err := newLogger(a.err, cfg.Log, slog.LevelWarn)
	if err != nil {
		return err
	}
	o, err := a.databaseOptions(cfg, log)
	if err != nil {
		return err
	}
	o.Existing, o.Key, o.KeySource = true, next, source
	again, err := pgstore.Open(ctx, o)
	switch {
	case err != nil && store == nil: // it is another key altogether
		return other
	case err != nil:
		return databaseError(err)
	case store == nil:
		done.place, done.already = again.Place(), true
		var m persistence.Moment
		if m, err = storecopy.MomentOf(ctx, again); err != nil {
			return errors.Join(err, closeStore(again))
		}
		done.holds = m.Holds
	}
	a.auditOpen(again, "store rekey", filepath.Base(source.String()), nil)
	if err := closeStore(again); err != nil {
		return err
	}
	return a.tellRekeyed(done)
}

func closeOpen(store *pgstore.Store) error {
	if store == nil {
		return nil
	}
	return closeStore(store)
}

// databaseRecordsError names the records for which something was refused, and what to do.
func databaseRecordsError(err error, so string) error {
	bad := persistence.BadKeys(err)
	if len(bad) == 0 {
		return err
	}
	text := "records cannot be read, " + so + "; restore the database from its backup, or remove their accounts:"
	for _, key := range bad {
		text += fmt.Sprintf("\n  %v", key)
	}
	return &exitError{code: exitDamaged, kind: control.KindDamaged, err: err, text: text}
}

// restoreDatabase makes a store of a backup in a database that has no account.
func (a *app) restoreDatabase(ctx context.Context, cfg *config.Config, file string, in *backup.Reader) error {
	store, key, err := a.openDatabaseKeyed(cfg, false)
	if err != nil {
		return err
	}
	r, now := in.Report(), time.Now()
	var ledger storecopy.Ledger
	batch := persistence.Batch{Store: store}
	begun := persistence.Move{Partial: true, Other: "the backup " + filepath.Base(file), Store: r.Store, At: now}
	if batch.Owner, err = store.BeginCopy(ctx, "restore", begun, r.Epoch); err == nil {
		err = ledger.Noting(withEntry(func(put func(persistence.Record) error) error { return in.Each(ctx, put) }, "store restore", filepath.Base(file)))(batch.Put)
	}
	if err == nil {
		err = batch.Flush()
	}
	if err == nil {
		_, err = ledger.Check(ctx, store)
	}
	if err == nil { // nothing starts before it is adopted
		err = store.SetMove(ctx, batch.Owner, &persistence.Move{Other: begun.Other, Store: r.Store, At: now})
	}
	if err = errors.Join(err, closeStore(store)); err != nil {
		return control.BackupError(err)
	}
	return a.restored(store.Place(), file, key, in.Report())
}
