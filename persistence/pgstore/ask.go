package pgstore

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mtfleet/mtfleet/persistence"
)

// conn is a connection for one try. In doubt an earlier try may have been carried
// out.
type conn struct {
	*pgxpool.Conn
	doubt bool
}

// pauses are those between tries: a connection that the server closed is found out
// at the next use of it, and costs nothing to replace.
func pauses() *backoff.ExponentialBackOff {
	return backoff.NewExponentialBackOff(backoff.WithInitialInterval(20*time.Millisecond), backoff.WithMultiplier(2),
		backoff.WithMaxInterval(time.Second), backoff.WithMaxElapsedTime(0))
}

// ask has the database do something, and tries again until it has answered, ctx
// ends, or the store's patience is over. One try has a part of that. What f refuses
// is returned as it is.
func (s *Store) ask(ctx context.Context, pool *pgxpool.Pool, f func(context.Context, conn) error) error {
	return s.askFor(ctx, pool, s.patience/attempts, f)
}

// askFor is ask with the time that one try has.
func (s *Store) askFor(ctx context.Context, pool *pgxpool.Pool, each time.Duration, f func(context.Context, conn) error) error {
	caller := ctx
	ctx, finish, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer finish()
	err = s.try(ctx, pool, each, time.Now().Add(s.patience), f)
	var r *refusal
	switch {
	case err == nil:
		return nil
	case errors.As(err, &r):
		return r.err
	case s.closing.Err() != nil:
		return persistence.ErrClosed
	case caller.Err() != nil:
		return caller.Err()
	case lost(err):
		return &persistence.UnreachableError{Err: plain(err)}
	}
	return explain(s.cfg, err)
}

// try calls f with one connection after another until it succeeds, fails for good,
// or the time is over; once in any case.
func (s *Store) try(ctx context.Context, pool *pgxpool.Pool, each time.Duration, until time.Time, f func(context.Context, conn) error) error {
	b, doubt := pauses(), false
	for {
		err := once(ctx, pool, each, func(ctx context.Context, c *pgxpool.Conn) error { return f(ctx, conn{c, doubt}) })
		var a *amiss
		if errors.As(err, &a) {
			err = s.putRight(ctx, a)
		}
		if err == nil || !lost(err) || ctx.Err() != nil {
			return err
		}
		if silent(err) {
			dropIdle(pool) // they are dead too, most likely
		}
		doubt = doubt || !pgconn.SafeToRetry(err)
		wait := b.NextBackOff()
		if time.Now().Add(wait).After(until) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait):
		}
	}
}

func once(ctx context.Context, pool *pgxpool.Pool, wait time.Duration, f func(context.Context, *pgxpool.Conn) error) error {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	c, err := pool.Acquire(ctx)
	if err != nil {
		return err
	}
	if err = f(ctx, c); err != nil && lost(err) && silent(err) {
		drop(c)
	} else {
		c.Release()
	}
	return err
}

// silent reports whether it is the connection that failed, and not what the server
// answered.
func silent(err error) bool {
	return sqlState(err) == "" && !errors.Is(err, errAgain) && !errors.As(err, new(*amiss))
}

// drop closes a connection without a word. The pool would take leave of the server
// first, and keep its place for 15 seconds where nobody answers.
func drop(c *pgxpool.Conn) {
	own := c.Hijack()
	_ = own.PgConn().Conn().Close()
	_ = own.Close(context.Background())
}

func dropIdle(pool *pgxpool.Pool) {
	for _, c := range pool.AcquireAllIdle(context.Background()) {
		drop(c)
	}
}

// look reads, or changes what concerns no owners, in one round trip: what add
// queues is one transaction.
func (s *Store) look(ctx context.Context, add func(*pgx.Batch)) error {
	return s.ask(ctx, s.owners, func(ctx context.Context, c conn) error {
		seen := s.high.get()
		var b pgx.Batch
		now := fleet{asked: time.Now()}
		queueFleet(&b, seen, &now)
		add(&b)
		err := c.SendBatch(ctx, &b).Close()
		if err := now.amiss(seen); err != nil {
			return err
		}
		if err != nil {
			return err
		}
		s.high.saw(now)
		return nil
	})
}

// change changes owners: one at a time, for the fleet's row is locked. f returns
// what is refused by refuse; then nothing has changed. It may be about every
// account, 10,000 in 0.1 s.
func (s *Store) change(ctx context.Context, f func(context.Context, *change) error) error {
	return s.askFor(ctx, s.owners, s.patience, func(ctx context.Context, c conn) error {
		seen := s.high.get()
		tx, err := c.Begin(ctx)
		if err != nil {
			return err
		}
		defer rollback(ctx, tx)
		var b pgx.Batch
		ch := &change{tx: tx, doubt: c.doubt, fleet: fleet{asked: time.Now()}}
		b.Queue(`select from fleet for update`)
		queueFleet(&b, seen, &ch.fleet)
		if err := tx.SendBatch(ctx, &b).Close(); err != nil {
			return err
		}
		if err := ch.amiss(seen); err != nil {
			return err
		}
		if err := f(ctx, ch); err != nil {
			return err
		}
		var end pgx.Batch
		ch.queueChanged(&end, s.schema)
		if err := tx.SendBatch(ctx, &end).Close(); err != nil {
			return err
		}
		if err := tx.Commit(ctx); err != nil {
			return err
		}
		s.high.saw(ch.fleet)
		return nil
	})
}

// rollback ends a transaction that was not committed. A connection on which that
// fails is closed when it is released.
func rollback(ctx context.Context, tx pgx.Tx) { _ = tx.Rollback(ctx) }

// leave closes a connection of no pool, without waiting long for the server.
func leave(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}
