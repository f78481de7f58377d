package pgstore

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/seal"
)

// rekeyed are how many records are sealed anew in one step: half a megabyte.
const rekeyed = 1000

// Rekey seals every record with another master key, in one transaction: whenever it
// ends, the store opens with one of the two. The owner has claimed everything. Temp
// keys and sessions that cannot be read are dropped, as they are made anew; any other
// is named in the error, see persistence.BadKeys, and then nothing is done. It blocks
// for as long as all records take. Afterwards this Store opens nothing any more: Close
// it. No other that has the key of before can be a node or claim anything.
func (s *Store) Rekey(ctx context.Context, owner persistence.Owner, to seal.MasterKey) (t persistence.Tally, dropped int, err error) {
	next, err := seal.New(to)
	if err != nil {
		return t, 0, err
	}
	caller := ctx
	ctx, finish, err := s.begin(ctx)
	if err != nil {
		return t, 0, err
	}
	defer finish()
	t, dropped, err = s.rekey(ctx, owner, next)
	var r *refusal
	switch {
	case err == nil:
		return t, dropped, nil
	case errors.As(err, &r):
		err = r.err
	case len(persistence.BadKeys(err)) > 0:
	case caller.Err() != nil:
		err = caller.Err()
	case s.closing.Err() != nil:
		err = persistence.ErrClosed
	default:
		err = explain(s.cfg, err)
	}
	return persistence.Tally{}, 0, err
}

func (s *Store) rekey(ctx context.Context, owner persistence.Owner, next *seal.Sealer) (t persistence.Tally, dropped int, err error) {
	c, err := s.reads.Acquire(ctx)
	if err != nil {
		return t, 0, err
	}
	defer c.Release()
	tx, err := c.Begin(ctx)
	if err != nil {
		return t, 0, err
	}
	defer rollback(context.WithoutCancel(ctx), tx)
	var bad []error
	last := persistence.Key{}
	for {
		put, gone, n, err := s.reseal(ctx, tx, &last, next, &t, &bad)
		if err != nil {
			return t, 0, err
		}
		if n == 0 {
			break
		}
		dropped += len(gone.accounts)
		var b pgx.Batch
		put.queuePut(&b)
		gone.queueDelete(&b)
		if err := tx.SendBatch(ctx, &b).Close(); err != nil {
			return t, 0, err
		}
	}
	if err := persistence.JoinRecords(bad...); err != nil {
		return t, 0, err
	}
	value, err := next.Seal(checkRecord())
	if err != nil {
		return t, 0, err
	}
	// Whoever has joined or claimed since has changed this row: then records may have
	// been written that were not seen here.
	tag, err := tx.Exec(ctx, `update fleet set checked = $1 where all_node = $2 and all_epoch = $3`, value, owner.Node, int64(owner.Epoch))
	if err != nil {
		return t, 0, err
	}
	if tag.RowsAffected() == 0 {
		return t, 0, refuse(&persistence.StaleOwnerError{Owner: owner})
	}
	return t, dropped, tx.Commit(ctx)
}

// reseal reads the records after the last one, and seals them with the next key.
func (s *Store) reseal(ctx context.Context, tx pgx.Tx, last *persistence.Key, next *seal.Sealer, t *persistence.Tally, bad *[]error) (put, gone columns, n int, err error) {
	rows, err := tx.Query(ctx, `
select account, kind, sub, version, data from records where (account, kind, sub) > ($1, $2, $3) order by account, kind, sub limit $4`,
		last.Account, int16(last.Kind), last.Sub, rekeyed)
	if err != nil {
		return put, gone, 0, err
	}
	var data []byte
	var version int32
	_, err = pgx.ForEachRow(rows, []any{&last.Account, &last.Kind, &last.Sub, &version, &data}, func() error {
		n++
		rec, unread := s.sealer.Open(*last, data)
		switch {
		case unread == nil:
			value, err := next.Seal(rec)
			if err != nil {
				return err
			}
			put.add(*last, version, value)
			t.Add(rec.Key)
		case last.Kind == persistence.KindTempKey, last.Kind == persistence.KindSession:
			gone.add(*last, 0, nil)
		default:
			*bad = append(*bad, unread)
		}
		return nil
	})
	return put, gone, n, err
}
