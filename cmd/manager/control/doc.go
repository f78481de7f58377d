// Package control is how commands reach the accounts of a store: the methods of
// the API, each a variable of this package ([Pause], [SignIn]), and a [Service]
// that carries them out, of which there are three.
//
//   - [Local] is over a manager of this process.
//   - [Direct] opens a store that no manager runs, account by account and only
//     for as long as it is needed.
//   - [Dial] reaches the manager that runs, over its unix socket; [Serve] is the
//     other end.
//
// The wire is the schema in cmd/manager/api, by Connect, gRPC and gRPC-Web; one
// table, in methods.go, says of each method what carries it and who does it. The
// unix socket has mode 0600: whoever may open it may do everything.
package control
