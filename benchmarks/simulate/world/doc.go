// Package world is everything around a manager in a simulation: the DCs it
// talks to, the network between, its disk, the people who use it and what goes
// wrong. [Run] plays one run from a seed: on one goroutine, in virtual time, and
// the same seed gives the same run to the last byte.
//
// The DCs are the test cluster's core (mtproto/dctest) without its sockets.
// Connections carry whole packets, late, in order unless a fault says
// otherwise. The store is in memory; a crash may come right before or right
// after any of its commits. Callers, operators and faults are actors of a
// system of their own, which outlives the manager's crashes. What the run came
// to is judged from the cluster's ledger and from what the callers saw, never
// from the manager's word.
//
// A [Plant] is a fault of the world's own making that breaks a promise, so that
// a test can see that the judge finds it.
package world
