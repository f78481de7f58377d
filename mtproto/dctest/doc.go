// Package dctest is the protocol core of a cluster of data centres to test MTProto clients against.
//
// A Cluster is N data centres with one directory of users (package api). It speaks the whole of MTProto 2.0: key
// creation, encrypted sessions, containers, acknowledgements, salts, service messages, temp keys and their bindings.
// It trusts no client: what breaks a rule of the protocol is answered as the real server answers it and is written
// down in Violations. What tests want to know afterwards is in the Ledger; what they want to go wrong is a Fault.
//
// The core is pure. It has no goroutine, clock, socket or lock: bytes, time and the results of heavy work go in
// through Open, Packet, Closed, Advance and Done; what the world should do comes out of Next, in order; Deadline says
// when Advance is wanted. Package serve drives it with real sockets or in-memory connections.
//
// It is not a server for people: nothing is stored, messages are texts, and everything is readable by the tests
// that own it. It shares tl, transport, crypt and handshake with the client and nothing above them, so that client
// and test cluster cannot share a misunderstanding.
package dctest
