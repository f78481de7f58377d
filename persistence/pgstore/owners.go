package pgstore

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/mtfleet/mtfleet/persistence"
)

// Locks are taken in this order, by everybody: the writer's row, the fleet's, nodes
// by name, the shared ids', accounts by id. Time is now(), the start of the
// transaction, where something must be over, and clock_timestamp() where something
// begins: a wait for a lock makes nobody's lease shorter and nothing free earlier.

func microseconds(n int64) time.Duration { return time.Duration(n) * time.Microsecond }

// queueCurrent reads who has the name now, or everything: who an owner that is none
// any more is told of.
func queueCurrent(b *pgx.Batch, node string, to *persistence.Owner) {
	const query = `
select coalesce(n.name, f.all_node, ''), coalesce(n.epoch, f.all_epoch, 0) from fleet f left join nodes n on n.name = $1`
	b.Queue(query, node).QueryRow(func(row pgx.Row) error { return scanOwner(row, to) })
}

func scanOwner(row pgx.Row, to *persistence.Owner) error {
	var epoch int64
	err := row.Scan(&to.Node, &epoch)
	to.Epoch = uint64(epoch)
	return err
}

// as does what only a node may: its row cannot be removed meanwhile.
func (s *Store) as(ctx context.Context, o persistence.Owner, f func(context.Context, *change) error) error {
	return s.change(ctx, func(ctx context.Context, ch *change) error {
		var current persistence.Owner
		var b pgx.Batch
		b.Queue(`select from nodes where name = $1 for key share`, o.Node)
		queueCurrent(&b, o.Node, &current)
		if err := ch.tx.SendBatch(ctx, &b).Close(); err != nil {
			return err
		}
		if current != o || ch.all == o {
			return refuse(&persistence.StaleOwnerError{Owner: o, Current: current})
		}
		return f(ctx, ch)
	})
}

// lookAs is look for what is said of one who is a node.
func (s *Store) lookAs(ctx context.Context, o persistence.Owner, add func(*pgx.Batch)) error {
	var current persistence.Owner
	is := false
	err := s.look(ctx, func(b *pgx.Batch) {
		is = false
		// Its row cannot be removed meanwhile.
		b.Queue(`select true from nodes where name = $1 and epoch = $2 for key share`, o.Node, int64(o.Epoch)).Query(func(rows pgx.Rows) error {
			_, err := pgx.ForEachRow(rows, []any{&is}, func() error { return nil })
			return err
		})
		queueCurrent(b, o.Node, &current)
		add(b)
	})
	if err == nil && !is {
		err = &persistence.StaleOwnerError{Owner: o, Current: current}
	}
	return err
}

// Claim implements persistence.Store, as persistence.Cluster narrows it.
func (s *Store) Claim(node string) (owner persistence.Owner, err error) {
	if err := persistence.CheckNode(node); err != nil {
		return owner, err
	}
	return s.claimAll(context.Background(), func(ctx context.Context, ch *change) (owner persistence.Owner, err error) {
		m, err := moveOf(ctx, ch.tx)
		if err == nil {
			err = s.movedError(m)
		}
		if err != nil {
			return owner, err
		}
		return claim(ctx, ch, node)
	})
}

// claim makes the node the owner of everything; see claimAll.
func claim(ctx context.Context, ch *change, node string) (owner persistence.Owner, err error) {
	running, err := collect[string](ctx, ch.tx, `select name from nodes where over_at > now() order by name for update`)
	if err != nil {
		return owner, err
	}
	if running != nil {
		return owner, refuse(&persistence.NodesRunError{Nodes: running})
	}
	var b pgx.Batch
	b.Queue(`delete from nodes`)
	b.Queue(`update accounts set owner_node = null, owner_epoch = null, since = now() where owner_node is not null`)
	ch.Epoch++
	owner = persistence.Owner{Node: node, Epoch: ch.Epoch}
	ch.all = owner
	return owner, ch.tx.SendBatch(ctx, &b).Close()
}

// Join implements persistence.Cluster.
func (s *Store) Join(ctx context.Context, n persistence.NodeInfo) (owner persistence.Owner, err error) {
	if err := n.Check(); err != nil {
		return owner, err
	}
	token := randomName()
	s.endClaim(ctx)
	err = s.change(ctx, func(ctx context.Context, ch *change) error {
		m, err := moveOf(ctx, ch.tx)
		if err == nil {
			err = s.movedError(m)
		}
		if err == nil {
			err = s.unclaimed(ctx, ch.tx)
		}
		if err == nil { // which may be another since Open
			err = fits(ctx, ch.tx, s.cfg, s.source, s.sealer)
		}
		if err != nil {
			return err
		}
		var epoch int64
		var address, had string
		var left float64
		err = ch.tx.QueryRow(ctx, `select epoch, address, token, extract(epoch from over_at - now())::float8 from nodes where name = $1 for update`, n.Name).
			Scan(&epoch, &address, &had, &left)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
		case err != nil:
			return err
		case had == token: // an earlier try
			owner = persistence.Owner{Node: n.Name, Epoch: uint64(epoch)}
			return nil
		case left > 0:
			return refuse(&persistence.NodeTakenError{Name: n.Name, Address: address, Left: seconds(left)})
		}
		ch.Epoch++
		before := ch.all
		ch.all = persistence.Owner{}
		// Of those whose lease lasts; a longer one of former times is over.
		var longest int64
		if err := ch.tx.QueryRow(ctx, `select greatest($1, max(term + grace)) from nodes where over_at > now()`, (n.Term + n.Grace).Microseconds()).Scan(&longest); err != nil {
			return err
		}
		ch.Longest = microseconds(longest)
		owner = persistence.Owner{Node: n.Name, Epoch: ch.Epoch}
		var b pgx.Batch
		if before != (persistence.Owner{}) { // it ended without a word
			b.Queue(`update fleet set hold_until = greatest(hold_until, clock_timestamp() + $1::bigint * interval '1 microsecond')`, ClaimTerm.Microseconds())
		}
		queueRemove(&b, n.Name)
		b.Queue(`
insert into nodes (name, epoch, token, address, capacity, version, term, grace, joined, lease_until, over_at)
select $1, $2, $3, $4, $5, $6, $7::bigint, $8::bigint, t, t + $7::bigint * interval '1 microsecond', t + ($7::bigint + $8::bigint) * interval '1 microsecond'
from clock_timestamp() t`, n.Name, int64(ch.Epoch), token, n.Address, n.Capacity, n.Version, n.Term.Microseconds(), n.Grace.Microseconds())
		queueForget(&b, before.Node)
		return ch.tx.SendBatch(ctx, &b).Close()
	})
	if err != nil {
		owner = persistence.Owner{}
	}
	return owner, err
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// queueRemove forgets a node, and frees what it has.
func queueRemove(b *pgx.Batch, name string) {
	b.Queue(`delete from nodes where name = $1`, name)
	b.Queue(`update accounts set owner_node = null, owner_epoch = null, since = now() where owner_node = $1`, name)
}

// queueForget removes what is left of nodes that ended long ago, and of writers that
// are no nodes: machines come and go under ever new names. A row that is in use is left
// for the next time, and so is that of a claim that has just ended; the number of
// transactions goes on in a row without a name. Who is still in doubt about a commit
// then, is told that it is stale, as when another took its name. No epoch is in any of
// these rows alone.
func queueForget(b *pgx.Batch, claimant string) {
	b.Queue(`
delete from nodes n where over_at <= now() - $1::bigint * interval '1 microsecond'
    and not exists (select from accounts where owner_node = n.name and owner_epoch = n.epoch)
    and not exists (select from wishes where node = n.name)`, persistence.NodeKept.Microseconds())
	b.Queue(`
with gone as (
    delete from writers where node in (
        select node from writers w where node not in ('', $1) and not exists (select from nodes n where n.name = w.node) for update skip locked)
    returning batches)
insert into writers as w select '', '', 0, sum(batches)::bigint from gone having count(*) > 0
on conflict (node) do update set batches = w.batches + excluded.batches`, claimant)
}

// Renew implements persistence.Cluster.
func (s *Store) Renew(ctx context.Context, o persistence.Owner) error {
	return s.lookAs(ctx, o, func(b *pgx.Batch) {
		b.Queue(`
update nodes set lease_until = t + term * interval '1 microsecond', over_at = t + (term + grace) * interval '1 microsecond'
from clock_timestamp() t where name = $1 and epoch = $2`, o.Node, int64(o.Epoch))
	})
}

// Depart implements persistence.Cluster.
func (s *Store) Depart(ctx context.Context, o persistence.Owner) error {
	return s.lookAs(ctx, o, func(b *pgx.Batch) {
		b.Queue(`update nodes set departs = true where name = $1 and epoch = $2`, o.Node, int64(o.Epoch))
		b.Queue(`select pg_notify($1, '')`, s.schema)
	})
}

// CutOff implements persistence.Cluster.
func (s *Store) CutOff(ctx context.Context, o persistence.Owner, cut bool) error {
	return s.lookAs(ctx, o, func(b *pgx.Batch) {
		b.Queue(`update nodes set cut_off = $3 where name = $1 and epoch = $2`, o.Node, int64(o.Epoch), cut)
		b.Queue(`select pg_notify($1, '')`, s.schema)
	})
}

// Leave implements persistence.Cluster.
func (s *Store) Leave(ctx context.Context, o persistence.Owner) error {
	return s.change(ctx, func(ctx context.Context, ch *change) error {
		tag, err := ch.tx.Exec(ctx, `delete from nodes where name = $1 and epoch = $2`, o.Node, int64(o.Epoch))
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			if ch.doubt {
				return refuse(nil) // an earlier try
			}
			var current persistence.Owner
			var b pgx.Batch
			queueCurrent(&b, o.Node, &current)
			if err := ch.tx.SendBatch(ctx, &b).Close(); err != nil {
				return err
			}
			return refuse(&persistence.StaleOwnerError{Owner: o, Current: current})
		}
		_, err = ch.tx.Exec(ctx, `update accounts set owner_node = null, owner_epoch = null, since = now() where owner_node = $1`, o.Node)
		return err
	})
}

// Take implements persistence.Cluster.
func (s *Store) Take(ctx context.Context, o persistence.Owner, ids []persistence.AccountID) (taken []persistence.AccountID, err error) {
	err = s.as(ctx, o, func(ctx context.Context, ch *change) error {
		taken = nil
		var b pgx.Batch
		// Who renews its lease after it has ended waits here, and is told afterwards
		// what was taken. Commits under way are waited for.
		b.Queue(`select from nodes where over_at <= now() order by name for update`)
		b.Queue(`select from accounts where id = any($1) order by id for no key update`, ids)
		b.Queue(`
update accounts a set owner_node = $2, owner_epoch = $3, since = now()
where id = any($1) and not $4 and (owner_node is null or exists (select from nodes n where n.name = a.owner_node and n.over_at <= now()))
returning id`, ids, o.Node, int64(o.Epoch), ch.held).Query(func(rows pgx.Rows) (err error) {
			taken, err = pgx.CollectRows(rows, pgx.RowTo[persistence.AccountID])
			return err
		})
		if ch.doubt { // an earlier try may have taken them
			b.Queue(`select id from accounts where id = any($1) and owner_node = $2 and owner_epoch = $3`, ids, o.Node, int64(o.Epoch)).Query(func(rows pgx.Rows) (err error) {
				taken, err = pgx.CollectRows(rows, pgx.RowTo[persistence.AccountID])
				return err
			})
		}
		return ch.tx.SendBatch(ctx, &b).Close()
	})
	if err != nil || len(taken) == 0 {
		return nil, err
	}
	return taken, nil
}

// Release implements persistence.Cluster.
func (s *Store) Release(ctx context.Context, o persistence.Owner, ids []persistence.AccountID) error {
	return s.as(ctx, o, func(ctx context.Context, ch *change) error {
		var b pgx.Batch
		b.Queue(`select from accounts where id = any($1) and owner_node = $2 order by id for no key update`, ids, o.Node)
		b.Queue(`update accounts set owner_node = null, owner_epoch = null, since = now() where id = any($1) and owner_node = $2 and owner_epoch = $3`,
			ids, o.Node, int64(o.Epoch))
		return ch.tx.SendBatch(ctx, &b).Close()
	})
}

// Free implements persistence.Cluster.
func (s *Store) Free(ctx context.Context, most int) (list []persistence.FreeAccount, err error) {
	// Each half by an index: of a million accounts few are free.
	const query = `
select id, extract(epoch from now() - since)::float8 from (
    (select id, since from accounts where owner_node is null order by since, id limit $1)
    union all
    (select a.id, n.over_at from nodes n,
         lateral (select id from accounts where owner_node = n.name and owner_epoch = n.epoch order by id limit $1) a
     where n.over_at <= now() order by n.over_at, a.id limit $1)
) free where (select hold_until <= now() from fleet) order by since, id limit $1`
	err = s.look(ctx, func(b *pgx.Batch) {
		b.Queue(query, max(most, 0)).Query(func(rows pgx.Rows) (err error) {
			list, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (f persistence.FreeAccount, err error) {
				var s float64
				err = row.Scan(&f.ID, &s)
				f.For = seconds(s)
				return f, err
			})
			return err
		})
	})
	return list, err
}

// Owned implements persistence.Cluster.
func (s *Store) Owned(ctx context.Context, o persistence.Owner) (ids []persistence.AccountID, err error) {
	err = s.lookAs(ctx, o, func(b *pgx.Batch) {
		b.Queue(`select id from accounts where owner_node = $1 and owner_epoch = $2 order by id`, o.Node, int64(o.Epoch)).Query(func(rows pgx.Rows) (err error) {
			ids, err = pgx.CollectRows(rows, pgx.RowTo[persistence.AccountID])
			return err
		})
	})
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	return ids, nil
}

// OwnerOf implements persistence.Cluster.
func (s *Store) OwnerOf(ctx context.Context, id persistence.AccountID) (o persistence.Owner, err error) {
	err = s.look(ctx, func(b *pgx.Batch) {
		b.Queue(`select coalesce(max(owner_node), ''), coalesce(max(owner_epoch), 0) from accounts where id = $1`, id).
			QueryRow(func(row pgx.Row) error { return scanOwner(row, &o) })
	})
	return o, err
}

// Nodes implements persistence.Cluster.
func (s *Store) Nodes(ctx context.Context, counted bool) (list []persistence.Node, err error) {
	most := new(int) // of a node's accounts that are looked at: nil is all
	if *most = 1; counted {
		most = nil
	}
	const query = `
select n.name, n.address, n.capacity, n.version, n.term, n.grace, n.epoch, coalesce(w.wish, 0), n.departs, n.cut_off, n.joined,
    extract(epoch from n.lease_until - now())::float8, a.owned
from nodes n left join wishes w on w.node = n.name,
    lateral (select count(*) owned from (select 1 from accounts where owner_node = n.name and owner_epoch = n.epoch limit $1) one) a
where a.owned > 0 or n.lease_until > now() order by n.name`
	err = s.look(ctx, func(b *pgx.Batch) {
		b.Queue(query, most).Query(func(rows pgx.Rows) (err error) {
			list, err = pgx.CollectRows(rows, scanNode)
			return err
		})
	})
	for i := range list {
		if !counted {
			list[i].Accounts = 0
		}
	}
	return list, err
}

func scanNode(row pgx.CollectableRow) (n persistence.Node, err error) {
	var term, grace, epoch int64
	var left float64
	err = row.Scan(&n.Name, &n.Address, &n.Capacity, &n.Version, &term, &grace, &epoch, &n.Wish, &n.Departs, &n.CutOff, &n.Joined, &left, &n.Accounts)
	n.Term, n.Grace, n.Epoch, n.Left = microseconds(term), microseconds(grace), uint64(epoch), seconds(left)
	return n, err
}

// Wish implements persistence.Cluster.
func (s *Store) Wish(ctx context.Context, node string, w persistence.Wish) error {
	if err := persistence.CheckNode(node); err != nil {
		return err
	}
	if w > persistence.WishDrain {
		return &persistence.InvalidError{Reason: "there is no such wish: " + w.String()}
	}
	return s.look(ctx, func(b *pgx.Batch) {
		if w == persistence.WishServe { // which is none
			b.Queue(`delete from wishes where node = $1`, node)
		} else {
			b.Queue(`insert into wishes values ($1, $2) on conflict (node) do update set wish = $2`, node, int16(w))
		}
		b.Queue(`select pg_notify($1, '')`, s.schema)
	})
}

// Nudge implements persistence.Cluster.
func (s *Store) Nudge(ctx context.Context) error {
	return s.look(ctx, func(b *pgx.Batch) { b.Queue(`select pg_notify($1, '')`, s.schema) })
}

func collect[T any](ctx context.Context, tx pgx.Tx, query string, args ...any) ([]T, error) {
	rows, err := tx.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[T])
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return list, nil
}
