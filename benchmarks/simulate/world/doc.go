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
// a test can see that the judge finds it. Who judges each promise of
// ARCHITECTURE.md, and what is planted there:
//
//	1 no authorization is lost    roll, and the auditor: nobody is revoked whose key no DC forgot, all
//	                              are online in the end                          PlantForgetRecord
//	2 none is orphaned            the auditor, by the ledger and the store       PlantForgetRecord
//	3 a call ends exactly once    the auditor, by the ledger and the callers     PlantRepeatOnce
//	4 rotation is invisible       the auditor: updates and calls                 PlantSwallowUpdate,
//	                              PlantSwallowPost, PlantTurnPosts, PlantSwallowReturn
//	                              (but for what was before a login's beginning with a channel, see past)
//	                              auditTempKeys: two live keys at most in a slot, main or media
//	                                                                             PlantKeepKeys
//	5 accounts do not hurt others isolate: one gets a panic, a wait, a revoked login, a corrupt record;
//	                              the others' states, connections, calls         PlantHurtOthers
//	                              the auditor: who is quarantined otherwise is a complaint. Wedges, and
//	                              panics of all other actors, are injected by the tests of actors
//	6 one owner per key           the auditor, by the ledger's overlaps, and auditBounds: no
//	                              socket outlives its manager                    PlantKeepSocket
//	7 no storm                    paced: dials, keys that are begun, first steps of sign-ins in each
//	                              life against its budget                        PlantNoBudget,
//	                              PlantNoKeyBudget, PlantNoTurns
//	                              auditWait: no call comes in a wait told before PlantForgetWait
//	8 bounded                     auditBounds: sockets, packets and permits in the end
//	                                                                             PlantKeepSocket
//	9 secrets stay secret         holdSecrets: events, logs, words, timelines    PlantTellSecret
//
// With [Options].Nodes several managers keep the accounts together, on a database in
// memory that the world may cut each of them off from, and that fails over to a standby,
// which may lack the last transactions: what that may cost, and of whom, is in
// failover.go. They are judged by the same promises, over all of them, and the sixth by
// four auditors more:
//
//	a lease is kept               auditLease: who sends is not stopped, and the database counts his
//	                              lease as lasting                               PlantNoMargin
//	a commit is its owner's       take: of what the database has taken           PlantFenceOutside
//	a lease is over before        takes: nobody is given an account of one whose lease lasts, whatever
//	another has the account       the database has forgotten in a failover       PlantNoHold
//	an account is on one node     roster: at home, online and owned; drainOne: to drain a node costs no
//	                              key and no login
package world
