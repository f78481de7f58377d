package pgstore

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mtfleet/mtfleet/persistence"
)

var (
	_ persistence.Snapshotter = (*Store)(nil)
	_ persistence.Prober      = (*Store)(nil)
	_ persistence.Sizer       = (*Store)(nil)
)

// Accounts implements persistence.Store.
func (s *Store) Accounts() (ids []persistence.AccountID, err error) {
	err = s.ask(context.Background(), s.reads, func(ctx context.Context, c conn) error {
		rows, err := c.Query(ctx, `select id from accounts order by id`)
		if err != nil {
			return err
		}
		ids, err = pgx.CollectRows(rows, pgx.RowTo[persistence.AccountID])
		return err
	})
	return ids, err
}

// Load implements persistence.Store.
func (s *Store) Load(id persistence.AccountID) (records []persistence.Record, err error) {
	if err := persistence.CheckOwnerID(id); err != nil {
		return nil, err
	}
	var bad []error
	err = s.ask(context.Background(), s.reads, func(ctx context.Context, c conn) error {
		records, bad = nil, nil
		rows, err := c.Query(ctx, `select kind, sub, data from records where account = $1 order by kind, sub`, id)
		if err != nil {
			return err
		}
		k := persistence.Key{Account: id}
		var data []byte
		_, err = pgx.ForEachRow(rows, []any{&k.Kind, &k.Sub, &data}, func() error {
			if r, err := s.sealer.Open(k, data); err != nil {
				bad = append(bad, err)
			} else {
				records = append(records, r)
			}
			return nil
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	return records, persistence.JoinRecords(bad...)
}

// Commit implements persistence.Store. Sealing happens on the caller's goroutine,
// writing on the committer's. After a *persistence.UnreachableError the outcome is
// not known.
func (s *Store) Commit(c persistence.Commit) error {
	if err := c.Check(); err != nil {
		return err
	}
	r, err := newRequest(c, s.sealer)
	if err != nil {
		return err
	}
	if err := s.post(r); err != nil {
		return err
	}
	return <-r.done
}

func (s *Store) post(r *request) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return persistence.ErrClosed
	}
	s.requests <- r
	return nil
}

// Snapshot implements persistence.Snapshotter: a transaction that sees one moment
// shows all records as they come. Commits are not counted in one row, which all
// nodes would wait for; Moment.Commit is the number of transactions.
func (s *Store) Snapshot(ctx context.Context, begin func(persistence.Moment) error, each func(persistence.Record, error) error) error {
	caller := ctx
	ctx, finish, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer finish()
	var own error // of begin and each
	err = s.snapshot(ctx, func(m persistence.Moment) error {
		own = begin(m)
		return own
	}, func(r persistence.Record, bad error) error {
		own = each(r, bad)
		return own
	})
	switch {
	case err == nil || own != nil:
		return own
	case s.closing.Err() != nil:
		return persistence.ErrClosed
	case caller.Err() != nil:
		return caller.Err()
	}
	return explain(s.cfg, err)
}

func (s *Store) snapshot(ctx context.Context, begin func(persistence.Moment) error, each func(persistence.Record, error) error) error {
	var c *pgxpool.Conn
	err := s.try(ctx, s.reads, s.patience/attempts, time.Now().Add(s.patience), func(ctx context.Context, now conn) error { return now.Ping(ctx) })
	if err != nil {
		return err
	}
	if c, err = s.reads.Acquire(ctx); err != nil {
		return err
	}
	defer c.Release()
	tx, err := c.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return err
	}
	defer rollback(context.WithoutCancel(ctx), tx)
	m := persistence.Moment{}
	var commit, epoch int64
	const moment = `
select store, epoch, (select coalesce(sum(batches), 0)::bigint from writers),
    (select count(*) from records where kind = $1), (select count(*) from records where kind = $2), (select count(*) from records)
from fleet`
	if err := tx.QueryRow(ctx, moment, int16(persistence.KindAccount), int16(persistence.KindPermKey)).
		Scan(&m.Store, &epoch, &commit, &m.Holds.Accounts, &m.Holds.PermKeys, &m.Holds.Records); err != nil {
		return err
	}
	m.Commit, m.Epoch = uint64(commit), uint64(epoch)
	if err := begin(m); err != nil {
		return err
	}
	rows, err := tx.Query(ctx, `select account, kind, sub, data from records order by account, kind, sub`)
	if err != nil {
		return err
	}
	var k persistence.Key
	var data []byte
	_, err = pgx.ForEachRow(rows, []any{&k.Account, &k.Kind, &k.Sub, &data}, func() error {
		r, bad := s.sealer.Open(k, data)
		return each(r, bad)
	})
	return err
}

// probeWait is how long Probe waits: whoever asks shows what it says.
const probeWait = 2 * time.Second

// Probe implements persistence.Prober. How much room the server has it does not
// tell.
func (s *Store) Probe() (persistence.Room, error) {
	room := persistence.Room{Free: -1}
	ctx, finish, err := s.begin(context.Background())
	if err != nil {
		return room, err
	}
	defer finish()
	ctx, cancel := context.WithTimeout(ctx, min(probeWait, s.patience))
	defer cancel()
	c, err := s.owners.Acquire(ctx)
	if err == nil {
		err = writable(ctx, c.Conn().PgConn())
		c.Release()
	}
	if err != nil {
		return room, explain(s.cfg, err)
	}
	return room, nil
}

// DiskUse implements persistence.Sizer: tables and their indexes.
func (s *Store) DiskUse() (n int64, err error) {
	err = s.ask(context.Background(), s.reads, func(ctx context.Context, c conn) error {
		return c.QueryRow(ctx, sizeQuery, s.schema).Scan(&n)
	})
	return n, err
}

const sizeQuery = `
select coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = $1 and c.relkind = 'r'`
