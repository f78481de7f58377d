package pgstore

import (
	"context"
	"crypto/rand"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"

	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/seal"
)

//go:embed migrations
var migrations embed.FS

// SchemaError says that a newer program has changed the tables. They are left as
// they are.
type SchemaError struct {
	Server string
	Schema string
	// Version is that of the tables, and Known the newest this program knows.
	Version, Known int64
}

// Error says what to do.
func (e *SchemaError) Error() string {
	return fmt.Sprintf("persistence: the tables in schema %q of %s have version %d, this program knows %d: use the newer mtfleet that changed them (nothing was changed)",
		e.Schema, e.Server, e.Version, e.Known)
}

// checkKey is what the value that tells a wrong master key is sealed as. No
// account has the empty id.
var checkKey = persistence.Key{Sub: "fleet.checked"}

// prepare makes the schema and its tables what this program needs, or finds that
// they are, and checks the master key. Of several that begin at once, one does it
// and the others wait.
func prepare(ctx context.Context, cfg *pgx.ConnConfig, o Options, s *seal.Sealer) error {
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return err
	}
	defer leave(ctx, conn)                                            // which ends the lock
	if _, err := conn.Exec(ctx, `set lock_timeout = 0`); err != nil { // for the others
		return err
	}
	if _, err := conn.Exec(ctx, `select pg_advisory_lock(hashtextextended('mtfleet schema ' || $1, 0))`, o.Schema); err != nil {
		return err
	}
	if o.Existing {
		there, err := hasStore(ctx, conn, o.Schema)
		if err == nil && !there {
			err = refuse(&NoStoreError{Place: placeOf(cfg, o.Schema)})
		}
		if err != nil {
			return err
		}
	}
	// Who may not make schemas can use one that is there.
	var there bool
	if err := conn.QueryRow(ctx, `select exists (select from pg_namespace where nspname = $1)`, o.Schema).Scan(&there); err != nil {
		return err
	}
	if !there {
		if _, err := conn.Exec(ctx, `create schema `+pgx.Identifier{o.Schema}.Sanitize()); err != nil {
			return err
		}
	}
	if err := migrate(ctx, cfg, o); err != nil {
		return err
	}
	return check(ctx, conn, o, s)
}

func migrate(ctx context.Context, cfg *pgx.ConnConfig, o Options) (err error) {
	db := stdlib.OpenDB(*cfg)
	defer func() { err = errors.Join(err, db.Close()) }()
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(database.DialectPostgres, db, dir, goose.WithDisableGlobalRegistry(true), goose.WithTableName("versions"))
	if err != nil {
		return err
	}
	current, known, err := p.GetVersions(ctx)
	if err != nil {
		return err
	}
	if current > known {
		return &SchemaError{Server: serverName(cfg), Schema: o.Schema, Version: current, Known: known}
	}
	if current < known {
		_, err = p.Up(ctx)
	}
	return err
}

// known is the newest version of the tables that this program knows.
func known() (version int64, err error) {
	list, err := migrations.ReadDir("migrations")
	for _, e := range list {
		n, err := goose.NumericComponent(e.Name())
		if err != nil {
			return 0, err
		}
		version = max(version, n)
	}
	return version, err
}

// check tells a wrong master key, and makes the fleet's row in a new store.
func check(ctx context.Context, conn *pgx.Conn, o Options, s *seal.Sealer) error {
	value, err := s.Seal(checkRecord())
	if err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, `insert into fleet (store, checked) values ($1, $2) on conflict do nothing`, randomName(), value); err != nil {
		return err
	}
	return fits(ctx, conn, conn.Config(), o.KeySource, s)
}

func checkRecord() persistence.Record {
	return persistence.Record{Key: checkKey, Version: 1, Data: []byte("mtfleet")}
}

// fits tells whether the store is sealed with the key.
func fits(ctx context.Context, q querier, cfg *pgx.ConnConfig, source seal.KeySource, s *seal.Sealer) error {
	var value []byte
	if err := q.QueryRow(ctx, `select checked from fleet`).Scan(&value); err != nil {
		return err
	}
	if _, err := s.Open(checkKey, value); err != nil {
		return &persistence.MasterKeyError{Source: source.String(), Reason: "it is not the key that the store in " + serverName(cfg) + " was sealed with: nothing was changed; give the right key by store.key_file or " + seal.KeyEnv}
	}
	return nil
}

// randomName is 128 bits in hex.
func randomName() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	return hex.EncodeToString(b[:])
}
