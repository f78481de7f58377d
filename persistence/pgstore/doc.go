// Package pgstore keeps persistence records in a database of PostgreSQL, which
// several nodes share. It is the only package that knows the database. For one
// machine badgerstore is simpler, and no server to keep.
//
//	store, err := pgstore.Open(ctx, pgstore.Options{URL: "postgres://fleet@db.example/fleet", Key: key})
//	owner, err := store.Join(ctx, persistence.NodeInfo{Name: "node-1", ...})
//
// Everything is in a schema of its own, which Open makes, and changes when the
// program is newer; a program that is older than the tables is refused. Records
// are sealed as badgerstore seals them: the database's owner sees ids, kinds and
// lengths.
//
// It is tested with PostgreSQL 15, and with nothing else that speaks its protocol. A
// pooler between must keep a session for each client and pass on what it sets at its
// start: statements are prepared, and one connection listens.
//
// # The fence
//
// An account has a row with its owner, a node and its epoch. A commit is one
// transaction that locks the rows of its accounts FOR SHARE, reads the owners, and
// writes only if all are its own. Who takes an account updates that row: so a commit
// is before it, and the next owner loads what it wrote, or after it, and is refused.
// The node's own row is locked too, so that nobody writes who has left.
//
// A program that works on the store while no node runs claims everything, by a lock of
// the server's that its session holds until Close: nobody else claims or joins
// meanwhile. See claim.go.
//
// Lease and grace are counted by the server's clock alone. When it is set ahead,
// accounts of nodes are not free before every lease was renewed by it.
//
// # Group commit
//
// One goroutine, the committer, packs the commits that wait into one transaction, up
// to 1,000 of them or 4 MB: two round trips and one sync. What is refused is refused
// alone. Commits keep their order.
//
// An answer that is lost is no loss: each transaction has a number, which it writes
// into the row of its writer, and locks that row. The next try waits until the one
// before can do nothing more, and finds its number there or not. So a commit is
// repeated until Options.Patience is over, and only then its outcome is not known.
//
// # Failover
//
// A standby that takes over may lack the last transactions, and so may a database
// that was restored. Lost records are the operator's to prevent, by synchronous
// replication; that two nodes own an account is prevented here. Changes of owners are
// numbered, and a node that does not find the last one it saw has everybody begin
// anew. Before that, a server with another timeline lets nobody take anything until
// every lease that it may not know is over. See fleet.go.
package pgstore
