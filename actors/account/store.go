package account

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/mtfleet/mtfleet/persistence"
)

// accountStore is the store as one account's actors use it. Its lock is held
// while something is written or read on the pool for waiting, never in an
// actor: what is read next sees what was written before.
type accountStore struct {
	mu    sync.Mutex
	store persistence.Store
}

// fencedStore is what one binding writes through. Once its link is closed it
// writes nothing more: a commit that was still on its way must not bring back
// keys that were deleted.
type fencedStore struct {
	*accountStore
	closed atomic.Bool
}

var errLinkClosed = errors.New("account: the link is closed")

func (s *accountStore) fence() *fencedStore { return &fencedStore{accountStore: s} }

// Commit writes, unless the link is closed. It blocks.
func (s *fencedStore) Commit(c persistence.Commit) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed.Load() {
		return errLinkClosed
	}
	return s.store.Commit(c)
}

// do runs a job that reads or writes the store. It blocks.
func (s *accountStore) do(job func(persistence.Store) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return job(s.store)
}

// loadKeys reads what a binding begins with. It blocks.
func (s *accountStore) loadKeys(id persistence.AccountID, dc int) (state persistence.State, err error) {
	err = s.do(func(store persistence.Store) error {
		records, err := store.Load(id)
		if len(persistence.BadKeys(err)) == 0 && err != nil {
			return err // not about a record: the store itself
		}
		if bad := permKeyError(err, persistence.PermKeyKey(id, dc)); bad != nil {
			return bad
		}
		state, err = decodeKeys(records, dc)
		return err
	})
	return state, err
}

// permKeyError picks the error of a perm key's record out of those of a load.
func permKeyError(err error, key persistence.Key) error {
	for _, bad := range persistence.BadKeys(err) {
		if bad == key {
			return err
		}
	}
	return nil
}
