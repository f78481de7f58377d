package badgerstore

import (
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"github.com/mtfleet/mtfleet/persistence"
)

// chain is the committer's hand on the head: what the store holds after each
// transaction, in Badger and beside it.
type chain struct {
	file   *headFile
	digest *digester
	at     head // of the last transaction that is in Badger
	told   func(copyWanted bool)
	// reached is for tests that end the process between two writes; nil otherwise.
	reached func(step)

	// The transaction being filled.
	next   sums
	copied bool // it changes a record of the copy
}

// step is a place in the protocol of a commit.
type step int

const (
	stepIntent  step = iota // the intent is written, Badger was not asked
	stepBadger              // Badger has committed, the HEAD file is not synced
	stepSynced              // both are durable, the commit is not marked as done
	stepDone                // it is marked, nobody is answered
	stepsNumber             // how many there are
)

func (c *chain) reach(s step) {
	if c.reached != nil {
		c.reached(s)
	}
}

func (c *chain) begin() { c.next, c.copied = c.at.after, false }

// note counts a change that is put into the transaction: what was there and what
// will be; after is nil for a deletion.
func (c *committer) note(name []byte, before term, after []byte) {
	if c.chain == nil {
		return
	}
	if k, ok := parseName(name); ok && wantsCopy(k.Kind) {
		c.chain.copied = true
	}
	c.chain.digest.change(&c.chain.next, name, before, c.chain.digest.term(name, after))
}

// before reads what a transaction would overwrite.
func (c *committer) before(name []byte) (t term, err error) {
	if c.chain == nil {
		return t, nil
	}
	item, err := c.txn.Get(name)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return t, nil
	}
	if err != nil {
		return t, err
	}
	err = item.Value(func(b []byte) error { t = c.term(name, b); return nil })
	return t, err
}

// term is what a stored value counts for; without a head it is not asked.
func (c *committer) term(name, value []byte) term {
	if c.chain == nil {
		return term{}
	}
	if value == nil {
		value = []byte{}
	}
	return c.chain.digest.term(name, value)
}

// commit ends the transaction: durable in Badger and known in the HEAD file when
// it returns without an error. The two syncs run side by side; see the package's
// comment for why that is enough.
func (c *committer) commit() error {
	if c.chain == nil {
		return c.txn.Commit()
	}
	h := c.chain.at
	h.commit, h.epoch, h.before, h.after = h.commit+1, c.next.Epoch, h.after, c.chain.next
	h.state = headStored
	value, err := c.sealer.sealHead(headKey, h)
	if err != nil {
		return err
	}
	if err := c.txn.Set([]byte(headName), value); err != nil {
		return err
	}
	h.state = headIntent
	if err := c.chain.file.write(h); err != nil {
		return fmt.Errorf("write the store's head: %w", err)
	}
	c.chain.reach(stepIntent)
	synced := make(chan error, 1)
	go func() { synced <- c.chain.file.sync() }()
	err = c.txn.Commit()
	c.chain.reach(stepBadger)
	syncErr := <-synced
	if err != nil {
		return errors.Join(err, c.reread())
	}
	c.chain.at, c.owner = h, c.next
	if syncErr != nil {
		return fmt.Errorf("sync the store's head: %w", syncErr)
	}
	c.chain.reach(stepSynced)
	h.state = headDone
	err = c.chain.file.write(h)
	c.chain.reach(stepDone)
	c.chain.told(c.chain.copied)
	return err
}

// reread finds out where Badger is after it failed: the transaction may be there.
func (c *committer) reread() error {
	if c.db.IsClosed() {
		return nil
	}
	h, err := storedHead(c.db, c.sealer)
	if err == nil && h.commit == c.chain.at.commit+1 {
		h.place = c.chain.at.place
		c.chain.at = h
	}
	return err
}

// putHead writes a head into Badger without any record: the first one of a store,
// or one that begins to count anew.
func putHead(db *badger.DB, s *sealer, h head) error {
	h.state = headStored
	value, err := s.sealHead(headKey, h)
	if err != nil {
		return err
	}
	if err := db.Update(func(txn *badger.Txn) error { return txn.Set([]byte(headName), value) }); err != nil {
		return &persistence.WriteError{Err: err}
	}
	return nil
}
