package pgstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/seal"
)

// maxQueue is how many commits wait for the committer before further callers wait
// to hand in theirs: of the usual 2 KB, 2 MB.
const maxQueue = 1024

// What one transaction has at most. A thousand commits of an account's two records
// are 4 MB and take about 30 ms; one of the largest commits of 1 MB always fits.
const (
	maxBatch      = 1000
	maxBatchBytes = 4 << 20
)

// request is one commit on its way to the committer.
type request struct {
	commit   persistence.Commit
	values   [][]byte                // commit.Put, sealed
	accounts []persistence.AccountID // that it is about, sorted, without shared ids
	shared   bool                    // it is about a shared id
	size     int
	arrived  time.Time
	verdict  error
	done     chan error // buffered: the committer never waits for a caller
}

func newRequest(c persistence.Commit, s *seal.Sealer) (*request, error) {
	r := &request{commit: c, values: make([][]byte, len(c.Put)), arrived: time.Now(), done: make(chan error, 1)}
	add := func(k persistence.Key) {
		r.size += 256
		switch {
		case k.Account.Shared():
			r.shared = true
		case !slices.Contains(r.accounts, k.Account):
			r.accounts = append(r.accounts, k.Account)
		}
	}
	for i, rec := range c.Put {
		value, err := s.Seal(rec)
		if err != nil {
			return nil, err
		}
		r.values[i] = value
		r.size += len(value)
		add(rec.Key)
	}
	for _, k := range c.Delete {
		add(k)
	}
	for _, k := range c.Absent {
		add(k)
	}
	slices.Sort(r.accounts)
	return r, nil
}

// committer is the only writer of records through this store. What others write at
// the same time, with other stores, is kept apart by the locks that a transaction
// takes.
type committer struct {
	s     *Store
	token string // its name in the table of writers
	batch int64  // number of the transaction under way
}

// run serves requests until the channel is closed and empty.
func (c *committer) run(requests <-chan *request) {
	var next *request
	for {
		first := next
		if next = nil; first == nil {
			var ok bool
			if first, ok = <-requests; !ok {
				return
			}
		}
		batch, size := []*request{first}, first.size
		for full := false; !full && len(batch) < maxBatch; {
			select {
			case r, ok := <-requests:
				switch {
				case !ok:
					full = true
				case r.commit.Owner != first.commit.Owner || size+r.size > maxBatchBytes:
					next, full = r, true
				default:
					batch, size = append(batch, r), size+r.size
				}
			default:
				full = true
			}
		}
		c.write(batch)
	}
}

// write makes a batch durable and answers everybody in it. The patience is that of
// who waits longest.
func (c *committer) write(batch []*request) {
	c.batch++
	p := newPlan(batch)
	err := c.s.try(context.Background(), c.s.writes, c.s.patience/attempts, batch[0].arrived.Add(c.s.patience), func(ctx context.Context, conn conn) error {
		return c.once(ctx, conn.Conn, p)
	})
	if err != nil {
		if lost(err) {
			err = &persistence.UnreachableError{Err: plain(err)}
		} else {
			err = fmt.Errorf("persistence: commit: %w", explain(c.s.cfg, err))
		}
	}
	for _, r := range batch {
		if r.verdict == nil { // what was refused was not sent
			r.verdict = err
		}
		r.done <- r.verdict
	}
}

// once makes one try of a batch: two round trips and one sync. The first takes the
// locks and reads what decides, the second writes what was accepted.
//
// The outcome of a try whose answer was lost is known at the next one: the writer's
// row has its number if it was committed, and is locked as long as it may be.
func (c *committer) once(ctx context.Context, on *pgxpool.Conn, p *plan) error {
	seen := c.s.high.get()
	now := fleet{asked: time.Now()}
	var first pgx.Batch
	made := true
	first.Queue(`begin`)
	first.Queue(`
insert into writers as w values ($1, $2, $3, 1) on conflict (node) do update set token = $2, batch = $3, batches = w.batches + 1
where (w.token, w.batch) <> ($2, $3) returning false`, p.owner.Node, c.token, c.batch).Query(func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, []any{&made}, func() error { return nil })
		return err
	})
	p.queueRead(&first)
	queueFleet(&first, seen, &now)
	if err := on.SendBatch(ctx, &first).Close(); err != nil {
		return err
	}
	if made { // with the verdicts of then
		return c.undo(ctx, on)
	}
	if err := now.amiss(seen); err != nil {
		return errors.Join(err, c.undo(ctx, on))
	}
	p.decide(c.s.sealer)
	if !p.accepted {
		c.s.high.saw(now)
		return c.undo(ctx, on)
	}
	var second pgx.Batch
	p.queueWrite(&second)
	second.Queue(`commit`)
	err := on.SendBatch(ctx, &second).Close()
	if err == nil {
		c.s.high.saw(now)
	}
	return err
}

// undo ends a transaction that wrote nothing.
func (c *committer) undo(ctx context.Context, on *pgxpool.Conn) error {
	_, err := on.Exec(ctx, `rollback`)
	return err
}
