package badgerstore

import (
	"context"
	"errors"

	"github.com/dgraph-io/badger/v4"

	"github.com/mtfleet/mtfleet/persistence"
)

var _ persistence.Snapshotter = (*Store)(nil)

// Snapshot implements persistence.Snapshotter. A read transaction of Badger's is
// the snapshot: it holds no lock that a commit wants, and takes memory for one
// record at a time. What was read is compared with the head of its commit, so
// that a store that lost records while it was open does not pass for whole.
func (s *Store) Snapshot(ctx context.Context, begin func(persistence.Moment) error, each func(persistence.Record, error) error) error {
	if s.opened.chain == nil {
		return errors.New("persistence: a store without a head has no snapshot")
	}
	digest := s.opened.chain.digest
	return s.view(func(txn *badger.Txn) error {
		h, err := headOf(txn, s.sealer)
		if err != nil {
			return err
		}
		if err := begin(persistence.Moment{Store: h.id.String(), Commit: h.commit, Epoch: h.epoch, Holds: h.after.tally()}); err != nil {
			return err
		}
		it := txn.NewIterator(badger.IteratorOptions{Prefix: []byte(recordPrefix)}) // without prefetch, as in Load
		defer it.Close()
		var found sums
		for it.Rewind(); it.Valid(); it.Next() {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-s.closing:
				return persistence.ErrClosed
			default:
			}
			item := it.Item()
			k, ok := parseName(item.Key())
			if !ok {
				continue
			}
			rec := persistence.Record{Key: k}
			bad := item.Value(func(b []byte) (err error) {
				digest.change(&found, item.Key(), term{}, digest.term(item.Key(), b))
				rec, err = s.sealer.Open(k, b)
				return err
			})
			if bad != nil {
				bad = unreadable(k, bad)
			}
			if err := each(rec, bad); err != nil {
				return err
			}
		}
		if !found.sameNames(h.after) {
			return errLost
		}
		return nil
	})
}

// unreadable makes any error of reading a record one that names it.
func unreadable(k persistence.Key, err error) error {
	if isCorrupt(err) || errors.As(err, new(*persistence.VersionError)) {
		return err
	}
	return &persistence.CorruptError{Key: k, Why: "the database cannot read it: " + err.Error()}
}
