package badgerstore

import (
	"errors"
	"fmt"
	"slices"

	"github.com/dgraph-io/badger/v4"

	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/seal"
)

// request is one commit, or one claim, on its way to the committer.
type request struct {
	commit  persistence.Commit
	entries []*badger.Entry // commit.Put, sealed
	before  []term          // what they replace, as of the transaction; the committer's

	claim string            // the node; empty for a commit
	owner persistence.Owner // answer to a claim, set before done

	done chan error // buffered: the committer never waits for a caller
}

// maxBatch is how many requests share one transaction at most; Badger's limits
// end most transactions earlier (about 600 records of 2 KB).
const maxBatch = 2000

// committer is the only writer of the database.
type committer struct {
	db     *badger.DB
	sealer *sealer
	owner  persistence.Owner               // as it is on disk
	chain  *chain                          // nil in tests of the committer alone
	room   func(entries, size int64) error // tells whether a transaction may be written

	// The transaction being filled.
	txn     *badger.Txn
	pending []*request
	count   int64 // entries, as Badger counts them
	size    int64 // bytes, as Badger counts them
	next    persistence.Owner
}

// run serves requests until the channel is closed and empty.
func (c *committer) run(requests <-chan *request) {
	for r := range requests {
		c.add(r)
		for more := true; more && len(c.pending) < maxBatch; {
			select {
			case r, ok := <-requests:
				if more = ok; ok {
					c.add(r)
				}
			default:
				more = false
			}
		}
		c.flush()
	}
}

// add puts a whole request into the transaction, after ending the one under way
// if there is no room, or answers it with the reason why not.
func (c *committer) add(r *request) {
	count, size := r.cost()
	if c.txn != nil && !c.fits(c.count+count, c.size+size) {
		c.flush()
	}
	if !c.fits(count, size) {
		r.done <- &persistence.TooLargeError{Items: int(count), Bytes: int(size)}
		return
	}
	if c.txn == nil {
		c.begin()
	}
	if err := reading(c.db.Opts().Dir, func() error { return c.check(r) }); err != nil {
		r.done <- err
		return
	}
	if err := c.put(r); err != nil {
		// Part of r may be in the transaction: nothing of it may be written,
		// so the others start again without it.
		c.restart()
		r.done <- fmt.Errorf("persistence: commit: %w", err)
		return
	}
	c.pending = append(c.pending, r)
	c.count += count
	c.size += size
}

// What each transaction has besides: Badger's entry that ends it, and the head,
// rounded up.
const (
	endCount = 2
	endSize  = 64 + 512
)

// fits tells whether a transaction with that much in it can be committed.
func (c *committer) fits(count, size int64) bool {
	return endCount+count < c.db.MaxBatchCount() && endSize+size < c.db.MaxBatchSize()
}

// cost is an upper bound of how Badger counts the request: 12 bytes for each
// entry beside its key and value, and for a claim one small entry.
func (r *request) cost() (count, size int64) {
	const perEntry = 12
	if r.claim != "" {
		return 1, 256
	}
	for _, e := range r.entries {
		size += int64(len(e.Key)+len(e.Value)) + perEntry
	}
	for _, k := range r.commit.Delete {
		size += int64(len(recordPrefix)+len(k.Account)+2+len(k.Sub)) + perEntry
	}
	return int64(len(r.entries) + len(r.commit.Delete)), size
}

func (c *committer) begin() {
	c.txn = c.db.NewTransaction(true)
	c.next = c.owner
	if c.chain != nil {
		c.chain.begin()
	}
}

// check decides whether the request may be written, as of the transaction so far.
func (c *committer) check(r *request) error {
	if r.claim != "" {
		return nil
	}
	if r.commit.Owner != c.next || c.next == (persistence.Owner{}) {
		return &persistence.StaleOwnerError{Owner: r.commit.Owner, Current: c.next}
	}
	for _, k := range r.commit.Absent {
		switch _, err := c.txn.Get(recordName(k)); {
		case err == nil:
			return &persistence.PresentError{Key: k}
		case !errors.Is(err, badger.ErrKeyNotFound):
			return fmt.Errorf("persistence: commit: %w", err)
		}
	}
	r.before = slices.Grow(r.before[:0], len(r.entries))
	for i, rec := range r.commit.Put {
		before, err := c.checkVersion(rec.Key, r.entries[i].Key, rec.Version)
		if err != nil {
			return err
		}
		r.before = append(r.before, before)
	}
	return nil
}

// checkVersion refuses to write over a record of a newer format. A corrupt
// record may be written over: that is how it is repaired. So a header that claims
// a newer version is believed only when the seal confirms it. It returns what the
// old record counts for.
func (c *committer) checkVersion(k persistence.Key, name []byte, version uint16) (before term, err error) {
	item, err := c.txn.Get(name)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return before, nil
	}
	if err != nil {
		return before, fmt.Errorf("persistence: commit: %w", err)
	}
	var refused *persistence.VersionError
	err = item.Value(func(b []byte) error {
		before = c.term(name, b)
		old, err := seal.Peek(k, b)
		if err == nil && old > version {
			if _, err = c.sealer.Open(k, b); err == nil {
				err = &persistence.VersionError{Key: k, Version: old, Known: version}
			}
		}
		errors.As(err, &refused)
		return nil
	})
	if refused != nil {
		return before, refused
	}
	if err != nil {
		return before, fmt.Errorf("persistence: commit: %w", err)
	}
	return before, nil
}

func (c *committer) put(r *request) error {
	if r.claim != "" {
		r.owner = persistence.Owner{Node: r.claim, Epoch: c.next.Epoch + 1}
		value, err := c.sealer.Seal(encodeOwner(r.owner))
		if err != nil {
			return err
		}
		if err := c.txn.Set([]byte(ownerName), value); err != nil {
			return err
		}
		c.next = r.owner
		return nil
	}
	for _, k := range r.commit.Delete {
		name := recordName(k)
		before, err := c.before(name)
		if err != nil {
			return err
		}
		c.note(name, before, nil)
		if err := c.txn.Delete(name); err != nil {
			return err
		}
	}
	for i, e := range r.entries {
		if i < len(r.before) {
			c.note(e.Key, r.before[i], e.Value)
		}
		if err := c.txn.SetEntry(e); err != nil {
			return err
		}
	}
	return nil
}

// restart rebuilds the transaction from the pending requests.
func (c *committer) restart() {
	again := slices.Clone(c.pending)
	c.drop()
	for _, r := range again {
		c.add(r)
	}
}

// flush makes the transaction durable and answers everybody in it.
func (c *committer) flush() {
	if c.txn == nil {
		return
	}
	var err error
	if len(c.pending) > 0 {
		if err = c.room(c.count, c.size); err == nil {
			if err = c.commit(); err != nil {
				err = &persistence.WriteError{Err: err}
			} else {
				c.owner = c.next
			}
		}
	}
	for _, r := range c.pending {
		r.done <- err
	}
	c.drop()
}

func (c *committer) drop() {
	c.txn.Discard()
	clear(c.pending)
	c.txn, c.pending, c.count, c.size = nil, c.pending[:0], 0, 0
}
