// Package dcconn is the actor for one account's connection to one DC in one
// role: one socket at a time, and over it either the making of auth keys or,
// from [Run] on and for the rest of its life, one mtproto.Session under one
// key.
//
// It decides when to dial (with the governor's permit), when a socket is dead,
// and how long to pause before the next. It decides nothing about keys,
// authorizations or errors of the API: those go to its owner, as an [Event] or
// as the answer to a [Call]. It never waits; what it owes is answered when it
// stops.
//
// # Life
//
//	Spawn ──> dial ──> Up ──MakeKey──> KeyMade | KeyFailed      any number of times
//	                    └──Run──> [Bound | BindFailed] calls, Clock, Updates, Gap, Save
//	                                 ├─Drain──> Drained: silent until Resume or the end
//	                                 └─Listen─> Silent at once, then Drained
//
// A lost socket is replaced by itself: at once if it had been healthy for ten
// seconds, otherwise after a pause drawn from [0, d], d being 100 ms doubling
// to 16 s. The session stays the same. Two things end that: an answer of -404
// under the session's key ([EventKeyUnknown]), and being silent. A server
// closes the socket of a silent connection 75 s after the last ping. [Probe]
// asks whether the DC still knows the key, silent or not.
//
// Sockets come from a [Network]: actors/wire is one, a simulation may be
// another. The session is told how much the socket takes, so that its queries
// wait in the session, where they can be given back, and not in a queue.
package dcconn
