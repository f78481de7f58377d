//go:build !unix

package badgerstore

// dirLock is Badger's business here.
type dirLock struct{}

const ownLock = false

func lockDir(string) (*dirLock, error) { return &dirLock{}, nil }

func (*dirLock) release() error { return nil }

// shareDir has no lock to take here.
func shareDir(string) (release func() error, err error) { return func() error { return nil }, nil }
