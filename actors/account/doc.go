// Package account is one account: an actor that drives the engines which decide
// for it, and the one way to its records.
//
// standing says where the account stands, login signs it in, updates follows
// what the server pushes; bindings, one for each DC, have its keys and its
// connections. The account carries queries between them and hears what came of
// it. It decides nothing about what an answer of the server means, and a test
// says so.
//
// A call goes from its caller to the account, from there to a connection, and
// comes back from the connection: only an error that standing.NeedsPolicy, and
// an answer that proves something, pass through the account again. What a query
// is for is data in it (see Call), so that nothing here waits as a function over
// the actor: what happens later is a message, or an output with an id.
//
// Everything that is read and written of the account goes through its journal, in
// the order it was asked for.
package account
