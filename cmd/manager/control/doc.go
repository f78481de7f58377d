// Package control is how commands reach the accounts of a store: one interface,
// [Service], and three ways to have it.
//
//   - [Local] is over a manager of this process.
//   - [Direct] opens a store that no manager runs, account by account and only
//     for as long as it is needed.
//   - [Dial] reaches the manager that runs, over its unix socket; [Serve] is the
//     other end.
//
// The wire is HTTP with JSON: POST /mtfleet.v1.Service/Method, one request and
// one answer; an error is {"code", "message", "kind"} with the codes and HTTP
// statuses of the Connect protocol. Events is one request and an answer of one
// JSON object a line. The socket has mode 0600: whoever may open it may do
// everything.
package control
