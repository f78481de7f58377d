package pgstore

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/mtfleet/mtfleet/persistence"
)

// This file is about who has everything: a program that works on the store while no
// node runs. Its claim is a lock of the server's, which a connection of its own holds
// from the first Claim of a Store to its Close. So of two such programs one comes
// second; a node does not join, for the keys of all accounts may be in use; and when
// the process dies, or its machine does not answer the server any more, the server
// lets go of it.
//
// A server that stops, or another one that takes over, lets go of it too, and the
// program need not notice. Nothing of what it writes then is accepted once a node has
// joined or another has claimed, as ever. What it sends under the keys is for itself
// to stop: it asks by ConfirmClaim again and again, and is silent ClaimTerm after it
// was last told yes. A claim that ended without a word is seen by who comes next,
// which waits as long before any account is used.

// ClaimTerm is for how long after a claim was confirmed its accounts may be used,
// less what clocks may differ by in that time.
const ClaimTerm = 5 * time.Second

// The lock of who has everything. The key is one of the database's, so the schema is
// in it.
const (
	claimKey      = `hashtextextended('mtfleet claim ' || $1, 0)`
	lockClaim     = `select pg_advisory_lock(` + claimKey + `)`
	unlockClaim   = `select pg_advisory_unlock(` + claimKey + `)`
	tryClaimed    = `select pg_try_advisory_xact_lock_shared(` + claimKey + `)`
	claimHeldHere = `
select exists (select from pg_locks l, (select ` + claimKey + ` k) key
where l.locktype = 'advisory' and l.pid = pg_backend_pid() and l.granted and l.objsubid = 1
    and l.classid = ((key.k >> 32) & 4294967295)::oid and l.objid = (key.k & 4294967295)::oid)`
	claimHolder = `
select coalesce(max(a.application_name), '') from pg_stat_activity a, pg_locks l, (select ` + claimKey + ` k) key
where l.locktype = 'advisory' and l.granted and l.mode = 'ExclusiveLock' and l.objsubid = 1 and l.pid = a.pid
    and l.classid = ((key.k >> 32) & 4294967295)::oid and l.objid = (key.k & 4294967295)::oid
    and l.database = (select oid from pg_database where datname = current_database())`
)

// claimLock is a Store's own hold of it.
type claimLock struct {
	mu    sync.Mutex // guards the following fields, and the use of the connection
	conn  *pgx.Conn  // nil: it has none
	owner persistence.Owner
	quiet time.Time // until then one whose claim ended without a word may use accounts
}

// lockAll takes the lock, unless this Store has it: it waits for the third part of
// Options.Patience for another to let go.
func (s *Store) lockAll(ctx context.Context) error {
	c := &s.claimed
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn != nil {
		if c.held(ctx, s.schema) == nil {
			return nil
		}
		c.drop(ctx)
	}
	cfg := s.cfg.Copy()
	cfg.RuntimeParams["application_name"] = holderName(s.program)
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return err
	}
	if _, err = conn.Exec(ctx, lockClaim, s.schema); err != nil {
		defer leave(ctx, conn)
		if sqlState(err) == codeLocked {
			return s.claimedError(ctx, conn)
		}
		return err
	}
	c.conn = conn
	return nil
}

// holderName is how a holder is named to who comes second: a connection's name has 63
// bytes.
func holderName(program string) string {
	host, _ := os.Hostname()
	who := fmt.Sprintf(", process %d on %s", os.Getpid(), host)
	if len(who) > 40 {
		who = who[:40]
	}
	return program[:min(len(program), 63-len(who))] + who
}

// claimedError says who has the claim.
func (s *Store) claimedError(ctx context.Context, c querier) error {
	var by string
	if err := c.QueryRow(ctx, claimHolder, s.schema).Scan(&by); err != nil {
		return err
	}
	return refuse(&persistence.ClaimedError{Place: s.Place(), By: by})
}

// unclaimed refuses what is not done while somebody has everything, from now to the
// end of the transaction.
func (s *Store) unclaimed(ctx context.Context, c querier) error {
	free := false
	if err := c.QueryRow(ctx, tryClaimed, s.schema).Scan(&free); err != nil || free {
		return err
	}
	return s.claimedError(ctx, c)
}

// held asks whether the connection still has the lock.
func (c *claimLock) held(ctx context.Context, schema string) error {
	held := false
	if err := c.conn.QueryRow(ctx, claimHeldHere, schema).Scan(&held); err != nil {
		return err
	}
	if !held {
		return errClaimLost
	}
	return nil
}

// drop lets go of the lock.
func (c *claimLock) drop(ctx context.Context) {
	if c.conn != nil {
		leave(ctx, c.conn)
		c.conn, c.owner = nil, persistence.Owner{}
	}
}

// endClaim lets go of everything, and says so: who comes next need not wait.
func (s *Store) endClaim(ctx context.Context) {
	c := &s.claimed
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.patience/attempts)
	defer cancel()
	_, err := c.conn.Exec(ctx, `update fleet set all_node = null, all_epoch = null where all_node = $1 and all_epoch = $2`, c.owner.Node, int64(c.owner.Epoch))
	if err == nil { // the server takes a moment to see that a connection is closed
		_, err = c.conn.Exec(ctx, unlockClaim, s.schema)
	}
	if err != nil {
		s.log.Debug("the claim of the store ended without a word", "error", err)
	}
	c.drop(ctx)
}

// claimAll has f make this Store the owner of everything, under the lock. A Store
// that had it before keeps it when f fails.
func (s *Store) claimAll(ctx context.Context, f func(context.Context, *change) (persistence.Owner, error)) (owner persistence.Owner, err error) {
	s.claimed.mu.Lock()
	had := s.claimed.conn != nil
	s.claimed.mu.Unlock()
	if err := s.askFor(ctx, s.owners, s.patience, func(ctx context.Context, _ conn) error { return s.lockAll(ctx) }); err != nil {
		return owner, err
	}
	unsaid := false // somebody's claim ended without a word
	err = s.change(ctx, func(ctx context.Context, ch *change) (err error) {
		before := ch.all
		if err := fits(ctx, ch.tx, s.cfg, s.source, s.sealer); err != nil { // it may be another since Open
			return err
		}
		if owner, err = f(ctx, ch); err != nil {
			return err
		}
		s.claimed.mu.Lock()
		defer s.claimed.mu.Unlock()
		unsaid = before != (persistence.Owner{}) && before != s.claimed.owner
		return nil
	})
	if err != nil {
		if !had {
			s.endClaim(ctx)
		}
		return persistence.Owner{}, err
	}
	s.claimed.mu.Lock()
	defer s.claimed.mu.Unlock()
	if s.claimed.owner = owner; unsaid {
		s.claimed.quiet = time.Now().Add(ClaimTerm)
	}
	return owner, nil
}

// ConfirmClaim asks whether this Store has everything, by its claim: then its accounts
// may be used, until ClaimTerm after ConfirmClaim was called. The error is a
// *persistence.StaleOwnerError when the claim is lost, and a *persistence.ClaimedError
// while one whose claim ended without a word may use them.
func (s *Store) ConfirmClaim(ctx context.Context) error {
	c := &s.claimed
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.conn == nil:
		return &persistence.StaleOwnerError{}
	case time.Now().Before(c.quiet):
		return &persistence.ClaimedError{Place: s.Place(), By: "a command that ended without a word"}
	}
	ctx, cancel := context.WithTimeout(ctx, ClaimTerm/2)
	defer cancel()
	if err := c.held(ctx, s.schema); err != nil {
		s.log.Error("the claim of the store is lost: nothing of it is used any more", "error", plain(err))
		stale := &persistence.StaleOwnerError{Owner: c.owner}
		c.drop(ctx)
		return stale
	}
	return nil
}
