package persistence

import "context"

// Moment is what a store is at one commit.
type Moment struct {
	Store  string // the store's id
	Commit uint64 // number of its last commit
	Epoch  uint64 // of its owner
	Holds  Tally
}

// Snapshotter is a Store that can show everything it holds as of one commit.
type Snapshotter interface {
	// Snapshot calls begin once and then each for every record, all as of the
	// same commit and in the order of account, kind and sub. It blocks until each
	// has seen the last one; commits go on meanwhile, and are not seen. Of a
	// record that cannot be read, each gets the key and a *CorruptError or
	// *VersionError; that does not end it. What ends it early is an error of begin
	// or each, which is returned as it is, the end of ctx, or Close, after which
	// it returns ErrClosed.
	Snapshot(ctx context.Context, begin func(Moment) error, each func(Record, error) error) error
}
