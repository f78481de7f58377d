// Package badgerstore keeps persistence records in a Badger database on a local
// disk. It is the only package that knows Badger.
//
//	key, source, err := badgerstore.LoadMasterKey(badgerstore.KeyOptions{Env: os.Getenv(badgerstore.KeyEnv), File: path, StoreDir: dir})
//	if source.Created { fmt.Println("made a master key in", source.File) }
//	store, err := badgerstore.Open(badgerstore.Options{Dir: dir, Key: key})
//
// # Durability
//
// A commit is in the write-ahead log, synced, when Commit returns. One goroutine,
// the committer, owns all writing: it packs as many whole commits as there are
// waiting into one transaction, so that a thousand callers share one sync.
// (Concurrent transactions would each sync for themselves, and Badger's
// WriteBatch splits where it likes.) A transaction that would grow too large is
// ended between two commits, never within one.
//
// # Sealing
//
// Each record is sealed by itself with XChaCha20-Poly1305 under a key derived
// from the master key, behind a clear header {format, key id, record version}.
// Account, kind, sub and the header are its associated data: a record moved or
// relabelled does not open. What is not protected: that a record exists, its key
// name (ids the operator chose), its length, and that an older version of the
// whole directory is put back. Badger's own encryption is left off: it does not
// authenticate, hides only the key names besides, and needs a cache of decrypted
// blocks where now the operating system's page cache serves.
//
// A wrong master key is found when the store is opened, by a sealed check
// record, before anything is written.
//
// # Room
//
// A commit is refused with a *persistence.FullError while the disk has less than
// the floor, with a *persistence.DiskError while the directory is gone, read-only
// or failing: Badger is not touched then, and it goes on by itself. Open ends so
// before anything is mapped. Close leaves the log to the next Open where no table
// can be made (*persistence.CloseError). All of it is in space.go; on other
// systems than Linux only the directory is looked after.
//
// # Housekeeping
//
// There is no value-log garbage collection to run: values here are far below the
// 1 MB from which Badger would use its value log, so records live in the LSM tree
// and compaction reclaims them. The memory settings are for many accounts on a
// small machine: 13 MB of heap when idle, with 10,000 accounts of four records
// each, which load in 0.13 s.
package badgerstore
