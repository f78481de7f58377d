// Package ondisk opens a manager with its store in one directory, in one call:
// what session.FileStorage is to a gotd program. It is apart from gotd, so that
// a program with a store of another kind does not link this one.
package ondisk

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/persistence/badgerstore"
	"github.com/mtfleet/mtfleet/persistence/seal"
)

// Manager is an actors.Manager that closes its store with itself.
type Manager struct {
	*actors.Manager
	store *badgerstore.Store
}

// Open opens the store in dir, which it makes when there is none, and a manager
// on it; Store of the options is set by it. The accounts are in dir/store, and
// the key that seals them is what seal.KeyEnv says in the environment,
// or dir/store.key: keep a copy of that elsewhere, for whoever has both has the accounts.
// It fails like badgerstore.LoadMasterKey, badgerstore.Open and actors.Open.
func Open(dir string, o actors.Options) (*Manager, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "store")
	key, source, err := badgerstore.LoadMasterKey(seal.KeyOptions{
		Env: os.Getenv(seal.KeyEnv), File: filepath.Join(dir, "store.key"), StoreDir: data,
	})
	if err != nil {
		return nil, err
	}
	store, err := badgerstore.Open(badgerstore.Options{Dir: data, Key: key, KeySource: source, Logger: o.Logger})
	if err != nil {
		return nil, err
	}
	o.Store = store
	m, err := actors.Open(o)
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return &Manager{m, store}, nil
}

// Close closes the manager, within actors.CloseGrace, and then the store.
func (m *Manager) Close() error {
	ctx, cancel := actors.CloseGrace()
	defer cancel()
	return errors.Join(m.Manager.Close(ctx), m.store.Close())
}
