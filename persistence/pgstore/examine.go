package pgstore

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/seal"
)

// NoStoreError says that a schema has no store yet. Nothing was made.
type NoStoreError struct{ Place string }

// Error says what to do.
func (e *NoStoreError) Error() string {
	return fmt.Sprintf("persistence: there is no store in %s: a manager that starts makes it, or name another database or schema (store.postgres)", e.Place)
}

// Look is what a database says of itself and of a store in it, to who examines it.
type Look struct {
	Place, Server, Host, User string
	ServerVersion             string
	Encrypted                 bool // the connection is, by TLS
	Local                     bool // it is a socket of this machine, or a loopback address
	ReadOnly                  bool
	// Missing: there is no store yet. MayMake: the user may make one.
	Missing, MayMake bool
	// Version is that of the tables, and Known the newest this program knows.
	Version, Known int64
	// Lacks are rights that the user lacks, as "delete on records".
	Lacks []string
	// Timeline: the server tells it, by which a failover is noticed.
	Timeline bool
	// Ahead is how far the server's clock is ahead of ours, give or take Within.
	Ahead, Within time.Duration
	// FSync and FullPages: the server's settings. Commit is how far a commit waits, and
	// Standbys what synchronous_standby_names says.
	FSync, FullPages bool
	Commit, Standbys string
	// Free is how many more connections the user may open, and Wants how many a node
	// opens at most.
	Free, Wants int

	// Of a store whose tables this program knows:

	Wrong    error // what it says to the master key; nil where it fits
	Move     *persistence.Move
	Claimed  string // who has claimed it; empty for nobody
	Bytes    int64
	Nodes    []LookNode
	Accounts []persistence.Account // that can be read
}

// LookNode is a node that there was, or is.
type LookNode struct {
	Name, Version string
	Left          time.Duration // of its lease; negative: since when it is over
	Accounts      int           // it owns
}

// Examine looks at a database without changing anything, in Options.Patience at most.
// Without a key (Options.Key is zero) no record is opened. The error is that of Open
// where the database cannot be looked at.
func Examine(ctx context.Context, o Options) (l Look, err error) {
	pool, err := o.read()
	if err != nil {
		return l, err
	}
	cfg := pool.ConnConfig
	cfg.ValidateConnect = nil // a standby can be looked at
	l.Place, l.Server, l.Host, l.User, l.Wants = placeOf(cfg, o.Schema), serverName(cfg), cfg.Host, cfg.User, MaxConns
	l.Local = strings.HasPrefix(cfg.Host, "/") || cfg.Host == "localhost" || strings.HasPrefix(cfg.Host, "127.") || cfg.Host == "::1"
	ctx, cancel := context.WithTimeout(ctx, o.Patience)
	defer cancel()
	c, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return l, explain(cfg, err)
	}
	defer leave(ctx, c)
	if err := l.server(ctx, c, o.Schema); err != nil {
		return l, explain(cfg, err)
	}
	if l.Missing || len(l.Lacks) > 0 {
		return l, nil
	}
	if err := l.store(ctx, c, o); err != nil {
		return l, explain(cfg, err)
	}
	return l, nil
}

// server asks what does not need a store.
func (l *Look) server(ctx context.Context, c *pgx.Conn, schema string) error {
	l.Within = time.Hour
	for range 3 { // the quickest answer says it best
		var at time.Time
		asked := time.Now()
		if err := c.QueryRow(ctx, `select clock_timestamp()`).Scan(&at); err != nil {
			return err
		}
		if way := time.Since(asked) / 2; way < l.Within {
			l.Within, l.Ahead = way, at.Sub(asked.Add(way))
		}
	}
	const query = `
select current_setting('server_version'), coalesce((select ssl from pg_stat_ssl where pid = pg_backend_pid()), false),
    pg_is_in_recovery() or current_setting('transaction_read_only') = 'on',
    to_regclass($1) is null,
    case when exists (select from pg_namespace where nspname = $2) then has_schema_privilege($2, 'create') else has_database_privilege(current_database(), 'create') end,
    has_function_privilege('pg_current_wal_lsn()', 'execute') and has_function_privilege('pg_walfile_name(pg_lsn)', 'execute'),
    current_setting('fsync') = 'on', current_setting('full_page_writes') = 'on', current_setting('synchronous_commit'), current_setting('synchronous_standby_names'),
    least(
        current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int - (select count(*) from pg_stat_activity where backend_type = 'client backend')::int,
        (select case when rolconnlimit < 0 then 1000000 else rolconnlimit - (select count(*) from pg_stat_activity where usename = current_user)::int end from pg_roles where rolname = current_user),
        (select case when datconnlimit < 0 then 1000000 else datconnlimit - (select count(*) from pg_stat_activity where datname = current_database())::int end from pg_database where datname = current_database())) + 1`
	err := c.QueryRow(ctx, query, pgx.Identifier{schema, "fleet"}.Sanitize(), schema).Scan(&l.ServerVersion, &l.Encrypted, &l.ReadOnly, &l.Missing, &l.MayMake, &l.Timeline,
		&l.FSync, &l.FullPages, &l.Commit, &l.Standbys, &l.Free)
	if err != nil || l.Missing {
		return err
	}
	rows, err := c.Query(ctx, `
select lower(p) || ' on ' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace, unnest('{SELECT,INSERT,UPDATE,DELETE}'::text[]) p
where n.nspname = $1 and c.relkind = 'r' and not has_table_privilege(c.oid, p) order by 1`, schema)
	if err != nil {
		return err
	}
	l.Lacks, err = pgx.CollectRows(rows, pgx.RowTo[string])
	return err
}

// store asks what is in the store.
func (l *Look) store(ctx context.Context, c *pgx.Conn, o Options) error {
	var err error
	if l.Known, err = known(); err != nil {
		return err
	}
	if err := c.QueryRow(ctx, `select coalesce(max(version_id), 0) from versions where is_applied`).Scan(&l.Version); err != nil {
		return err
	}
	if l.Version != l.Known {
		return nil
	}
	if l.Move, err = moveOf(ctx, c); err != nil {
		return err
	}
	if err := c.QueryRow(ctx, claimHolder, o.Schema).Scan(&l.Claimed); err != nil {
		return err
	}
	if err := c.QueryRow(ctx, sizeQuery, o.Schema).Scan(&l.Bytes); err != nil {
		return err
	}
	rows, err := c.Query(ctx, `
select name, version, extract(epoch from lease_until - now())::float8, (select count(*) from accounts where owner_node = n.name and owner_epoch = n.epoch)
from nodes n order by name`)
	if err != nil {
		return err
	}
	l.Nodes, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (n LookNode, err error) {
		var left float64
		err = row.Scan(&n.Name, &n.Version, &left, &n.Accounts)
		n.Left = seconds(left)
		return n, err
	})
	if err != nil || o.Key == (seal.MasterKey{}) {
		return err
	}
	sealer, err := seal.New(o.Key)
	if err != nil {
		return err
	}
	if l.Wrong = fits(ctx, c, c.Config(), o.KeySource, sealer); l.Wrong != nil {
		return nil
	}
	if rows, err = c.Query(ctx, `select account, data from records where kind = $1 order by account`, int16(persistence.KindAccount)); err != nil {
		return err
	}
	k := persistence.Key{Kind: persistence.KindAccount}
	var data []byte
	_, err = pgx.ForEachRow(rows, []any{&k.Account, &data}, func() error {
		if rec, err := sealer.Open(k, data); err == nil {
			if a, err := persistence.DecodeAccount(rec); err == nil {
				l.Accounts = append(l.Accounts, a)
			}
		}
		return nil
	})
	return err
}

// Exists tells whether there is a store already, which a master key that is made now
// would not open. It changes nothing.
func Exists(ctx context.Context, o Options) (bool, error) {
	pool, err := o.read()
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, o.Patience)
	defer cancel()
	c, err := pgx.ConnectConfig(ctx, pool.ConnConfig)
	if err != nil {
		return false, explain(pool.ConnConfig, err)
	}
	defer leave(ctx, c)
	there, err := hasStore(ctx, c, o.Schema)
	if err != nil {
		return false, explain(pool.ConnConfig, err)
	}
	return there, nil
}

func hasStore(ctx context.Context, q querier, schema string) (there bool, err error) {
	err = q.QueryRow(ctx, `select to_regclass($1) is not null`, pgx.Identifier{schema, "fleet"}.Sanitize()).Scan(&there)
	return there, err
}

// PlaceOf names the schema and its database, for people, without asking anybody. The
// error is that of a connection string that cannot be read.
func PlaceOf(url persistence.SecretText, schema string) (string, error) {
	cfg, err := pgxpool.ParseConfig(string(url))
	if err != nil {
		return "", parseError(err)
	}
	return placeOf(cfg.ConnConfig, schema), nil
}
