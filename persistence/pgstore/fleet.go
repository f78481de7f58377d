package pgstore

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mtfleet/mtfleet/persistence"
)

// This file is about a database that is not what it was. One that was restored, or
// whose standby took over without the last transactions, has forgotten who owns what,
// and two nodes would own one account. Who does not find the change of owners that it
// saw last, see persistence.Change, has everybody lose everything: the nodes are
// removed, and no account is free before the longest lease that may have been given is
// over, with its grace.
//
// Who has seen the last change may come too late: another node has taken the
// accounts before. A standby that took over has a new timeline; the first connection
// to it has the accounts wait as long.
//
// So they do when the server's clock is set ahead, for leases end early then: whoever
// asks for something compares how far that clock has come with its own. A node that
// has just begun cannot; the others do at their next renewal.

// clockStep is how far the server's clock may get ahead of ours between two answers.
// What drifts is far slower, and what is less is within any grace.
const clockStep = 250 * time.Millisecond

// fleet is the fleet's row as it was seen in one answer.
type fleet struct {
	persistence.Change
	asked  time.Time // by our clock, before
	clock  time.Time // the server's
	held   bool      // nothing is free now
	all    persistence.Owner
	forgot bool // the change that was seen before is not there
}

// high is the last that was seen.
type high struct {
	mu sync.Mutex
	at fleet // guarded by mu
}

func (h *high) get() fleet {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.at
}

// saw takes note of an answer. Of two that were under way at once the later counts.
func (h *high) saw(f fleet) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at.Change = h.at.Highest(f.Change)
	if f.asked.After(h.at.asked) {
		h.at.asked, h.at.clock = f.asked, f.clock
	}
}

// amiss says what is wrong with the database, after what was seen before. It is
// asked as soon as the answer is there.
func (f fleet) amiss(seen fleet) error {
	switch {
	case f.forgot:
		return &amiss{seen: seen}
	case !seen.clock.IsZero() && f.clock.Sub(seen.clock) > time.Since(seen.asked)+clockStep:
		return &amiss{seen: seen, ahead: f.clock.Sub(seen.clock) - time.Since(seen.asked)}
	}
	return nil
}

// queueFleet reads the row. seen was known before the statement is sent, so a
// database that has it shows it.
func queueFleet(b *pgx.Batch, seen fleet, to *fleet) {
	const query = `
select clock_timestamp(), f.seq, f.nonce, f.epoch, f.longest, f.hold_until > now(), coalesce(f.all_node, ''), coalesce(f.all_epoch, 0),
    coalesce((select c.nonce from changes c where c.seq = $1), $2)
from fleet f`
	b.Queue(query, seen.Seq, seen.Nonce).QueryRow(func(row pgx.Row) error {
		var epoch, longest, all, nonce int64
		err := row.Scan(&to.clock, &to.Seq, &to.Nonce, &epoch, &longest, &to.held, &to.all.Node, &all, &nonce)
		to.Epoch, to.Longest, to.all.Epoch = uint64(epoch), microseconds(longest), uint64(all)
		to.forgot = seen.ForgottenBy(to.Change, nonce)
		return err
	})
}

// change is a transaction that changes owners. The fleet's row is locked.
type change struct {
	tx    pgx.Tx
	doubt bool
	fleet // to be written at the end
}

// queueChanged writes the row, and tells the others.
func (c *change) queueChanged(b *pgx.Batch, channel string) {
	c.Change = c.Next(rand.Int64())
	b.Queue(`update fleet set seq = $1, nonce = $2, epoch = $3, longest = $4, all_node = nullif($5, ''), all_epoch = nullif($6, 0::bigint)`,
		c.Seq, c.Nonce, int64(c.Epoch), c.Longest.Microseconds(), c.all.Node, int64(c.all.Epoch))
	b.Queue(`insert into changes values ($1, $2)`, c.Seq, c.Nonce)
	b.Queue(`delete from changes where seq <= $1`, c.Seq-persistence.KeptChanges)
	b.Queue(`select pg_notify($1, '')`, channel)
}

// amiss says that the database has forgotten what was seen, or that its clock is
// ahead of where it should be.
type amiss struct {
	seen  fleet
	ahead time.Duration
}

func (a *amiss) Error() string {
	if a.ahead > 0 {
		return "the clock of the database server was set ahead"
	}
	return "the database has forgotten who owns what"
}

// rightWait is how long it may take to put a database right: a million accounts are
// freed in ten seconds.
const rightWait = time.Minute

// putRight does what is to be done about what is amiss, and asks for another try.
// When ctx ends first, it goes on.
func (s *Store) putRight(ctx context.Context, a *amiss) error {
	done := make(chan error, 1)
	s.calls.Go(func() {
		done <- once(s.closing, s.owners, rightWait, func(ctx context.Context, c *pgxpool.Conn) error {
			if a.ahead > 0 {
				return s.holdAll(ctx, c, a)
			}
			return s.raise(ctx, c, a.seen)
		})
	})
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// holdAll has no account taken before every lease is over, or was renewed by the
// clock as it is now.
func (s *Store) holdAll(ctx context.Context, c *pgxpool.Conn, a *amiss) error {
	if _, err := c.Exec(ctx, `update fleet set hold_until = greatest(hold_until, clock_timestamp() + longest * interval '1 microsecond')`); err != nil {
		return err
	}
	s.high.mu.Lock()
	defer s.high.mu.Unlock()
	if s.high.at.asked.Equal(a.seen.asked) {
		s.high.at.clock = time.Time{} // as if it had not been seen
	}
	s.log.Warn("the clock of the database server was set ahead, or this machine slept: no account is free before every lease is over or renewed", "ahead", a.ahead)
	return errAgain
}

// raise takes everything from everybody.
func (s *Store) raise(ctx context.Context, c *pgxpool.Conn, seen fleet) error {
	tx, err := c.Begin(ctx)
	if err != nil {
		return err
	}
	defer rollback(ctx, tx)
	ch := &change{tx: tx}
	var b pgx.Batch
	b.Queue(`select from fleet for update`)
	queueFleet(&b, seen, &ch.fleet)
	if err := tx.SendBatch(ctx, &b).Close(); err != nil {
		return err
	}
	if !ch.forgot { // it was not committed when it was looked for
		return errAgain
	}
	had := ch.fleet
	ch.Change = ch.Anew(seen.Change)
	ch.all = persistence.Owner{}
	var end pgx.Batch
	end.Queue(`update fleet set hold_until = greatest(hold_until, clock_timestamp() + $1::bigint * interval '1 microsecond')`, ch.Longest.Microseconds())
	end.Queue(`delete from nodes`)
	end.Queue(`update accounts set owner_node = null, owner_epoch = null, since = now() where owner_node is not null`)
	ch.queueChanged(&end, s.schema)
	if err := tx.SendBatch(ctx, &end).Close(); err != nil {
		return err
	}
	if err := tx.Commit(ctx); err != nil {
		return err
	}
	s.high.saw(ch.fleet)
	s.log.Error("the database has forgotten who owns what: all nodes begin anew, and no account is free before the leases that it may have forgotten are over",
		"seen", seen.Seq, "found", had.Seq, "wait", ch.Longest)
	return errAgain
}

// checkTimeline finds out whether the server is another one than before, or a
// restored one, by its timeline. A server that does not tell is not asked again.
func (s *Store) checkTimeline(ctx context.Context, conn *pgx.Conn) error {
	if s.noTimeline.Load() {
		return nil
	}
	var was, is string
	err := conn.QueryRow(ctx, `select timeline, substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) from fleet`).Scan(&was, &is)
	switch sqlState(err) {
	case codeNoFunction, codeNotAllowed:
		s.noTimeline.Store(true)
		s.log.Warn("the database server does not tell its timeline: after a failover that lost transactions, accounts wait for no lease that was forgotten with them unless its node is heard of first", "error", err)
		return nil
	}
	if err != nil || was == is {
		return err
	}
	if was == "" { // a new store
		_, err = conn.Exec(ctx, `update fleet set timeline = $1 where timeline = ''`, is)
		return err
	}
	seen := s.high.get()
	tag, err := conn.Exec(ctx, `
update fleet set timeline = $1, longest = greatest(longest, $2::bigint), epoch = greatest(epoch, $3::bigint) + $4::bigint,
    hold_until = greatest(hold_until, clock_timestamp() + greatest(longest, $2::bigint) * interval '1 microsecond')
where timeline = $5`, is, seen.Longest.Microseconds(), int64(seen.Epoch), persistence.EpochLeap, was)
	if err == nil && tag.RowsAffected() > 0 {
		s.log.Warn("another database server has taken over: no account is free before the leases that it may not know are over", "timeline", is, "before", was)
	}
	return err
}
