package pgstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/seal"
)

// Options says what to open.
type Options struct {
	// URL is the connection string, as libpq has it: a URL, or words. TLS is as it
	// says (sslmode, sslrootcert, sslcert, sslkey), several hosts too; what it leaves
	// out, libpq's environment and ~/.pgpass say. It may hold a password.
	URL persistence.SecretText
	// Schema is where the tables are: empty for "mtfleet". It is made at first use.
	Schema string
	// Key is the master key, and KeySource where it came from, for the error when it
	// is the wrong one; see seal.LoadMasterKey.
	Key       seal.MasterKey
	KeySource seal.KeySource
	// Program is what this process is, for who finds the store claimed by it; empty for
	// "mtfleet".
	Program string
	// Existing has Open make no store where there is none, which is a *NoStoreError.
	Existing bool
	// Patience is how long a call is repeated while the database does not answer:
	// zero for 10 seconds.
	Patience time.Duration
	// Logger is told when the database is away, and what it has forgotten. Nil
	// discards it.
	Logger *slog.Logger
}

// Connections of one store: one to write records, two for owners and leases, so
// that a renewal never waits behind a commit or a look; those that read; and one
// that listens. While everything is claimed one more holds the claim.
const (
	writeConns = 1
	ownerConns = 2
	readConns  = 4
	// MaxConns is how many connections a store has at most.
	MaxConns = writeConns + ownerConns + readConns + 1
)

const defaultPatience = 10 * time.Second

// attempts is in how many parts Patience is cut: one call to a server that does
// not answer at all takes one of them.
const attempts = 3

// idleInTransaction ends a transaction whose client has gone silent between two
// statements: it holds locks that others wait for.
const idleInTransaction = 5 * time.Second

// Store is a persistence.Cluster in a database of PostgreSQL.
type Store struct {
	cfg                   *pgx.ConnConfig
	schema, program       string
	sealer                *seal.Sealer
	source                seal.KeySource
	log                   *slog.Logger
	patience              time.Duration
	writes, owners, reads *pgxpool.Pool
	noTimeline            atomic.Bool // the server does not tell it

	high    high // what was seen of the fleet last
	claimed claimLock

	// mu makes Close wait for those who are about to post a commit.
	mu     sync.RWMutex
	closed bool // guarded by mu

	calls    sync.WaitGroup // besides commits
	closing  context.Context
	endCalls context.CancelFunc

	requests chan *request
	hints    chan struct{}
	done     chan struct{} // closed when everything has ended
}

var _ persistence.Cluster = (*Store)(nil)

var schemaForm = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

// Open connects to the database, makes the tables at first use, or changes those
// of an earlier program, and checks the master key. It blocks meanwhile, for
// Options.Patience at most while another one does the same. Several may do it at
// once. The error is a *persistence.MasterKeyError, a *SchemaError, an *AccessError,
// a *persistence.UnreachableError, or a *persistence.InvalidError for options that
// cannot be.
func Open(ctx context.Context, o Options) (*Store, error) {
	pool, err := o.read()
	if err != nil {
		return nil, err
	}
	sealer, err := seal.New(o.Key)
	if err != nil {
		return nil, fmt.Errorf("persistence: open store: %w", err)
	}
	preparing, cancel := context.WithTimeout(ctx, o.Patience)
	defer cancel()
	if err := prepare(preparing, pool.ConnConfig, o, sealer); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if r := (*refusal)(nil); errors.As(err, &r) {
			return nil, r.err
		}
		return nil, explain(pool.ConnConfig, err)
	}
	s := &Store{
		cfg: pool.ConnConfig, schema: o.Schema, program: orDefault(o.Program, "mtfleet"), sealer: sealer, source: o.KeySource, log: o.Logger, patience: o.Patience,
		requests: make(chan *request, maxQueue), hints: make(chan struct{}, 1), done: make(chan struct{}),
	}
	s.closing, s.endCalls = context.WithCancel(context.Background())
	for _, p := range []struct {
		to    **pgxpool.Pool
		conns int32
	}{{&s.writes, writeConns}, {&s.owners, ownerConns}, {&s.reads, readConns}} {
		cfg := pool.Copy()
		cfg.MaxConns, cfg.MinConns = p.conns, 0
		cfg.AfterConnect = s.connected
		if *p.to, err = pgxpool.NewWithConfig(context.WithoutCancel(ctx), cfg); err != nil {
			return nil, errors.Join(explain(s.cfg, err), s.end())
		}
	}
	// A new store is not held, and what this one sees first is what it begins with.
	if err := s.look(ctx, func(*pgx.Batch) {}); err != nil {
		return nil, errors.Join(err, s.end())
	}
	listener := make(chan struct{})
	go func() {
		defer close(listener)
		s.listen(s.closing)
	}()
	go func() {
		defer close(s.done)
		(&committer{s: s, token: randomName()}).run(s.requests)
		s.endCalls()
		s.calls.Wait()
		s.endClaim(s.closing)
		<-listener
		close(s.hints)
		_ = s.end()
	}()
	return s, nil
}

// read puts defaults in place, and returns how to connect. The error is a
// *persistence.InvalidError.
func (o *Options) read() (*pgxpool.Config, error) {
	o.Schema = orDefault(o.Schema, "mtfleet")
	o.Patience = orDefault(o.Patience, defaultPatience)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if !schemaForm.MatchString(o.Schema) || strings.HasPrefix(o.Schema, "pg_") {
		return nil, &persistence.InvalidError{Reason: fmt.Sprintf("a schema has 1 to 63 characters of a-z, 0-9 and '_', and does not begin with a digit or pg_: %q cannot be", o.Schema)}
	}
	pool, err := pgxpool.ParseConfig(string(o.URL))
	if err != nil {
		return nil, parseError(err)
	}
	configure(pool.ConnConfig, *o)
	return pool, nil
}

func orDefault[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// configure adds what each connection needs to what the connection string says.
func configure(cfg *pgx.ConnConfig, o Options) {
	set := func(name, value string) {
		if _, ok := cfg.RuntimeParams[name]; !ok {
			cfg.RuntimeParams[name] = value
		}
	}
	cfg.RuntimeParams["search_path"] = pgx.Identifier{o.Schema}.Sanitize()
	cfg.RuntimeParams["default_transaction_isolation"] = "read committed" // who waited for a lock sees what was changed
	set("application_name", "mtfleet")
	// Every statement finds its rows by an index. Statements are planned once, when
	// the tables are empty perhaps, and a plan that reads a whole table then would do
	// so until the server has looked at it again.
	for _, off := range []string{"enable_seqscan", "enable_hashjoin", "enable_mergejoin", "jit"} {
		set(off, "off")
	}
	attempt := o.Patience / attempts
	set("lock_timeout", fmt.Sprint(attempt.Milliseconds()))
	set("idle_in_transaction_session_timeout", fmt.Sprint(min(idleInTransaction, o.Patience/2).Milliseconds()))
	// A server that lost its client's machine finds it out by itself.
	set("tcp_keepalives_idle", "10")
	set("tcp_keepalives_interval", "5")
	set("tcp_keepalives_count", "3")
	if cfg.ConnectTimeout == 0 || cfg.ConnectTimeout > attempt {
		cfg.ConnectTimeout = attempt
	}
	if cfg.ValidateConnect == nil { // target_session_attrs is not given
		cfg.ValidateConnect = writable
	}
}

func schemaOf(cfg *pgx.ConnConfig) string { return strings.Trim(cfg.RuntimeParams["search_path"], `"`) }

// connected makes a new connection one of the store's.
func (s *Store) connected(ctx context.Context, conn *pgx.Conn) error {
	// A commit is durable when Commit returns, whatever the server's default is.
	const durable = `select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') = 'off'`
	if _, err := conn.Exec(ctx, durable); err != nil {
		return err
	}
	return s.checkTimeline(ctx, conn)
}

// end closes what connections there are.
func (s *Store) end() error {
	s.endCalls()
	for _, p := range []*pgxpool.Pool{s.writes, s.owners, s.reads} {
		if p != nil {
			dropIdle(p)
			p.Close()
		}
	}
	return nil
}

// Close implements persistence.Store: commits that were accepted are made, for
// Options.Patience at most, and answered before it returns. A claim ends; leases go
// on: see Leave.
func (s *Store) Close() error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.requests)
	}
	s.mu.Unlock()
	<-s.done
	return nil
}

// begin is called before anything but a commit is asked of the database. Of the
// context it returns, the end is that of ctx, and of the store; finish is called
// at the end.
func (s *Store) begin(ctx context.Context) (during context.Context, finish func(), err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, nil, persistence.ErrClosed
	}
	s.calls.Add(1)
	during, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.closing, cancel)
	return during, func() { stop(); cancel(); s.calls.Done() }, nil
}
