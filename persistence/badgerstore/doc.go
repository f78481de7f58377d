// Package badgerstore keeps persistence records in a Badger database on a local
// disk. It is the only package that knows Badger.
//
//	key, source, err := badgerstore.LoadMasterKey(seal.KeyOptions{Env: os.Getenv(seal.KeyEnv), File: path, StoreDir: dir})
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
// # The head
//
// Badger cuts its log at the first byte that is wrong and deletes tables that its
// manifest does not name. That is right after a crash, and after damage it loses
// records without a word. So what the store should hold is known outside Badger,
// and the files are read and compared with that before Badger opens them.
//
// The head of a commit is {store, number, digest of all records before and after,
// counts, epoch, place}. Each transaction carries its head as a record, m/head.
// The file HEAD has two slots for heads, used by turns; a commit n+1 goes so:
//
//  1. the slot gets "n+1, intended"; no sync
//  2. Badger commits the transaction with head n+1 and syncs its log, and beside
//     it the HEAD file is synced
//  3. when both are done the slot gets "n+1, done"; no sync
//  4. the callers are answered
//
// At a start, Badger's files are at some commit b, and the newest slot is at h:
//
//   - h is done: its callers may have been answered, so b must be h. (b = h+1, with
//     h's digest as the one before, is a transaction that reached the disk when the
//     power was cut and slot h+1 did not.)
//   - h is intended: nobody was answered who died with the process, so b is h or
//     h-1, with the digest that slot h has for it.
//   - anything else is damage, and so is a digest of the records that is not the
//     one of m/head.
//
// After a SIGKILL both files are as they were written, and step 1 precedes step 2:
// every loss of an answered commit is named. After a power cut step 3 may be
// missing for the last commit, and then a damage that took just that commit looks
// like a commit that was never made. What narrows it: the next commit's sync takes
// the mark along, a second after the last one it is synced by itself, and the
// sealed copy, which is synced, is a third witness. To close it the mark would have
// to be synced before the answer: a second sync behind the first, which doubles
// the time of each commit for a second's worth of one kind of double fault.
//
// A HEAD that is lost or unreadable is written anew where m/head and the records
// agree. A store of a program without heads is believed once. A record whose seal
// does not open says so by itself, and hurts its account alone; the digest takes of
// a sealed value only what its seal binds the rest with.
//
// # The copy and salvage
//
// COPY has the records that nothing can bring back, sealed as they are, and is
// replaced a second after they change (see copy.go and keeper.go for what and how
// often). Salvage reads everything that is left, behind damage too, fills it up
// from the copy and makes a new store; only it does. The head knows when the
// result is everything.
//
// The head also says where the store lies; in another place it is not opened
// before it is adopted. See place.
//
// # Snapshots, restored stores, rewrites
//
// Snapshot shows every record as of one commit, from a read transaction, while
// others are made; package backup writes it into a file. Restore makes a store of
// records: its place is nowhere, so it is not opened before it is adopted, its id is
// new, and its epochs are above all that the store before can have had. Check opens
// every record and changes nothing.
//
// Rewrite seals all records anew, under the same master key or another one, in a
// store of its own within the directory. When that one is whole and durable, a
// marker REWRITE is written, and the files change places; Open ends what a kill left
// half-way. No record is ever under two keys in one store, and nothing of the old
// key is left: in place, tables would keep old seals until they are merged.
//
// # Sealing
//
// Package seal seals each record by itself: one that was moved or relabelled does not
// open. What is not protected: that a record exists, its key name, its length, and that
// an older version of the whole directory, HEAD and COPY with it, is put back in its
// place. Badger's own encryption is left off: it does not authenticate, hides only the
// key names besides, and needs a cache of decrypted blocks where now the operating
// system's page cache serves.
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
// each, which load in 0.13 s. The look at the files before that takes 0.2 s:
// BenchmarkStart.
package badgerstore
