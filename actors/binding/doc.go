// Package binding is the actor that keeps the keys of one account on one DC:
// the perm key, its temp keys, and which of them is bound and serves.
//
// It drives [pfs.Machine], which decides, and does for it what waits: commits
// to the store, permits of the governor, timers. It owns the records of the
// keys and no socket; handshakes, binds and proofs are made by DC connections,
// on the word of the account, which is the only one it talks to.
//
// A key is on disk before anything else happens with it: while a commit is
// under way, nothing that the machine decided after it leaves this actor.
package binding
