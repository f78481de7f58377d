// Package tgerr parses rpc_error, the server's way of refusing a query.
//
// The wire carries a code and a text such as "FLOOD_WAIT_30". [New] splits
// the text into a type ("FLOOD_WAIT") and an argument (30), [Error.Class] says
// what kind of reaction the error asks for, and [Error.Wait] and
// [Error.Migrate] read the argument where it means a wait or a DC.
//
// The package decides nothing: which query is repeated, which account is
// stopped and who is told is the business of those who receive the error. It
// knows nothing of transport errors (-404 and the like), which are four bytes
// and not an rpc_error.
//
// The names are those of https://core.telegram.org/api/errors.
package tgerr
