// Package account is one account: an actor that drives the engines which decide
// for it.
//
// standing says where the account stands; signin signs it in, feed follows what
// the server pushes; bindings has one for each DC, with its keys and its
// connections; journal orders what is read and written. The account carries
// queries between them and hears what came of it. It decides nothing about what
// an answer of the server means, and a test says so.
//
// The files that drive are account.go (messages, timers), load.go (beginning and
// end), stand.go, status.go and session.go (what standing decides), calls.go
// (queries), store.go (the journal), label.go, and what each room of the account
// sees of it: host.go and bindings.go, sync.go, signin.go. The rest is vocabulary:
// messages, events, what an account is given (env.go), and how engines' words
// become records (record.go).
//
// A call goes from its caller to the account, from there to a connection, and
// comes back from the connection: only an error that standing.NeedsPolicy, and
// an answer that proves something, pass through the account again. What a query
// is for is data in it (see Call), so that nothing here waits as a function over
// the actor: what happens later is a message, or an output with an id.
package account
