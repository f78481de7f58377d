package pgstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/mtfleet/mtfleet/persistence"
)

// Place names the schema and its database, for people.
func (s *Store) Place() string { return placeOf(s.cfg, s.schema) }

func placeOf(cfg *pgx.ConnConfig, schema string) string {
	return fmt.Sprintf("schema %q of %s", schema, serverName(cfg))
}

type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// moveOf reads what the store says of its move; nil where it has none.
func moveOf(ctx context.Context, q querier) (*persistence.Move, error) {
	m := &persistence.Move{}
	err := q.QueryRow(ctx, `select move_at, move_partial, move_other, move_store from fleet where move_at is not null`).
		Scan(&m.At, &m.Partial, &m.Other, &m.Store)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return m, nil
}

// movedError refuses what is not done with a store that was moved; nil for another one.
func (s *Store) movedError(m *persistence.Move) error {
	if m == nil {
		return nil
	}
	return refuse(&persistence.MovedError{Place: s.Place(), Move: *m})
}

func setMove(ctx context.Context, ch *change, m *persistence.Move) (err error) {
	if m == nil {
		_, err = ch.tx.Exec(ctx, `update fleet set move_at = null, move_partial = null, move_other = null, move_store = null`)
	} else {
		_, err = ch.tx.Exec(ctx, `update fleet set move_at = $1, move_partial = $2, move_other = $3, move_store = $4`, m.At, m.Partial, m.Other, m.Store)
	}
	return err
}

// Moved returns what the store says of its move; nil where it has none. While it has
// one, Claim and Join are refused with *persistence.MovedError.
func (s *Store) Moved(ctx context.Context) (m *persistence.Move, err error) {
	err = s.ask(ctx, s.reads, func(ctx context.Context, c conn) (err error) {
		m, err = moveOf(ctx, c)
		return err
	})
	return m, err
}

// ClaimMoved is Claim for who copies the store to other: it may have been moved
// there.
func (s *Store) ClaimMoved(ctx context.Context, node, other string) (owner persistence.Owner, err error) {
	return s.claimAll(ctx, func(ctx context.Context, ch *change) (owner persistence.Owner, err error) {
		m, err := moveOf(ctx, ch.tx)
		if err == nil && m != nil && (m.Partial || m.Other != other) {
			err = s.movedError(m)
		}
		if err != nil {
			return owner, err
		}
		return claim(ctx, ch, node)
	})
}

// BeginCopy makes the store an empty one that becomes a copy, as m says, and claims
// it. It must have no account, or be what an earlier copy of the same store left:
// otherwise that is a *persistence.NotEmptyError or a *persistence.MovedError. Its
// epochs go on from the one given.
func (s *Store) BeginCopy(ctx context.Context, node string, m persistence.Move, epoch uint64) (owner persistence.Owner, err error) {
	return s.claimAll(ctx, func(ctx context.Context, ch *change) (owner persistence.Owner, err error) {
		var accounts bool
		had, err := moveOf(ctx, ch.tx)
		if err == nil {
			err = ch.tx.QueryRow(ctx, `select exists (select from accounts)`).Scan(&accounts)
		}
		switch {
		case err != nil:
			return owner, err
		case had != nil && !(had.Partial && had.Store == m.Store):
			return owner, s.movedError(had)
		case had == nil && accounts:
			return owner, refuse(&persistence.NotEmptyError{Place: s.Place(), Do: "name another schema (store.postgres.schema), or drop this one"})
		}
		ch.Epoch = max(ch.Epoch, epoch)
		if owner, err = claim(ctx, ch, node); err != nil {
			return owner, err
		}
		if _, err := ch.tx.Exec(ctx, `truncate records, accounts`); err != nil {
			return owner, err
		}
		return owner, setMove(ctx, ch, &m)
	})
}

// SetMove has the store say that of its move, nil for nothing. The owner must still
// be the one of everything: otherwise somebody has started on it, and that is a
// *persistence.StaleOwnerError.
func (s *Store) SetMove(ctx context.Context, owner persistence.Owner, m *persistence.Move) error {
	return s.change(ctx, func(ctx context.Context, ch *change) error {
		if ch.all != owner {
			return refuse(&persistence.StaleOwnerError{Owner: owner, Current: ch.all})
		}
		return setMove(ctx, ch, m)
	})
}

// Adopt takes back a store that was moved. It reports whether it was. A copy that is
// not whole stays one, which is a *persistence.MovedError.
func (s *Store) Adopt(ctx context.Context) (moved bool, err error) {
	err = s.change(ctx, func(ctx context.Context, ch *change) error {
		m, err := moveOf(ctx, ch.tx)
		if err == nil && m != nil && m.Partial {
			err = s.movedError(m)
		}
		if err != nil || m == nil {
			return err
		}
		moved = true
		return setMove(ctx, ch, nil)
	})
	return moved, err
}
